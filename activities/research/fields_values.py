"""Values for cells: what one statement says of one column, in the column's type. Pure.

Every value comes with the words that state it, which stand in the statement; a number that was converted says so by
its unit. What is planned, denied, compared or said of something else is no value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from dateutil.parser import ParserError
from dateutil.parser import parse as parse_date

from activities.research.fields_columns import LABEL_MIN, Asked, is_filler, meanings, meanings_of, unit_of, word_list
from activities.research.fields_phrases import attribute_spans, phrases
from activities.research.fields_reading import NAMED, Form, Reader, Statement, other_subject
from activities.research.lexicon import groups_of, words_of
from activities.research.quantities import Date, Figure, dates, figures, negations
from activities.research.text import display, normalise, stem, terms, words
from activities.research.values import Value, clauses, events_of, part_of, spelled_out, values_of
from schema.contracts.tables import ColumnType
from schema.policies import CELL_TEXT_LENGTH_MAX

SCORE_MIN = 0.4
UNLABELLED = 0.55
"""How much a value counts whose clause does not use the column's word, but only fits it by its kind."""
UNITLESS = 0.75
"""The same of a plain number where the column has a unit and nothing near it names one."""
CIRCUMSTANTIAL = 0.75
"""The same of a value that holds under circumstances which the column does not name (at half load, in winter)."""


@dataclass(frozen=True)
class Candidate:
    """A value that a statement may give for a column."""

    value: Any
    raw: str
    """Stands in `statement.quote`."""
    unit: str | None
    statement: Statement
    score: float
    as_of: str | None
    """The date for which the statement says it holds, as it says it."""
    superseded: bool
    """The statement says that it held once."""
    about: bool = False


_HYPOTHETICAL = re.compile(
    r"\b(?:plan(?:s|ned|ning)? (?:to|for)|expect(?:s|ed) to|aims? to|hopes? to|intends? to|target(?:s|ed|ing)?|"
    r"forecasts?|project(?:s|ed|ion)|would|could|(?-i:may)|might|rumou?r(?:s|ed)?|propos(?:es|ed|al)|wants? to|"
    r"is set to|are set to|due to open|if|should|goal|aspires?|will)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not(?! only)|never|no longer|den(?:y|ies|ied)|incorrect(?:ly)?|wrong(?:ly)?|falsely|mistaken(?:ly)?|myth|"
    r"contrary|erroneous(?:ly)?|disput(?:es|ed)|fictional|unconfirmed|unverified)\b|n[’']t\b",
    re.IGNORECASE,
)
_SUPERSEDED = re.compile(
    r"\b(?:formerly|previously|used to|once|originally|at (?:that|the) time|former|earlier|initially|"
    r"until (?:then|recently|(?:1[5-9]|20)\d\d)|before (?:that|then|(?:1[5-9]|20)\d\d)|back in|had been|"
    r"was then|old|outdated|superseded|archived?)\b",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"(?:\b(?:compared (?:with|to)|versus|vs\.?|against|up from|down from|rather than|instead of|not|beyond|"
    r"(?:more|less|fewer|higher|lower|larger|smaller|greater) than (?:the|its|that|those|last|previous)|"
    r"from|exceeding|unlike|after|another|extra|additional|further|by)\s*(?:about |around |some |the |its |an? )?"
    r"(?:[$€£¥]|CHF|EUR|USD|GBP)?\s*)$",
    re.IGNORECASE,
)
_AS_OF = re.compile(
    r"\b(?i:as of|as at|in|at the end of|for|by|since|status|updated|effective)\s+(?:the (?:end|start|year) (?:of )?)?"
    r"((?:[A-Z][a-z]+ )?(?:\d{1,2},? )?(?:1[5-9]|20)\d\d(?:-\d\d){0,2})\b"
)
_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'|]+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|ch|de|eu|example|test|dev|app|ai|co|info)\b(?:/[^\s<>\"'|]*)?"
)
_SCALE = re.compile(r"[\s\u00a0\u202f-]?(?:thousand|millions?|billions?|trillion|mn|bn|dozen)\b")
_UNIT_AFTER = re.compile(r"[\s\u00a0\u202f-]{0,2}(?:°\s?[CF]\b|%|per\s?cent\b|[A-Za-zµ·²³/]+)")
_CURRENCY_BEFORE = re.compile(r"(?:US\$|[$€£¥]|(?:CHF|EUR|USD|GBP|JPY)\s?)\s?$")
_NUMBER_WORDS = {str(number): word for number, group in enumerate(groups_of("numbers"), 2) for word in group}
_YES, _NO, _EMPTY = word_list("affirmations"), word_list("denials"), word_list("empties")
_CIRCUMSTANCES = frozenset(stem(word) for word in words_of("circumstances"))
_MONEY = frozenset({"USD", "EUR", "CHF", "GBP", "JPY"})
_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")


