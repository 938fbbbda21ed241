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
from activities.tools.reputation import shipped
from activities.tools.scoring import (
    QuestionKind,
    address_trust,
    document_trust,
    page_trust,
    question_kind,
    recency,
    rescored,
    score,
)
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


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the latest version of PostgreSQL?", QuestionKind.CURRENT),
        ("Who is currently the mayor of Zurich?", QuestionKind.CURRENT),
        ("Growth of the Swiss economy in 2026", QuestionKind.CURRENT),
        ("Wie hoch ist der Leitzins aktuell?", QuestionKind.CURRENT),
        ("最新の失業率", QuestionKind.CURRENT),
        ("What is a monad?", QuestionKind.LASTING),
        ("When was the Gotthard tunnel built?", QuestionKind.LASTING),
        ("What happened in Geneva in 1864?", QuestionKind.LASTING),
        ("Definition of entropy", QuestionKind.LASTING),
        ("How does PostgreSQL store rows?", QuestionKind.ORDINARY),
        ("", QuestionKind.ORDINARY),
    ],
)
def test_kinds_of_questions(question: str, expected: QuestionKind) -> None:
    """By their words, and by the years that they name."""
    assert question_kind(question, NOW) is expected


def test_a_question_decides_how_fast_sources_age() -> None:
    """The same page: worthless for what is current, hardly aged for a definition; each says so."""
    old = NOW - timedelta(days=365)
    current, why = recency(SourceKind.WEB, old, NOW, "What is the latest release?")
    ordinary, _ = recency(SourceKind.WEB, old, NOW, "How does it store rows?")
    lasting, because = recency(SourceKind.WEB, old, NOW, "Who invented the transistor?")
    assert current < 0.2 < ordinary < 0.9 < lasting
    assert "what is current" in why
    assert "what lasts" in because
    assert recency(SourceKind.WEB, None, NOW, "What is the latest release?")[0] == 0.5


def test_domains_that_the_organisation_and_the_list_know() -> None:
    """The organisation's word first, then the longest suffix of the list, then the kind; each with its reason."""
    own = {"example.org": (0.9, "our partner"), "reddit.com": (0.6, "")}
    assert address_trust(SourceKind.WEB, "www.example.org", own)[0] == 0.9
    assert "our partner" in address_trust(SourceKind.WEB, "a.b.example.org", own)[1]
    assert address_trust(SourceKind.WEB, "old.reddit.com", own)[0] == 0.6
    assert address_trust(SourceKind.WEB, "old.reddit.com")[0] == 0.3
    assert address_trust(SourceKind.WEB, "notreddit.com")[0] == 0.5
    assert address_trust(SourceKind.NEWS, "unknown.example")[0] == 0.6
    assert address_trust(SourceKind.WEB, "pubmed.ncbi.nlm.nih.gov")[0] == 0.85
    assert shipped().version in page_trust("docs.python.org")[1]


def test_the_shipped_list_is_well_formed() -> None:
    for domain, (trust, reason) in shipped().trust.items():
        assert domain == domain.lower().strip(".")
        assert 0 <= trust <= 1
        assert reason


def test_rescored_keeps_relevance_and_documents_keep_their_trust() -> None:
    given = score(SourceKind.WEB, relevance=0.7, relevance_reason="R.", trust=(0.5, "T."), published_at=None, now=NOW)
    page = rescored(
        given, SourceKind.WEB, "a.example", published_at=None, now=NOW, question="", own={"example": (0.2, "")}
    )
    assert (page.relevance, page.trust, page.reasons["relevance"]) == (0.7, 0.2, "R.")
    mine = rescored(given, SourceKind.CORPUS, "", published_at=NOW, now=NOW, question="", own={})
    assert (mine.trust, mine.recency, mine.reasons["trust"]) == (0.5, 1.0, "T.")


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
