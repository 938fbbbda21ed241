"""Statements: findings in a normal form that can be compared: a subject, and what is said of it.

A finding's sentences (or the fields of its row) are read once: names, designations, figures with unit, bound and
counted noun, dates with what happened, names in a relation, versions, ranks, polarity, and the circumstances. All that
the comparison of pairs needs is computed here, so that a pair costs set operations only (`alignment.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from activities.research.lexicon import groups_of, words_of
from activities.research.polarity import Polar, polar, rank
from activities.research.quantities import Figure, dates, figures, versions
from activities.research.relations import Relation, relations_of
from activities.research.rows import Field, Said, read_said
from activities.research.sentences import sentences
from activities.research.telling import has_verb, leans_on_previous
from activities.research.text import STOP_WORDS, display, stem, terms, words
from activities.research.values import (
    Event,
    Value,
    concept,
    designated,
    events_of,
    part_of,
    spelled_out,
    subject_names,
    values_of,
)
from schema.contracts.research import Claim, Finding

FIGURES_PER_STATEMENT_MAX = 6
"""A sentence with more figures is a list; comparing its parts with another's makes false alarms."""
STATEMENT_WORDS_MAX = 45

VERBS = words_of("verbs")
VERB_STEMS = frozenset(stem(word) for word in VERBS)
EVENT_STEMS = frozenset(stem(word) for group in groups_of("events") for word in group)
_NO_LEADING_NAMES = STOP_WORDS | words_of("indefinite") | words_of("common_capitals")
EMPTY = frozenset(stem(word) for word in words_of("generic_words") | words_of("empty"))


@dataclass(frozen=True)
class Fact:
    """What a finding says, ready for comparison."""

    finding: Finding
    claims: tuple[Claim, ...]
    text: str
    """The sentence that is compared: one of the claim's, or a row put into words."""
    names: frozenset[str]
    """Words of its names; those of the sentence before it or of its title where it has none itself."""
    subject: frozenset[str]
    """The names before its verb: what it is about."""
    designations: frozenset[str]
    """Zephyr-9: what tells one member of a family from another."""
    values: tuple[Value, ...]
    events: tuple[Event, ...]
    relations: tuple[Relation, ...]
    versions: frozenset[str]
    versioned: frozenset[str]
    """Words right before the versions (Python 3.9)."""
    rank: int
    """Of a single ordinal (third), else 0."""
    ranked: str
    """Stem of the word behind it."""
    years: frozenset[str]
    as_of: str
    """The date that the statement gives for itself (As of 2012, ...), or nothing."""
    polar: tuple[Polar, ...]
    words: frozenset[str]
    """Stems of the content words without names and figures."""
    stems: frozenset[str]
    """Stems of all content words but dates."""
    template: tuple[str, ...]
    """Its words in order, figures and dates put aside: what two sentences of one make share."""
    circumstances: frozenset[str]
    part: frozenset[str]
    cumulative: bool
    placings: Mapping[str, frozenset[str]]
    heads: Mapping[str, tuple[str, ...]]
    """Name -> the common nouns right behind it (lamp, in *the Lumo desk lamp costs*)."""
    label: frozenset[str]
    """Stems of a row's label."""
    told: tuple[str, ...]
    """Words of a row's value, where it is neither a figure nor a date."""
    sources: frozenset[str]

    @property
    def denies(self) -> bool:
        """Tell whether any clause of it is denied."""
        return any(each.negative for each in self.polar)

    @property
    def affirms(self) -> bool:
        """Tell whether any clause of it is not denied."""
        return any(not each.negative for each in self.polar)


def facts_of(finding: Finding, claims: Mapping[str, Claim]) -> list[Fact]:
    """Read the sentences of a finding's best claim, each for itself, without lists and what leans on absent text."""
    backing = tuple(claims[claim] for claim in finding.claim_ids if claim in claims)
    if not backing:
        return []
    facts: dict[str, Fact] = {}
    best = backing[0]
    for claim in backing:
        # Claims of one finding say the same, but one that meets the best one's span may have more sentences with it.
        if claim is best or claim.source.snapshot_sha256 == best.source.snapshot_sha256:
            own = (claim, *(other for other in backing if other is not claim))
            for fact in _read(finding, own):
                facts.setdefault(fact.text, fact)
    return list(facts.values())


def _read(finding: Finding, backing: tuple[Claim, ...]) -> list[Fact]:
    said = read_said(backing[0].text) if len(backing[0].quote.split()) < STATEMENT_WORDS_MAX else None
    if said is not None:
        return [fact for field in said.fields if (fact := _of_row(finding, backing, said, field))]
    parts = _sentences_of(display(backing[0].quote))
    read = [_of_sentence(finding, backing, parts[: number + 1]) for number in range(len(parts))]
    return [fact for fact in read if fact is not None]