def candidates(asked: Asked, statement: Statement, reader: Reader) -> list[Candidate]:
    """Return what a statement may give for a column, in its type; mostly nothing."""
    if statement.form is Form.PROSE:
        found = _from_prose(asked, statement, reader)
    else:
        found = list(_from_pair(asked, statement, reader))
    return [candidate for candidate in found if candidate.score >= SCORE_MIN and _is_shown(candidate)]


def _is_shown(candidate: Candidate) -> bool:
    """Tell whether the words that state the value stand in the quotation."""
    return normalise(candidate.raw).casefold() in normalise(candidate.statement.quote).casefold()


# Pairs and cells: the label says what the value is.


def _from_pair(asked: Asked, statement: Statement, reader: Reader) -> Iterator[Candidate]:
    score = asked.label_score(statement.label, reader.item.tokens)
    text = display(statement.text)
    if score < LABEL_MIN or not text or text.casefold() in _EMPTY:
        return
    if _HYPOTHETICAL.search(statement.label) or _SUPERSEDED.search(statement.label):
        return
    score *= statement.directness * (1.0 if statement.form is Form.CELL else 0.97)
    year = re.search(r"\b(?:1[5-9]|20)\d\d\b", statement.label)
    aside = _AS_OF.search(text) or re.search(r"\(((?:1[5-9]|20)\d\d)\)", text)
    as_of = year.group() if year else aside.group(1) if aside and not _asks_for_time(asked) else None
    for value, raw, unit, factor in typed(asked, text, statement.label):
        yield Candidate(value, raw, unit, statement, score * factor, as_of, bool(_SUPERSEDED.search(text)))
        return


def _asks_for_time(asked: Asked) -> bool:
    return asked.is_year or asked.column.type is ColumnType.DATE


def typed(asked: Asked, text: str, label: str) -> Iterator[tuple[Any, str, str | None, float]]:
    """Yield (value, raw, unit, factor) of a text that holds nothing but the value."""
    kind = asked.column.type
    if kind in (ColumnType.NUMBER, ColumnType.INTEGER):
        yield from _typed_number(asked, text, label)
    elif kind is ColumnType.DATE:
        if (found := date_in(text)) is not None:
            yield (*found, None, 1.0)
    elif kind is ColumnType.BOOLEAN:
        word = text.casefold().strip(" .!")
        first = re.split(r"[\s,;(]", word, maxsplit=1)[0]
        if word in _YES or first in ("yes", "true", "✓", "✔"):
            yield True, text, None, 1.0
        elif word in _NO or first in ("no", "false", "✗", "✘", "not"):
            yield False, text, None, 1.0
    elif kind is ColumnType.URL:
        if match := _URL.search(text):
            yield match.group().rstrip(").,;"), match.group().rstrip(").,;"), None, 1.0
    elif kind is ColumnType.ENUM:
        found_values = allowed_in(asked, text)
        if len(found_values) == 1:
            yield (*found_values[0], None, 1.0)
    else:
        cleaned = text.strip(" .;")
        if cleaned and len(cleaned) <= CELL_TEXT_LENGTH_MAX:
            yield cleaned, cleaned, None, 1.0


