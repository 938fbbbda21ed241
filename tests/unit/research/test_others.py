"""What an agent leaves out: statements about something else than the one thing that its question names."""

from collections.abc import Sequence

from activities.research.claims import extract
from schema.contracts.research import Passage
from tests.support.corpus import passages_of, source_of
from tests.unit.research.making import view_of

QUESTION = "What viscosity does the data sheet promise for Cordaite?"
ASKED = "Cordaite has a viscosity of 165 centistokes, by the data sheet of its maker."
OTHER = "The data sheet promises a viscosity of 490 centistokes for Pelvelon."


LEAD = "This was written down after the visit of last week, and nobody has looked at it since then."


def read(*texts: str) -> list[Passage]:
    """Return one source for each text."""
    said = [f"{LEAD}\n\n{text} It was a long day for everybody who had come to see it." for text in texts]
    return [each for number, text in enumerate(said) for each in passages_of(text, source_of(text, f"Note {number}"))]


def drawn(question: str, passages: Sequence[Passage]) -> set[str]:
    return {claim.text for claim in extract(view_of(question), passages)}


def test_what_another_source_says_of_another_thing_is_left_out() -> None:
    assert drawn(QUESTION, read(ASKED, OTHER, "The workshop closes at noon.")) == {ASKED}


def test_it_is_left_out_in_a_later_call_too() -> None:
    """What names the thing asked about may have been read before."""
    view = view_of(QUESTION)
    view = view.model_copy(update={"claims": extract(view, read(ASKED))})
    assert not extract(view, read(OTHER, "The workshop closes at noon."))


def test_without_anything_about_the_thing_what_is_similar_stays() -> None:
    """Nothing tells then whether the thing goes by another name."""
    assert OTHER in drawn(QUESTION, read(OTHER, "The workshop closes at noon."))


def test_a_source_that_names_it_may_speak_of_others() -> None:
    both = f"{ASKED} {OTHER}"
    assert OTHER in drawn(QUESTION, read(both, "The workshop closes at noon.", "Lunch is at one."))


def test_what_was_read_before_is_no_proof_that_it_names_the_thing() -> None:
    view = view_of(QUESTION)
    similar = "The data sheet promises a viscosity of 390 centistokes for Ulvilon."
    view = view.model_copy(update={"claims": extract(view, read(similar))})
    assert view.claims
    assert OTHER in {claim.text for claim in extract(view, read(OTHER))}, "nothing read so far names Cordaite"
