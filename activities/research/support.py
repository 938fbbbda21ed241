"""Support: does a cited span show what a sentence says?

The test is mechanical and one-sided: what passes may still be badly put, but a figure, a date, a version, a rank, a
name or a quotation that the span does not have, a changed polarity, or words the span does not use are always found.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from activities.research.lexicon import words_of
from activities.research.polarity import ORDINALS, antonym_of
from activities.research.quantities import Figure, dates, figures, names, negations, opposed, quotations, versions
from activities.research.sentences import sentences
from activities.research.similarity import contained
from activities.research.text import FUNCTION_WORDS, GENERIC_WORDS, display, normalise, stem, terms, words
from activities.research.values import concept, spelled_out

CONTENT_OVERLAP_MIN = 0.6
"""Part of a sentence's content words that the cited spans must use."""
CLAIM_OVERLAP_MIN = 0.2
"""Part of a sentence's content words that each single cited span must use; below it the citation is decoration."""


@dataclass(frozen=True)
class Support:
    """The verdict on one sentence."""

    ok: bool
    reason: str = ""


def check_support(sentence: str, quotes: Sequence[str]) -> Support:
    """Tell whether the cited `quotes` together show what `sentence` says, and what is missing."""
    shown = _plain(sentence)
    if shown and shown in (_plain(quote) for quote in quotes):
        return Support(True)
    evidence = " \n".join(display(quote) for quote in quotes)
    for kind, missing in (
        ("figure", _missing_figures(sentence, evidence) or _missing_digits(sentence, evidence)),
        ("date", _missing_dates(sentence, evidence)),
        ("version", _missing_versions(sentence, evidence)),
        ("rank", _missing_ranks(sentence, evidence)),
        ("name", _missing_names(sentence, evidence)),
        ("quotation", _missing_quotations(sentence, evidence)),
    ):
        if missing:
            return Support(False, f"{kind} “{missing[0]}” does not occur in the cited text")
    if contained(_concepts(sentence), _concepts(evidence)) < CONTENT_OVERLAP_MIN:
        return Support(False, "the cited text uses other words")
    nearest = _nearest(sentence, quotes)
    doubled = _doubled(sentence) > _doubled(nearest)
    if doubled or bool(negations(sentence)) != bool(negations(nearest)) or _denied_otherwise(sentence, nearest):
        return Support(False, "the cited text says it with the opposite negation")
    if opposed(sentence, nearest) or _antonyms(sentence, evidence):
        return Support(False, "the cited text uses the opposite word")
    return Support(True)


def contributes(sentence: str, quote: str) -> bool:
    """Tell whether one of several cited spans has anything to do with the sentence."""
    return contained(_concepts(sentence), _concepts(quote)) >= CLAIM_OVERLAP_MIN


def _concepts(text: str) -> frozenset[str]:
    return frozenset(map(concept, terms(text)))


def _plain(text: str) -> str:
    return display(text).casefold()


def _folded(text: str) -> str:
    return " ".join(words(display(text)))


def _missing_figures(sentence: str, evidence: str) -> list[str]:
    shown = figures(spelled_out(evidence))
    digits = set(re.findall(r"\d+(?:[.,'’]\d+)*", evidence))
    said = _concepts(evidence)
    spelled = spelled_out(sentence)
    return [
        spelled[figure.start : figure.end]
        for figure in figures(spelled)
        if not any(_shows(other, figure, evidence, said) for other in shown)
        and not (figure.dimension in ("count", "plain") and _bare(figure, spelled, digits, said))
    ]


def _shows(shown: Figure, figure: Figure, evidence: str, said: frozenset[str]) -> bool:
    """Tell whether a figure of the evidence is the sentence's: the same value, with the same unit or counted thing."""
    if shown.value != figure.value:
        return False
    if shown.unit == figure.unit or figure.dimension == "plain":
        return True
    if figure.dimension == "count":  # A counted noun may be worded differently, but it must be there.
        return concept(figure.unit) in said or (
            shown.dimension == "count" and concept(shown.unit) == concept(figure.unit)
        )
    # The unit may stand in a column's head: Power (kW) | 420.
    return shown.dimension == "plain" and bool(re.search(rf"(?<![\w]){re.escape(figure.unit)}(?![\w])", evidence))


def _bare(figure: Figure, sentence: str, digits: set[str], said: frozenset[str]) -> bool:
    """Tell whether a number stands in the evidence as digits of something that is no figure there (a name, a year)."""
    raw = sentence[figure.start : figure.end]
    as_is = re.fullmatch(r"\d+(?:\.\d+)?", raw) and figure.value == Decimal(raw)
    return bool(as_is) and raw in digits and (figure.dimension == "plain" or concept(figure.unit) in said)


_DIGITS = re.compile(r"\d+(?:[.,'’]\d+)*")


