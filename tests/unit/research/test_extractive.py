"""The extractive reasoner: verbatim, deterministic, and useful on real text."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.research.acting import next_action, search_query
from activities.research.citations import check_citations
from activities.research.claims import CLAIMS_PER_CALL_MAX, extract, stitch
from activities.research.extractive import ExtractiveReasoner
from activities.research.telling import is_statement
from activities.research.text import display, normalise
from schema.contracts.research import Brief, Finish, Passage, StepRecord, Subtask, ToolCall
from tests.support.corpus import (
    MemoryCorpus,
    Outcome,
    package_descriptions,
    passages_of,
    python_reference,
    research,
    source_of,
)
from tests.support.making import claim_of, view_of

QUESTION = "How do Python context managers, decorators and generators work, and what happens on exceptions?"
PLANTED = [
    ("Zephyr brochure", "The Zephyr-9 engine produces 420 kW. It weighs 310 kg and was introduced in 2021."),
    ("Bench test", "We measured it twice. The output of the Zephyr-9 is 380 kW. The Zephyr-8 produces 300 kW."),
    ("Zephyr-9 data", "The Zephyr-9 has six cylinders and a titanium case. Its service interval is two years."),
]


def corpus_of(*documents: tuple[str, str], real: bool = True) -> MemoryCorpus:
    background = python_reference() + package_descriptions("httpx", "snowballstemmer", "pytest") if real else []
    return MemoryCorpus([*background, *((source_of(text, title), text) for title, text in documents)])


async def ask(question: str, corpus: MemoryCorpus, **brief: object) -> Outcome:
    return await research(ExtractiveReasoner(), corpus, Brief(task=question, **brief))  # type: ignore[arg-type]


def assert_sound(outcome: Outcome, corpus: MemoryCorpus) -> None:
    """Check what holds for every extractive report."""
    for claim in outcome.claims.values():
        assert corpus.snapshots[claim.source.snapshot_sha256][claim.start : claim.end] == claim.quote
        # A row is said with what stands above it.
        assert claim.text == normalise(claim.quote) or " — " in claim.text
        assert 0 < claim.relevance <= 1
    said = [sentence.text for sentence in outcome.rendered.sidecar.sentences if sentence.spans]
    assert len(said) == len(set(said)), "no statement twice"
    assert outcome.rendered.quality.dropped == 0
    assert outcome.rendered.quality.repaired == 0
    assert "without a language model" in outcome.rendered.markdown
    read = corpus.snapshots.__getitem__
    assert check_citations(outcome.rendered.markdown, outcome.rendered.sidecar, read) == []


async def test_a_real_question_gets_a_useful_report() -> None:
    corpus = corpus_of()
    outcome = await ask(QUESTION, corpus)
    assert_sound(outcome, corpus)
    markdown = display(outcome.rendered.markdown)
    assert [subtask.title for subtask in outcome.subtasks] == [
        "Python context managers",
        "Python decorators",
        "Python generators",
        "What happens on exceptions?",
    ]
    for expected in (
        "A context manager is an object that defines the runtime context to be established",
        "A function definition may be wrapped by one or more decorator expressions.",
        "Multiple decorators are applied in nested fashion.",
        "the generator is done and will cause",
        "The Python interpreter raises an exception when it detects a run-time error",
    ):
        assert expected in markdown
    assert outcome.rendered.quality.supported >= 15
    for sentence in outcome.rendered.sidecar.sentences:
        if sentence.spans:
            assert len(sentence.text) <= 480
            assert is_statement(sentence.spans[0].quote), sentence.text


async def test_a_planted_contradiction_is_disclosed_with_both_sides() -> None:
    corpus = corpus_of(*PLANTED)
    outcome = await ask("What is the power output of the Zephyr-9 engine?", corpus)
    assert_sound(outcome, corpus)
    assert len(outcome.conflicts) == 1
    section = outcome.rendered.markdown.split("### Disagreements")[1].split("## Recommendations")[0]
    assert "420 kW" in section
    assert "380 kW" in section
    assert len({number for number in ("[1]", "[2]") if number in section}) == 2
    assert "Zephyr-8" not in section
    assert "Settle the disagreement about Zephyr-9" in outcome.rendered.markdown


async def test_real_text_has_no_false_conflicts() -> None:
    corpus = corpus_of()
    for question in (QUESTION, "How do HTTP clients handle timeouts and HTTP/2?", "How does stemming work?"):
        assert (await ask(question, corpus)).conflicts == ()


async def test_without_evidence_the_report_says_so() -> None:
    corpus = corpus_of()
    outcome = await research(
        ExtractiveReasoner(), corpus, Brief(task="Who won the 1954 football world cup?"), missing=("Agent 2 failed.",)
    )
    assert_sound(outcome, corpus)
    assert outcome.rendered.quality.supported == 0
    assert "No source that was read answers this question." in outcome.rendered.markdown
    assert "### Not covered" in outcome.rendered.markdown
    assert "Agent 2 failed." in outcome.rendered.markdown
    assert "Add documents or addresses" in outcome.rendered.markdown


async def test_agreement_of_sources_is_cited_together() -> None:
    corpus = corpus_of(
        ("a", "The Lorze bridge in Baar is 120 m long."), ("b", "In Baar, the Lorze bridge is 120 m long."), real=False
    )
    outcome = await ask("How long is the Lorze bridge?", corpus)
    assert_sound(outcome, corpus)
    assert "[1][2]" in outcome.rendered.markdown


PROGRAM = """
import asyncio, hashlib, sys
from tests.unit.research.test_extractive import PLANTED, QUESTION, ask, corpus_of
corpus = corpus_of(*PLANTED)
told = []
for question in (QUESTION, "What is the power output of the Zephyr-9 engine, and how heavy is it?"):
    outcome = asyncio.run(ask(question, corpus))
    told += [outcome.rendered.markdown, outcome.rendered.sidecar.model_dump_json(), repr(outcome.tokens)]
    told += [str(outcome.actions)]
