"""What an agent and a report leave out: statements about something else than the one thing that a question names."""

from collections.abc import Sequence

import pytest

from activities.research.claims import extract
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.strangers import thing_named, unheard_of
from schema.contracts.research import Brief, Passage, Subtask
from tests.support.corpus import passages_of, source_of
from tests.support.making import Meant, claim_of, view_of

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


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What viscosity does Cordaite have?", {"cordait"}),
        ("What is the notice period for leaving the Orlen Accord early?", {"orlen", "accord"}),
        ("Ulrovic Charter responsible secretary", {"ulrov", "charter"}),
        ("Cordaite colour", {"cordait"}),
        ("How long is an adult Cordaite?", {"cordait"}),
        ("How long is an adult Cordaite moth?", set()),
        ("Which fonts are best for a CV?", set()),
        ("How many bytes may a REST API send?", set()),
        ("How do I configure logging in Corvane?", set()),
    ],
)
def test_which_one_thing_is_named(question: str, named: set[str]) -> None:
    assert thing_named(question) == named


def stated(question: str, *said: tuple[str, str]) -> set[str]:
    """Return what a report states of (statement, title)."""
    claims = [claim_of(text, title=title) for text, title in said]
    subtask = Subtask(number=1, title=question, question=question)
    by_id = {claim.id: claim for claim in claims}
    material = Material(Brief(task=question), [subtask], merge_claims(claims), (), by_id, ())
    return {finding.text for finding in material.by_subtask[1]}


RIGHT = ("Withdrawal from the Orlen Accord takes effect 110 days after notice.", "The Orlen Accord")
AGAIN = ("The Orlen Accord lets members go after a wait of 110 days.", "Notes on the Orlen Accord")
STRANGE = ("The notice period of the Zandaven Accord is 150 days.", "The Zandaven Accord")


def test_the_report_leaves_out_what_only_shares_a_part_of_the_name() -> None:
    """That most sources name it is no reason to take the others for it."""
    question = "What is the notice period for leaving the Orlen Accord?"
    assert stated(question, RIGHT, AGAIN, STRANGE) == {RIGHT[0], AGAIN[0]}
    assert STRANGE[0] in stated("How do accords handle notice periods?", RIGHT, AGAIN, STRANGE)


def test_a_short_form_of_the_name_is_no_other_thing() -> None:
    question = "Which office did Angela Merkel hold in 2012?"
    full = ("Angela Merkel was chancellor in 2012.", "Notes")
    short = ("In 2012, Merkel was chancellor and visited Paris.", "Press cuttings")
    assert stated(question, full, short) == {full[0], short[0]}


@pytest.mark.parametrize(
    ("question", "text", "unheard"),
    [
        ("How do I make a list component render again in Svelte?", "Lists render their items lazily.", True),
        ("How do I make a list component render again in Svelte?", "A Svelte list renders again.", False),
        ("Who runs Postgres in Zurich?", "PostgreSQL is run by the office in Zürich, Zurich.", False),
        ("Which port does Apache Cassandra use?", "Apache listens on port 80.", False),
        ("What is the capital of Burkina Faso?", "The capital of the firm is 2 million.", True),
        ("What is the GDP per head?", "The gross domestic product per head is 41,000.", False),
        ("Why did Capt. Moser turn back?", "Moser turned the ship back as the engine failed.", False),
        ("Compare PostgreSQL with Oracle for large tables.", "PostgreSQL splits large tables.", False),
        ("How is the tram of Zürich paid for?", "Zurich pays for its tram.", False),
        ("How Many Employees Does Google Have", "The search company has 180,000 employees.", False),
        ("What do employees of the search company earn?", "They earn well.", False),
    ],
)
def test_a_name_that_no_text_has_is_told(question: str, text: str, unheard: bool) -> None:
    assert unheard_of(question, [text]) is unheard


def test_what_nothing_names_is_answered_only_by_what_surely_means_it() -> None:
    question = "How do I renew a Norwegian passport in Oslo?"
    near, far = (
        "Passports of Norway are renewed at the police station.",
        "Licences of drivers are renewed at the office.",
    )
    view = view_of(question)

    def drawn_with(nearness: float, text: str) -> set[str]:
        meanings = Meant(lambda question, texts: [nearness] * len(texts))
        return {claim.text for claim in extract(view, read(text), meanings)}

    assert near in drawn_with(0.8, near)
    assert not drawn_with(0.5, far)
