"""Values: what a sentence says of its subject, as slots that can be compared: figures, dates, and names in a relation.

Built on `quantities.py`, which reads single figures; here a figure gets what it needs to be compared: the words of its
clause, a range or a bound, what it is counted per. The citation gate knows nothing of this.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from activities.research.lexicon import groups_of, pairs_of, rows_of, table_of, words_of
from activities.research.quantities import Figure, dates, figures, names, versions
from activities.research.text import STOP_WORDS, stem, terms, words
from activities.research.units import unit_of

_GROUPS = tuple(frozenset(stem(word) for word in group) for group in groups_of("attributes"))
_EVENTS = tuple(frozenset(stem(word) for word in group) for group in groups_of("events"))
STARTED = next(number for number, group in enumerate(_EVENTS) if stem("began") in group)
"""The event of beginning something."""
BEGINNINGS = frozenset(
    number
    for number, group in enumerate(_EVENTS)
    if group & {stem(word) for word in ("founded", "launched", "opened", "built", "began")}
)
"""Steps of one coming into being; a text may date any of them for the whole."""
_CONTRASTS = tuple(
    {stem(word): number for number, member in enumerate(group) for word in member.split("/")}
    for group in groups_of("contrasts")
)
"""Stem -> the member of the family."""
_DOINGS = tuple(
    (frozenset(map(stem, left.split())), frozenset(map(stem, right.split()))) for left, right in pairs_of("doings")
)
_NUMBERS = {word: number for number, group in enumerate(groups_of("numbers"), 2) for word in group}
_NUMBER_WORD = re.compile(rf"\b(?P<word>{'|'.join(_NUMBERS)})(?=[ -][a-z]{{3}})", re.IGNORECASE)
_CLAUSE = re.compile(r";|,\s+(?:(?:and|but|while|whereas|though|although)\s+)?|\s(?:and|but|while|whereas|though)\s")
_PER = re.compile(
    r"\s*(?:(?:thousand|millions?|billions?|mn|bn) )?(?:%|[\w°µ³²]+)?\s*(?:per|an?|each|every|/)\s*(?P<many>100\s*)?"
    r"(?P<of>h|hour|day|week|month|year|annum|second|s|min|minute|km|kilomet\w+|mile|person|head|user|unit|piece|kg|night|seat)\b"
)
_RANGE = re.compile(
    r"(?:\bbetween\s+)?(?<![\w.,-])(?P<low>\d[\d,.]*)\s*(?P<unit>[A-Za-z%°]{1,4})?\s*(?:–|—|-|to|and)\s*(?P<high>\d[\d,.]*)"
)
_ABOUT = re.compile(
    r"(?:\babout|\baround|\bapproximately|\broughly|\bnearly|\balmost|\bsome|\bca\.?|\bcirca|\bclose to|~|≈)\s*"
    r"(?:[$€£¥]|CHF|EUR|USD)?\s*$",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    r"(?:\bmore than|\bover|(?P<hard>\bat least|\ba minimum of|\bfrom(?: the age of)?|\bno (?:less|fewer) than|≥)"
    r"|\babove|\bupwards of|\bexceeds?|\bin excess of|>)\s*"
    r"(?:[$€£¥]|CHF|EUR|USD)?\s*$",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    r"(?:\bless than|\bfewer than|\bunder|(?P<hard>\bat most|\bup to|\bno more than|\bnot more than|\ba maximum of"
    r"|\bas (?:much|many|large|long|high|big|far|heavy|fast|old) as|\bcapped at|\blimited to|≤)|\bbelow|<)\s*"
    r"(?:[$€£¥]|CHF|EUR|USD)?\s*$",
    re.IGNORECASE,
)
_EXTENT = re.compile(
    r"\b(?:stretch|extend|run|spread|span|range|reach|go|turn|flow|carr|measur|sprawl|rang)(?:e?s|ed|ing|ies|ied)? "
    r"(?:out )?over\s*(?:[$€£¥]|CHF|EUR|USD)?\s*$",
    re.IGNORECASE,
)
"""Over tells an extent or belongs to the verb there (stretches over 990 metres); it is no bound."""
_CONDITION = re.compile(
    r"(?:\bat|\bafter|\bwithin|\bevery|\bfor each|\bper)\s*(?:an?|the|a\s+\w+\s+of)?\s*$", re.IGNORECASE
)
_ON = r"(?:(?! (?:and|but|while|it|they|he|she|we) )[^,;:A-Z])*"
"""As far as a clause goes on without another subject or verb."""
_COMPARED_FIRST = re.compile(r"(?:Compared (?:with|to)|Unlike)\b[^,]*,")
_OF_ANOTHER = re.compile(
    r"(?<!\bin )(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )(?<!\bas )(?<!, )"
    rf"\b(?:an?|[Aa]nother|[Ii]ts|[Tt]heir|the|some|any) (?:[a-z-]+ )?(?:{'|'.join(words_of('other_ones'))})\b"
    rf"(?: [a-z-]+){{0,3}} (?:that|which|who|whose|with|of|at|having)\b{_ON}$"
    rf"|\b(?:[Ii]ts|[Tt]heir) (?:[a-z-]+ )?(?:{'|'.join(words_of('other_ones'))}) (?:had|has|was|is)\b{_ON}$"
    rf"|\b(?:as (?:has|had|have|is|are|was|were|does|do|did)|compared (?:with|to)|unlike)\b{_ON}$",
)
_SCALED = 10**18


@dataclass(frozen=True)
class Value:
    """One figure with its surroundings."""

    figure: Figure
    low: Decimal
    high: Decimal
    """In the dimension's base unit; equal where the figure is exact."""
    about: bool
    per: str
    concepts: frozenset[str]
    """Stems of the clause it stands in, words of one meaning put together."""
    noun: str
    """What the last word of the counted phrase stands for (student, in *310 boarding students*), or nothing."""
    modifiers: frozenset[str]
    """Stems of the words before it in that phrase (board)."""
    digits: str
    """As written, for what rounding may explain."""
    bound: str
    """`least` or `most` where the figure is a limit (at most 2 GB); rough bounds (more than 40,000) have none."""
    predicate: str
    """Stem of an adjective that the figure goes with (navigable for 120 km), or nothing."""
    condition: bool
    """It says under which circumstances another figure holds (at 1,800 rpm)."""


