"""The two reasoners together, over a real socket: what a model does not bring to a usable end is done by rule."""

from collections.abc import AsyncIterator

import pytest

from activities.research.extractive import ExtractiveReasoner
from activities.research.journal import Answered, journalled
from activities.research.reasoner import ModelConfig, Reasoner, build_reasoner
from schema.contracts.research import AgentView, Brief, Claim, Finish, Passage, StepRecord, Subtask, ToolCall
from schema.errors import ProviderUnavailable
from tests.support import model_server
from tests.support.corpus import ReadCorpus, passages_of, research, source_of
from tests.support.model_server import Call, ModelServer
from tests.support.texts import PLANTED

BRIEF = Brief(task="What power does the Zephyr-9 engine produce? Who makes the Zephyr-9?", agents_max=2)
QUESTION = Subtask(number=1, title="Bridge", question="How long is the Aare bridge, and when was it opened?")
VIEW = AgentView(brief=BRIEF, subtask=QUESTION, tools=("corpus.search",), steps_left=5)
LENGTH = "The Aare bridge is 120 m long."
OPENED = "The Aare bridge was opened in 1998 after four years of work."


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


def reasoner_for(server: ModelServer, **config: object) -> Reasoner:
    return build_reasoner(
        ModelConfig(**{"model": "openai/scripted", "base_url": server.base_url, "api_key": "sk-test", **config})  # type: ignore[arg-type]
    )


def two_sources() -> tuple[Passage, ...]:
    return tuple(
        passage
        for title, text in (("Lengths", LENGTH), ("Openings", OPENED))
        for passage in passages_of(text, source_of(text, title))
    )


def drawn(monkeypatch: pytest.MonkeyPatch, *quotes: str) -> None:
    claims = [{"passage": 1, "statement": quote, "quote": quote, "relevance": 0.9} for quote in quotes]
    monkeypatch.setattr("tests.support.model_server.answer", lambda call: {"claims": claims})


def by_quote(claims: tuple[Claim, ...]) -> dict[str, str | None]:
    return {claim.quote: claim.drawn_by for claim in claims}


@pytest.mark.parametrize("quotes", [(), ("The Aare bridge is 500 m long.",)], ids=["nothing", "invented"])
async def test_rules_draw_where_the_model_shows_nothing(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, quotes: tuple[str, ...]
) -> None:
    drawn(monkeypatch, *quotes)
    reasoned = await reasoner_for(server).extract_claims(VIEW, two_sources())
    assert by_quote(reasoned.value) == {LENGTH: "extractive", OPENED: "extractive"}
    [told] = reasoned.fallbacks
    assert (told.operation, told.reason, told.claims) == ("extract_claims", "nothing_shown", 2)
    assert set(told.sources) == {"Lengths", "Openings"}
    assert reasoned.tokens.total == server.tokens_sent, "the model's answer is paid, the rules cost nothing"


