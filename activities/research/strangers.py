"""Strangers: statements about something else than what a question for one thing names. Pure.

A corpus has pages on many things of one kind, and what is said of one of them answers a question about another by all
its words but the name.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from activities.research.phrased import as_question
from activities.research.questions import asks_for_one_thing, query_terms, single_questions
from activities.research.telling import has_verb
from activities.research.text import STOP_WORDS, display, stem, words
from activities.research.values import subject_names
from activities.research.wanted import KEY_WORDS_MAX, is_in_title_case, opening_names, opens_with_name, wanted
from schema.contracts.research import Claim, Finding, Subtask


class Told(NamedTuple):
    """A statement, what it stands under, and the snapshot it stands in."""

    text: str
    above: str
    snapshot_sha256: str


def told_by(claim: Claim) -> Told:
    """Return what a claim says; what its statement stands under is not kept."""
    return Told(claim.text, claim.source.title, claim.source.snapshot_sha256)


def strangers(question: str, told: Sequence[Told], known: Iterable[Told] = ()) -> frozenset[int]:
    """Return the places of what names something else, in sources that never name what a question for one thing names.

    Where no source names it, or all do, nothing is told by that.

    Args:
        known: what else was read; it tells which sources name it.
    """
    subject = thing_named(question)
    if not subject:
        return frozenset()
    held: dict[str, set[str]] = {}
    for each in told:
        said = words(f"{each.text} {each.above}")
        held.setdefault(each.snapshot_sha256, set()).update(subject.intersection(map(stem, said)))
    # What most sources say does not tell one thing from another, unless no other thing has it in its name (Bridge).
    telling = {name for name in subject if 2 * sum(name in names for names in held.values()) <= len(held)}
    if usual := subject - telling:
        telling |= usual - _in_other_names(subject, told)
    naming = {sha256 for sha256, names in held.items() if names & telling}
    naming |= {
        each.snapshot_sha256 for each in known if telling & {stem(word) for word in words(f"{each.text} {each.above}")}
    }
    if not telling or not naming:
        return frozenset()
    return frozenset(
        number
        for number, each in enumerate(told)
        if each.snapshot_sha256 not in naming and {stem(name) for name in subject_names(display(each.text))} - subject
    )


def _in_other_names(subject: frozenset[str], told: Iterable[Told]) -> frozenset[str]:
    """Return those stems of a name that stand beside another name's words somewhere (Orlen Bridge, Zandaven Bridge)."""
    texts = {part for each in told for part in (each.text, each.above)}
    pairs = {pair for text in texts for pair in _named_together(text)}
    return frozenset().union(*(pair & subject for pair in pairs if len(pair & subject) == 1))


@lru_cache(maxsize=16_384)
def _named_together(text: str) -> frozenset[frozenset[str]]:
    """Return the pairs of stems that stand side by side in a name."""
    shown = display(text)
    named = subject_names(f"x {shown}")
    pairs = (frozenset(map(stem, pair)) for pair in pairwise(words(shown)) if named.issuperset(pair))
    return frozenset(pair for pair in pairs if len(pair) == 2)


def strange_findings(
    subtasks: Iterable[Subtask], findings: Sequence[Finding], claims: Mapping[str, Claim]
) -> frozenset[str]:
    """Return the ids of the findings that are about something else than what the question of their subtask names.

    All that an agent has found tells more than the passages of one step did.
    """
    strange: set[str] = set()
    for subtask in subtasks:
        own = [finding for finding in findings if finding.subtask_number == subtask.number]
        backing = [(finding.id, claims[each]) for finding in own for each in finding.claim_ids if each in claims]
        told = [told_by(claim) for _, claim in backing]
        per_question = [strangers(question, told) for question in single_questions(subtask.question)]
        apart = frozenset.intersection(*per_question) if per_question else frozenset()
        fitting = {finding_id for number, (finding_id, _) in enumerate(backing) if number not in apart}
        strange |= {finding_id for finding_id, _ in backing} - fitting
    return frozenset(strange)


_NAME = re.compile(r"[A-ZÀ-Ý][\w’'-]*(?: [A-ZÀ-Ý\d][\w’'-]*)*")
_TITLES = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Capt|Captain|St|Sir|Dame|Lord|Lady|Gen|Col|Lt|Sgt|Rev|Sen)\.? "
)
ACRONYM_CHARACTERS_MAX = 4
"""What is so short and in capitals may be spelled out where it is spoken of (GDP)."""


def unheard_of(question: str, texts: Iterable[str]) -> bool:
    """Tell whether a question names something, and no text has a word of any of the names.

    Of 725 questions that a corpus answers none did so, of 133 that it does not answer 37 did, once the names had been
    searched for.
    """
    named = _names_of(question)
    if not named:
        return False
    said = [_folded(text) for text in texts]
    return not any(word in text for text in said for name in named for word in name)


def _folded(text: str) -> str:
    """Write a text as names are compared: small, without accents and hyphens (Zürich, Wi-Fi)."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(each for each in plain if not unicodedata.combining(each) and each not in "-‐‑.")


@lru_cache(maxsize=1_024)
def _names_of(question: str) -> tuple[frozenset[str], ...]:
    """Return how the words of each name of a question begin, where the thing stands (in Rust) among them."""
    if is_in_title_case(question):
        return ()
    named = {term.word for term in query_terms(question) if term.is_name}
    runs = (match.group() for match in _NAME.finditer(_TITLES.sub("", question)))
    spelled = (run for run in runs if not (run.isupper() and len(run) <= ACRONYM_CHARACTERS_MAX))
    found = (frozenset(_beginning(word) for word in words(run) if word in named) for run in spelled)
    return tuple(name for name in found if name)


def _beginning(word: str) -> str:
    """Return a word as names are compared, without what an inflection changes."""
    word = _folded(word)
    return word[: max(4, len(word) - 2)]


_KIND = re.compile(r"\b[Aa]n? (?:[a-z-]+ )?(?:[A-Z][\w-]*(?= [a-z])|(?:[A-Z][\w-]* )?[A-Z]{2,}\b)")
"""What is no one thing: a Python application, a CV, a REST API; an adult Kelmon is one."""
_WHAT_IS_THE = re.compile(r"\bwhat(?: is|['’]s| was) the\b", re.IGNORECASE)


def thing_named(question: str) -> frozenset[str]:
    """Return the stems of the one thing that a question names; nothing where it asks for an account."""
    # A Python application is no one thing.
    kinds = {stem(word) for match in _KIND.finditer(question) for word in words(match.group())}
    asked = wanted(question)
    if asks_for_one_thing(question) or asked.is_definite or _WHAT_IS_THE.search(question):
        return asked.subject - kinds
    if not _is_key_words(question):
        return frozenset()
    return names_in(question) - kinds


def names_in(question: str) -> frozenset[str]:
    """Return the stems of what a question is about; a single name at the beginning of key words might be any word."""
    return wanted(question).subject or frozenset(map(stem, subject_names(f"x {question}")))


def _is_key_words(question: str) -> bool:
    """Tell whether a question is a few words without a verb (Ulrovic Ordinance responsible minister)."""
    question = question.rstrip("?! ")
    opens = (words(question) or [""])[0]
    if len(question.split()) > KEY_WORDS_MAX or opens in STOP_WORDS or "?" in as_question(question):
        return False
    return opens_with_name(question) or bool(opening_names(question)) or not has_verb(question)
