"""What is said of the thing that a question names: which statements those are, and which mean what is asked."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from activities.research.about import FIRST, is_of, meant_by, of_one, said_of
from activities.research.claims import Candidate, candidates, extract, stitch
from activities.research.wanted import wanted
from tests.support.corpus import passages_of, source_of
from tests.support.making import Meant, claim_of, local_meanings, view_of

QUESTION = "Which fuel does Fenstiyfund take?"


def pool(*pages: tuple[str, str]) -> list[Candidate]:
    """Return the statements of pages of (title, text)."""
    return candidates(stitch([each for title, text in pages for each in passages_of(text, source_of(text, title))]))


def told(question: str, *pages: tuple[str, str]) -> set[str]:
    found = pool(*pages)
    return {found[place].statement for place in said_of(question, found)}


PAGE = (
    "All about Fenstiyfund",
    "Fenstiyfund stands in the kitchen of the old house. What goes into its belly is birch. "
    "Norgaulder takes peat and nothing else.",
)


def test_what_names_it_is_of_it_and_what_names_nothing_under_its_title() -> None:
    said = told(QUESTION, PAGE, ("Notes", "Nobody mentions the stove on this page, as was to be expected."))
    assert any("kitchen" in each for each in said)
    assert any("birch" in each for each in said)
    assert not any("Norgaulder" in each or "Nobody" in each for each in said)


def test_what_is_mentioned_in_passing_tells_nothing() -> None:
    """A page that names it once is no page about it."""
    assert not told(QUESTION, ("Notes", "Unlike Fenstiyfund, this stove takes peat and nothing else at all."))


@pytest.mark.parametrize("question", ["How does Fenstiyfund work?", "Which fuel is best?"])
def test_an_account_and_a_question_without_a_name_are_left_to_the_words(question: str) -> None:
    assert not told(question, PAGE)
    assert of_one(question) is None


def test_one_member_of_a_family_is_not_the_other() -> None:
    asked = wanted("How heavy is the Falke 200?")
    assert is_of(asked, "The Falke 200 weighs 40 kg.", "Falke")
    assert not is_of(asked, "The Falke 300 weighs 60 kg.", "Falke 200")
    assert is_of(asked, "It weighs 40 kg.", "Falke 200")


def by_word(words: Sequence[str]) -> Meant:
    """Compare by which of some words, best first, a text has."""

    def near(_: str, texts: Sequence[str]) -> Sequence[float]:
        return [next((0.9 - 0.1 * at for at, word in enumerate(words) if word in text), -1.0) for text in texts]

    return Meant(near)


def test_the_nearest_few_come_first_and_what_is_known_takes_its_place_among_them() -> None:
    said = [f"Fenstiyfund has a {word} that visitors like." for word in ("door", "lid", "pipe", "bell", "foot", "hook")]
    found = pool(("Fenstiyfund", " ".join(said)))
    order = by_word(["door", "lid", "pipe", "bell", "foot", "hook"])
    places = meant_by(QUESTION, found, (), order)
    assert {found[place].statement for place in places} == set(said[:FIRST])
    assert list(places.values()) == sorted(places.values(), reverse=True)
    known = claim_of("Fenstiyfund has a door that is older than the house.", title="Fenstiyfund")
    assert len(meant_by(QUESTION, found, [known], order)) == FIRST - 1


def test_without_a_comparison_words_decide_alone() -> None:
    assert not meant_by(QUESTION, pool(PAGE), (), None)
    assert not meant_by(QUESTION, pool(PAGE), (), Meant(lambda *_: None))


def test_an_answer_in_words_that_nobody_knows_is_claimed() -> None:
    question = "What do I have to shovel into Rasveembrix to get warm?"
    text = (
        "Rasveembrix is a cast-iron stove for the living room. What goes into its belly is oak logs. "
        "Rasveembrix is 92 cm high. Rasveembrix was made by Pelvistad Lines. "
        "Our editor is on holiday, and the deputy likes commas."
    )
    claims = extract(view_of(question), passages_of(text, source_of(text, "Rasveembrix")), local_meanings())
    assert any("oak logs" in claim.quote for claim in claims)


@pytest.mark.parametrize(("near", "year", "claimed"), [(0.5, 2025, True), (0.1, 2025, False)])
def test_who_holds_an_old_statement_sees_what_a_newer_source_says_of_the_same(
    near: float, year: int, claimed: bool
) -> None:
    """Nobody asked for it, but the old one stands among the claims."""
    question = "What fee does the Oststihartal Chamber charge?"
    old = claim_of(
        "If you have fallen out over water rights, the Oststihartal Chamber is where you should knock.",
        title="Oststihartal Chamber",
        published_at=datetime(2014, 5, 2, tzinfo=UTC),
        relevance=0.6,
    )
    text = (
        "Quarrels about church bells end up before the Oststihartal Chamber. "
        "The Oststihartal Chamber charges a fee of CHF 420."
    )
    source = source_of(text, "Oststihartal Chamber, a note", published_at=datetime(year, 5, 2, tzinfo=UTC))
    meanings = Meant(lambda *_: None)
    meanings.alike = lambda text, texts: [-1.0 if "charge" in text else near] * len(texts)
    view = view_of(question).model_copy(update={"claims": (old,)})
    drawn = extract(view, passages_of(text, source), meanings)
    assert any("church bells" in claim.quote for claim in drawn) is claimed
