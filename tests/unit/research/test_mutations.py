"""Every mutation of a real report is caught, and nothing else is: reports of several corpora, quoted and reworded.

Threshold: 100 % of the mutations of `tests/support/mutations.py`, no problem in a report that nobody touched.
"""

import re
from collections.abc import Mapping

import pytest

from activities.research.citations import RenderedReport, check_citations, render_report
from activities.research.text import display
from schema.contracts.research import Brief, Report, Section, Sentence
from tests.support.corpus import Outcome, ReadCorpus
from tests.support.mutations import ALTERATIONS, mutations
from tests.support.pairs import asked, load
from tests.support.texts import PLANTED, package_descriptions, python_topics

QUESTIONS = (
    "What power does the Zephyr-9 engine produce, who makes it and when was it delivered?",
    "How do context managers, generators and decorators work in Python?",
    "What do httpx, pytest and jinja2 do, and which Python versions do they need?",
    "What does the Haldor kayak weigh?",
    "How much funding did Nuvola Therapeutics raise, and what did the Arden stadium cost?",
    "What is the recycling rate of Pelham Bay, and is the old bridge at Marvik open to traffic?",
)


@pytest.fixture(scope="module")
def corpus() -> ReadCorpus:
    pairs, _ = load("dev")
    files = package_descriptions(25) | PLANTED | dict(list(python_topics().items())[:40])
    for number, pair in enumerate(pairs):
        files = files | pair.files(f"pair{number}")
    return ReadCorpus(files)


def reworded(outcome: Outcome, snapshots: Mapping[str, str]) -> RenderedReport:
    """Say the run's claims in other words, as a model does: the gate keeps what it can show."""
    sentences = []
    for claim in outcome.claims.values():
        match = re.match(
            r"(The [^,.]{3,40}?) (is|was|has|had|produces|costs|weighs|requires) (.+)\.$", display(claim.quote)
        )
        if match:
            text = f"According to the sources, the {match[1][4:]} {match[2]} {match[3]}."
            sentences.append((Sentence(text=text, claim_ids=(claim.id,)),))
    report = Report(title="Reworded", sections=(Section(title="Executive summary", paragraphs=tuple(sentences)),))
    return render_report(report, outcome.claims, snapshots.__getitem__, brief=Brief(task="Reworded"))


@pytest.mark.parametrize("seed", range(len(QUESTIONS)))
async def test_every_mutation_is_caught_and_nothing_else(corpus: ReadCorpus, seed: int) -> None:
    outcome = await asked(corpus, QUESTIONS[seed])
    for rendered in (outcome.rendered, reworded(outcome, corpus.snapshots)):
        assert check_citations(rendered.markdown, rendered.sidecar, corpus.snapshots.__getitem__) == []
        for mutation in mutations(rendered.markdown, rendered.sidecar, corpus.snapshots, seed=seed):
            found = check_citations(mutation.markdown, mutation.sidecar, mutation.snapshots.__getitem__)
            assert found, (mutation.kind, mutation.forged, mutation.sentence)


async def test_the_reports_are_worth_mutating(corpus: ReadCorpus) -> None:
    kinds, reworded_count = set(), 0
    for seed, question in enumerate(QUESTIONS):
        outcome = await asked(corpus, question)
        other = reworded(outcome, corpus.snapshots)
        reworded_count += other.quality.supported - other.quality.repaired
        report = outcome.rendered
        kinds |= {each.kind for each in mutations(report.markdown, report.sidecar, corpus.snapshots, seed=seed)}
    assert reworded_count >= 5
    assert kinds >= set(ALTERATIONS) - {"alter a scale", "take a negation away", "percent and points"}