def _sentences_of(text: str) -> list[str]:
    """Return the sentences of a claim; the claim itself where it does not divide plainly."""
    found = sentences(text)
    return [each.text for each in found] if found and found[-1].end == len(text) else [text]


def _of_sentence(finding: Finding, backing: tuple[Claim, ...], parts: Sequence[str]) -> Fact | None:
    fact = _sentence(tuple(parts), backing[0].source.title)
    return fact and replace(fact, finding=finding, claims=backing, sources=_sources(backing))


@lru_cache(maxsize=16_384)
def _sentence(parts: tuple[str, ...], title: str) -> Fact | None:
    """Read the last one of `parts`, whoever claims it; those before it say what it points to.

    An agent compares the claims that it holds at every step, and the report does so again.
    """
    text = parts[-1]
    leans = leans_on_previous(text)
    if len(figures(text)) > FIGURES_PER_STATEMENT_MAX or len(words(text)) > STATEMENT_WORDS_MAX:
        return None
    if leans and len(parts) == 1:
        return None
    named = subject_names(text) | leading_name(text)
    coded = designated(text)
    subject = _subject(text)
    if len(parts) > 1 and (leans or not named):
        before = " ".join(parts[:-1])
        named |= subject_names(before) | leading_name(before)
        coded = coded or designated(before)
        subject = _subject(parts[0])
    if not named:
        named = frozenset(term for term in words(title) if not term.isdigit() and term not in STOP_WORDS)
        coded = coded or designated(title)
    valued = (
        frozenset().union(*(relation.value for relation in relations_of(text))) if relations_of(text) else frozenset()
    )
    return _fact(_NOBODYS, (), text, named, (subject - valued) or (named - valued) or named, coded)


_SEGMENTS = re.compile(r"\s*[:–—|·]\s+|\s+-\s+")


def heading_names(heading: str) -> frozenset[str]:
    """Return the words of the names in a heading (Data sheet: Orlen Works), each part of which begins with a capital.

    A part whose words all have one names something; beside it, the others say what kind of page it is.
    """
    parts = {part: subject_names(f"x {part}") for part in _SEGMENTS.split(heading)}
    whole = [held for part, held in parts.items() if held and _is_capitalised(part)]
    return frozenset[str]().union(*(whole or parts.values()))


def _is_capitalised(part: str) -> bool:
    return all(word[:1].isupper() or word[:1].isdigit() or word in STOP_WORDS for word in re.findall(r"\w+", part))


_NOBODYS = Finding(id="", text="", subtask_number=0, claim_ids=(), weight=0.0)


def _sources(backing: Sequence[Claim]) -> frozenset[str]:
    return frozenset(claim.source.snapshot_sha256 for claim in backing)


def _of_row(finding: Finding, backing: tuple[Claim, ...], said: Said, field: Field) -> Fact | None:
    """Put a row into words and read it: the label of the subject is the value."""
    parts = [*said.path, field.subject] if field.subject else list(said.path)
    telling = [part for part in parts if heading_names(part) or designated(f"x {part}")]
    about = telling[-1] if telling else parts[0] if parts else backing[0].source.title
    label = field.label if re.match(r"[A-Z]{2}|\w[A-Z]", field.label) else field.label[:1].lower() + field.label[1:]
    verb = "" if re.search(r"(?:s|ed)$", field.label) and has_verb(field.label) else "is "
    text = f"{about}: the {label or 'value'} {verb}{field.value}." if field.label else f"{about}: {field.value}."
    named = frozenset[str]().union(*map(heading_names, telling[:1] + telling[-1:])) or frozenset(
        word for word in words(about) if word not in STOP_WORDS and not word.isdigit()
    )
    valued = bool(figures(field.value) or dates(field.value) or versions(field.value))
    short = len(field.value.split()) <= 4 and not re.search(r"[,;/]| and ", field.value)
    plural = stem(words(field.label)[-1]) != words(field.label)[-1] if words(field.label) else True
    return _fact(
        finding,
        backing,
        text,
        named | (subject_names(f"x {field.value}") if _is_capitalised(field.value) else subject_names(field.value)),
        named,
        designated(f"x {about}"),
        label=frozenset(map(concept, terms(field.label))),
        told=() if valued or not short or (plural and field.label.endswith("s")) else tuple(words(field.value)),
        head=field,
    )