def _typed_number(asked: Asked, text: str, label: str) -> Iterator[tuple[Any, str, str | None, float]]:
    if asked.is_year:
        for date in dates(text)[:1]:
            yield date.year, text[date.start : date.end], None, 1.0
        return
    spelled = spelled_out(text)
    bracket = _BRACKETS.search(label)
    given = unit_of(bracket[1]) if bracket else None
    for figure in numbers_in(spelled):
        found = measured(asked, figure, given)
        if found is not None:
            value, unit, factor = found
            yield value, raw_number(spelled, text, figure), unit, factor
            return


def numbers_in(text: str) -> list[Figure]:
    """Return the figures of a text that is one value; a year alone is a number there."""
    found = [scaled(text, figure) for figure in figures(text)]
    if not found and (whole := re.fullmatch(r"\s*(\d{4})\s*", text)):
        found = [Figure(Decimal(whole[1]), "", "plain", whole.start(1), whole.end(1))]
    return found


_SHORT_SCALE = re.compile(r"\s?(?:(?P<m>[Mm]|mln|mio\.?|Mio\.?)|(?P<b>[Bb])|(?P<k>[Kk]))(?![\w/])")


def scaled(text: str, figure: Figure) -> Figure:
    """Return an amount of money with the abbreviated scale that stands behind it ($310M)."""
    match = _SHORT_SCALE.match(text, figure.end)
    if match is None or figure.dimension not in _MONEY:
        return figure
    factor = 10**6 if match["m"] else 10**9 if match["b"] else 10**3
    if re.sub(r"\D", "", text[figure.start : figure.end]) != re.sub(r"\D", "", str(figure.value)):
        factor = 1  # `figures` knows this abbreviation.
    return Figure(figure.value * factor, figure.unit, figure.dimension, figure.start, match.end())


def measured(asked: Asked, figure: Figure, given: Figure | None = None) -> tuple[Any, str | None, float] | None:
    """Return (value in the column's unit, unit, factor) of a figure, or None where it measures something else.

    Args:
        given: the unit that the label states for plain figures (`Height (m)`).
    """
    wanted, dimension, base, factor = asked.unit, figure.dimension, figure.base, 1.0
    if given is not None and dimension in ("plain", "count"):
        dimension, base = given.dimension, figure.value * given.base
        figure = Figure(figure.value * given.value, given.unit, dimension, figure.start, figure.end)
    if wanted is not None and wanted.dimension != "count":
        if dimension in ("plain", "count") and given is None:
            number, factor = figure.value, UNITLESS
        elif dimension != wanted.dimension or (dimension == "temperature" and figure.unit != wanted.unit):
            return None
        else:
            number = base / wanted.base
        unit: str | None = asked.column.unit or wanted.unit
    else:
        if asked.dimensions - {"count"} and dimension not in asked.dimensions:
            if dimension not in ("plain", "count"):
                return None
            factor = UNITLESS
        if wanted is not None and dimension not in ("count", "plain"):
            return None
        number = figure.value / (wanted.value if wanted is not None else 1)
        unit = asked.column.unit or (figure.unit if dimension not in ("count", "plain") else None)
    value = _json_number(number, asked.column.type)
    return None if value is None else (value, unit, factor)


def _json_number(number: Decimal, kind: ColumnType) -> int | float | None:
    if number == number.to_integral_value():
        return int(number)
    return None if kind is ColumnType.INTEGER else float(round(number, 10))


