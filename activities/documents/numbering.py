"""The numbers before the paragraphs of a Word document (ECMA-376 part 1, 17.9): they are computed, not stored. Pure."""

from collections import defaultdict
from typing import Any

from docx.oxml.ns import qn

LEVELS = 9
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"))
_ROMAN_SMALL = ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
_NUMBER_MAX = 3_999


class Numbering:
    """Counts paragraphs in their order."""

    def __init__(self, element: Any | None) -> None:
        """Read the definitions.

        Args:
            element: `w:numbering`; None: the document has none.
        """
        self._levels: dict[str, dict[int, tuple[str, str, int]]] = {}
        self._abstract: dict[str, str] = {}
        self._restarts: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        self._begun: set[str] = set()
        for each in element if element is not None else ():
            if each.tag == qn("w:abstractNum"):
                self._levels[each.get(qn("w:abstractNumId"), "")] = dict(map(_level, each.iter(qn("w:lvl"))))
            elif each.tag == qn("w:num"):
                self._num(each)

    def label(self, number_id: str, level: int) -> str | None:
        """Count one more paragraph; return what stands before it: `2.1`, `b)`, empty for a bullet; None: no list."""
        abstract = self._abstract.get(number_id)
        if abstract is None or not 0 <= level < LEVELS:
            return None
        levels, counts = self._levels.get(abstract, {}), self._counts[abstract]
        if number_id not in self._begun:
            self._begun.add(number_id)
            counts.update({at: start - 1 for at, start in self._restarts.get(number_id, {}).items()})
        form, text, start = levels.get(level, ("bullet", "", 1))
        counts[level] = counts.get(level, start - 1) + 1
        for deeper in [at for at in counts if at > level]:
            del counts[deeper]
        if form in ("bullet", "none"):
            return ""
        for at in range(LEVELS):
            # 17.9.11: `%1` is the number of the first level.
            shown_form, _, shown_start = levels.get(at, ("decimal", "", 1))
            text = text.replace(f"%{at + 1}", _written(counts.get(at, shown_start), shown_form))
        return text.strip()

    def _num(self, num: Any) -> None:
        number_id = num.get(qn("w:numId"), "")
        abstract = num.find(qn("w:abstractNumId"))
        self._abstract[number_id] = _value(abstract)
        self._restarts[number_id] = {
            _number(override.get(qn("w:ilvl"))): _number(_value(start))
            for override in num.iter(qn("w:lvlOverride"))
            if (start := override.find(qn("w:startOverride"))) is not None
        }


def _level(level: Any) -> tuple[int, tuple[str, str, int]]:
    start = level.find(qn("w:start"))
    form = _value(level.find(qn("w:numFmt"))) or "decimal"
    text = _value(level.find(qn("w:lvlText")))
    return _number(level.get(qn("w:ilvl"))), (form, text[:50], _number(_value(start)) if start is not None else 1)


def _value(element: Any | None) -> str:
    return str(element.get(qn("w:val"), "")) if element is not None else ""


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0


def _written(number: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and number > 0:
        # 17.18.59: z is followed by aa, bb.
        letters = chr(97 + (number - 1) % 26) * min((number - 1) // 26 + 1, 5)
        return letters.upper() if form == "upperLetter" else letters
    if form in ("lowerRoman", "upperRoman") and 0 < number <= _NUMBER_MAX:
        letters, left = "", number
        for value, sign in (*_ROMAN, *_ROMAN_SMALL):
            letters += sign * (left // value)
            left %= value
        return letters.upper() if form == "upperRoman" else letters
    return f"{number:02}" if form == "decimalZero" else str(number)