@dataclass(frozen=True)
class Event:
    """A date and what happened then."""

    iso: str
    events: frozenset[int]
    concepts: frozenset[str]
    loose: bool
    """A decade, or a bound (before 1990)."""
    since: bool = False
    """A bound that tells when something began (has existed since 1990)."""


_CONCEPTS = {word: f"={number}" for number, group in reversed(list(enumerate(_GROUPS))) for word in group}


def concept(word_stem: str) -> str:
    """Return what a stem stands for: a group of words of one meaning, or itself."""
    return _CONCEPTS.get(word_stem, word_stem)


def concepts_of(text: str) -> frozenset[str]:
    """Return what the content words of `text` stand for."""
    return frozenset(concept(term) for term in terms(text) if not term[:1].isdigit())


def contrasting(left: frozenset[str], right: frozenset[str]) -> bool:
    """Tell whether two sets of stems name different members of a family of opposites (adult, child)."""
    return any(_members_apart(left, right, family) for family in _CONTRASTS)


def doing_otherwise(left: frozenset[str], right: frozenset[str]) -> bool:
    """Tell whether two sets of stems name doings whose measures are of two properties (needs, writes)."""
    return any((left & one and right & other) or (left & other and right & one) for one, other in _DOINGS)


def _members_apart(left: frozenset[str], right: frozenset[str], family: Mapping[str, int]) -> bool:
    ours, theirs = ({family[each] for each in side & family.keys()} for side in (left, right))
    return bool(ours and theirs) and not ours & theirs


def spelled_out(text: str) -> str:
    """Return `text` with its number words as digits (six cylinders, 6 cylinders)."""
    return _NUMBER_WORD.sub(lambda match: str(_NUMBERS[match["word"].lower()]), text)


def clauses(text: str) -> list[tuple[int, int]]:
    """Return the spans of the clauses of a sentence; what belongs together stays together."""
    cuts = [match.span() for match in _CLAUSE.finditer(text) if not _inside_number_pair(text, match)]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    return list(zip(starts, ends, strict=True))


def _inside_number_pair(text: str, match: re.Match[str]) -> bool:
    """Between 3 and 5 is one range, not two clauses."""
    before = re.search(r"\d[\d,.]*\s*[\w%°]{0,4}$", text[: match.start()])
    return bool(before) and bool(re.match(r"\d", text[match.end() :])) and "and" in match.group()


