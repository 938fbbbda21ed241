"""Of which property of a thing two statements speak, told by the local model in fitted directions."""

from datetime import UTC, datetime

import numpy as np
import pytest

from activities.embedding.likeness import DIRECTIONS, FILE
from activities.embedding.minilm import DIMENSIONS
from activities.research.composing import DISAGREEMENTS
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.meanings import ALIKE_MIN, Meanings, alike, alike_to_answer, nameless
from activities.research.models import ModelReasoner
from activities.research.reasoner import ModelConfig
from activities.research.statements import Fact, facts_of
from schema.contracts.research import Brief, Subtask
from tests.support.making import claim_of, local_meanings
from tests.support.model_server import ModelServer


@pytest.fixture(scope="module")
def meanings() -> Meanings:
    """The product's own comparison of meanings."""
    return local_meanings()


def fact(text: str) -> Fact:
    claim = claim_of(text, title="Notes")
    [finding] = merge_claims([claim])
    [read] = facts_of(finding, {claim.id: claim})
    return read


ONE_PROPERTY = [
    (
        "Repairing the Torvane organ took 14 months.",
        "Within 9 months the restorers had the Torvane organ playing again.",
        "A concert on the Torvane organ lasts 50 minutes.",
    ),
    (
        "The Merrin lift hauls 1,200 skiers up the slope every hour.",
        "Every hour, 900 skiers ride up the slope on the Merrin lift.",
        "The cable of the Merrin lift was replaced after 40 months.",
    ),
    (
        "Wooden casks for Corlan are delivered by Aldholm Cooperage.",
        "Brennick Cooperage supplies the wooden casks for Corlan.",
        "Corlan was bought by Brennick Holdings in a friendly deal.",
    ),
]


@pytest.mark.parametrize(("one", "same", "other"), ONE_PROPERTY)
def test_one_property_is_nearer_than_another(one: str, same: str, other: str, meanings: Meanings) -> None:
    near, far = (alike(meanings, fact(one), fact(each)) for each in (same, other))
    assert near >= ALIKE_MIN > far


def test_the_question_counts_as_much_as_the_answer(meanings: Meanings) -> None:
    question = "How many months did it take to restore the Torvane organ?"
    answer, same, other = map(fact, ONE_PROPERTY[0])
    near, far = (alike_to_answer(meanings, question, answer, each) for each in (same, other))
    assert near is not None
    assert far is not None
    assert near >= ALIKE_MIN > far


def test_names_and_figures_are_not_compared() -> None:
    assert nameless("The Torvane 9 weighs 41.5 kg.", frozenset({"torvan"})) == "The it 9 weighs 9 kg."


def test_the_directions_are_those_of_the_model() -> None:
    directions = np.load(FILE, allow_pickle=False)
    assert directions.shape == (DIMENSIONS, DIRECTIONS)
    assert directions.dtype == np.float32
    assert np.isfinite(directions).all()


def stated(question: str, new: str, old: str, meanings: Meanings | None, *, years: tuple[int, int]) -> list[str]:
    """Return what a report may state as it is, of a newer and an older statement."""
    claims = [
        claim_of(text, title=f"paper of {year}", published_at=datetime(year, 3, 14, tzinfo=UTC), relevance=relevance)
        for text, year, relevance in ((new, years[0], 0.3), (old, years[1], 0.7))
    ]
    subtask = Subtask(number=1, title=question, question=question)
    material = Material(
        Brief(task=question), [subtask], merge_claims(claims), (), {each.id: each for each in claims}, (), meanings
    )
    return [finding.text for finding in material.by_subtask[1]]


OUTLIVED = [
    # A kind of value that no word of the question tells.
    (
        "What fuel does the Torvane stove burn?",
        "Pellets of straw are what the Torvane stove is fired with.",
        "The Torvane stove is heated with beech logs.",
    ),
    (
        "How much flour goes into a Corlan loaf?",
        "Bakers weigh out 640 grams of flour for every Corlan loaf.",
        "Take 480 g of flour per Corlan loaf, and no more.",
    ),
    # When something happened does not change, but of one event the newer source is preferred.
    (
        "In which year was the Merrin lift approved by the authorities?",
        "Official approval of the Merrin lift came in 1961, after much correspondence.",
        "Not before 1974 was the Merrin lift at last approved by the authorities.",
    ),
    # Key words with a name at their beginning.
    (
        "Ulrovic Charter responsible secretary",
        "It is Jonas Pelveen who is in charge of the Ulrovic Charter.",
        "The Ulrovic Charter lies on the desk of the responsible secretary, Ingrid Delliberg.",
    ),
    # It begins with a word that often points back.
    (
        "Who teaches the Brelmoor Seminar?",
        "The Brelmoor Seminar is taught by Rosa Pelloen, who starts early.",
        "Those enrolled in the Brelmoor Seminar put their questions to the lecturer, Stefan Rasstiard.",
    ),
]


@pytest.mark.parametrize(("question", "new", "old"), OUTLIVED)
def test_an_old_answer_gives_way_to_a_newer_one_in_other_words(
    question: str, new: str, old: str, meanings: Meanings
) -> None:
    assert stated(question, new, old, meanings, years=(2025, 2015)) == [new]
    assert set(stated(question, new, old, meanings, years=(2025, 2024))) == {new, old}, "a year apart, both may hold"


async def test_a_model_is_shown_no_old_answer_that_only_its_meaning_tells(meanings: Meanings) -> None:
    question, new, old = OUTLIVED[0]
    claims = [
        claim_of(text, title=f"paper of {year}", published_at=datetime(year, 3, 14, tzinfo=UTC), relevance=0.5)
        for text, year in ((new, 2025), (old, 2015))
    ]
    subtask = Subtask(number=1, title=question, question=question)
    async with ModelServer() as server:
        written = await ModelReasoner(
            ModelConfig("openai/scripted", server.base_url, "sk-test"), meanings=meanings
        ).write_report(
            Brief(task=question), [subtask], merge_claims(claims), (), {each.id: each for each in claims}, ()
        )
        assert server.calls
        assert all(new in call.user and old not in call.user for call in server.calls)
    beside = next(section for section in written.value.sections if section.title == DISAGREEMENTS)
    assert any(old.rstrip(".") in sentence.text for part in beside.paragraphs for sentence in part)


@pytest.mark.parametrize(
    ("question", "new", "old"),
    [
        (
            "How much flour goes into a Corlan loaf?",
            "Bakers weigh out 480 grams of flour for every Corlan loaf.",
            "Take 480 g of flour per Corlan loaf, and no more.",
        ),
        (
            "How much is a ride on the Merrin lift?",
            "Children pay 4 euros for a ride on the Merrin lift.",
            "Adults pay 9 euros for a ride on the Merrin lift.",
        ),
        (
            "How does the Torvane stove control its heat?",
            "The Torvane stove controls its heat by a flap.",
            "Heat is controlled with two fans in the Torvane stove.",
        ),
    ],
)
def test_another_property_and_the_same_value_leave_it(question: str, new: str, old: str, meanings: Meanings) -> None:
    assert set(stated(question, new, old, meanings, years=(2025, 2015))) == {new, old}
