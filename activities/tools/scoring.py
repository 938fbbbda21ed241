"""The three parts of a source's score, and a sentence for each. Pure.

Combined they are 0.5 relevance + 0.3 trust + 0.2 recency (specification, 4.2; `Score.combined`).
"""

from datetime import datetime

from schema.contracts.research import Score, SourceKind

TRUST: dict[SourceKind, tuple[float, str]] = {
    SourceKind.CORPUS: (0.8, "a document of the organisation's own"),
    SourceKind.ACADEMIC: (0.8, "an academic source"),
    SourceKind.NEWS: (0.6, "a news source"),
    SourceKind.WEB: (0.5, "a page of the open web"),
}
TRUST_PUBLIC_BODY = 0.7
HALF_LIFE_DAYS: dict[SourceKind, float] = {
    SourceKind.CORPUS: 3 * 365.25,
    SourceKind.ACADEMIC: 5 * 365.25,
    SourceKind.NEWS: 90.0,
    SourceKind.WEB: 2 * 365.25,
}
"""After this time a source's recency is one half."""
RECENCY_UNKNOWN = 0.5
_PUBLIC_BODIES = frozenset(("gov", "edu", "mil", "int"))
_PUBLIC_SECOND_LEVEL = frozenset(("ac", "gov", "gob", "gouv", "edu", "admin"))


def score(
    kind: SourceKind,
    *,
    relevance: float,
    relevance_reason: str,
    trust: tuple[float, str],
    published_at: datetime | None,
    now: datetime,
) -> Score:
    """Put the parts together."""
    recent, recency_reason = recency(kind, published_at, now)
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
    """Return the trust in a page: by its host, public bodies and universities above the rest."""
    labels = host.lower().split(".")
    second_level = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _PUBLIC_SECOND_LEVEL
    if labels[-1] in _PUBLIC_BODIES or second_level:
        return TRUST_PUBLIC_BODY, f"{host} belongs to a public body or a university: {TRUST_PUBLIC_BODY:.2f}."
    value, what = TRUST[SourceKind.WEB]
    return value, f"It is {what}: {value:.2f}."


def recency(kind: SourceKind, published_at: datetime | None, now: datetime) -> tuple[float, str]:
    """Return how recent a source is: halved with every half-life of its kind, 0.5 where the date is unknown."""
    if published_at is None:
        return RECENCY_UNKNOWN, f"Its date is unknown: neutral, {RECENCY_UNKNOWN:.2f}."
    days = max((now - published_at).total_seconds() / 86_400, 0.0)
    value = 0.5 ** (days / HALF_LIFE_DAYS[kind])
    years = HALF_LIFE_DAYS[kind] / 365.25
    half_life = f"{years:g} years" if years >= 1 else f"{HALF_LIFE_DAYS[kind]:g} days"
    return value, f"Published on {published_at:%Y-%m-%d}; halved every {half_life}: {value:.2f}."
