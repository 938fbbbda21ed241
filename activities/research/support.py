"""Support: does a cited span show what a sentence says?

The test is mechanical and one-sided: what passes may still be badly put, but a figure, a date, a version, a name or a
quotation that the span does not have, a changed polarity, or words the span does not use are always found.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from activities.research.quantities import dates, figures, names, negations, opposed, quotations, versions
from activities.research.similarity import contained
from activities.research.text import display, normalise, sentences, terms, words

CONTENT_OVERLAP_MIN = 0.5
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
    evidence = " \n".join(quotes)
    if _folded(sentence) and _folded(sentence) in (_folded(quote) for quote in quotes):
        return Support(True)
    for kind, missing in (
        ("figure", _missing_figures(sentence, evidence)),
        ("date", _missing_dates(sentence, evidence)),
        ("version", _missing_versions(sentence, evidence)),
        ("name", _missing_names(sentence, evidence)),
        ("quotation", _missing_quotations(sentence, evidence)),
    ):
        if missing:
            return Support(False, f"{kind} “{missing[0]}” does not occur in the cited text")
    if contained(terms(sentence), terms(evidence)) < CONTENT_OVERLAP_MIN:
        return Support(False, "the cited text uses other words")
    nearest = _nearest(sentence, quotes)
    if bool(negations(sentence)) != bool(negations(nearest)):
        return Support(False, "the cited text says it with the opposite negation")
    if opposed(sentence, nearest):
        return Support(False, "the cited text uses the opposite word")
    return Support(True)


def contributes(sentence: str, quote: str) -> bool:
    """Tell whether one of several cited spans has anything to do with the sentence."""
    return contained(terms(sentence), terms(quote)) >= CLAIM_OVERLAP_MIN


def _folded(text: str) -> str:
    return " ".join(words(display(text)))


def _missing_figures(sentence: str, evidence: str) -> list[str]:
    shown = figures(evidence)
    digits = set(re.findall(r"\d+(?:[.,'’]\d+)*", evidence))
    missing = []
    for figure in figures(sentence):
        raw = sentence[figure.start : figure.end]
        same = any(
            other.value == figure.value
            and (other.unit == figure.unit or "plain" in (other.dimension, figure.dimension))
            for other in shown
        )
        # A counted noun may be worded differently; a unit of measurement may not.
        loose = figure.dimension in ("count", "plain") and (
            raw in digits or any(other.value == figure.value for other in shown)
        )
        if not same and not loose:
            missing.append(raw)
    return missing


def _missing_dates(sentence: str, evidence: str) -> list[str]:
    shown = [date.iso for date in dates(evidence)]
    return [date.iso for date in dates(sentence) if not any(other.startswith(date.iso) for other in shown)]


def _missing_versions(sentence: str, evidence: str) -> list[str]:
    digits = set(re.findall(r"\d+(?:\.\d+)*", evidence))
    return [version for version, _, _ in versions(sentence) if version not in digits]


def _missing_names(sentence: str, evidence: str) -> list[str]:
    shown = set(words(evidence)) | {name.lower() for name in names(evidence)}
    folded = normalise(evidence).lower()
    return [
        name
        for name in names(sentence)
        if name not in shown and name.rstrip("s") not in shown and not re.search(rf"(?<!\w){re.escape(name)}", folded)
    ]


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
