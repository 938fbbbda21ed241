"""What does not depend on each other is asked at once: in order, within the limit, and nothing bought is lost."""

from collections.abc import AsyncIterator

import pytest

from activities.research.findings import merge_claims
from activities.research.journal import Answered, journalled
from activities.research.models import ModelReasoner
from activities.research.reasoner import ModelConfig
from schema.contracts.research import Brief, Claim, Report, Subtask
from schema.errors import ProviderRefused, ProviderUnavailable
from tests.support.making import claim_of
from tests.support.model_server import ModelServer

THINGS = ("Corvida", "Hollin", "Marrow", "Ostrel", "Penvar", "Quillon")
BRIEF = Brief(task=" ".join(f"Which port does {thing} use?" for thing in THINGS), agents_max=len(THINGS))
SUBTASKS = tuple(
    Subtask(number=number, title=thing, question=f"Which port does {thing} use?")
    for number, thing in enumerate(THINGS, 1)
)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer(latency_s=(0.05, 0.2)) as running:
        yield running


class Kept:
    """A journal in memory."""

    def __init__(self) -> None:
        self.answers = dict[str, Answered]()

    async def find(self, digest: str) -> Answered | None:
        return self.answers.get(digest)

    async def keep(self, digest: str, prompt: str, answered: Answered) -> None:
        self.answers[digest] = answered


def claims() -> tuple[Claim, ...]:
    return tuple(
        claim_of(f"{thing} answers on port {9000 + number}.", title=thing).model_copy(update={"agent_number": number})
        for number, thing in enumerate(THINGS, 1)
    )


async def report_of(reasoner: ModelReasoner) -> Report:
    said = claims()
    written = await reasoner.write_report(
        BRIEF, SUBTASKS, merge_claims(said), (), {claim.id: claim for claim in said}, ()
    )
    return written.value


def reasoner_for(server: ModelServer, calls_max: int) -> ModelReasoner:
    return ModelReasoner(ModelConfig("openai/scripted", server.base_url, "sk-test", calls_max=calls_max))


@pytest.mark.parametrize("calls_max", [1, 3, 20])
async def test_parts_are_written_at_once_in_order_and_within_the_limit(server: ModelServer, calls_max: int) -> None:
    report = await report_of(reasoner_for(server, calls_max))
    assert server.script.busiest == min(calls_max, len(THINGS))
    assert [section.title for section in report.sections if section.level == 3] == list(THINGS)
    assert [call.schema for call in server.calls].count("WrittenAnalysis") == len(THINGS)
    assert server.calls[-1].schema == "WrittenSummary", "the summary has what the parts had, after them"


async def test_what_the_others_were_answered_is_kept_where_one_fails(server: ModelServer) -> None:
    kept, reasoner = Kept(), reasoner_for(server, 20)
    server.fail("server_error", schema="WrittenAnalysis")
    with journalled(kept), pytest.raises(ProviderUnavailable):
        await report_of(reasoner)
    assert len(kept.answers) == len(THINGS) - 1
    server.calls.clear()
    with journalled(kept):
        report = await report_of(reasoner)
    assert [call.schema for call in server.calls] == ["WrittenAnalysis", "WrittenSummary"], "nothing is bought twice"
    assert [section.title for section in report.sections if section.level == 3] == list(THINGS)


async def test_what_waits_for_a_seat_is_not_asked_once_one_has_failed(server: ModelServer) -> None:
    server.fail("unauthorized", times=None, schema="WrittenAnalysis")
    with pytest.raises(ProviderRefused):
        await report_of(reasoner_for(server, 1))
    assert len(server.calls) == 1
