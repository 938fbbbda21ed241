"""The three parts of a source's score, and a sentence for each. Pure.

Combined they are 0.5 relevance + 0.3 trust + 0.2 recency (specification, 4.2; `Score.combined`).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from activities.tools.reputation import domain_trust
from schema.contracts.research import Score, SourceKind

TRUST: dict[SourceKind, tuple[float, str]] = {
    SourceKind.CORPUS: (0.8, "a document of the organisation's own"),
    SourceKind.ACADEMIC: (0.8, "an academic source"),
    SourceKind.NEWS: (0.6, "a news source"),
    SourceKind.WEB: (0.5, "a page of the open web"),
}
HALF_LIFE_DAYS: dict[SourceKind, float] = {
    SourceKind.CORPUS: 3 * 365.25,
    SourceKind.ACADEMIC: 5 * 365.25,
    SourceKind.NEWS: 90.0,
    SourceKind.WEB: 2 * 365.25,
}
"""After this time a source's recency is one half."""
RECENCY_UNKNOWN = 0.5


class QuestionKind(StrEnum):
    """How fast an answer to a question goes out of date."""

    CURRENT = "current"
    """It asks for the latest: news, prices, versions, who holds an office now."""
    LASTING = "lasting"
    """It asks what something is, or about the past: definitions, history, laws of nature, mathematics."""
    ORDINARY = "ordinary"


AGEING: dict[QuestionKind, float] = {QuestionKind.CURRENT: 0.15, QuestionKind.ORDINARY: 1.0, QuestionKind.LASTING: 6.0}
"""Times the half-life of the source's kind: news of today's question ages within two weeks, a definition hardly."""
_CURRENT = re.compile(
    r"\b(?:latest|current(?:ly)?|today|todays|now|newest|recent(?:ly)?|up to date|this (?:year|month|week|quarter)"
    r"|right now|as of|breaking|so far|upcoming|next (?:year|month|week|quarter|release)|forecast|outlook"
    r"|aktuell\w*|heute|derzeit\w*|neueste\w*|jetzt|actuel\w*|aujourd'hui|dernier\w*|actual(?:mente)?|hoy)\b"
    r"|最新|現在|今日|الآن|اليوم|حاليا",
    re.IGNORECASE,
)
_LASTING = re.compile(
    r"\b(?:history|historical(?:ly)?|origins?|invented|founded|discovered|born|died|was first|ancient|century"
    r"|definitions?|defined?|meaning of|etymology|theorem|proof|proved|melting point|boiling point|formula|principle"
    r"|who (?:was|were|wrote|painted|composed)|when (?:was|were|did)|geschichte|ursprung|bedeutet|histoire|historia)\b"
    r"|^\W*what (?:is|are) an? \w+(?: \w+)?\W*$|歴史|定義|تاريخ|تعريف",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-9]{2})\b")


def score(
    kind: SourceKind,
    *,
    relevance: float,
    relevance_reason: str,
    trust: tuple[float, str],
    published_at: datetime | None,
    now: datetime,
    question: str = "",
) -> Score:
    """Put the parts together.

    Args:
        question: what is asked; decides how fast the source ages.
    """
    recent, recency_reason = recency(kind, published_at, now, question)
    return Score(
        relevance=round(relevance, 4),
        trust=round(trust[0], 4),
        recency=round(recent, 4),
        reasons={"relevance": relevance_reason, "trust": trust[1], "recency": recency_reason},
    )


def document_trust(own: float | None) -> tuple[float, str]:
    """Return the trust in a document of the corpus: what the organisation set, or the default."""
    if own is not None:
        return min(max(own, 0.0), 1.0), f"The organisation set its trust to {own:.2f}."
    value, what = TRUST[SourceKind.CORPUS]
    return value, f"It is {what}: {value:.2f}."


def page_trust(host: str) -> tuple[float, str]:
    """Return the trust in a page by its host (`reputation`), without what the organisation set; else its kind's."""
    return address_trust(SourceKind.WEB, host)


def address_trust(kind: SourceKind, host: str, own: Mapping[str, tuple[float, str]] | None = None) -> tuple[float, str]:
    """Return the trust in a source by the domain that answers for it, else by its kind.

    Args:
        own: domain -> (trust, note) of the organisation.
    """
    if (known := domain_trust(host, own)) is not None:
        return known
    value, what = TRUST[kind]
    return value, f"It is {what}: {value:.2f}."


def rescored(
    given: Score,
    kind: SourceKind,
    host: str,
    *,
    published_at: datetime | None,
    now: datetime,
    question: str,
    own: Mapping[str, tuple[float, str]],
) -> Score:
    """Return a score with the trust that the organisation has in a web source and the recency that a question asks for.

    Whatever tool found it: the tools know neither. A source without a host (a document) keeps its trust.
    """
    trust = address_trust(kind, host, own) if host else (given.trust, given.reasons.get("trust", ""))
    return score(
        kind,
        relevance=given.relevance,
        relevance_reason=given.reasons.get("relevance", ""),
        trust=trust,
        published_at=published_at,
        now=now,
        question=question,
    )


def question_kind(question: str, now: datetime) -> QuestionKind:
    """Tell how fast answers to a question go out of date: by its words, and by the years that it names."""
    years = [int(year) for year in _YEAR.findall(question)]
    if _CURRENT.search(question) or any(year >= now.year - 1 for year in years):
        return QuestionKind.CURRENT
    if _LASTING.search(question) or years:
        return QuestionKind.LASTING
    return QuestionKind.ORDINARY


def recency(kind: SourceKind, published_at: datetime | None, now: datetime, question: str = "") -> tuple[float, str]:
    """Return how recent a source is, 0..1, and a sentence: 0.5 where the date is unknown.

    Halved with every half-life of its kind (HALF_LIFE_DAYS), times what the question asks for (AGEING).
    """
    if published_at is None:
        return RECENCY_UNKNOWN, f"Its date is unknown: neutral, {RECENCY_UNKNOWN:.2f}."
    days = max((now - published_at).total_seconds() / 86_400, 0.0)
    asked = question_kind(question, now)
    half_life = HALF_LIFE_DAYS[kind] * AGEING[asked]
    value = 0.5 ** (days / half_life)
    years = half_life / 365.25
    shown = f"{years:.3g} years" if years >= 1 else f"{half_life:.0f} days"
    return value, f"Published on {published_at:%Y-%m-%d}; {_ASKED[asked]}halved every {shown}: {value:.2f}."


_ASKED = {
    QuestionKind.CURRENT: "the question asks for what is current, so it is ",
    QuestionKind.LASTING: "the question asks for what lasts, so it is ",
    QuestionKind.ORDINARY: "",
}