def _fact(
    finding: Finding,
    backing: tuple[Claim, ...],
    text: str,
    named: frozenset[str],
    subject: frozenset[str],
    coded: frozenset[str],
    *,
    label: frozenset[str] = frozenset(),
    told: tuple[str, ...] = (),
    head: Field | None = None,
) -> Fact:
    values = values_of(text)
    place, ranked = rank(text)
    found = versions(text)
    dated = frozenset(term for date in dates(text) for term in terms(text[date.start : date.end]))
    return Fact(
        finding=finding,
        claims=backing,
        text=text,
        names=named,
        subject=subject,
        designations=coded,
        values=values,
        events=events_of(text),
        relations=relations_of(text),
        versions=frozenset(version for version, _, _ in found),
        versioned=frozenset(word for _, start, _ in found for word in words(text[max(0, start - 20) : start])[-1:]),
        rank=place,
        ranked=ranked,
        years=frozenset(date.iso for date in dates(text)),
        as_of=_as_of(text),
        polar=polar(text),
        words=_attribute_words(text, named),
        stems=frozenset(terms(text)) - dated,
        template=_template(text),
        circumstances=_circumstances(text),
        part=frozenset() if head else part_of(text),
        cumulative=bool(_CUMULATIVE.search(text)),
        placings=_placings(text, values, frozenset(stem(name) for name in subject)),
        heads={} if head else {name: held for name in subject if (held := _head_of(name, text))},
        label=label,
        told=told,
        sources=_sources(backing),
    )


def _subject(text: str) -> frozenset[str]:
    """Return the words of the names that stand before a sentence's verb."""
    before: list[str] = []
    for match in re.finditer(r"\S+", text):
        token = match.group().strip(".,;:()\"'“”").lower()
        if before and (token in VERBS or token.endswith("ed")):
            break
        before.append(token)
    else:
        return frozenset()
    cut = " ".join(text.split()[: len(before)])
    return (subject_names(cut + " x") | leading_name(text)) & (subject_names(text) | leading_name(text))


def leading_name(text: str) -> frozenset[str]:
    """Take the capitalised word right before a verb at a sentence's start for a name (Rich requires, Venus is)."""
    owner = re.match(r"([A-Z][\w-]+)['’]s\b", text)
    if owner and owner[1].lower() not in STOP_WORDS:
        return frozenset({owner[1].lower()})
    apposed = re.match(
        r"([A-Z][\w-]+), (?:an?|the|which|whose|who|based|founded|headquartered|home|located|built)\b", text
    )
    if apposed and apposed[1].lower() not in STOP_WORDS:
        return frozenset({apposed[1].lower()})
    match = re.match(r"(?:The )?([A-Z][\w-]+) ([a-z]+)\b", text)
    if not match or match[1].lower() in _NO_LEADING_NAMES:
        return frozenset()
    # Counters show that ...: the noun of a plural verb is no name.
    if re.search(r"[a-z]{3,}s$", match[1]) and (subject_names(text) or not match[2].endswith(("s", "ed"))):
        return frozenset()
    following = text[match.end() :].split(maxsplit=1)
    unknown = re.search(r"[^s]s$", match[2]) and following and not has_verb(following[0])  # Torvelon withstands ...
    if not has_verb(match[2]) and not unknown:
        return frozenset()
    is_attribute = concept(stem(match.group(1).lower())).startswith("=")
    return frozenset() if is_attribute else frozenset({match.group(1).lower()})


@lru_cache(maxsize=16_384)
def _attribute_words(text: str, named: frozenset[str]) -> frozenset[str]:
    of_names = {stem(name) for name in named}
    unit_words = {
        text[figure.end :].split(maxsplit=1)[0].lower()
        for figure in figures(text)
        if figure.dimension != "count" and text[figure.end :].strip()
    }
    skipped = of_names | {stem(word.strip(".,;:!?")) for word in unit_words}
    return frozenset(term for term in terms(text) if not term[:1].isdigit() and term not in skipped)


_STATED = re.compile(
    r"\b(?:as (?:of|at)|status(?: of)?|stand|last updated|updated|currently|effective)[:,]?\s*"
    r"(?:the end of |early |late )?(?:\()?$",
    re.IGNORECASE,
)


def _as_of(text: str) -> str:
    """Return the date that a statement gives for itself: as of 2012; 23,900 (2023)."""
    for date in dates(text):
        if _STATED.search(text[: date.start]) or (
            text[date.start - 1 : date.start] == "(" and text[date.end : date.end + 1] == ")"
        ):
            return date.iso
    return ""