def raw_number(spelled: str, text: str, figure: Figure) -> str:
    """Return a figure as the text has it, with the currency before it, its scale and its unit."""
    digits = spelled[figure.start : figure.end]
    if spelled != text and digits in _NUMBER_WORDS and not re.search(rf"(?<!\d){digits}(?!\d)", text):
        word = re.search(rf"\b{_NUMBER_WORDS[digits]}\b", text, re.IGNORECASE)
        return word.group() if word else digits
    start, end = figure.start, figure.end
    if before := _CURRENCY_BEFORE.search(spelled[:start]):
        start = before.start()
    if scale := _SCALE.match(spelled, end):
        end = scale.end()
    if figure.dimension not in ("plain", "count") and figure.dimension not in _MONEY:
        unit = _UNIT_AFTER.match(spelled, end)
        end = unit.end() if unit else end
    raw = spelled[start:end]
    return raw if raw in text else digits


def date_in(text: str) -> tuple[str, str] | None:
    """Return (ISO date as far as it is known, its words) of the first date in `text`."""
    for date in dates(text):
        return date.iso, text[date.start : date.end]
    numeric = re.search(r"\b(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})\b", text)
    if numeric is None:
        return None
    first, third = numeric[1], numeric[4]
    if len(first) != 4 and (len(third) != 4 or (int(first) <= 12 and numeric[2] == "/")):
        return None  # 4/6/2011 is two dates.
    try:
        found = parse_date(
            numeric.group(),
            dayfirst=len(first) != 4,
            yearfirst=len(first) == 4,
            default=datetime(1, 1, 1),  # noqa: DTZ001
        )
    except (ParserError, OverflowError, ValueError):
        return None
    return found.date().isoformat(), numeric.group()


def allowed_in(asked: Asked, text: str) -> list[tuple[str, str]]:
    """Return (allowed value, its words) for those allowed values that `text` has; one inside of another is none."""
    found: list[tuple[int, int, str, str]] = []
    for allowed in sorted(asked.column.allowed, key=len, reverse=True):
        body = r"[\s_-]?".join(re.escape(part) for part in re.split(r"[\s_-]+", allowed) if part)
        for match in re.finditer(rf"(?<![\w-]){body}(?![\w-])", text, re.IGNORECASE):
            if not any(start <= match.start() and match.end() <= end for start, end, _, _ in found):
                found.append((*match.span(), allowed, match.group()))
    return list({allowed: (allowed, raw) for _, _, allowed, raw in sorted(found)}.values())


# Prose: the clause has to speak of the column, and of the item.


def _from_prose(asked: Asked, statement: Statement, reader: Reader) -> list[Candidate]:
    text = display(statement.text)
    kind = asked.column.type
    if asked.is_year or kind is ColumnType.DATE:
        found = list(_prose_dates(asked, text))
    elif kind in (ColumnType.NUMBER, ColumnType.INTEGER):
        found = list(_prose_numbers(asked, text, named=statement.directness == NAMED))
    elif kind is ColumnType.BOOLEAN:
        found = list(_prose_boolean(asked, text, reader))
    elif kind is ColumnType.ENUM:
        found = list(_prose_enum(asked, text, reader))
    elif kind is ColumnType.URL:
        found = [
            (match.group().rstrip(").,;"), match.group().rstrip(").,;"), None, match.span(), 0.9)
            for match in _URL.finditer(text)
            if asked.spoken_of(meanings(text))
        ]
    else:
        found = [(raw, raw, None, span, score) for raw, span, score in phrases(asked, text, reader.item)]
    if found and statement.directness < NAMED and _has_other_subject(asked, text, reader):
        return []
    made = []
    for value, raw, unit, span, score in found:
        if not _is_about_item(text, span, statement, reader) or not _is_asserted(asked, text, span):
            continue
        as_of = _AS_OF.search(text) if not _asks_for_time(asked) else None
        inside = as_of is not None and as_of.start(1) <= span[0] < as_of.end(1)
        made.append(
            Candidate(
                value=value,
                raw=raw,
                unit=unit,
                statement=statement,
                score=score * statement.directness * 0.95,
                as_of=as_of[1] if as_of is not None and not inside else None,
                superseded=bool(_SUPERSEDED.search(_clause(text, span[0])[0])),
            )
        )
    return made


