"""Titles by rule, and what words of a title must be shown by its slide's statements."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from activities.research.dating import undated
from schema.contracts.deliverables import Statement

TITLE_CHARACTERS_MAX = 96
"""Two lines of a slide's title."""
STATEMENT_CHARACTERS_MAX = 600
"""Of a statement whose figures and dates are looked for; a longer one is no row of a diagram."""
_TAIL = re.compile(
    r"(?:;| – | — |, (?:according to|which|who|as reported|where|says|said|reported|laut|so|welche[rs]?|selon|d'après)"
    r" ).*",
    re.IGNORECASE,
)
"""Clauses that tell who says so or add to what is said; never one that limits it (if, unless, although, except)."""
_LIMITS = re.compile(
    r"\b(?:if|unless|except|although|but|however|only|provided|not|sofern|wenn|nicht|sauf|si|pas)\b", re.I
)


def shortened(text: str, most: int = TITLE_CHARACTERS_MAX) -> str | None:
    """Return a statement without the clauses that only add to it; None where it is still longer than a title."""
    whole = text.rstrip(" .。")
    if len(whole) <= most:
        return whole
    cut = _TAIL.search(whole, 24)
    if cut and cut.start() <= most and not _LIMITS.search(cut.group()):
        return whole[: cut.start()]
    return None


def is_sentence(text: str) -> bool:
    """Tell whether a statement can stand as a title: it begins and ends as a sentence does, and has a few words."""
    begins = text[:1].isupper() or text[:1].isdigit() or (text[:1].isalpha() and not text[:1].islower())
    ends = text[-1:] in ".!。！؟…" or not text[:1].isascii()
    return begins and ends and (len(text.split()) >= 4 or not text.isascii()) and text.count("(") == text.count(")")