@lru_cache(maxsize=16_384)
def _template(text: str) -> tuple[str, ...]:
    """Return the stems of a sentence in order; a figure is `#` and its dimension, a date `@`; articles fall away."""
    text = spelled_out(text)
    marks: list[tuple[int, int, str]] = [(date.start, date.end, "@") for date in dates(text)]
    marks += [(figure.start, _end_of(figure, text), f"#{figure.dimension}") for figure in figures(text)]
    marks += [(start, end, "#version") for _, start, end in versions(text)]
    found: list[str] = []
    position = 0
    for start, end, tag in sorted(marks):
        if start >= position:
            found += [stem(word) for word in words(text[position:start]) if word not in _ARTICLES]
            found.append(tag)
            position = end
    found += [stem(word) for word in words(text[position:]) if word not in _ARTICLES]
    return tuple(found)


_ARTICLES = frozenset({"the", "a", "an", "its", "is", "are", "was", "were", "has", "have", "had", "of"})


def _end_of(figure: Figure, text: str) -> int:
    if figure.known is None:
        return figure.end
    match = re.match(
        r"[\s\u00a0-]*(?:thousand|millions?|billions?|mn|bn)?\s*(?:°\s?[CF]|%|[\w/²³·]+)", text[figure.end :]
    )
    return figure.end + match.end() if match else figure.end


_CIRCUMSTANCES = frozenset(stem(word) for word in words_of("circumstances"))
_REGULARLY = {stem(word): word for word in words_of("circumstances") if word.endswith("ly")}
"""Of one stem with a unit of time: a weekly dose, seven weeks."""
_BOUNDS = re.compile(r"\b(?:if|when|unless|except)\b", re.IGNORECASE)
_CUMULATIVE = re.compile(
    r"\b(?:since (?:records|then|its|the beginning)|so far|to date|in all|in total|altogether|overall|"
    r"cumulative(?:ly)?|over the years|throughout|in its (?:history|lifetime)|ever since)\b",
    re.IGNORECASE,
)


def _circumstances(text: str) -> frozenset[str]:
    bounds = {match.lower() for match in _BOUNDS.findall(text)}
    said = set(words(text))
    found = (term for term in terms(text) if term in _CIRCUMSTANCES and _REGULARLY.get(term) in (None, *said))
    return frozenset(found) | bounds | ({stem("annual")} if "yearly" in said else frozenset())


_PLACED = re.compile(
    r"\b(at|in|under|during|with|without|for|when|if|on|after|before|above|below|from|to|among|against|between) "
    r"((?:(?:the|an?|its|full|\d[\d.,]*) ?)*"
    r"[\w%°’-]+(?: (?!at\b|in\b|and\b|of\b|is\b|was\b|has\b|the\b)[\w%°’-]+)?)",
    re.IGNORECASE,
)


def _placings(text: str, values: tuple[Value, ...], subject: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for preposition, phrase in _PLACED.findall(text):
        kept = preposition.lower() in ("at", "for", "on", "from", "among", "to")
        held = {term for term in terms(phrase) if concept(term) == term or kept}
        if (figures(phrase) and not any(value.condition for value in values)) or dates(phrase):
            continue
        found.setdefault(preposition.lower(), set()).update(held - subject)
    return {preposition: frozenset(held) for preposition, held in found.items()}


_DETERMINED = re.compile(r"\b(?:[Tt]he|[Aa]n?|[Ii]ts|[Tt]heir|[Tt]his|[Ee]very|[Ee]ach)(?: [A-Z][\w-]*)* $")
_GOES_ON = re.compile(
    r" (?:(?:on|to|at|in|for|with|from|by|over|under|after|into|about|up|through|an?|the|its|their|all|some|around) "
    r"|\d)"
)


def _verb_behind(word: str, following: str, *, singular: bool) -> bool:
    """Tell whether the word behind a name is its verb, in no list (Corvida listens on, clients of Corvida connect to).

    A noun behind a name has an article before both (the Orlen pump with three seals).
    """
    verbal = singular or (word.endswith("s") and not word.endswith("ss"))
    return verbal and bool(_GOES_ON.match(following))


_BEHIND = re.compile(r"((?: [a-z-]+){1,3})")


_WITH_VERBS = frozenset({"alone", "also", "alike", "always", "even", "itself", "never", "now", "often", "together"})
"""What stands between a name and its verb."""


def _head_of(name: str, text: str) -> tuple[str, ...]:
    at = text.lower().find(name)
    match = _BEHIND.match(text, at + len(name)) if at >= 0 else None
    if not match:
        return ()
    held: list[str] = []
    article = _DETERMINED.search(text[:at])
    for place, word in enumerate(match[1].split()):
        if place == 0 and _verb_behind(word, text[at + len(name) + 1 + len(word) :], singular=article is None):
            break
        done = word.endswith(("s", "ed")) and (word in VERBS or word.endswith("ed"))
        if done or word in STOP_WORDS or stem(word) in EVENT_STEMS or word in _WITH_VERBS:
            break
        held.append(word)
    return tuple(concept(stem(word)) for word in held if stem(word) not in EMPTY)