_DEFINITE = re.compile(r"(?:the|a|an|its|their|his|her|one|another|each)\s+((?:[\w'’-]+\s+){1,5})", re.IGNORECASE)
_STAND_INS = frozenset(stem(word) for word in word_list("stand_ins"))
_VERBS = words_of("verbs")


def _has_other_subject(asked: Asked, text: str, reader: Reader) -> bool:
    """Tell whether a sentence that does not name the item is about a part or a neighbour of it (the approach road)."""
    match = _DEFINITE.match(text)
    if match is None:
        return False
    subject: list[str] = []
    for word in words(match[1]):
        if word in _VERBS and subject:
            break
        subject.append(word)
    else:
        return False  # No verb near: not a plain subject.
    if not meanings(" ".join(subject)).isdisjoint(_meant(asked)):
        return False
    head = stem(subject[-1])
    return head not in _STAND_INS and head not in {stem(token) for token in reader.item.tokens}


def _meant(asked: Asked) -> frozenset[str]:
    """Return all that the words of a column may stand for."""
    return frozenset(meaning for each in (*asked.core, *asked.described) for meaning in meanings_of(each))


Found = tuple[Any, str, str | None, tuple[int, int], float]
"""Value, raw, unit, span in the text, score."""


def _clause(text: str, at: int) -> tuple[str, int, int]:
    """Return the clause around an offset, and its span."""
    start, end = next(((start, end) for start, end in clauses(text) if start <= at <= end), (0, len(text)))
    return text[start:end], start, end


def _is_about_item(text: str, span: tuple[int, int], statement: Statement, reader: Reader) -> bool:
    """Tell whether what stands at `span` is said of the item: of all that is named before it, the item is the last."""
    if reader.is_free:
        return True
    others = reader.names_other(text)
    others = [each for each in others if not (each[0] <= span[0] and span[1] <= each[1])]
    mentions = reader.item.mentions(text)
    _, start, end = _clause(text, span[0])
    subject = other_subject(text, reader.item, until=span[0])
    if subject is not None and subject[1] > span[0]:
        subject = None  # The value itself: X is the chief executive.
    before = [*others, *([subject] if subject else [])]
    last_other = max((at for at, _ in before if at < span[0]), default=-1)
    last_ours = max((at for at, _ in mentions if at < span[0]), default=-1)
    if last_other > last_ours:
        # X of OURS, after another's name: only where the clause itself names the item behind the value.
        return any(span[1] <= at < end for at, _ in mentions) and not any(start <= at < span[0] for at, _ in before)
    if last_ours < 0 and last_other < 0 and mentions:
        # The item comes after the value: in the same clause, or no other name comes between.
        nearest = min(at for at, _ in mentions)
        return not any(span[1] <= at < nearest for at, _ in others)
    if last_ours < 0 and others and not mentions:
        return not any(start <= at < end for at, _ in others)
    return True


def _is_asserted(asked: Asked, text: str, span: tuple[int, int]) -> bool:
    """Tell whether a clause asserts its value: not planned, not denied, not compared with."""
    clause, _, _ = _clause(text, span[0])
    named = " ".join((asked.column.name, asked.column.description)).casefold()
    planned = _HYPOTHETICAL.search(clause)
    if planned and planned.group().casefold().split()[0][:4] not in named:
        return False
    if asked.column.type is not ColumnType.BOOLEAN and _DENIED.search(clause):
        return False
    counts = asked.column.type in (ColumnType.NUMBER, ColumnType.INTEGER) and not asked.is_year
    return not (counts and _is_compared(text, span))