@lru_cache(maxsize=16_384)
def values_of(text: str) -> tuple[Value, ...]:
    """Return the figures of a sentence with their surroundings; number words count.

    What is said by the way of something else of the kind (it replaced an older model with 60 kW) is no value of it.
    """
    text = spelled_out(text)
    spans = clauses(text)
    found: list[Value] = []
    taken = _designated(text)
    ranges = list(_RANGE.finditer(text))
    first = _COMPARED_FIRST.match(text)
    compared = first.end() if first else 0
    for figure in figures(text):
        if any(start <= figure.start < end for start, end in taken) or figure.start < compared:
            continue
        if _OF_ANOTHER.search(text[: figure.start]):
            continue
        inside = next((each for each in ranges if each.start() <= figure.start < each.end()), None)
        if inside is not None and figure.start < inside.start("high"):
            continue  # The lower end; the upper one has the unit, and tells both.
        start, end = next((start, end) for start, end in spans if start <= figure.start <= end)
        found.append(_value(text, figure, inside, text[start:end], alone=not found))
    return tuple(found)


def _designated(text: str) -> list[tuple[int, int]]:
    """Return the spans of numbers that name (Zephyr 9, model 5, Unit 4)."""
    spans = [match.span(1) for match in _NUMBERED_THING.finditer(text)]
    return spans + [match.span(2) for match in _DESIGNATED.finditer(text) if _names(match, text)]


_NUMBERED_THING = re.compile(
    r"\b(?:[Mm]odel|[Mm]ark|[Tt]ype|[Ss]eries|[Nn]o\.|[Cc]hapter)\s(\d{1,4}[A-Za-z]?)\b(?!\s*%|[.,]\d)"
)
_DETERMINED = re.compile(r"(?<!^In )(?<!^On )(?<!^At )(?<!^Across )(?<!^For )\b[Tt]he $")
_COUNTABLE = words_of("counted") | words_of("collectives")
_DOING = words_of("verbs") | words_of("imperatives")
_ONE_OF_TIME = frozenset({"second", "minute", "hour", "day", "week", "month", "year"})
_COUNTED = frozenset(
    {"people", "men", "women", "children", "percent", "per", "staff", "million", "billion", "thousand"}
)


def _names(match: re.Match[str], text: str) -> bool:
    """Tell whether the number behind a name belongs to the name (the Quanta 7 charger), and counts nothing."""
    before, number = match[1].lower(), match[2]
    if match.start() == 0 and not number[-1:].isalpha() and before in STOP_WORDS | _NOT_NAMES | _DOING:
        return False
    if before in _MONTHS | _UNIT_NAMES.keys() | _NOT_NAMES or re.fullmatch(r"(?:1[5-9]|20)\d\d", number):
        return False
    following = re.match(r"\s?(%|°|[a-zµ]+)", text[match.end() :])
    if not following or number[-1:].isalpha():
        return True
    word = following[1]
    if word in _ONE_OF_TIME:
        return number != "1"  # Twenty days are no *20 day* (the Falke 20 day and night).
    if number != "1" and _DETERMINED.search(text[: match.start()]) and not _is_counted(word, text, match.end()):
        return True  # The Kelmon 20 hums: nothing is counted behind an article and a name.
    acts = re.match(r" (?:(?:the|an?|its|to|up|out)\b|\d)", text[match.end() + following.end() :])
    plural = word.endswith("s") and word not in words_of("verbs") and len(word) > 3 and not acts
    return not (plural or word in _COUNTED or not word.isalpha() or unit_of(word) is not None)


def _is_counted(word: str, text: str, at: int) -> bool:
    """Tell whether what stands behind a number is counted or measured by it: a unit, people, rooms that are ..."""
    if unit_of(word) is not None or word in _COUNTED or word in _COUNTABLE or not word.isalpha():
        return True
    return word.endswith("s") and bool(re.match(rf"\s?{word} (?:is|are|was|were|has|have|had|will|can)\b", text[at:]))


