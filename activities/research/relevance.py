"""Relevance: how well a sentence answers a question, 0..1. Pure.

Two ways lead to a good mark. A sentence covers the question: it, the headings above it and the text right before it
have its words. Or it answers: it states the wanted property (a figure, a date, a name in that relation) of the subject
asked about, in whatever words.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from activities.research.lexicon import words_of
from activities.research.phrased import as_question
from activities.research.quantities import dates, designations, figures, names, quotations
from activities.research.questions import PLACING, PLACING_WEIGHT, query_terms, specific_terms, subject_terms
from activities.research.similarity import Bm25
from activities.research.telling import has_verb, lacks_subject, leans_on_previous
from activities.research.text import STOP_WORDS, display, singular, terms, uninflected, words
from activities.research.values import designated, subject_names
from activities.research.wanted import meanings, wanted
from schema.contracts.research import SourceRef

OWN_SHARE, CONTEXT_SHARE, PHRASE_SHARE = 0.45, 0.45, 0.1
"""What counts: the sentence's own words, those together with what stands above and before it, words in one phrase."""
ABOVE, BEFORE = 0.85, 0.7
"""What a word counts that stands in the headings or the title, or right before the sentence."""
INFLECTED = 0.9
"""What another form of a word counts (chained, chain)."""
SYNONYM = 0.75
"""What a word counts that means the same property (weighs, mass; see the lexicon)."""
STEM_MATCH = 0.45
"""What a word counts that shares only its stem with a word of the question (generators, generate)."""
PREFIX_MATCH = 0.5
PREFIX_LENGTH_MIN = 5
"""What a word counts that begins as a word of the question does (async, asynchronous)."""
FORM_MIN, FORM_MAX = 0.6, 1.2
"""The form of a sentence changes its weight within these bounds."""
TITLED = 1.25
"""The weight of what stands in a document that a word of the question names, and few others (pytz; the import
statement): it is about the subject before it says a word of it."""
SUBJECT_ABSENT = 0.3
"""What is left of the weight of a sentence that has nothing of the question's subject, nor what stands around it."""


class Statement(Protocol):
    """A sentence and where it stands (see `claims.Candidate`)."""

    @property
    def source(self) -> SourceRef: ...
    @property
    def start(self) -> int: ...
    @property
    def quote(self) -> str: ...
    @property
    def own(self) -> str: ...
    @property
    def said(self) -> str: ...
    @property
    def statement(self) -> str: ...
    @property
    def before(self) -> str: ...
    @property
    def heading(self) -> str: ...
    @property
    def place(self) -> int: ...
    @property
    def leans(self) -> bool: ...


def relevance(question: str, pool: Sequence[Statement]) -> list[float]:
    """Return how well each statement answers `question`, 0..1.

    Words of the question weigh a little by their rarity among the statements.
    """
    if not specific_terms(question):
        return _by_position(pool)
    titles = {statement.source.snapshot_sha256: frozenset(terms(statement.source.title)) for statement in pool}
    asked = _Asked(question, Bm25([terms(display(statement.statement)) for statement in pool]), list(titles.values()))
    away = elsewhere(question, pool)
    return [
        round(asked.relevance(each) * (SUBJECT_ABSENT if each.source.snapshot_sha256 in away else 1), 4)
        for each in pool
    ]


_RUN = re.compile(r"[A-ZÀ-Ý\d][\w’'-]*(?: [A-ZÀ-Ý\d][\w’'-]*)*")
"""Words with capitals that stand together: a name, as far as they are no common words."""


def elsewhere(question: str, pool: Sequence[Statement]) -> frozenset[str]:
    """Return the snapshots that never name what the question names, where others do.

    Braviberg Furniture is not Jorgaard Furniture; Merkel is Angela Merkel.
    """
    phrases = _named_in(as_question(question))
    held: dict[str, set[str]] = {}
    runs: dict[str, set[frozenset[str]]] = {}
    for statement in pool if phrases else ():
        sha256 = statement.source.snapshot_sha256
        shown = f"{statement.source.title}. {statement.heading}. {display(statement.statement)}"
        shown = _POSSESSIVE.sub("", shown)
        held.setdefault(sha256, set()).update(words(shown))
        runs.setdefault(sha256, set()).update(runs_of(shown))
    silent = frozenset(
        sha256
        for sha256, said in held.items()
        if not any(phrase <= said or any(run <= phrase for run in runs[sha256]) for phrase in phrases)
    )
    return silent if len(silent) < len(held) else frozenset()