def elided(text: str, most: int) -> str:
    """Return the beginning of a text that is too long for its place, cut between words, with an ellipsis."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    at = head.rfind(" ", most // 2)
    return head[: at if at > 0 else most - 1].rstrip(" ,;:–-") + "…"


_WORD = re.compile(r"[^\W_]+(?:[.,:'’-][^\W_]+)*")


def shown_by(title: str, statements: Iterable[Statement], topics: Sequence[str] = ()) -> bool:
    """Tell whether every figure and every name of a title stands in the statements or topics below it."""
    said = [*(each.text for each in statements), *topics]
    known = {word.casefold() for text in said for word in _WORD.findall(text)}
    for place, word in enumerate(_WORD.findall(title)):
        is_figure = any(character.isdigit() for character in word)
        is_name = word[:1].isupper() and (place > 0 or word[1:2].isupper())
        if (is_figure or is_name) and word.casefold() not in known:
            return False
    return True


_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = "|".join(_MONTHS)
_DATE = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}}) (?P<month>{_MONTH}) (?P<year>[12]\d{{3}})"
    rf"|(?P<month2>{_MONTH}) (?P<day2>\d{{1,2}}), (?P<year2>[12]\d{{3}})"
    rf"|(?P<month3>{_MONTH}) (?P<year3>[12]\d{{3}})"
    r"|(?P<iso>[12]\d{3}-\d{2}-\d{2})"
    r"|(?:in|since|by|until|en|im|seit|depuis|в|το) (?P<year4>1[5-9]\d{2}|20\d{2}))(?!\w|-|[.,]\d)",
    re.IGNORECASE,
)


def dated(text: str) -> tuple[date, str] | None:
    """Return when something was, with the words that say it; None without a date, or with more than one.

    When its source was published is not when it was.
    """
    text, _ = undated(text)
    found = list(_DATE.finditer(text)) if len(text) <= STATEMENT_CHARACTERS_MAX else []
    if len(found) != 1:
        return None
    said = found[0].groupdict()
    if said["iso"]:
        try:
            return date.fromisoformat(said["iso"]), said["iso"]
        except ValueError:
            return None
    year = int(next(said[key] for key in ("year", "year2", "year3", "year4") if said[key]))
    month = next((said[key] for key in ("month", "month2", "month3") if said[key]), None)
    day = int(said["day"] or said["day2"] or 1)
    words = found[0].group() if month else str(year)
    try:
        return date(year, _MONTHS.index(month.lower()) + 1 if month else 1, day), words
    except ValueError:
        return None


_STEP = re.compile(
    r"(?:step \d+|\d+[.)]|first(?:ly)?\b|second(?:ly)?\b|third(?:ly)?\b|then\b|next\b|after that\b|afterwards\b|"
    r"finally\b|lastly\b|zuerst\b|dann\b|danach\b|schließlich\b|d'abord\b|ensuite\b|puis\b|enfin\b)",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"(?:step 1\b|1[.)]|first(?:ly)?\b|zuerst\b|d'abord\b)", re.IGNORECASE)


def steps_in(statements: Sequence[Statement]) -> tuple[int, int]:
    """Return where a run of three or more ordered steps begins and ends; (0, 0) where there is none."""
    for start, first in enumerate(statements):
        if not _BEGINS.match(undated(first.text)[0]):
            continue
        end = start + 1
        while end < len(statements) and _STEP.match(undated(statements[end].text)[0]):
            end += 1
        if end - start >= 3:
            return start, end
    return 0, 0


FIGURE = re.compile(
    r"(?<![\w.,-])(?:[€$£¥]\s?)?\d{1,3}(?:[., \u202f]\d{3})+(?:[.,]\d+)?(?:\s?(?:%|percent\b|million\b|billion\b))?"
    r"|(?<![\w.,-])(?:[€$£¥]\s?)?\d+(?:[.,]\d+)?\s?(?:%|percent\b|million\b|billion\b|GWh\b|MW\b|km\b|°C)"
)
"""Figures that are set off in text: with a separator of thousands, a percentage or a unit; never a year."""
_KEY = re.compile(
    r"(?P<before>(?<![^\W\d_])[^\W\d_]{1,40}[ \u00a0])?(?P<figure>(?<![\w.,/-])(?:[€$£¥]\s?)?\d+(?:[.,]\d+)*"
    r"(?:\s?%|(?P<unit>(?: (?:thousand|million|billion|trillion|square|cubic))? (?P<noun>[^\W\d_]+))|(?=[\s.,;)])))"
)
_HEDGES = re.compile(
    r"about|around|nearly|almost|roughly|approximately|than|least|most|to|under|over|below|above|not|no|only|some|circa|"
    r"up|ca|etwa|rund|fast|knapp|über|environ|près"
)
_NO_NOUN = re.compile(
    r"in|of|and|to|per|the|a|an|by|on|at|for|from|or|with|was|is|were|are|has|had|will|would|can|as|after|before|out|"
    r"und|der|die|das|von|im|am|bis|et|de|la|le|les|du|en|au"
)


def key_figure(text: str) -> str | None:
    """Return what a statement's row is headed by: its first figure with what it counts, or else its only date.

    A year is no figure; one that is hedged, that counts nothing or that belongs to a name tells too little alone.
    """
    text, _ = undated(text)
    if len(text) > STATEMENT_CHARACTERS_MAX:
        return None
    for found in _KEY.finditer(text):
        figure, noun, before = found["figure"], (found["noun"] or "").casefold(), (found["before"] or "").strip()
        if re.match(r"(?:1[5-9]|20)\d\d(?![\d.,])", figure) or noun in _MONTHS:
            continue
        is_name = before[:1].isupper() and before.casefold() not in ("the", "a", "an", "some")
        if _HEDGES.fullmatch(before.casefold()) or is_name or _is_rtl(noun):
            break
        if _NO_NOUN.fullmatch(noun):
            figure = figure[: -len(found["noun"])].rstrip()
            noun = ""
        if noun or figure[0] in "€$£¥" or figure.endswith("%"):
            return figure
        break
    when = dated(text)
    return when[1] if when else None


def _is_rtl(word: str) -> bool:
    return any("\u0590" <= character <= "\u08ff" for character in word)