def _value(text: str, figure: Figure, inside: re.Match[str] | None, clause: str, *, alone: bool) -> Value:
    factor = figure.base / figure.value if figure.value else Decimal(1)
    low = high = figure.base
    start = figure.start
    about, bound = False, ""
    if inside is not None:
        first = _number(inside["low"])
        if first is not None and first <= figure.value:
            low, start = first * factor, inside.start("low")
    before = text[:start]
    if _ABOUT.search(before):
        about = True
    elif (least := _AT_LEAST.search(before)) and not _EXTENT.search(before):
        high, bound = (low * _SCALED if low > 0 else low), "least" if least["hard"] else ""
    elif most := _AT_MOST.search(before):
        low, bound = Decimal(0), "most" if most["hard"] else ""
    per = _PER.match(text[figure.end :]) if "/" not in figure.unit else None
    counted = _counted(text[figure.end :]) if figure.dimension == "count" else []
    return Value(
        figure=figure,
        low=low,
        high=high,
        about=about,
        per=_per_of(per) if per else "",
        concepts=_concepts(clause, figure, text),
        noun=concept(counted[-1]) if counted else "",
        modifiers=frozenset(counted[:-1]),
        digits=text[figure.start : figure.end],
        bound=bound,
        predicate=_predicate(before),
        condition=not alone and bool(_CONDITION.search(before)),
    )


def _concepts(clause: str, figure: Figure, text: str) -> frozenset[str]:
    """Return what the clause of a figure says; the whole sentence where it says nothing (With 385 metres, ...)."""
    here = concepts_of(_without_unit(clause, figure, text))
    named = frozenset(stem(word) for name in names(text) for word in words(name))
    return here if here - named else concepts_of(_without_unit(text, figure, text))


_ADJECTIVE = re.compile(
    r"\b(?:is|are|was|were) ([a-z]{2,}(?:able|ible|al|ive|ous|ful|ic|ant|ent)) "
    r"(?:for|to|over|within|by|at|from)\b[^\d.;]{0,16}$"
)


def _predicate(before: str) -> str:
    match = _ADJECTIVE.search(before)
    told = stem(match[1]) if match else ""
    return told if concept(told) == told else ""


_PHRASE = re.compile(r"\s*(?:thousand|millions?|billions?|mn|bn|dozen)?\s*((?:[a-zà-ÿ][a-zà-ÿ'’-]*[ ]?){1,4})")
_NO_NOUNS = STOP_WORDS | words_of("verbs") | words_of("auxiliaries") | frozenset({"per", "each", "every"})
_PLURALS = frozenset({"people", "men", "women", "children"})


def _counted(following: str) -> list[str]:
    """Return the stems of the noun phrase behind a number, its head last."""
    match = _PHRASE.match(following)
    held: list[str] = []
    for word in match[1].split() if match else []:
        if word in STOP_WORDS or (held and (word in _NO_NOUNS or word.endswith(("ed", "ly")))):
            break
        held.append(stem(word))
        if word in _PLURALS or (word.endswith("s") and not word.endswith("ss") and len(word) > 3):
            break  # A plural ends the phrase; what follows is a verb (40 users fit).
    return held[:3]


def _per_of(match: re.Match[str]) -> str:
    unit = match["of"].lower()
    unit = {"h": "hour", "s": "second", "min": "minute", "annum": "year"}.get(unit, unit)
    unit = "km" if unit.startswith("kilomet") else unit
    return f"{'100 ' if match['many'] else ''}{unit}"


def _without_unit(clause: str, figure: Figure, text: str) -> str:
    """Return a clause without the unit of its figure, which is compared by itself."""
    raw = text[figure.start : figure.end]
    if figure.dimension == "count":
        return clause
    before, found, after = clause.partition(raw)
    return f"{before} {_UNIT_BEHIND.sub(' ', after, count=1)}" if found else clause


_UNIT_BEHIND = re.compile(r"^[\s\u00a0-]*[\w%°/²³·]*")


_WHOLE_OF = re.compile(
    r"(?:[^,]{1,40}, )?(?:[Tt]he|[Aa]n?|[Ii]ts|[Tt]heir) ((?:[a-z'’-]+ ){0,2}[a-z-]+) of "
    r"(?:the |an? )?(?:[a-z-]+ )?(?=[A-Z])"
)
_STANDS_ON = re.compile(
    r"(?:[^,]{1,40}, )?(?:[Tt]he|[Aa]n?) ((?:[a-z'’-]+ ){0,2}[a-z-]+) "
    r"(?:on|in|at|inside|for|near|under) (?:the )?(?=[A-Z])"
)
_OWN = re.compile(r"(?:(?:its|their|his|her)|.*?[A-Z][\w-]*['’]s) ((?:[a-z-]+ )?[a-z-]+)\b")