def _missing_digits(sentence: str, evidence: str) -> list[str]:
    """Return the numbers that are neither in the evidence as they are nor read as a whole (1,8000)."""
    shown = set(_DIGITS.findall(evidence))
    read = {(figure.start, figure.end) for figure in figures(sentence)}
    dated = [(date.start, date.end) for date in dates(sentence)]
    return [
        match.group()
        for match in _DIGITS.finditer(sentence)
        if match.group() not in shown
        and match.span() not in read
        and not any(start <= match.start() and match.end() <= end for start, end in dated)
    ]


def _missing_dates(sentence: str, evidence: str) -> list[str]:
    shown = [date.iso for date in dates(evidence)]
    return [date.iso for date in dates(sentence) if not any(other.startswith(date.iso) for other in shown)]


def _missing_versions(sentence: str, evidence: str) -> list[str]:
    digits = set(re.findall(r"\d+(?:\.\d+)*", evidence))
    return [version for version, _, _ in versions(sentence) if version not in digits]


def _missing_ranks(sentence: str, evidence: str) -> list[str]:
    shown = {ORDINALS[word] for word in words(evidence) if word in ORDINALS}
    return [word for word in words(sentence) if word in ORDINALS and ORDINALS[word] not in shown]


_OPENERS = FUNCTION_WORDS | GENERIC_WORDS | words_of("common_capitals") | words_of("openers")


def _missing_names(sentence: str, evidence: str) -> list[str]:
    shown = set(words(evidence)) | {name.lower() for name in names(evidence)}
    folded = normalise(evidence).lower()
    missing = [
        name
        for name in names(sentence)
        if name not in shown and name.rstrip("s") not in shown and not re.search(rf"(?<!\w){re.escape(name)}", folded)
    ]
    return missing + _missing_openers(sentence, evidence)


_OPENER = re.compile(r"(?:^|[.!?:;]\s)\s*[\"'“‘(]*([A-ZÀ-Ý][\w’'-]*)")


def _missing_openers(sentence: str, evidence: str) -> list[str]:
    """Return the first words of a sentence, and those behind a colon, that may be names which the evidence lacks."""
    known = {concept(term) for term in terms(evidence)} | {stem(each) for each in words(evidence)}
    missing = []
    for first in _OPENER.finditer(sentence):
        parts = words(re.sub(r"['’]s$", "", first[1].lower()))
        if any(part in _OPENERS for part in parts) or (parts[-1:] and parts[-1].endswith("ly")):
            continue
        if not all(concept(stem(part)) in known or stem(part) in known for part in parts):
            missing.append(first[1])
    return missing


def _missing_quotations(sentence: str, evidence: str) -> list[str]:
    folded = _folded(evidence)
    return [quotation for quotation in quotations(sentence) if _folded(quotation) not in folded]


def _nearest(sentence: str, quotes: Sequence[str]) -> str:
    """Return the sentence of the quotes that shares most with `sentence`: polarity is a matter of single sentences."""
    candidates = [candidate for quote in quotes for candidate in _split(quote)]
    ours = terms(sentence)
    return max(candidates, key=lambda candidate: contained(ours, terms(candidate)), default="")


def _split(quote: str) -> list[str]:
    parts = [sentence.text for sentence in sentences(quote)]
    return [*parts, quote] if len(parts) != 1 else [quote]


_NEGATIONS = words_of("negations")
_SKIPPED = FUNCTION_WORDS - _NEGATIONS


def _denied(text: str) -> frozenset[str]:
    """Return the stems that stand right behind a negation."""
    held, tokens = set(), words(text)
    for at, token in enumerate(tokens):
        if token in _NEGATIONS or token.replace("’", "'").endswith("n't"):
            behind = [word for word in tokens[at + 1 : at + 6] if word not in _SKIPPED and word not in _NEGATIONS]
            held |= {stem(word) for word in behind[:1]}
    return frozenset(held)


def _doubled(text: str) -> int:
    """Count the negations that deny a negation (are not no exceptions)."""
    denied = [token in _NEGATIONS for token in words(text) if token not in _SKIPPED]
    return sum(1 for before, behind in pairwise(denied) if before and behind)


def _denied_otherwise(sentence: str, nearest: str) -> bool:
    """Tell whether one of both denies a word that the other one has without denying it."""
    ours, theirs = _denied(sentence), _denied(nearest)
    return bool((ours - theirs) & set(terms(nearest)) or (theirs - ours) & set(terms(sentence)))


def _antonyms(sentence: str, evidence: str) -> bool:
    """Tell whether the sentence has a word that the evidence does not, but its opposite (closed, open)."""
    said = set(terms(evidence))
    return any(term not in said and antonym_of(term) & said for term in terms(sentence))