_POSSESSIVE = re.compile(r"['’]s?\b|(?<=s)['’](?= )")
_IN_CONTEXT = frozenset(("in", "with", "using"))


@lru_cache(maxsize=1_024)
def _named_in(question: str) -> tuple[frozenset[str], ...]:
    """Return the names that a question is about, a set of words each: not where (in Python, Python decorators)."""
    named = frozenset(names(question))
    modifying = {term.word for term in query_terms(question) if term.places}
    found = []
    for match in _RUN.finditer(question):
        before = (words(question[: match.start()]) or [""])[-1]
        phrase = named.intersection(words(match.group()))
        if phrase and before not in _IN_CONTEXT and (before in PLACING or not phrase & modifying):
            found.append(phrase)
    return tuple(found)


@lru_cache(maxsize=16_384)
def runs_of(text: str) -> frozenset[frozenset[str]]:
    """Return the words with capitals that stand together in a text, a set for each name."""
    found = (frozenset(words(run)) - STOP_WORDS for run in _RUN.findall(text))
    return frozenset(run for run in found if run)


def _by_position(pool: Sequence[Statement]) -> list[float]:
    """Rank by position: the task names documents, not a topic."""
    first: dict[str, int] = {}
    for statement in pool:
        first.setdefault(statement.source.snapshot_sha256, statement.start)
    return [
        0.0
        if statement.leans
        else round(0.9 / (1 + (statement.start - first[statement.source.snapshot_sha256]) / 3000), 4)
        for statement in pool
    ]