@lru_cache(maxsize=16_384)
def part_of(text: str) -> frozenset[str]:
    """Return the part of its subject that a sentence is about (the battery of the Kolibri); a property is no part."""
    match = _WHOLE_OF.match(text) or _STANDS_ON.match(text) or _OWN.match(text)
    held = frozenset(terms(match[1])) if match else frozenset()
    return frozenset() if held & _MEASURES or any(concept(term) != term for term in held) else held


_MEASURES = frozenset(
    stem(word)
    for word in words_of("measures") | {word for row in table_of("roles").values() for word in row[1].split()}
)


def _number(digits: str) -> Decimal | None:
    cleaned = digits.rstrip(".,").replace(",", "")
    return Decimal(cleaned) if re.fullmatch(r"\d{1,30}(?:\.\d{1,30})?", cleaned) else None


def agree(left: Value, right: Value) -> bool:
    """Tell whether two figures of one dimension may both be right: ranges, bounds, rounding, conversion of units."""
    if left.bound and left.bound == right.bound:
        ours, theirs = (left.low, right.low) if left.bound == "least" else (left.high, right.high)
        return abs(ours - theirs) <= Decimal("0.015") * max(abs(ours), abs(theirs))
    if left.low <= right.high and right.low <= left.high:
        return True
    here, there = left.figure, right.figure
    gap = min(abs(left.low - right.high), abs(right.low - left.high))
    size = max(abs(here.base), abs(there.base)) or Decimal(1)
    if left.about or right.about:
        return gap <= Decimal("0.06") * size
    if here.unit != there.unit and here.dimension not in ("count", "plain"):
        return gap <= Decimal("0.015") * size
    return _rounds(left, right) or _rounds(right, left)


def _rounds(coarse: Value, fine: Value) -> bool:
    """Tell whether one figure is the other one, rounded."""
    ours, theirs = coarse.figure.value, fine.figure.value
    if not ours or abs(ours - theirs) > Decimal("0.05") * max(abs(ours), abs(theirs)):
        return False
    step = _step(coarse)
    if step <= _step(fine) or abs(ours - theirs) > step / 2:
        return False
    # Whole hundreds and more are often round numbers; a difference of some percent is not rounding.
    return "." in fine.digits or step < 1 or abs(ours - theirs) <= Decimal("0.01") * abs(ours)


def _step(value: Value) -> Decimal:
    """Return the last place that a figure as written gives (0.1 of 4.1; 0.1 million of 12.3 million; 100 of 1,500)."""
    written = _number(value.digits.replace("'", "").replace("’", ""))
    scale = abs(value.figure.value / written) if written else Decimal(1)
    digits = value.digits
    if "." in digits:
        return scale * Decimal(10) ** -len(digits.rsplit(".", 1)[1])
    zeros = len(digits.replace(",", "")) - len(digits.replace(",", "").rstrip("0"))
    return scale * (Decimal(10) ** zeros if zeros >= 2 else Decimal(1))


_LOOSE_DATE = re.compile(
    r"(?:(?<!\bnot )\bbefore|\bafter|(?<!\bnot )\buntil|\bsince|\bby(?: the end of)?|\baround|\babout|\bcirca)\s*$",
    re.I,
)


@lru_cache(maxsize=16_384)
def events_of(text: str) -> tuple[Event, ...]:
    """Return the dates of a sentence with what its clause says happened then."""
    spans = clauses(text)
    whole = happening(text)
    found = []
    for date in dates(text):
        start, end = next((start, end) for start, end in spans if start <= date.start <= end)
        here = happening(text[start:end]) or (whole if len(whole) == 1 else frozenset())
        loose = text[date.end - 1 : date.end] == "s" or bool(_LOOSE_DATE.search(text[: date.start]))
        since = text[: date.start].rstrip().lower().endswith("since")
        found.append(Event(date.iso, here, concepts_of(text[start:end]), loose, since))
    return tuple(found)


