"""Ranking and scoring: bounded, monotone, explainable, deterministic."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.tools.ranking import (
    Duplicates,
    QueryTerm,
    in_document,
    occurrences,
    query_terms,
    relevance,
    weigh,
)
from activities.tools.scoring import document_trust, page_trust, recency, score
from schema.contracts.research import SourceKind

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FILLER = "These words say nothing about it but fill the passage so that it is not taken for a thin one at all here. "


def rank(query: str, text: str, heading: str = "", frequencies: dict[str, int] | None = None) -> float:
    """Return the relevance of a text to a query."""
    terms = query_terms(query)
    weighed = weigh(terms, frequencies or {}, 100)
    return relevance(weighed, occurrences([lexeme for lexeme, _ in terms], text, heading), text).value


def test_order_of_evidence() -> None:
    """More of the query, closer together, more often, and in the headings: each is better."""
    query = "melting point of gallium"
    nothing = rank(query, FILLER * 2)
    one = rank(query, FILLER * 2 + "Gallium.")
    apart = rank(query, "Gallium " + FILLER + " melting " + FILLER + " point.")
    together = rank(query, FILLER * 2 + "The melting point of gallium.")
    often = rank(query, FILLER + "The melting point of gallium. Gallium, melting, point.")
    above = rank(query, FILLER + "The melting point of gallium. Gallium, melting, point.", "Gallium > Melting point")
    assert nothing == 0 < one < apart < together < often < above <= 1


def test_rare_terms_weigh_more() -> None:
    """Holding the rare term is worth more than holding the common one."""
    frequencies = {"python": 90, "descriptor": 2}
    rare = rank("python descriptor", FILLER + "A descriptor.", frequencies=frequencies)
    common = rank("python descriptor", FILLER + "About Python.", frequencies=frequencies)
    assert rare > 3 * common


def test_words_that_say_little_weigh_little() -> None:
    """The words of a question do not make a passage relevant."""
    assert rank("explain how gallium works", FILLER + "Explain how it works.") < 0.3
    assert rank("explain how gallium works", FILLER + "Gallium.") > 0.4


def test_code_and_thin_passages_are_worth_less() -> None:
    """Neither supports a statement as a paragraph does."""
    prose = rank("gallium", FILLER + "gallium")
    assert rank("gallium", "    gallium " + FILLER) < prose
    assert rank("gallium", "gallium") < rank("gallium", "gallium " * 3 + FILLER)


words = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "delta", "the", "of", "gallium", "29.76"]), max_size=60
).map(" ".join)


@given(words, words, words, st.integers(0, 200))
def test_always_between_0_and_1(query: str, text: str, heading: str, frequency: int) -> None:
    """Whatever is compared."""
    value = rank(query, text, heading, {"alpha": frequency})
    assert 0 <= value <= 1
    for answering in (0, 1, 5):
        terms = [QueryTerm("alpha", 1, 1.0)]
        inside = in_document(relevance(terms, occurrences(["alpha"], text, heading), text), answering, 5)
        assert 0 <= inside.value <= 1


def test_duplicates() -> None:
    """Nearly the same words are a repetition, other words are not."""
    seen = Duplicates()
    assert seen.is_new(FILLER)
    assert not seen.is_new(FILLER + "Really.")
    assert seen.is_new("Something quite different is said by this one, in other words.")
    assert seen.is_new("x")
    assert not seen.is_new("x")


def test_recency_halves_and_is_neutral_when_unknown() -> None:
    """Age is measured to the given moment; the future is now."""
    fresh, _ = recency(SourceKind.NEWS, NOW, NOW)
    old, reason = recency(SourceKind.NEWS, NOW - timedelta(days=90), NOW)
    unknown, why = recency(SourceKind.NEWS, None, NOW)
    future, _ = recency(SourceKind.NEWS, NOW + timedelta(days=900), NOW)
    assert (fresh, old, unknown, future) == (1.0, pytest.approx(0.5), 0.5, 1.0)
    assert "2026-08-03" in reason
    assert "unknown" in why


def test_trust_says_where_it_comes_from() -> None:
    """The organisation's word, or the default of the kind."""
    assert document_trust(0.3)[0] == 0.3
    assert document_trust(0.0)[0] == 0.0
    assert document_trust(None)[0] == 0.8
    assert page_trust("www.admin.ch")[0] == 0.7
    assert page_trust("www.bfs.admin.ch")[0] == 0.7
    assert page_trust("mit.edu")[0] == 0.7
    assert page_trust("www.ox.ac.uk")[0] == 0.7
    assert page_trust("gov.example.com")[0] == 0.5


def test_score_adds_up() -> None:
    """0.5 relevance + 0.3 trust + 0.2 recency, one sentence each."""
    made = score(
        SourceKind.CORPUS,
        relevance=0.8,
        relevance_reason="Because.",
        trust=(0.5, "So."),
        published_at=None,
        now=NOW,
    )
    assert made.combined == pytest.approx(0.5 * 0.8 + 0.3 * 0.5 + 0.2 * 0.5)
    assert all(reason.endswith(".") for reason in made.reasons.values())
    assert set(made.reasons) == {"relevance", "trust", "recency"}
