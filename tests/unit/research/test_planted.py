"""Planted contradictions are found and disclosed with both values; what only looks like one is not.

Threshold: all of the table, through the product's own reading, splitting, ranking and reasoning, among distractors.
"""

import pytest

from activities.research.citations import check_citations
from activities.research.extractive import ExtractiveReasoner
from schema.contracts.research import Brief
from tests.support.corpus import Outcome, ReadCorpus, research
from tests.support.planted import CONTRADICTIONS, NEAR_MISSES, Pair
from tests.support.texts import PLANTED, package_descriptions

DISTRACTORS = package_descriptions(30)


@pytest.fixture(scope="module")
def contradictions() -> ReadCorpus:
    """All contradictions of the table in one corpus: each pair is among the distractors of the others."""
    files = DISTRACTORS | PLANTED
    for number, pair in enumerate(CONTRADICTIONS):
        files = files | pair.files(f"pair{number}")
    return ReadCorpus(files)


async def ask(corpus: ReadCorpus, question: str) -> Outcome:
    outcome = await research(ExtractiveReasoner(), corpus, Brief(task=question, agents_max=4), steps=8)
    read = corpus.snapshots.__getitem__
    assert check_citations(outcome.rendered.markdown, outcome.rendered.sidecar, read) == []
    return outcome


def disclosed(outcome: Outcome) -> str:
    """Return the report's part on disagreements."""
    _, _, tail = outcome.rendered.markdown.partition("### Disagreements")
    return tail.partition("## Recommendations")[0]


@pytest.mark.parametrize("pair", CONTRADICTIONS, ids=lambda pair: pair.question)
async def test_a_contradiction_is_disclosed_with_both_values(contradictions: ReadCorpus, pair: Pair) -> None:
    told = disclosed(await ask(contradictions, pair.question))
    assert pair.values[0] in told
    assert pair.values[1] in told


@pytest.mark.parametrize("pair", NEAR_MISSES, ids=lambda pair: pair.left)
async def test_what_agrees_is_no_contradiction(pair: Pair) -> None:
    corpus = ReadCorpus(dict(list(DISTRACTORS.items())[:6]) | pair.files("near"))
    assert disclosed(await ask(corpus, pair.question)) == ""


@pytest.mark.parametrize(
    "question",
    [
        "What power does the Zephyr-9 engine produce?",
        "What power does the Zephyr-9 have?",
        "How strong is the Zephyr-9?",
        "What is known about the Zephyr-9 engine of Boreal Works: its power, its fuel use, and who makes it?",
    ],
)
async def test_one_contradiction_in_many_words(contradictions: ReadCorpus, question: str) -> None:
    told = disclosed(await ask(contradictions, question))
    assert "420 kW" in told
    assert "380 kW" in told


async def test_an_attribute_is_found_by_the_dimension_of_its_unit(contradictions: ReadCorpus) -> None:
    outcome = await ask(contradictions, "How much fuel does the Zephyr-9 use?")
    assert "92 litres an hour" in outcome.rendered.markdown