_PHRASES = tuple(
    (re.compile(rf"\b(?:{said})\b", re.IGNORECASE), meant)
    for said, _, meant in (row.partition("=") for row in rows_of("phrases"))
)
"""Verbs of several words (went up: built)."""
_ANY_PHRASE = re.compile("|".join(said.pattern for said, _ in _PHRASES), re.IGNORECASE)


def happening(text: str) -> frozenset[int]:
    """Return the kinds of events that a text speaks of."""
    if _ANY_PHRASE.search(text):
        for said, meant in _PHRASES:
            text = said.sub(meant, text)
    stems = frozenset(terms(re.sub(r"(?<=\w )[A-Z][\w-]*", " ", text)))
    return frozenset(number for number, group in enumerate(_EVENTS) if group & stems)


_ROLE_WORDS = words_of("role_names")
_SUFFIXES = words_of("name_suffixes")
_UNIT_NAMES = {
    spelling.lower(): spelling
    for entries in table_of("units").values()
    for entry in entries
    for spelling in entry.split()
    if spelling.isalpha() and re.search(r"[A-Z]", spelling) and len(spelling) > 1
} | {"rpm": "RPM"}
"""What would be taken for a name by its capitals (MPa, CHF, Celsius)."""
_DESIGNATED = re.compile(r"\b([A-Z][A-Za-z]+)[ -](\d{1,4}[A-Za-z]{0,2})\b(?![.,]\d)")
_MODEL = re.compile(
    r"\b(?:[Mm]odel|[Mm]ark|[Tt]ype|[Vv]ariant|[Uu]nit|[Ll]ine|[Pp]lant|[Pp]hase|[Ss]ite)\s([A-Z]|\d{1,3}|[IVX]{1,4})\b"
)
_NUMBERED = re.compile(r"\b([A-Z][A-Za-z]+) (\d+\.\d+)(?=(?:['’]s)?\s+(?:[a-z]+(?:s|ed)|has|can|will|and|or)\b)")
"""Releases that a sentence is about (Brindle 2.0 requires)."""
_VARIANT = re.compile(
    r"(?<![.!?] )(?<!^)\b([A-Z][a-zà-ÿ]+) "
    r"(XXL|XL|XS|SE|GT|RS|LT|EX|II|III|IV|VI|VII|VIII|IX|Pro|Max|Mini|Plus|Ultra|Lite|Air|[B-HJ-Z](?!\.))\b"
)
_MONTHS = frozenset(name for group in groups_of("months") for name in group)


@lru_cache(maxsize=16_384)
def designated(text: str) -> frozenset[str]:
    """Return the names that tell one member of a family from another, however they are spelled (Zephyr-9, Zephyr 9)."""
    taken = [(start, end) for _, start, end in versions(text)]
    found = {re.sub(r"[\s-]", "", name) for name in names(text) if re.search(r"\d", name)}
    for match in _DESIGNATED.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in taken) and _names(match, text):
            found.add(f"{match[1]}{match[2]}".lower())
    found |= {
        f"{match[1]}{match[2]}".lower()
        for match in _NUMBERED.finditer(text)
        if not any(start <= match.start(2) < end for start, end in taken)
    }
    found |= {f"{match[1]}{match[2]}".lower() for match in _VARIANT.finditer(text) if match[1].lower() not in _SUFFIXES}
    found |= {f"model {match[1].lower()}" for match in _MODEL.finditer(text)}
    return frozenset(found - _UNIT_NAMES.keys())


_LEADING_NAME = re.compile(r"(?:The |In )?([A-Z][\w-]+)(?=(?: of| de| van)? [A-Z])")
_NOT_NAMES = words_of("common_capitals") | STOP_WORDS


@lru_cache(maxsize=16_384)
def subject_names(text: str) -> frozenset[str]:
    """Return the words of the names of a sentence, without those that only say what kind of thing it is (Corp)."""
    found = {part for name in names(text) for part in words(name)}
    if leading := _LEADING_NAME.match(text):
        found |= set(words(leading[1]))
    return frozenset(
        word
        for word in found
        if word not in _SUFFIXES
        and word not in _ROLE_WORDS | _NOT_NAMES
        and not (word in _UNIT_NAMES and _UNIT_NAMES[word] in text)
        and not (concept(stem(word)).startswith("=") and word.upper() in text)  # RAM names a property.
    )