class _Asked:
    """A question, ready to be compared with sentences."""

    def __init__(self, question: str, index: Bm25, titles: Sequence[frozenset[str]]) -> None:
        self._terms = query_terms(question)
        found = {term.stem: sum(term.stem in title for title in titles) for term in self._terms if term.is_core}
        self._titling = frozenset(each for each, count in found.items() if 0 < count <= max(1, len(titles) / 3))
        rarest = max((index.idf(term.stem) for term in self._terms), default=0.0) or 1.0
        # Rarity decides a little only: among few sentences, the very word that was asked for is no longer rare.
        self._weights = [
            term.weight * (PLACING_WEIGHT if term.places else 1.0) * (0.7 + 0.3 * index.idf(term.stem) / rarest)
            for term in self._terms
        ]
        self._total = sum(self._weights) or 1.0
        self._pairs = set(pairwise([term.singular for term in self._terms if term.weight == 1.0]))
        self._core = [number for number, term in enumerate(self._terms) if term.is_core]
        self._wanted = wanted(question)
        about = self._wanted.subject if self._wanted.is_definite else subject_terms(question)
        self._subject_at = [number for number, term in enumerate(self._terms) if term.stem in about]
        self._distinctive = max(
            self._subject_at, key=lambda number: (index.idf(self._terms[number].stem), -number), default=-1
        )
        self._designations = designations(question)
        self._explains = bool(re.match(r"\s*(?:what |how (?:do|does)|explain|describe|define)", question, re.I))
        self._defined = bool(re.match(r"\s*(?:what|who) (?:is|are|was|were) [^,]*$", question.strip(" ?"), re.I))

    def relevance(self, statement: Statement) -> float:
        """Weigh one statement."""
        shown = display(statement.statement)
        said = display(statement.own) if statement.own else shown
        answer = self._answer(statement, shown, said)
        own = self._matches(said)
        if not any(own[number] for number in self._core):
            return answer
        here = self._matches(shown) if statement.own else own
        above = self._matches(f"{statement.heading} {statement.source.title}")
        before = self._matches(display(statement.before))
        around = [
            max(there, ABOVE * over, BEFORE * earlier) for there, over, earlier in zip(here, above, before, strict=True)
        ]
        is_of_another = self._speaks_of_another(said, here)
        if is_of_another:
            around = [here[number] if number in self._subject_at else value for number, value in enumerate(around)]
        weight = OWN_SHARE * self._share(own) + CONTEXT_SHARE * self._share(around)
        weight += PHRASE_SHARE * self._in_phrase(f"{shown} {statement.heading}")
        weight *= self._aboutness(around) * self._form(statement, shown)
        if not is_of_another and self._titling & set(terms(statement.source.title)):
            weight *= TITLED
        if self._wanted.dimensions and not self._wanted.answered_by(said):
            weight *= 0.8
        return max(answer, min(1.0, weight))

    def _speaks_of_another(self, said: str, here: Sequence[float]) -> bool:
        """Tell whether a sentence begins with a name, and not the one asked about; then its headings do not count."""
        named = [number for number in self._subject_at if self._terms[number].is_name]
        if not named or any(here[number] for number in named) or leans_on_previous(said):
            return False
        return bool(subject_names(_before_verb(said)))

    def _aboutness(self, around: Sequence[float]) -> float:
        """Return 1 where the subject of the question is named, here or around; less where it is not."""
        total = sum(self._weights[number] for number in self._subject_at)
        if not total:
            return 1.0
        held = sum(self._weights[number] * min(1.0, around[number] / BEFORE) for number in self._subject_at) / total
        if not around[self._distinctive]:
            held *= 0.5  # The Ostvital Bridge is not the Ardrotal Bridge.
        return SUBJECT_ABSENT + (1 - SUBJECT_ABSENT) * held

    def _answer(self, statement: Statement, shown: str, said: str) -> float:
        """Return how well a sentence answers as a statement of the wanted property of the subject asked about."""
        if not self._wanted.is_definite:
            return 0.0
        value = self._wanted.answered_by(said)
        subject = self._subject(statement, shown) if value else 0.0
        if not subject or (statement.leans and subject < 1):
            return 0.0
        others = sum(1 for term in self._terms if term.is_core and not term.is_name and term.stem in set(terms(said)))
        weight = subject * (0.5 + 0.4 * value) + min(0.15, 0.05 * others)
        return min(0.95, weight * (0.9 if shown.endswith("?") else 1.0))

    def _subject(self, statement: Statement, shown: str) -> float:
        """Return how surely a sentence is about the subject asked about: it names it, or its headings do."""
        asked = self._wanted
        context = f"{statement.heading} {statement.source.title}"
        named, above = designated(shown), designated(context)
        if asked.designations:
            if named:
                return 1.0 if asked.designations & named else 0.0
            if asked.designations & above and not subject_names(shown) - set(words(context)):
                return 0.75
            return 0.0
        here, there = set(terms(shown)), set(terms(context))
        if asked.subject <= here or (len(asked.subject) > 2 and len(asked.subject & here) >= 2):
            return 1.0
        if asked.subject <= here | there and not subject_names(shown) - set(words(context)):
            return 0.75
        is_distinct = self._distinctive < 0 or self._terms[self._distinctive].stem in here
        return 0.6 if asked.subject & here and is_distinct else 0.0

    def _matches(self, text: str) -> list[float]:
        """Return how well `text` has each word of the question: itself 1, another form or word of its stem less."""
        found, inflected, stems, meant = _forms_of(text)
        return [
            1.0
            if term.singular in found
            else INFLECTED
            if uninflected(term.word) in inflected
            else SYNONYM
            if meanings(term.stem) & meant
            else PREFIX_MATCH
            if not term.is_name and _shares_prefix(term.word, inflected)
            else STEM_MATCH
            if term.stem in stems
            else 0.0
            for term in self._terms
        ]

    def _share(self, matches: Sequence[float]) -> float:
        return sum(weight * match for weight, match in zip(self._weights, matches, strict=True)) / self._total

    def _in_phrase(self, shown: str) -> float:
        """Return 1 where words that stand together in the question stand together here (context manager)."""
        if not self._pairs:
            return 0.5
        return 1.0 if self._pairs & set(pairwise(singular(word) for word in words(shown))) else 0.0

    def _form(self, statement: Statement, shown: str) -> float:
        """Weigh the form of a sentence: definitions and wanted figures up; what leans on something else down."""
        factor = 1.0
        for applies, weight in (
            (self._explains and self._defines(shown, exactly=True), 1.15),
            (self._defined and self._defines(shown, exactly=True), 1.2),
            (self._explains and self._defines(shown), 1.05),
            (not statement.said and lacks_subject(shown), 0.85),
            (not statement.said and not has_verb(shown), 0.85),
            (self._is_about_another(shown), 0.4),
            (not self._names_designation(f"{shown} {statement.heading} {statement.source.title}"), 0.6),
            (statement.leans, 0.75),
            (bool(statement.own), 0.95),
            (shown.count(",") > 5 or len(quotations(shown)) > 3, 0.85),
            (shown.endswith("?"), 0.5),
            (bool(_ASIDE.match(shown)), 0.9),
            (bool(figures(shown) or dates(shown)) and bool(self._wanted.dimensions), 1.05),
        ):
            factor *= weight if applies else 1.0
        return min(FORM_MAX, factor)

    def _is_about_another(self, shown: str) -> bool:
        """Tell whether a sentence names another member of the family that the question asks about (Zephyr-8)."""
        asked, named = self._wanted.designations, designated(shown)
        return bool(asked and named) and not asked & named

    def _names_designation(self, text: str) -> bool:
        return not self._designations or bool(self._designations & designations(text))

    def _defines(self, shown: str, *, exactly: bool = False) -> bool:
        """Tell whether a sentence says what something of the question is; `exactly`: of nothing more special."""
        verb = _DEFINES.search(shown)
        if not verb or leans_on_previous(shown):
            return False
        subject = {singular(word) for word in words(shown[: verb.start()]) if word not in STOP_WORDS}
        asked = {term.singular for term in self._terms}
        if exactly and (subject - asked or not _IS_A.match(verb.group())):
            return False
        return len(subject) <= 5 and any(self._terms[number].singular in subject for number in self._core)


