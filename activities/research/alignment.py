"""Alignment: whether two statements speak of the same thing under the same circumstances, and whether they disagree.

No verb list decides: two statements are of one subject where their names agree, and of one attribute where unit and
words allow no other reading. Sentences of one make that differ in one more word besides the value are of two things.
When in doubt there is no disagreement: false alarms bury true ones.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from difflib import SequenceMatcher

from activities.research.dating import NEWER_BY
from activities.research.lexicon import table_of
from activities.research.meanings import ALIKE_MIN, Meanings, alike
from activities.research.polarity import ORDINALS, antonym_of
from activities.research.relations import same_name
from activities.research.similarity import contained, overlap
from activities.research.statements import EMPTY, EVENT_STEMS, VERB_STEMS, Fact
from activities.research.text import STOP_WORDS, stem, terms, words
from activities.research.units import CURRENCIES
from activities.research.values import STARTED, Value, agree, concept, contrasting, designated, doing_otherwise
from schema.contracts.research import ConflictKind

TELLING = frozenset(
    [
        *("power", "speed", "voltage", "temperature", "frequency", "torque", "thrust", "rate", "energy"),
        *("pressure", "mass", "current", "area", "length", "volume", "data", "sound"),
    ]
)
"""Dimensions that say by themselves, for one subject, what was measured, unless words say otherwise."""


def disagreement(left: Fact, right: Fact, meanings: Meanings | None = None) -> ConflictKind | None:
    """Say how two facts disagree, or None where they do not.

    Args:
        meanings: compares meanings; None: words alone decide.
    """
    if left.sources & right.sources or not same_subject(left, right):
        return None  # Within one source, the author knew both sentences.
    if _denies(left, right):
        return aged(left, right) or ConflictKind.PLAIN
    found = _different_figures(left, right, meanings) or _different_values(left, right)
    apart = other_circumstances(left, right) if found else None
    if found is None or apart is None:
        return None
    if apart is ConflictKind.STALE or found is not ConflictKind.PLAIN:
        return apart if apart is ConflictKind.STALE else found
    if left.circumstances ^ right.circumstances:
        return ConflictKind.SCOPE
    return aged(left, right) or ConflictKind.PLAIN


def same_subject(left: Fact, right: Fact) -> bool:
    """Tell whether both speak of one thing: the subject of one is among the names of the other, no code differs."""
    if left.designations and right.designations:
        if not left.designations & right.designations:
            return False
        if left.designations - right.designations and right.designations - left.designations:
            return False
    elif left.designations or right.designations:
        coded, other = (left, right) if left.designations else (right, left)
        if not coded.designations & designated(other.claims[0].source.title) and not _coded_value(coded):
            return False
    if not (left.designations and right.designations) and heads_apart(left, right):
        return False
    if left.names and right.names:
        ours, theirs = left.subject & left.names or left.names, right.subject & right.names or right.names
        return ours <= right.names or theirs <= left.names or overlap(left.names, right.names) >= 0.67
    return not left.names and not right.names


def _coded_value(fact: Fact) -> bool:
    """Tell whether what looks like a designation is the value itself (Kettle 5.0.1, Node.js 18)."""
    return bool(fact.versions)


def designations_apart(left: Fact, right: Fact) -> bool:
    """Tell whether both name members of a family, and none in common (Falke 200, Falke 300)."""
    return bool(left.designations and right.designations) and not left.designations & right.designations


def heads_apart(left: Fact, right: Fact) -> bool:
    """Tell whether a name they share stands for different things (the Orlen pump, the Orlen valve)."""
    for name in left.heads.keys() & right.heads.keys():
        ours, theirs = left.heads[name], right.heads[name]
        if ours[0] not in theirs and theirs[0] not in ours:
            return True
    return False


def other_circumstances(left: Fact, right: Fact, *, by_make: bool = True) -> ConflictKind | None:
    """Return None where both name circumstances, and not the same (at full load, at idle; in 2022, in 2023).

    Else STALE where each says itself of when it is, and PLAIN where nothing keeps them apart. Without `by_make`, parts
    (the municipality of X) and a difference of words in sentences of one make do not keep them apart.
    """
    if opposed(left, right) and not _ranks(left, right):
        return None
    ours, theirs = left.stems - right.stems, right.stems - left.stems
    if left.values and any(antonym_of(term) & theirs for term in ours):
        return None
    if by_make and left.part != right.part and left.values:
        parts = left.part | right.part
        if not parts & left.stems & right.stems:
            return None
    if by_make and left.cumulative != right.cumulative and (left.years or right.years):
        return None
    if left.circumstances and right.circumstances and not left.circumstances & right.circumstances:
        return None
    if by_make and _parallel(left, right):
        return None
    if left.values and right.values and (_placed_apart(left, right) or _conditions_apart(left, right)):
        return None
    if left.as_of and right.as_of and left.as_of[:4] != right.as_of[:4]:
        return ConflictKind.STALE
    if left.values and right.values and left.years and right.years and not _same_time(left, right):
        return None
    return ConflictKind.PLAIN


def opposed(left: Fact, right: Fact) -> bool:
    """Tell whether two facts name opposites (adults, children), or doings and nothing that both speak of."""
    if contrasted(left, right):
        return True
    ours, theirs = _telling_apart(left, right)
    shared = frozenset(each for each in common(left, right) - _units(left, right) if concept(each) == each)
    return doing_otherwise(ours, theirs) and not shared


def contrasted(left: Fact, right: Fact) -> bool:
    """Tell whether two facts name opposites (adults, children)."""
    return contrasting(*_telling_apart(left, right))


def _telling_apart(left: Fact, right: Fact) -> tuple[frozenset[str], frozenset[str]]:
    """Return the stems that only one of two facts has, without those of units."""
    units = _units(left, right)
    return left.stems - right.stems - units, right.stems - left.stems - units


def _units(*facts: Fact) -> frozenset[str]:
    return frozenset(stem(word) for fact in facts for value in fact.values for word in words(value.figure.unit))


def _same_time(left: Fact, right: Fact) -> bool:
    return any(one.startswith(other) or other.startswith(one) for one in left.years for other in right.years)


PARALLEL_MIN = 0.55
"""Part of the words that two sentences share in order, above which they are taken to be of one make."""


def _parallel(left: Fact, right: Fact) -> bool:
    """Tell whether two sentences of one make differ in a word of content besides the value (grapes, olives)."""
    ours, theirs = left.template, right.template
    if not ours or not theirs or not set(ours) & set(theirs):
        return False
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    matched = sum(block.size for block in matcher.get_matching_blocks())
    if matched / max(len(ours), len(theirs)) < PARALLEL_MIN:
        return False
    for tag, start, end, begin, stop in matcher.get_opcodes():
        if tag != "replace":
            continue
        here, there = _telling(ours, start, end, left), _telling(theirs, begin, stop, right)
        if here and there and not {concept(each) for each in here} & {concept(each) for each in there}:
            return True
    return False


def _telling(template: tuple[str, ...], start: int, end: int, fact: Fact) -> set[str]:
    """Return the words of a stretch that tell what a sentence is about: no values, verbs, small or empty words."""
    named = frozenset().union(*(relation.value for relation in fact.relations)) if fact.relations else frozenset()
    values = {stem(word) for word in (*named, *fact.told)}
    participles = {stem(word) for word in words(fact.text) if word.endswith("ed")}
    kept = set()
    for at in range(start, end):
        word = template[at]
        verb = word in VERB_STEMS or word in EVENT_STEMS or word in participles or _after_subject(template, at, fact)
        if word[0] in "#@" or verb or word in EMPTY or word in STOP_WORDS or word in values or word in _RANKS:
            continue
        kept.add(word)
    return kept


def _after_subject(template: tuple[str, ...], at: int, fact: Fact) -> bool:
    """Take the word between the subject and a figure for a verb (churns, puts out)."""
    return at > 0 and template[at - 1] in {stem(name) for name in fact.subject} and template[at + 1 : at + 2] != ()


_RANKS = frozenset(stem(word) for word in (*ORDINALS, "last"))


def _ranks(left: Fact, right: Fact) -> bool:
    return bool(left.rank and right.rank and left.rank != right.rank and left.ranked == right.ranked)


_PLACES = frozenset(
    {"at", "in", "under", "during", "with", "without", "when", "if", "above", "below", "for", "from", "among", "on"}
)


def _placed_apart(left: Fact, right: Fact) -> bool:
    """Tell whether phrases of one preposition name different places or states of what is measured."""
    for preposition in left.placings.keys() & right.placings.keys() & _PLACES:
        here = left.placings[preposition] - EMPTY - _heads(left)
        there = right.placings[preposition] - EMPTY - _heads(right)
        if here and there and not here & there:
            return True
    return False


def _heads(fact: Fact) -> frozenset[str]:
    return frozenset(each for held in fact.heads.values() for each in held)


def _conditions_apart(left: Fact, right: Fact) -> bool:
    """Tell whether both give a figure as condition, and not the same (after two doses, after one)."""
    ours = [value for value in left.values if value.condition]
    theirs = [value for value in right.values if value.condition]
    pairs = [(one, other) for one in ours for other in theirs if one.figure.dimension == other.figure.dimension]
    return bool(pairs) and not any(agree(one, other) for one, other in pairs)


def comparable(left: Value, right: Value) -> bool:
    """Tell whether two figures may be of one kind: one dimension, counted things of one name, the same per what."""
    if left.condition or right.condition:
        return False
    if not same_per(left, right):
        return False
    ours, theirs = left.figure.dimension, right.figure.dimension
    if ours == theirs == "count":
        if left.noun == right.noun or left.noun in _nouns(right) or right.noun in _nouns(left):
            return True
        stated = {each for each in (left.noun, right.noun) if each.startswith("=")}
        return bool(stated & left.concepts & right.concepts)
    if {ours, theirs} == {"count", "plain"}:
        counted, other = (left, right) if ours == "count" else (right, left)
        return counted.noun in other.concepts
    return ours == theirs


def same_per(left: Value, right: Value) -> bool:
    """Tell whether two figures are per the same, or one says so apart from its figure (an hourly capacity)."""
    return left.per == right.per or _per_elsewhere(left, right) or _per_elsewhere(right, left)


def _per_elsewhere(bare: Value, full: Value) -> bool:
    """Tell whether the one says apart from its figure what the other says with it (60 mg of X a day)."""
    return not bare.per and stem(full.per.rsplit(" ", 1)[-1]) in bare.concepts


def _nouns(value: Value) -> frozenset[str]:
    return frozenset(map(concept, value.modifiers)) | {value.noun}


def same_attribute(left: Value, right: Value, ours: Fact, theirs: Fact, meanings: Meanings | None = None) -> bool:
    """Tell whether two figures are of the same property of their subject.

    Args:
        meanings: asked where no known word tells, and whether the same number with another unit is a slip.
    """
    named = {stem(name) for name in ours.names | theirs.names} | _titled(ours) | _titled(theirs)
    here = frozenset(each for each in left.concepts if each not in named and each not in EMPTY)
    there = frozenset(each for each in right.concepts if each not in named and each not in EMPTY)
    grouped_here, grouped_there = fitting(here, left), fitting(there, right)
    shared = overlap(here, there)
    if not near_in_size(left, right) and shared < 0.5 and not grouped_here & grouped_there:
        return False
    if meanings is not None and _slip(left, right):
        return alike(meanings, ours, theirs) >= ALIKE_MIN  # The same number twice is little chance.
    if grouped_here and grouped_there:
        if not grouped_here & grouped_there:
            return False
        if left.figure.dimension in TELLING:
            return True
    dimension = left.figure.dimension
    if {dimension, right.figure.dimension} <= {"count", "plain"}:
        return dimension == "count" or bool(grouped_here & grouped_there) or shared >= 0.4
    if {left.predicate, right.predicate} - {""} and left.predicate != right.predicate:
        told = {left.predicate, right.predicate} - {""}
        if not told <= ours.stems & theirs.stems:
            return False
    if grouped_here & grouped_there:
        rest_here, rest_there = here - grouped_there, there - grouped_here
        return shared >= 0.2 or not rest_here or not rest_there or len(rest_here) + len(rest_there) <= 6
    return _one_by_kind(left, right, ours, theirs, here & there, shared, meanings)


def _one_by_kind(
    left: Value,
    right: Value,
    ours: Fact,
    theirs: Fact,
    common_to_both: frozenset[str],
    shared: float,
    meanings: Meanings | None,
) -> bool:
    """Tell whether two figures of one dimension are of one property where no known word tells: by size and meaning.

    Without the comparison of meanings a telling dimension is enough, and for money, times and shares a common word.
    """
    dimension = left.figure.dimension
    single = _alone(left, ours) and _alone(right, theirs) and near_in_size(left, right)
    if dimension in TELLING:
        return single and (meanings is None or alike(meanings, ours, theirs) >= ALIKE_MIN)
    if dimension not in CURRENCIES and dimension not in ("time", "share"):
        return shared >= 0.5
    if meanings is not None and shared < 0.6:
        by_time = (ours.circumstances ^ theirs.circumstances) & _RATES  # A yearly fee, and one to be paid once.
        return not by_time and (single or shared >= 0.34) and alike(meanings, ours, theirs) >= ALIKE_MIN
    tied = bool(common_to_both) or bool((ours.names & theirs.names) - ours.subject) or bool(common(ours, theirs))
    return shared >= 0.34 or (single and tied)


_RATES = frozenset(map(stem, ("annual", "quarterly", "monthly", "weekly", "daily")))


def _titled(fact: Fact) -> frozenset[str]:
    """Return the stems of what a row stands under: that says nothing of which property it is."""
    if not fact.label:
        return frozenset()
    return frozenset(stem(word) for claim in fact.claims for word in words(claim.source.title))


OF_ONE_SIZE = Decimal(10)
"""Figures that lie further apart than this are taken to be of two properties, where no word tells: the length of a
course and its ascent, how long something takes and how long it is kept."""


def near_in_size(left: Value, right: Value, *, within: Decimal = OF_ONE_SIZE) -> bool:
    """Tell whether two figures may be of one property by their size; a slip of the unit leaves the number.

    Args:
        within: so many times as large the larger one may be.
    """
    low, high = sorted((abs(left.figure.base), abs(right.figure.base)))
    if not low or left.figure.dimension == "share":
        return True
    return high <= within * low or left.figure.value == right.figure.value


_FITS = {
    dimension: frozenset(concept(stem(word)) for word in str(words_).split())
    for dimension, words_ in table_of("fits").items()
}
_FITS |= dict.fromkeys(CURRENCIES, _FITS["USD"])


def common(left: Fact, right: Fact) -> frozenset[str]:
    """Return the stems that two facts share, without names, what the names stand for, and empty words."""
    heads = (
        frozenset().union(*map(frozenset, (*left.heads.values(), *right.heads.values())))
        if left.heads or right.heads
        else frozenset()
    )
    named = frozenset(stem(name) for name in left.names | right.names)
    return (left.words & right.words) - named - heads - EMPTY - _titled(left) - _titled(right)


_BOUNDING = frozenset({concept(stem("limited")), concept(stem("required"))})
"""What bounds a property is none itself (limited to 25 users)."""


def fitting(concepts: frozenset[str], value: Value) -> frozenset[str]:
    """Return the attributes among some concepts that a figure of its dimension may tell."""
    grouped = frozenset(each for each in concepts if each.startswith("=") and each not in _BOUNDING)
    dimension = value.figure.dimension
    return grouped & _FITS.get(dimension, frozenset() if dimension in TELLING else grouped)


def _alone(value: Value, fact: Fact) -> bool:
    """Tell whether a sentence has one figure of this dimension only: then it needs no word to say which one it is."""
    return sum(1 for each in fact.values if each.figure.dimension == value.figure.dimension and not each.condition) == 1


def _different_figures(left: Fact, right: Fact, meanings: Meanings | None) -> ConflictKind | None:
    """Compare the figures of the same property; agreement in any of them is agreement."""
    if left.versions and right.versions and left.versions != right.versions:
        return None
    found: ConflictKind | None = None
    for ours in left.values:
        peers = [
            each
            for each in right.values
            if comparable(ours, each) and same_attribute(ours, each, left, right, meanings)
        ]
        rivals = [each for each in left.values if any(comparable(each, peer) for peer in peers)]
        if not peers:
            continue
        if any(agree(ours, peer) or _subset(ours, peer) or _placed_subset(ours, peer, left, right) for peer in peers):
            return None
        if (len(peers) > 1 or len(rivals) > 1) and not any(
            overlap(ours.concepts, peer.concepts) >= 0.6 for peer in peers
        ):
            continue
        found = found or (ConflictKind.UNIT if any(_slip(ours, peer) for peer in peers) else ConflictKind.PLAIN)
    single = len(left.values) == len(right.values) == 1
    if found is None and meanings is not None and single and _other_currency(left.values[0], right.values[0]):
        return ConflictKind.UNIT if alike(meanings, left, right) >= ALIKE_MIN else None
    return found


def slips(left: Fact, right: Fact) -> bool:
    """Tell whether two facts give the same number with different units of one kind."""
    return any(
        one.figure.dimension == other.figure.dimension and _slip(one, other)
        for one in left.values
        for other in right.values
    )


def _slip(left: Value, right: Value) -> bool:
    """Tell whether the same number stands with another unit."""
    ours, theirs = left.figure, right.figure
    return ours.value == theirs.value and ours.unit != theirs.unit and ours.dimension not in ("count", "plain")


def _other_currency(left: Value, right: Value) -> bool:
    """Tell whether the same amount stands with another currency."""
    ours, theirs = left.figure, right.figure
    apart = {ours.dimension, theirs.dimension} <= CURRENCIES and ours.dimension != theirs.dimension
    told, retold = fitting(left.concepts, left), fitting(right.concepts, right)
    same = left.per == right.per and left.predicate == right.predicate and (told == retold or not (told and retold))
    return apart and same and ours.value == theirs.value and not (left.condition or right.condition)


def _subset(left: Value, right: Value) -> bool:
    """Tell whether one counts a part of what the other counts (310 boarding students of 1,240 students)."""
    if left.figure.dimension != "count" or right.figure.dimension != "count":
        return False
    if left.modifiers and right.modifiers:
        return not left.modifiers & right.modifiers
    few, many = (left, right) if left.modifiers else (right, left)
    return bool(few.modifiers) and few.high < many.low


def _placed_subset(left: Value, right: Value, ours: Fact, theirs: Fact) -> bool:
    """Tell whether the smaller of two counts is that of one place only (23 shops in Lorrain of 112 shops)."""
    if left.figure.dimension != "count" or right.figure.dimension != "count":
        return False
    few, many = (ours, theirs) if left.high < right.low else (theirs, ours)
    return bool(_named_places(few) - _named_places(many) - frozenset(map(stem, many.names)))


def _named_places(fact: Fact) -> frozenset[str]:
    placed = fact.placings.get("in", frozenset()) | fact.placings.get("at", frozenset())
    return placed & frozenset(map(stem, fact.names))


def _different_values(left: Fact, right: Fact) -> ConflictKind | None:
    """Compare versions, dates, ranks, names in a relation and the values of rows where the sentence is about them."""
    if left.versions and right.versions and not left.versions & right.versions:
        return ConflictKind.PLAIN if _same_requirement(left, right) else None
    if (
        _different_dates(left, right)
        or _different_names(left, right)
        or _different_ranks(left, right)
        or _different_rows(left, right)
    ):
        return ConflictKind.PLAIN
    return None


_LATEST = frozenset(stem(word) for word in ["latest", "current", "stable", "newest", "recent"])
_NEEDS = frozenset(
    stem(word)
    for word in [
        "require",
        "requires",
        "needs",
        "need",
        "supports",
        "support",
        "depends",
        "minimum",
        "runs",
        "later",
        "newer",
        "least",
    ]
)


def _same_requirement(left: Fact, right: Fact) -> bool:
    """Tell whether two statements about versions are about the same: what is needed of one thing, or what is latest."""
    if len(left.versions) != 1 or len(right.versions) != 1:
        return False
    if left.stems & _LATEST and right.stems & _LATEST:
        return bool(left.names & right.names)
    if not _same_owner(left, right):
        return False
    if not (left.versioned & right.versioned) - {"version", "release", "v"}:
        return False
    return bool(left.stems & _NEEDS and right.stems & _NEEDS) or overlap(left.words, right.words) >= 0.5


def _same_owner(left: Fact, right: Fact) -> bool:
    """Tell whether two statements about a version name the same owner of it, in the sentence or by their titles."""
    owners = []
    for fact in (left, right):
        title = frozenset(word for word in words(fact.claims[0].source.title) if word not in STOP_WORDS)
        mine = frozenset(name for name in fact.names if not name[:1].isdigit()) - fact.versioned
        owners.append(mine or fact.names & fact.versioned or title)
    return overlap(*owners) >= 0.5


def _different_dates(left: Fact, right: Fact) -> bool:
    """Tell whether the same event has different dates; a date that is part of another one agrees with it."""
    found = False
    for ours in left.events:
        for theirs in right.events:
            if not ours.events & theirs.events and not _same_made(left, right):
                continue
            if (STARTED in ours.events) != (STARTED in theirs.events):
                continue  # Its construction began; it was completed.
            if ours.iso.startswith(theirs.iso) or theirs.iso.startswith(ours.iso) or ours.loose or theirs.loose:
                return False
            if len(left.events) == len(right.events) == 1 or overlap(ours.concepts, theirs.concepts) >= 0.5:
                found = found or _same_object(left, right)
    return found and not (left.values and right.values)


def _same_made(left: Fact, right: Fact) -> bool:
    """Tell whether two sentences with one date each, and no known event, share what they say of it."""
    if len(left.events) != 1 or len(right.events) != 1 or left.events[0].events or right.events[0].events:
        return False
    if left.values or right.values or left.cumulative or right.cumulative:
        return False
    return bool(common(left, right))


def _same_object(left: Fact, right: Fact) -> bool:
    """Tell whether what happened happened to the same: words that only one has may not be of another thing."""
    ours, theirs = _plain(left.words - right.words), _plain(right.words - left.words)
    shared = (left.words & right.words) - EVENT_STEMS
    things = left.text[:1].isupper() and _is_thing(left) and _is_thing(right)
    return not ours or not theirs or bool(shared) or not things


def _plain(held: frozenset[str]) -> frozenset[str]:
    return frozenset(each for each in held if concept(each) == each and each not in EMPTY and each not in EVENT_STEMS)


def _is_thing(fact: Fact) -> bool:
    """Tell whether the subject of a sentence is a thing of what it names (the second plant of Acme), not the named."""
    first, _, rest = fact.text.partition(" ")
    return first.lower() in ("the", "its", "a", "an") and rest[:1].islower()


def _different_names(left: Fact, right: Fact) -> bool:
    """Tell whether the same relation holds to different names (made by X, made by Y)."""
    if left.years and right.years and not _same_time(left, right):
        return False
    if _ended(left) != _ended(right):
        return False
    for ours in left.relations:
        peers = [theirs for theirs in right.relations if theirs.kind == ours.kind]
        others = frozenset[str]().union(*(right.names - peer.value for peer in peers))
        if (
            peers
            and (left.names - ours.value) & others
            and not any(same_name(ours.value, peer.value) for peer in peers)
        ):
            return not (left.part ^ right.part) or bool(left.part & right.part)
    return False


def _ended(fact: Fact) -> bool:
    """Tell whether a statement is of a time that is over (was led by X until 2018)."""
    return bool({"until", "former", "formerly", "previously", "then"} & set(words(fact.text)))


def _different_ranks(left: Fact, right: Fact) -> bool:
    if not _ranks(left, right) and not (left.rank and right.rank and left.rank != right.rank):
        return False
    ours, theirs = left.stems - _RANKS, right.stems - _RANKS
    same = min(contained(ours, theirs), contained(theirs, ours)) >= 0.8
    return same and not left.events and not right.events and not left.values and not right.values


def _different_rows(left: Fact, right: Fact) -> bool:
    """Tell whether rows of one label have different words as value (Director: X, Director: Y)."""
    if not (left.told and right.told and left.label and left.label == right.label):
        return False
    ours, theirs = frozenset(left.told), frozenset(right.told)
    return not ours & theirs and not same_name(ours, theirs)


_CASE = re.compile(r"(?:If|When|Unless|Where|Once|While|Until) (?P<case>[^,]+),")


def _cases_apart(left: Fact, right: Fact) -> bool:
    """Tell whether each is said of a case of its own (if it was left by an exception, if an exception is given)."""
    ours, theirs = _CASE.match(left.text), _CASE.match(right.text)
    return ours is not None and theirs is not None and overlap(terms(ours["case"]), terms(theirs["case"])) < 0.8


def _denies(left: Fact, right: Fact) -> bool:
    """Tell whether one says that it is not so, in nearly the same words."""
    if left.circumstances != right.circumstances or left.versions != right.versions or _cases_apart(left, right):
        return False
    if opposed(left, right):
        return False
    if any(comparable(ours, theirs) and not agree(ours, theirs) for ours in left.values for theirs in right.values):
        return False
    for ours in left.polar:
        for theirs in right.polar:
            if ours.negative == theirs.negative or min(len(ours.words), len(theirs.words)) < 2:
                continue
            nested = max(contained(ours.words, theirs.words), contained(theirs.words, ours.words))
            if overlap(ours.words, theirs.words) >= 0.6 and nested >= 0.8:
                return True
    return False


def repeats(fact: Fact, loser: Fact, winner: Fact) -> bool:
    """Tell whether a fact says again what a loser says against the winner."""
    if not same_subject(fact, loser) or other_circumstances(fact, loser) is None:
        return False
    for disputed in loser.values:
        against = [each for each in winner.values if comparable(disputed, each)]
        if against and not any(agree(disputed, each) for each in against):
            for value in fact.values:
                if (
                    comparable(value, disputed)
                    and agree(value, disputed)
                    and not any(agree(value, each) for each in against)
                ):
                    return same_attribute(value, disputed, fact, loser)
    if (loser.versions - winner.versions) & fact.versions:
        return True
    events = {(event.iso, kind) for event in loser.events for kind in event.events}
    if events - {(event.iso, kind) for event in winner.events for kind in event.events} and any(
        (event.iso, kind) in events for event in fact.events for kind in event.events
    ):
        return not any(event.iso == other.iso for event in fact.events for other in winner.events)
    return any(
        ours.kind == theirs.kind and same_name(ours.value, theirs.value)
        for ours in fact.relations
        for theirs in loser.relations
        if not any(other.kind == theirs.kind and same_name(other.value, ours.value) for other in winner.relations)
    )


def stated_at(fact: Fact) -> datetime | None:
    """Return the date of a statement: the one it gives for itself, else its newest source's."""
    if fact.as_of:
        year, month, day = (*map(int, fact.as_of.split("-")), 0, 0)[:3]
        return datetime(year, month or 1, day or 1, tzinfo=UTC)
    found = [claim.source.published_at for claim in fact.claims if claim.source.published_at is not None]
    return max((at if at.tzinfo else at.replace(tzinfo=UTC) for at in found), default=None)


def aged(left: Fact, right: Fact) -> ConflictKind | None:
    """Return STALE where the statements are of different age."""
    ours, theirs = stated_at(left), stated_at(right)
    return ConflictKind.STALE if ours and theirs and abs(ours - theirs) >= NEWER_BY else None


def keys_of(fact: Fact) -> Iterator[tuple[str, str]]:
    """Yield (kind of what is said, name): two facts that share no key cannot disagree."""
    said = {f"#{_family(value.figure.dimension)}" for value in fact.values if not value.condition}
    said |= {"@" for _ in fact.events} | {f"&{relation.kind}" for relation in fact.relations}
    said |= {"v"} if fact.versions else set()
    said |= {"r"} if fact.rank else set()
    said |= {f":{word}" for word in fact.label} if fact.told else set()
    said |= {f"!{word}" for word in fact.polar[0].words}
    for kind in sorted(said):
        for name in sorted(fact.names) or [""]:
            yield kind, name


def _family(dimension: str) -> str:
    if dimension in CURRENCIES:
        return "money"
    return "count" if dimension in ("count", "plain") else dimension