async def test_rules_draw_from_the_silent_source_only(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(monkeypatch, LENGTH)
    reasoned = await reasoner_for(server).extract_claims(VIEW, two_sources())
    assert by_quote(reasoned.value) == {LENGTH: "openai/scripted", OPENED: "extractive"}
    assert [told.sources for told in reasoned.fallbacks] == [("Openings",)]


async def test_a_heading_states_nothing(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the local model did: of a page that answers it quoted the heading."""
    drawn(monkeypatch, "About the Aare bridge")
    text = f"About the Aare bridge\n\n{LENGTH} Trams cross it."
    reasoned = await reasoner_for(server).extract_claims(VIEW, tuple(passages_of(text, source_of(text, "Bridge"))))
    assert by_quote(reasoned.value)[LENGTH] == "extractive"
    assert "About the Aare bridge" not in by_quote(reasoned.value)
    assert [told.reason for told in reasoned.fallbacks] == ["nothing_shown"]


async def test_a_model_that_speaks_of_every_source_is_left_alone(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(monkeypatch, LENGTH, OPENED)
    reasoned = await reasoner_for(server).extract_claims(VIEW, two_sources())
    assert set(by_quote(reasoned.value).values()) == {"openai/scripted"}
    assert reasoned.fallbacks == ()


async def test_silence_about_what_answers_nothing_is_no_fallback(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(monkeypatch)
    text = "Marzipan is made of almonds and sugar. It keeps for months."
    reasoned = await reasoner_for(server).extract_claims(VIEW, tuple(passages_of(text, source_of(text, "Sweets"))))
    assert (reasoned.value, reasoned.fallbacks) == ((), ())


@pytest.mark.parametrize("kind", ["broken_json", "wrong_schema", "truncated"])
async def test_two_unusable_answers_are_paid_and_rules_draw(server: ModelServer, kind: str) -> None:
    server.fail(kind, times=2)
    reasoned = await reasoner_for(server).extract_claims(VIEW, two_sources())
    assert set(by_quote(reasoned.value)) == {LENGTH, OPENED}
    assert [told.reason for told in reasoned.fallbacks] == ["unusable_answer"]
    assert len(server.calls) == 2
    assert reasoned.tokens.total == server.tokens_sent > 0


async def test_a_provider_that_is_away_is_no_reason_to_fall_back(server: ModelServer) -> None:
    server.fail("server_error")
    with pytest.raises(ProviderUnavailable):
        await reasoner_for(server).extract_claims(VIEW, two_sources())


async def test_a_model_that_never_fits_costs_its_tokens_and_the_run_completes(server: ModelServer) -> None:
    server.fail("wrong_schema", times=None)
    corpus = ReadCorpus(PLANTED)
    outcome = await research(reasoner_for(server), corpus, BRIEF)
    plain = await research(ExtractiveReasoner(), corpus, BRIEF)
    assert outcome.claims == plain.claims
    assert outcome.rendered.quality.drawn_by == {"extractive": len(outcome.claims)}
    assert "A language model took part and gave no usable text" in outcome.rendered.markdown
    assert "420 kW" in outcome.rendered.markdown
    assert outcome.tokens.total == server.tokens_sent


async def test_a_section_without_a_usable_answer_is_quoted(server: ModelServer) -> None:
    reasoner = reasoner_for(server)
    known = await research(reasoner, ReadCorpus(PLANTED), BRIEF)
    server.script.calls.clear()
    server.fail("broken_json", schema="WrittenAnalysis", times=None)
    written = await reasoner.write_report(BRIEF, known.subtasks, known.findings, known.conflicts, known.claims, ())
    quotes = {claim.quote for claim in known.claims.values()}
    sections = [each for each in written.value.sections if each.title in {part.title for part in known.subtasks}]
    assert sections
    assert all(sentence.text in quotes for each in sections for part in each.paragraphs for sentence in part)
    assert [told.operation for told in written.fallbacks] == ["write_report"]
    assert written.tokens.total == server.tokens_sent


class Kept:
    """A journal in memory."""

    def __init__(self) -> None:
        self.answers: dict[str, Answered] = {}
        self.kept = 0

    async def find(self, digest: str) -> Answered | None:
        return self.answers.get(digest)

    async def keep(self, digest: str, prompt: str, answered: Answered) -> None:
        self.answers[digest] = answered
        self.kept += 1


async def test_a_repetition_finds_that_there_was_no_usable_answer(server: ModelServer) -> None:
    """The work of a worker that died is not bought again, and comes to the same."""
    server.fail("wrong_schema", times=2)
    reasoner, kept = reasoner_for(server), Kept()
    with journalled(kept):
        first = await reasoner.extract_claims(VIEW, two_sources())
        asked = len(server.calls)
        again = await reasoner.extract_claims(VIEW, two_sources())
    assert again == first
    assert len(server.calls) == asked == 2
    assert kept.kept == 1


async def test_a_draft_is_paid_once_where_the_provider_goes_away_before_its_repair(server: ModelServer) -> None:
    server.fail("wrong_schema", times=1)
    reasoner, kept = reasoner_for(server), Kept()
    with journalled(kept):
        known = len(server.calls)
        server.fail("server_error", times=1)
        with pytest.raises(ProviderUnavailable):
            await reasoner.extract_claims(VIEW, two_sources())
        [draft] = kept.answers.values()
        assert draft.tokens.total == server.tokens_sent > 0, "what was bought is metered"
        reasoned = await reasoner.extract_claims(VIEW, two_sources())
    assert len(server.calls) - known == 3, "the draft, the failure, the repair: the draft is not bought again"
    assert server.calls[-1].messages == 4, "system, question, draft, and what is wrong with it"
    assert reasoned.tokens.total == server.tokens_sent
    assert sum(each.tokens.total for each in kept.answers.values()) == server.tokens_sent
    assert reasoned.unusable == 0


SEARCHED = StepRecord(step=0, tool="corpus.search", arguments={"query": "bridges"}, ok=True)


@pytest.mark.parametrize(
    ("answer", "steps", "reason"),
    [
        ({"action": "finish", "tool": "", "argument": "", "reason": "known"}, (), "has_not_looked"),
        ({"action": "tool", "tool": "corpus.search", "argument": "bridges", "reason": "r"}, (SEARCHED,), "not_allowed"),
        ({"action": "tool", "tool": "shell.run", "argument": "rm", "reason": "r"}, (SEARCHED,), "not_allowed"),
    ],
    ids=["blind", "the-same-again", "no-such-tool"],
)
async def test_rules_choose_where_the_model_may_not(
    server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, str],
    steps: tuple[StepRecord, ...],
    reason: str,
) -> None:
    monkeypatch.setattr("tests.support.model_server.answer", lambda call: answer)
    view = VIEW.model_copy(update={"steps": steps})
    reasoned = await reasoner_for(server).next_action(view)
    assert isinstance(reasoned.value, ToolCall)
    assert reasoned.value == (await ExtractiveReasoner().next_action(view)).value
    assert [told.reason for told in reasoned.fallbacks] == [reason]


async def test_a_model_that_looked_may_finish(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    done = {"action": "finish", "tool": "", "argument": "", "reason": "answered"}
    monkeypatch.setattr("tests.support.model_server.answer", lambda call: done)
    reasoned = await reasoner_for(server).next_action(VIEW.model_copy(update={"steps": (SEARCHED,)}))
    assert isinstance(reasoned.value, Finish)
    assert reasoned.fallbacks == ()


async def test_no_steps_left_is_the_end(server: ModelServer) -> None:
    reasoned = await reasoner_for(server).next_action(VIEW.model_copy(update={"steps_left": 0}))
    assert isinstance(reasoned.value, Finish)
    assert (server.calls, reasoned.fallbacks) == ([], ())


async def test_a_loop_of_the_same_search_ends(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that asks the same for ever is led by the search policy, which ends when it has tried all."""
    plain = model_server.answer

    def loops(call: Call) -> object:
        if call.schema == "NextAction":
            return {"action": "tool", "tool": "corpus.search", "argument": "Zephyr-9", "reason": "again"}
        return plain(call)

    monkeypatch.setattr("tests.support.model_server.answer", loops)
    brief = Brief(task="What power does the Zephyr-9 engine produce?", agents_max=1)
    outcome = await research(reasoner_for(server), ReadCorpus(PLANTED), brief, steps=20)
    assert len(outcome.actions) <= 12
    assert len(set(outcome.actions)) == len(outcome.actions)
    assert "420 kW" in outcome.rendered.markdown