_GREW = re.compile(
    r"\bfrom\s+(?:[$€£¥]|CHF|EUR|USD)?\s*[\d.,]+[\w\s%]{0,20}?\bto\s+(?:[$€£¥]|CHF|EUR|USD)?\s*$", re.IGNORECASE
)


def _is_compared(text: str, span: tuple[int, int]) -> bool:
    before = text[: span[0]]
    return bool(_COMPARED.search(before)) and not _GREW.search(before)


def _attribute_score(asked: Asked, clause: str, extra: frozenset[str] = frozenset()) -> float:
    """Return 1 where a clause speaks of the column, less where it does so under other circumstances, else 0."""
    if not asked.spoken_of(meanings(clause) | extra):
        return 0.0
    part = part_of(clause)
    part = frozenset(each for each in part if not is_filler(each))
    if part and not any(meanings_of(each) & _meant(asked) for each in part):
        return 0.0
    circumstances = frozenset(terms(clause)) & _CIRCUMSTANCES
    told = frozenset((*asked.core, *asked.weak, *(stem(word) for word in words(asked.column.description))))
    return CIRCUMSTANTIAL if circumstances - told else 1.0


def _prose_numbers(asked: Asked, text: str, *, named: bool) -> Iterator[Found]:
    spelled = spelled_out(text)
    fitting: list[tuple[Value, Any, str | None, float, bool]] = []
    for value in values_of(text):
        if value.condition:
            continue
        figure = scaled(spelled, value.figure)
        value = replace(value, figure=figure)
        fits = measured(asked, figure)
        if fits is None:
            continue
        clause, _, _ = _clause(spelled, figure.start)
        noun = meanings_of(figure.unit) if figure.dimension == "count" else frozenset[str]()
        own = bool(noun & _meant(asked)) or (
            asked.unit is not None and figure.dimension == "count" and figure.unit == asked.unit.unit
        )
        score = _attribute_score(asked, clause, noun) or _whole_sentence_score(asked, spelled, clause, noun)
        if own and not score and asked.unit is not None and asked.unit.dimension == "count":
            score = 0.7
        if figure.dimension == "plain" and asked.dimensions - {"count"} and asked.unit is None:
            score *= UNITLESS
        if not score:
            continue
        fitting.append((value, fits[0], fits[1], score * fits[2], own))
    if not fitting:
        if named:
            yield from _by_dimension(asked, text, spelled)
        return
    for value, number, unit, score, own in _nearest(asked, spelled, fitting):
        figure = value.figure
        raw = raw_number(spelled, text, figure)
        at = _find(text, raw, figure.start)
        yield number, raw, unit, (at, at + len(raw)), score * (1.0 if own or figure.dimension != "count" else 0.85)


def _whole_sentence_score(asked: Asked, text: str, clause: str, noun: frozenset[str]) -> float:
    """Speak of the column in another clause than the figure's, where that has no figure of its own to mean."""
    if len(values_of(text)) > 1 or dates(text):
        return 0.0
    return 0.8 * _attribute_score(asked, text, noun)


def _nearest(
    asked: Asked, text: str, fitting: list[tuple[Value, Any, str | None, float, bool]]
) -> list[tuple[Value, Any, str | None, float, bool]]:
    """Return the figures that count what is asked for by name; else the one nearest to the column's word."""
    if any(own for *_, own in fitting):
        return [each for each in fitting if each[-1]]
    if len(fitting) == 1:
        return fitting
    spans = attribute_spans(asked, text)
    if not spans:
        return []

    def distance(each: tuple[Value, Any, str | None, float, bool]) -> int:
        figure = each[0].figure
        return min(figure.start - end if end <= figure.start else start - figure.end + 8 for start, end in spans)

    return [min(fitting, key=distance)]