@lru_cache(maxsize=16_384)
def _forms_of(text: str) -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[int]]:
    """Return a text's words in the singular and uninflected, its stems, and what they mean, whatever the question."""
    tokens, stems = words(text), frozenset(terms(text))
    meant = frozenset[int]().union(*(meanings(each) for each in stems))
    return frozenset(map(singular, tokens)), frozenset(map(uninflected, tokens)), stems, meant


def _before_verb(text: str) -> str:
    """Return the words of a sentence before its verb, as far as the lexicon knows verbs."""
    pieces = text.split()
    for number, piece in enumerate(pieces):
        word = piece.strip(".,;:()\"'“”").lower()
        if number and (word in _VERBS or word.endswith("ed")):
            return " ".join(pieces[:number]) + " x"
    return ""


_VERBS = words_of("verbs")


def _shares_prefix(word: str, found: frozenset[str]) -> bool:
    """Tell whether one of `found` begins as `word` does, as far as related words do (dense, density)."""
    needed = max(PREFIX_LENGTH_MIN, round(0.75 * len(word)))
    return len(word) >= needed and any(other.startswith(word[:needed]) for other in found if len(other) >= needed)


_DEFINES = re.compile(
    r"\b(?:(?:is|are|was|were) (?:an?|the|any|one|used|designed|intended|responsible)\b|means?|refers? to|denotes?|"
    r"defines?|describes?|consists? of|allows?|lets?|provides?|specif(?:y|ies)|controls?|handles?|returns?)\b",
    re.IGNORECASE,
)
_IS_A = re.compile(r"(?:is|are|was|were|means?|refers?|denotes?|defines?|describes?|consists?)\b", re.IGNORECASE)
_ASIDE = re.compile(
    r"(?:note|programmer’s note|important|warning|tip|caution|we|i|our|my|you can also|thanks)\b", re.IGNORECASE
)