sys.stdout.write(hashlib.sha256("".join(told).encode()).hexdigest())
"""


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    digests = set()
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        digests.add(run.stdout)
    assert len(digests) == 1
    assert len(digests.pop()) == len(hashlib.sha256().hexdigest())


TEXTS = st.lists(
    st.sampled_from(
        [
            "The Zephyr-9 engine produces 420 kW.",
            "It weighs 310 kg and is made in Basel.",
            "Engines of this kind are rare;\nthey cost 3.5 million CHF.",
            "x = engine.start()",
            "\n\n",
            "* An engine is a machine that turns heat into work.",
            "Ünïcödé engines — “quoted” — exist since 1998!",
            "    engine = Zephyr()",
            "# Engines",
        ]
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(TEXTS, st.integers(20, 200), st.sampled_from([" ", "\n", "\n\n"]))
def test_offsets_are_exact_for_any_text_and_any_cut(lines: list[str], size: int, separator: str) -> None:
    text = separator.join(lines)
    source = source_of(text, "Engines")
    passages = passages_of(text, source, size)
    view = view_of("What does the Zephyr-9 engine produce?")
    claims = extract(view, passages)
    assert len(claims) <= CLAIMS_PER_CALL_MAX
    for claim in claims:
        assert text[claim.start : claim.end] == claim.quote
        # A row has what stands above it before its own words.
        assert claim.text.removeprefix("Engines — ") == normalise(claim.quote)
    again = extract(view.model_copy(update={"claims": claims}), passages)
    assert not {claim.id for claim in claims} & {claim.id for claim in again}
    assert extract(view, tuple(reversed(passages))) == claims or len(passages) > 1


def test_overlapping_passages_are_put_together() -> None:
    text = "The Zephyr-9 engine produces 420 kW at sea level. It is loud."
    source = source_of(text, "t")
    cut = [Passage(source=source, start=a, end=b, text=text[a:b]) for a, b in ((20, len(text)), (0, 30), (5, 12))]
    (region,) = stitch(cut)
    assert (region.start, region.text) == (0, text)


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("How do Python decorators work?", "python decorators"),
        ("What happens on exceptions (Python context managers)?", "exceptions python"),
        ("How much does it cost (risks of cloud computing)?", "cost risks cloud"),
    ],
)
def test_queries(question: str, query: str) -> None:
    assert search_query(question) == query


def test_an_agent_fetches_searches_reads_asks_again_and_stops() -> None:
    tools = ("corpus.search", "document.read", "web.fetch", "web.search")
    subtask = Subtask(number=1, title="Engine", question="What engine drives Zephyr trains?", urls=("https://x.org/",))
    view = view_of("q", subtask=subtask, tools=tools, steps_left=8)
    done: list[tuple[str, ...]] = []
    for step in range(8):
        action = next_action(view.model_copy(update={"steps_left": 8 - step}))
        if isinstance(action, Finish):
            break
        done.append((action.tool, *map(str, action.arguments.values())))
        record = StepRecord(step=step, tool=action.tool, arguments=action.arguments, ok=step > 0)
        view = view.model_copy(update={"steps": (*view.steps, record)})
        if step == 1:
            claim = claim_of("The Zephyr train has a diesel engine.", title="Trains", relevance=0.8)
            view = view.model_copy(update={"claims": (claim,)})
    assert [tool for tool, *_ in done[:4]] == ["web.fetch", "corpus.search", "corpus.search", "document.read"]
    assert ("web.search", "engine drives zephyr trains") in done
    assert len(done) == len(set(done)), "no call twice"
    assert len(done) < 8
    assert isinstance(action, Finish)


def test_an_agent_asks_for_a_property_in_other_words_too() -> None:
    view = view_of("What power does the Zephyr-9 have?", tools=("corpus.search",), steps_left=8)
    queries = []
    for step in range(3):
        action = next_action(view)
        assert isinstance(action, ToolCall)
        queries.append(str(action.arguments["query"]))
        record = StepRecord(step=step, tool=action.tool, arguments=action.arguments, ok=True)
        view = view.model_copy(update={"steps": (*view.steps, record)})
    assert queries[0] == "power zephyr-9"
    assert "kW" in queries[1]
    assert queries[2] == "zephyr-9"


def test_an_agent_uses_only_the_tools_it_has() -> None:
    subtask = Subtask(number=1, title="Engine", question="What engine?", urls=("https://x.org/",))
    assert isinstance(next_action(view_of("q", subtask=subtask, tools=("image.draw",), steps_left=5)), Finish)
    assert isinstance(next_action(view_of("q", subtask=subtask, tools=("web.fetch",), steps_left=0)), Finish)
    action = next_action(view_of("q", subtask=subtask, tools=("web.fetch",), steps_left=1))
    assert isinstance(action, ToolCall)


async def test_tokens_count_words_read_and_written() -> None:
    text = "The Zephyr-9 engine produces 420 kW."
    source = source_of(text, "t")
    reasoned = await ExtractiveReasoner().extract_claims(
        view_of("What does the Zephyr-9 engine produce?"), tuple(passages_of(text, source))
    )
    assert (reasoned.tokens.input, reasoned.tokens.output) == (7, 7)


async def test_a_stale_value_is_told_from_a_new_one() -> None:
    old, new = "The Lorze bridge has 3 lanes for cars.", "The Lorze bridge has 2 lanes for cars."
    corpus = MemoryCorpus(
        [
            (source_of(old, "old", published_at=datetime(2015, 1, 1, tzinfo=UTC)), old),
            (source_of(new, "new", published_at=datetime(2025, 1, 1, tzinfo=UTC)), new),
        ]
    )
    outcome = await ask("How many lanes does the Lorze bridge have?", corpus)
    assert_sound_with_choice(outcome, corpus)


def assert_sound_with_choice(outcome: Outcome, corpus: MemoryCorpus) -> None:
    summary, rest = outcome.rendered.markdown.split("## Key findings")
    assert "2 lanes" in summary
    assert "3 lanes" not in summary
    assert "3 lanes" in rest
    assert "Preferred: the newer source (2025-01-01" in rest
    read = corpus.snapshots.__getitem__
    assert check_citations(outcome.rendered.markdown, outcome.rendered.sidecar, read) == []