def _by_dimension(asked: Asked, text: str, spelled: str) -> Iterator[Found]:
    """Take the only figure of the wanted unit where no word of another property stands beside it."""
    if asked.unit is None or asked.unit.dimension in ("count", "share", "time") or asked.unit.dimension in _MONEY:
        return
    same = [value for value in values_of(text) if value.figure.dimension == asked.unit.dimension]
    if len(same) != 1 or same[0].condition or same[0].per:
        return
    figure = same[0].figure
    clause, _, _ = _clause(spelled, figure.start)
    known = {meaning for word in terms(clause) for meaning in meanings_of(word) if meaning[:1] == "="}
    if known or part_of(clause) or frozenset(terms(clause)) & _CIRCUMSTANCES:
        return
    fits = measured(asked, figure)
    if fits is not None:
        raw = raw_number(spelled, text, figure)
        at = _find(text, raw, figure.start)
        yield fits[0], raw, fits[1], (at, at + len(raw)), UNLABELLED


def _find(text: str, raw: str, near: int) -> int:
    at = text.find(raw, max(0, near - 12))
    return at if at >= 0 else max(0, text.find(raw))


def _prose_dates(asked: Asked, text: str) -> Iterator[Found]:
    groups = {meaning for each in asked.core for meaning in meanings_of(each) if meaning[:1] == "!"}
    # Of *first release* the event alone is not enough: the second one was a release too.
    rest = tuple(each for each in asked.core if not meanings_of(each) & groups)
    found: list[tuple[Date, float]] = []
    for date, event in zip(dates(text), events_of(text), strict=True):
        if event.loose and not _is_since(text, date, groups):
            continue
        clause, _, _ = _clause(text, date.start)
        told = {f"!{number}" for number in event.events}
        score = _attribute_score(asked, clause)
        if groups and groups & told and all(meanings_of(each) & meanings(clause) for each in rest):
            score = max(score, 1.0)
        elif told and groups and not groups & told:
            continue  # It says of something else when it happened.
        if score:
            found.append((date, score))
    spans = attribute_spans(asked, text)
    if len(found) > 1 and spans:
        found = [min(found, key=lambda each: min(abs(each[0].start - end) for _, end in spans))]
    for date, score in found[:1]:
        raw = text[date.start : date.end]
        value: Any = date.year if asked.is_year else date.iso
        yield value, raw, None, (date.start, date.end), score
    if found or dates(text) or asked.is_year:
        return
    numeric, score = date_in(text), _attribute_score(asked, text)
    if numeric is not None and score:
        at = text.find(numeric[1])
        yield numeric[0], numeric[1], None, (at, at + len(numeric[1])), score


def _is_since(text: str, date: Date, groups: set[str]) -> bool:
    """Open since 1993 says when; before 1993 does not."""
    return bool(groups) and bool(re.search(r"\b(?:since|until)\s*$", text[: date.start], re.IGNORECASE))


def _prose_boolean(asked: Asked, text: str, reader: Reader) -> Iterator[Found]:
    for start, end in clauses(text):
        clause = text[start:end]
        if not asked.spoken_of(meanings(clause)):
            continue
        if _HYPOTHETICAL.search(clause) or clause.rstrip().endswith("?"):
            continue
        spans = attribute_spans(asked, clause)
        if not spans:
            continue
        value = negations(clause) % 2 == 0
        raw = clause.strip(" .,;")
        yield value, raw, None, (start + spans[0][0], start + spans[0][1]), 0.85
        return


def _prose_enum(asked: Asked, text: str, reader: Reader) -> Iterator[Found]:
    found = allowed_in(asked, text)
    if len(found) > 1:
        found = [each for each in found if asked.spoken_of(meanings(_clause(text, text.find(each[1]))[0]))]
    if len(found) != 1:
        return
    value, raw = found[0]
    at = text.find(raw)
    clause, _, _ = _clause(text, at)
    score = _attribute_score(asked, clause) or 0.8 * _attribute_score(asked, text) or UNLABELLED
    yield value, raw, None, (at, at + len(raw)), score
