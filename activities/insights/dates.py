"""Dates and times as people write them: ISO, day or month first, with names of months in several languages. Pure.

A column's spellings are few next to its rows, so each spelling is read once, in Python, and mapped to its rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise

import polars as pl

from schema.contracts.insights import DateOrder

_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}
MONTHS: dict[str, int] = {}
for _names in _MONTHS.values():
    for _number, _name in enumerate(_names.split(), 1):
        MONTHS[_name] = _number
        MONTHS.setdefault(_name[:3], _number)
        MONTHS.setdefault(_name[:4], _number)
MONTHS |= {"sept": 9, "mrz": 3, "janv": 1, "févr": 2, "fevr": 2, "avr": 4, "juil": 7, "aout": 8, "déc": 12, "dec": 12}

_CLOCK_TIME = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
_TIME = rf"(?:[T ]\s*{_CLOCK_TIME}\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+\-]\d{{2}}:?\d{{2}})?)?"
_ISO = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}")
_NUMERIC = re.compile(rf"(\d{{1,2}})\s?([-/.])\s?(\d{{1,2}})\s?\2\s?(\d{{4}}|\d{{2}}),?{_TIME}")
_DAY_NAMED = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|er|\.)?[ \-/](?:de )?([^\W\d_]{3,10})\.?,?[ \-/](?:de )?"
    rf"(\d{{4}}|\d{{2}}),?{_TIME}"
)
_MONTH_NAMED = re.compile(rf"([^\W\d_]{{3,10}})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}}),?{_TIME}")
_YEAR_MONTH = re.compile(r"(\d{4})[-/](\d{2})|([^\W\d_]{3,10})\.?[ \-](\d{4})|(\d{2})/(\d{4})")
_QUARTER = re.compile(r"(?:(\d{4})[- ]?Q([1-4])|Q([1-4])[- /]?(\d{4}))", re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})Z?)?")
_CJK = re.compile(r"(\d{4})年(\d{1,2})月(?:(\d{1,2})日)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_WEEKDAY = re.compile(r"^[^\W\d_]{2,10}\.?,\s+(?=\d|[^\W\d_]{3,10}\.? \d)")
_PIVOT = 70
"""Years of two digits from here on lie in the 1900s (POSIX strptime has 69)."""


@dataclass
class Dates:
    """A column read as dates."""

    values: pl.Series
    """Date or Datetime; null where a cell is none."""
    format: str
    order: DateOrder | None
    evidence: str
    ambiguous: bool = False
    """Day and month could be exchanged, and nothing decided."""
    contrary: int = 0
    """Spellings that fit only the other order."""


@dataclass
class _Spelling:
    """One spelling, read as far as its order allows."""

    shape: str
    parts: tuple[int, int, int] | None = None
    """(first, second, year) of a numeric date whose order is open."""
    day: date | None = None
    clock: time | None = None
    offset: str | None = None


def looks_like_date(text: str) -> bool:
    """Tell whether a text has the form of a date, digits alone left out."""
    return _read(text.strip()) is not None


def read_dates(
    texts: pl.Series, asked: DateOrder | None, *, likely_day_first: bool, compact: bool = False
) -> Dates | None:
    """Read a column as dates; None: hardly any cell is one.

    Args:
        asked: the order that the caller names, for where the column does not decide.
        likely_day_first: what the rest of the file speaks for.
        compact: eight digits are dates, too (the column's name says that it holds some).
    """
    spelled = texts.drop_nulls().unique(maintain_order=True)
    read: dict[str, _Spelling] = {}
    for text in spelled.to_list():
        if (found := _read(text.strip(), compact=compact)) is not None:
            read[text] = found
    if not read:
        return None
    open_ones = [each.parts for each in read.values() if each.parts]
    order, evidence, ambiguous, contrary = _decide(open_ones, asked, texts, read, likely_day_first=likely_day_first)
    days = {text: _day(each, order) for text, each in read.items()}
    timed = any(each.clock is not None for each in read.values())
    shapes = Counter(each.shape for each in read.values())
    shape = shapes.most_common(1)[0][0]
    if order == DateOrder.MONTH_FIRST:
        shape = shape.replace("%1", "%m").replace("%2", "%d")
    shape = shape.replace("%1", "%d").replace("%2", "%m")
    if timed:
        moments = {text: _moment(day, read[text]) for text, day in days.items() if day is not None}
        values = _mapped(texts, moments, pl.Datetime("us"))
    else:
        values = _mapped(texts, {text: day for text, day in days.items() if day is not None}, pl.Date())
    if order is None and any(each.shape.startswith("%Y") for each in read.values()):
        order = DateOrder.YEAR_FIRST
    return Dates(values, shape, order, evidence, ambiguous, contrary)


def read_times(texts: pl.Series) -> pl.Series:
    """Read a column as times of the day; null where a cell is none."""
    found = {}
    for text in texts.drop_nulls().unique().to_list():
        match = _CLOCK.fullmatch(text.strip())
        if match and int(match[1]) < 24 and int(match[2]) < 60 and int(match[3] or 0) < 60:
            found[text] = time(int(match[1]), int(match[2]), int(match[3] or 0))
    return _mapped(texts, found, pl.Time())


def _mapped(texts: pl.Series, read: Mapping[str, date | time], dtype: pl.DataType) -> pl.Series:
    if not read:
        return pl.Series(texts.name, [None] * len(texts), dtype=dtype)
    return texts.replace_strict(
        list(read), pl.Series(list(read.values()), dtype=dtype), default=None, return_dtype=dtype
    )


def _read(text: str, *, compact: bool = False) -> _Spelling | None:
    text = _WEEKDAY.sub("", text)
    for pattern, reader in _READERS:
        if (match := pattern.fullmatch(text)) is not None:
            return reader(match)
    if compact and (match := _COMPACT.fullmatch(text)) is not None:
        clock = time(int(match[4]), int(match[5]), int(match[6])) if match[4] and int(match[4]) < 24 else None
        return _known("%Y%m%d", int(match[1]), int(match[2]), int(match[3]), clock)
    return None


def _clock(groups: tuple[str | None, ...]) -> tuple[time | None, str | None, bool]:
    """Return time of day, offset, and whether they can be read."""
    hour, minute, second, fraction, half, offset = groups
    if hour is None:
        return None, None, True
    number = int(hour)
    if half:
        if not 1 <= number <= 12:
            return None, None, False
        number = number % 12 + (12 if half[0] in "pP" else 0)
    if number > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return None, None, False
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    return time(number, int(minute or 0), int(second or 0), micros), offset, True


def _iso(match: re.Match[str]) -> _Spelling | None:
    clock, offset, good = _clock(match.groups()[4:10])
    shape = f"%Y{match[2]}%m{match[2]}%d"
    return _known(shape, int(match[1]), int(match[3]), int(match[4]), clock, offset) if good else None


def _numeric(match: re.Match[str]) -> _Spelling | None:
    clock, offset, good = _clock(match.groups()[4:10])
    first, second, year = int(match[1]), int(match[3]), _year(match[4])
    if not good or not (1 <= first <= 31 and 1 <= second <= 31) or min(first, second) > 12:
        return None
    shape = f"%1{match[2]}%2{match[2]}%{'Y' if len(match[4]) == 4 else 'y'}"
    return _Spelling(shape + _shown(clock), (first, second, year), None, clock, offset)


def _day_named(match: re.Match[str]) -> _Spelling | None:
    clock, offset, good = _clock(match.groups()[3:9])
    month = MONTHS.get(match[2].lower())
    return _known("%d %B %Y", _year(match[3]), month, int(match[1]), clock, offset) if good and month else None


def _month_named(match: re.Match[str]) -> _Spelling | None:
    clock, offset, good = _clock(match.groups()[3:9])
    month = MONTHS.get(match[1].lower())
    return _known("%B %d, %Y", int(match[3]), month, int(match[2]), clock, offset) if good and month else None


def _year_month(match: re.Match[str]) -> _Spelling | None:
    if match[1]:
        return _known("%Y-%m", int(match[1]), int(match[2]), 1)
    if match[3]:
        month = MONTHS.get(match[3].lower())
        return _known("%B %Y", int(match[4]), month, 1) if month else None
    return _known("%m/%Y", int(match[6]), int(match[5]), 1)


def _quarter(match: re.Match[str]) -> _Spelling | None:
    quarter = int(match[2] or match[3])
    return _known("%Y-Q", int(match[1] or match[4]), quarter * 3 - 2, 1)


def _cjk(match: re.Match[str]) -> _Spelling | None:
    return _known("%Y年%m月%d日", int(match[1]), int(match[2]), int(match[3] or 1))


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], _Spelling | None]], ...] = (
    (_ISO, _iso),
    (_NUMERIC, _numeric),
    (_DAY_NAMED, _day_named),
    (_MONTH_NAMED, _month_named),
    (_QUARTER, _quarter),
    (_YEAR_MONTH, _year_month),
    (_CJK, _cjk),
)


def _known(
    shape: str, year: int, month: int | None, day: int, clock: time | None = None, offset: str | None = None
) -> _Spelling | None:
    try:
        return _Spelling(shape + _shown(clock), None, date(year, month or 0, day), clock, offset)
    except ValueError:
        return None


def _shown(clock: time | None) -> str:
    return "" if clock is None else " %H:%M:%S" if clock.second or clock.microsecond else " %H:%M"


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else int(text) + (1900 if int(text) >= _PIVOT else 2000)


def _day(spelling: _Spelling, order: DateOrder | None) -> date | None:
    if spelling.parts is None:
        return spelling.day
    first, second, year = spelling.parts
    try:
        return date(year, first, second) if order == DateOrder.MONTH_FIRST else date(year, second, first)
    except ValueError:
        return None


def _moment(day: date, spelling: _Spelling) -> datetime:
    moment = datetime.combine(day, spelling.clock or time())
    if spelling.offset and spelling.offset[0] in "+-":
        zone = datetime.strptime(spelling.offset.replace(":", ""), "%z").tzinfo
        moment = moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    return moment


def _decide(
    dates: Iterable[tuple[int, int, int]],
    asked: DateOrder | None,
    texts: pl.Series,
    read: dict[str, _Spelling],
    *,
    likely_day_first: bool,
) -> tuple[DateOrder | None, str, bool, int]:
    """Decide between day and month first: by values beyond 12, the caller, the order of the rows, the rest of the
    file."""
    dates = list(dates)
    if not dates:
        return None, "", False, 0
    day_first = sum(1 for first, _, _ in dates if first > 12)
    month_first = sum(1 for _, second, _ in dates if second > 12)
    if day_first or month_first:
        order = DateOrder.DAY_FIRST if day_first >= month_first else DateOrder.MONTH_FIRST
        place = "first" if order == DateOrder.DAY_FIRST else "second"
        many = max(day_first, month_first)
        evidence = f"the {place} number is greater than 12 in {many} of {len(dates)} spellings"
        return order, evidence, False, min(day_first, month_first)
    if asked in (DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST):
        return asked, "asked for by the caller", False, 0
    rising = {order: _rises(texts, read, order) for order in (DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST)}
    best = max(rising, key=lambda order: rising[order])
    if rising[best] >= 0.95 and rising[best] - min(rising.values()) > 0.2:
        return best, "the rows are in order of time when read so", False, 0
    dotted = sum(1 for each in read.values() if each.parts and "." in each.shape.split(" ")[0])
    if dotted * 2 > len(dates):
        return DateOrder.DAY_FIRST, "dates with dots have the day first", False, 0
    order = DateOrder.DAY_FIRST if likely_day_first else DateOrder.MONTH_FIRST
    if all(first == second for first, second, _ in dates):
        return order, "day and month are the same number", False, 0
    return order, "nothing in the column decides; the rest of the file was followed", True, 0


def _rises(texts: pl.Series, read: dict[str, _Spelling], order: DateOrder) -> float:
    """Return the share of neighbouring rows that do not go back in time, of up to 2,000."""
    days = [_day(read[text], order) for text in texts.drop_nulls().head(2_000).to_list() if text in read]
    known = [day for day in days if day is not None]
    pairs = list(pairwise(known))
    if len(pairs) < 5 or known[0] == known[-1]:
        return 0.0
    forward = sum(1 for before, after in pairs if after >= before)
    backward = sum(1 for before, after in pairs if after <= before)
    return max(forward, backward) / len(pairs)
