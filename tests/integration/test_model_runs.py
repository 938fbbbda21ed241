"""Whole runs with a model: the litellm reasoner on a real socket, a server that fails in every way, real storage.

Seeds of the faults are in the parameters: the same calls fail every time.
"""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pptx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlmodel import select
from temporalio.client import Client, WorkflowFailureError

import worker
from activities.deliverables.deck.lint import lint
from activities.documents.activities import DocumentActivities
from activities.research import models_asking
from activities.research.citations import Sidecar, check_citations
from activities.research.reasoner import build_reasoner
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from infra.settings import Settings
from schema.contracts.common import ObjectRef
from schema.contracts.documents import IngestDocumentInput
from schema.events import EventType
from schema.money import PCR_PER_UCR, credits_to_ucr
from schema.prices import ILLUSTRATION
from schema.states import RunStatus
from schema.store import artifacts, billing, documents, events, exports, runs, snapshots
from schema.tables.billing import CreditHold, Usage
from tests.integration.conftest import CREDITS, Org, make_org
from tests.support import model_server
from tests.support.model_server import ModelServer
from tests.support.platform import Platform, platform
from tests.support.texts import PLANTED

pytestmark = pytest.mark.timeout(180)

TASK = "What power does the Zephyr-9 engine have? Who makes the Zephyr-9, and when was it first delivered?"
CALL_TIMEOUT_S = 2.0
"""How long the reasoner waits for one answer here, so that a hang is over soon."""


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[ModelServer]:
    """The scripted model, on a port of its own."""
    async with ModelServer() as running:
        yield running


@pytest.fixture(autouse=True)
def heal(server: ModelServer) -> None:
    """Let every test begin with a server that works."""
    server.script.faults.clear()
    server.script.calls.clear()
    models_asking._UNDERSTOOD.clear()


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client, server: ModelServer) -> AsyncIterator[Platform]:
    """The product's workers with a model, as its settings say; only the patience of a call is shorter."""
    chosen = settings.model_copy(
        update={
            "model": "openai/scripted",
            "image_model": "openai/drawing",
            "model_base_url": server.base_url,
            "model_api_key": SecretStr("sk-test"),
        }
    )
    reasoner = build_reasoner(replace(worker.model_config(chosen), timeout_s=CALL_TIMEOUT_S))
    async with platform(chosen, temporal_client, f"model-{uuid.uuid4().hex[:8]}-", reasoner=reasoner) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def library(owner_db: Database, db: Database, objects: ObjectStore) -> Org:
    """An organisation whose corpus has the planted documents."""
    org = await make_org(owner_db)
    ingest = DocumentActivities(db, objects).ingest
    for name, text in PLANTED.items():
        data = text.encode()
        ref = await objects.put(f"{org.id}/documents/{sha256_of(data)}", data, "text/plain")
        async with db.transaction(org.id) as session:
            document, _ = await documents.create_document(
                session, org.id, name=name, mime_type="text/plain", object=ref, created_by=org.owner_id
            )
        order = IngestDocumentInput(
            org_id=org.id, document_id=document.id, object=ref, filename=name, mime_type="text/plain"
        )
        assert (await ingest(order)).status == "ready"
    return org


async def file_of(stage: Platform, objects: ObjectStore, org: Org, run_id: str, name: str) -> str:
    """Return the text of one of the run's artifacts."""
    async with stage.db.transaction(org.id) as session:
        found = await artifacts.list_artifacts(session, org.id, run_id)
    artifact = next(each for each in found if each.name == name)
    ref = ObjectRef(key=artifact.object_key, sha256=artifact.content_sha256, size_bytes=artifact.size_bytes)
    return (await objects.get(ref)).decode()


async def check_report(stage: Platform, objects: ObjectStore, org: Org, run_id: str) -> str:
    """Check every citation of the stored report against the stored snapshots; returns the report."""
    markdown = await file_of(stage, objects, org, run_id, "research_report.md")
    sidecar = Sidecar.model_validate_json(await file_of(stage, objects, org, run_id, "citations.json"))
    async with stage.db.transaction(org.id) as session:
        refs = await snapshots.snapshot_refs(
            session, org.id, sorted({each.snapshot_sha256 for each in sidecar.sources})
        )
    texts = {ref.sha256: (await objects.get(ref)).decode() for ref in refs}
    assert sidecar.sources, "nothing is cited"
    assert check_citations(markdown, sidecar, texts.__getitem__) == []
    assert "73.2" not in markdown, "an invented figure passed"
    return markdown


async def check_money(stage: Platform, org: Org, run_id: str, attempt: int = 1) -> CreditHold:
    """Check that the attempt is charged its metered use, each effect metered once; returns the hold."""
    async with stage.db.transaction(org.id) as session:
        hold = await billing.hold_of(session, org.id, run_id, attempt)
        query = select(Usage).where(Usage.org_id == org.id, Usage.run_id == run_id, Usage.attempt == attempt)
        usage = list((await session.execute(query)).scalars())
    assert hold is not None
    assert hold.state == "settled"
    metered_pcr = sum(row.amount_pcr for row in usage)
    assert metered_pcr == hold.metered_pcr
    assert hold.captured_ucr == (metered_pcr + PCR_PER_UCR // 2) // PCR_PER_UCR > 0
    effects = [(row.operation_key, row.kind, row.item) for row in usage]
    assert len(effects) == len(set(effects))
    assert await stage.violations() == {}
    return hold


async def complete(stage: Platform, org: Org, **context: Any) -> str:
    """Run the task to its end, which must be a good one; returns the run's id.

    With one agent, so that nobody is first.
    """
    run_id = await stage.create(org.id, org.owner_id, TASK, context={"sources": ["corpus"], **context}, max_agents=1)
    handle = await stage.start(org.id, run_id)
    assert (await handle.result()).status is RunStatus.COMPLETED
    return run_id


@pytest_asyncio.fixture(scope="module")
async def undisturbed(
    stage: Platform, objects: ObjectStore, library: Org, server: ModelServer
) -> tuple[str, CreditHold]:
    """The report and the hold of a run whose model never fails."""
    server.script.faults.clear()
    run_id = await complete(stage, library)
    report = await check_report(stage, objects, library, run_id)
    return report, await check_money(stage, library, run_id)


async def test_completes_with_a_cited_report(
    stage: Platform, library: Org, undisturbed: tuple[str, CreditHold], server: ModelServer
) -> None:
    report, _ = undisturbed
    print(report)
    assert "Written by a language model" in report
    assert "Zephyr-9" in report
    async with stage.db.transaction(library.id) as session:
        usage = await billing.usage_summary(session, library.id)
    assert any(row["item"] == "openai/scripted" and row["output_tokens"] > 0 for row in usage)


FAULTS: dict[str, list[dict[str, Any]]] = {
    "rate-limited": [{"kind": "rate_limited", "times": 4, "retry_after": "1", "probability": 0.5, "seed": 1}],
    "server-error": [{"kind": "server_error", "times": 5, "probability": 0.4, "seed": 2}],
    "dropped": [{"kind": "drop", "times": 4, "probability": 0.4, "seed": 3}],
    "hangs": [{"kind": "hang", "times": 2, "probability": 0.4, "seed": 4}],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
async def test_failed_calls_change_neither_report_nor_charge(
    stage: Platform,
    objects: ObjectStore,
    library: Org,
    undisturbed: tuple[str, CreditHold],
    server: ModelServer,
    faults: list[dict[str, Any]],
) -> None:
    """A call without an answer costs nothing, and its repetition brings what it would have brought."""
    for fault in faults:
        server.fail(**fault)
    run_id = await complete(stage, library)
    struck = [call.fault for call in server.calls if call.fault]
    print(f"{len(struck)} of {len(server.calls)} calls failed: {sorted(set(struck))}")
    assert struck
    report, hold = undisturbed
    assert await check_report(stage, objects, library, run_id) == report
    assert (await check_money(stage, library, run_id)).captured_ucr == hold.captured_ucr


UNUSABLE: dict[str, list[dict[str, Any]]] = {
    "broken-json": [{"kind": "broken_json", "times": 4, "probability": 0.5, "seed": 5}],
    "wrong-schema": [{"kind": "wrong_schema", "times": 4, "probability": 0.5, "seed": 22}],
    "no-json-schema": [{"kind": "refuse_json_schema", "times": 1}, {"kind": "refuse_schema_beside", "times": 1}],
    "everything": [
        {"kind": kind, "times": 2, "probability": 0.25, "seed": seed}
        for seed, kind in enumerate(
            ("rate_limited", "server_error", "drop", "broken_json", "wrong_schema", "hang"), 1321
        )
    ],
}


@pytest.mark.parametrize("faults", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_unusable_answers_are_mended_and_metered(
    stage: Platform,
    objects: ObjectStore,
    library: Org,
    undisturbed: tuple[str, CreditHold],
    server: ModelServer,
    faults: list[dict[str, Any]],
) -> None:
    """An answer that had to be mended was paid for: the charge is the metered use, and not less than without.

    By these seeds a repair may get no answer at first, and never an unusable one: what rules do then has a test of its
    own.
    """
    for fault in faults:
        server.fail(**fault)
    run_id = await complete(stage, library)
    struck = [call.fault for call in server.calls if call.fault]
    print(f"{len(struck)} of {len(server.calls)} calls failed: {sorted(set(struck))}")
    assert struck
    report, hold = undisturbed
    assert await check_report(stage, objects, library, run_id) == report
    charged_ucr = (await check_money(stage, library, run_id)).captured_ucr
    print(f"charged {charged_ucr} micro-credits, undisturbed {hold.captured_ucr}")
    assert charged_ucr >= hold.captured_ucr


async def log_of(stage: Platform, org: Org, run_id: str) -> list[dict[str, Any]]:
    """Return the data of the run's lines about what was done by rule."""
    async with stage.db.transaction(org.id) as session:
        lines = await events.list_events(session, org.id, run_id, limit=500)
    return [line.data or {} for line in lines if line.type == EventType.REASONER_FELL_BACK]


async def test_answers_that_never_fit_are_paid_once_and_their_work_is_done_by_rule(
    stage: Platform, objects: ObjectStore, library: Org, undisturbed: tuple[str, CreditHold], server: ModelServer
) -> None:
    """A plan, claims and a summary that fit no schema: the run completes, tells who did what, and meters every call."""
    for schema in ("Decomposition", "DrawnClaims", "Merging", "WrittenSummary"):
        server.fail("wrong_schema", schema=schema, times=None)
    run_id = await complete(stage, library)
    report = await check_report(stage, objects, library, run_id)
    assert "A language model took part and gave no usable text" in report
    assert "380 kW" in report, "what the model never drew is found by rule"
    told = await log_of(stage, library, run_id)
    assert {each["operation"] for each in told} >= {"decompose", "extract_claims", "merge", "write_report"}
    assert {each["reason"] for each in told} <= {"unusable_answer", "nothing_shown", "not_allowed", "has_not_looked"}
    assert len({each["key"] for each in told}) == len(told)
    run = await stage.run_row(library.id, run_id)
    assert run.quality is not None
    assert set(run.quality["drawn_by"]) == {"extractive"}
    await check_money(stage, library, run_id)
    struck = [call for call in server.calls if call.fault]
    asked = [call for call in struck if call.messages == 2]
    assert len(struck) == 2 * len(asked), "each question once, with one repair: nothing is tried over"
    async with stage.db.transaction(library.id) as session:
        query = select(Usage).where(Usage.org_id == library.id, Usage.run_id == run_id, Usage.kind == "tokens")
        usage = list((await session.execute(query)).scalars())
    bought = sum(row.input_tokens + row.output_tokens for row in usage)
    assert bought == run.tokens_used == server.tokens_sent, "all that was bought is metered, once"


@pytest.mark.parametrize("between", ["two-questions", "draft-and-repair"])
async def test_what_an_agent_bought_before_the_provider_went_away_is_paid_once(
    stage: Platform,
    objects: ObjectStore,
    library: Org,
    undisturbed: tuple[str, CreditHold],
    server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    between: str,
) -> None:
    """In one step: claims are drawn and nobody says what to do next; a draft is unusable and nobody repairs it."""
    plain, away = model_server.answer, []

    def goes_away(call: model_server.Call) -> Any:
        if call.schema == "DrawnClaims" and not away:
            away.append(call)
            server.fail("server_error", schema="NextAction", times=2)
        return plain(call)

    if between == "two-questions":
        monkeypatch.setattr(model_server, "answer", goes_away)
    else:
        server.fail("wrong_schema", schema="DrawnClaims", times=1)
        server.fail("server_error", schema="DrawnClaims", times=2)
    run_id = await complete(stage, library)
    report, _ = undisturbed
    assert await check_report(stage, objects, library, run_id) == report
    await check_money(stage, library, run_id)
    drawn = [(call.user, call.messages) for call in server.calls if call.schema == "DrawnClaims" and call.tokens]
    assert len(drawn) == len(set(drawn)), "what was answered is asked again"
    run = await stage.run_row(library.id, run_id)
    async with stage.db.transaction(library.id) as session:
        query = select(Usage).where(Usage.org_id == library.id, Usage.run_id == run_id)
        usage = list((await session.execute(query)).scalars())
        agents = await runs.list_agents(session, library.id, run_id)
    bought = sum(row.input_tokens + row.output_tokens for row in usage)
    assert bought == run.tokens_used == server.tokens_sent, "all that was bought is metered, once"
    of_agents = sum(row.input_tokens + row.output_tokens for row in usage if row.agent_number)
    assert of_agents == sum(agent.tokens_used for agent in agents)


async def test_what_the_model_cannot_show_is_drawn_by_rule(
    stage: Platform, objects: ObjectStore, library: Org, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quotations that stand nowhere are dropped; the sources speak all the same, and the quality says who drew."""
    plain = model_server.answer

    def invents(call: model_server.Call) -> Any:
        if call.schema != "DrawnClaims":
            return plain(call)
        claim = {"statement": "It has 9 kW.", "quote": "The engine has a power of 9 kW.", "relevance": 1.0}
        return {"claims": [{"passage": 1, **claim}]}

    monkeypatch.setattr(model_server, "answer", invents)
    run_id = await complete(stage, library)
    report = await check_report(stage, objects, library, run_id)
    assert "9 kW." not in report
    assert "drawn by rule" in report
    told = [each for each in await log_of(stage, library, run_id) if each["operation"] == "extract_claims"]
    assert told[0]["reason"] == "nothing_shown"
    assert told[0]["sources"]
    run = await stage.run_row(library.id, run_id)
    assert run.quality is not None
    assert run.quality["drawn_by"] == {"extractive": run.quality["claims"]}
    assert sum(each["claims"] for each in told) >= run.quality["claims"] > 0
    sidecar = Sidecar.model_validate_json(await file_of(stage, objects, library, run_id, "citations.json"))
    assert {span.drawn_by for sentence in sidecar.sentences for span in sentence.spans} == {"extractive"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param({"kind": "unavailable", "retry_after": "0"}, "provider_unavailable", marks=pytest.mark.extended),
        ({"kind": "unauthorized"}, "provider_refused"),
        ({"kind": "unauthorized", "schema": "WrittenSummary"}, "provider_refused"),
    ],
    ids=["away", "wrong-key", "at-the-very-end"],
)
async def test_a_model_that_is_gone_costs_nothing_and_a_retry_completes(
    stage: Platform,
    objects: ObjectStore,
    library: Org,
    undisturbed: tuple[str, CreditHold],
    server: ModelServer,
    fault: dict[str, Any],
    code: str,
) -> None:
    """The run fails with the reason and without a charge; once the model is back, the next attempt completes."""
    async with stage.db.transaction(library.id) as session:
        before = (await billing.get_balance(session, library.id)).balance_ucr
    server.fail(**fault, times=None)
    run_id = await stage.create(library.id, library.owner_id, TASK, context={"sources": ["corpus"]})
    with pytest.raises(WorkflowFailureError):
        await (await stage.start(library.id, run_id)).result()
    run = await stage.run_row(library.id, run_id)
    assert (run.status, (run.last_error or {})["code"]) == ("failed", code)
    async with stage.db.transaction(library.id) as session:
        balance = await billing.get_balance(session, library.id)
        hold = await billing.hold_of(session, library.id, run_id, 1)
    assert hold is not None
    assert (balance.balance_ucr, hold.state, hold.captured_ucr) == (before, "settled", 0)
    asked = len(server.calls)

    server.script.faults.clear()
    handle = await stage.retry(library.id, run_id)
    assert (await handle.result()).status is RunStatus.COMPLETED
    await check_report(stage, objects, library, run_id)
    hold = await check_money(stage, library, run_id, attempt=2)
    async with stage.db.transaction(library.id) as session:
        balance = await billing.get_balance(session, library.id)
        agents = await runs.list_agents(session, library.id, run_id)
    assert balance.balance_ucr == before - hold.captured_ucr
    assert balance.reserved_ucr == 0
    if fault.get("schema") == "WrittenSummary":
        again = {call.schema for call in server.calls[asked:]}
        assert "NextAction" not in again, "finished agents ran again"
    assert {agent.status for agent in agents} == {"completed"}
    assert credits_to_ucr(Decimal(CREDITS)) > balance.balance_ucr


@pytest.mark.parametrize("answers", [True, False], ids=["a model plans it", "the model refuses"])
async def test_a_deck_is_delivered(
    stage: Platform, objects: ObjectStore, library: Org, server: ModelServer, answers: bool
) -> None:
    """Its slides are grouped and named by the model, its cover drawn, each metered once; where that fails, the run
    completes with a deck by rule."""
    if not answers:
        server.fail(kind="unauthorized", times=None, schema="PlannedSlides")
        server.fail(kind="unauthorized", times=None, schema="images")
    run_id = await complete(stage, library, deliverables=["pptx"])
    async with stage.db.transaction(library.id) as session:
        usage = await billing.usage_of_run(session, library.id, run_id)
        planned = [row.operation_key for row in usage if "outline" in row.operation_key]
        (made,), _ = await exports.list_exports(session, library.id, run_id, limit=9)
    assert len(planned) == answers
    assert [row.item for row in usage].count(ILLUSTRATION) == answers
    await check_money(stage, library, run_id)
    async with asyncio.timeout(60):
        while made.export.status == "processing":
            await asyncio.sleep(0.2)
            async with stage.db.transaction(library.id) as session:
                made = await exports.get_export(session, library.id, made.export.id)
    assert made.artifact is not None, made.export.error
    ref = ObjectRef(
        key=made.artifact.object_key, sha256=made.artifact.content_sha256, size_bytes=made.artifact.size_bytes
    )
    data = await objects.get(ref)
    deck = pptx.Presentation(io.BytesIO(data))
    pictures = [shape for shape in deck.slides[0].shapes if shape.is_placeholder and hasattr(shape, "image")]
    assert len(pictures) == answers
    async with stage.db.transaction(library.id) as session:
        names = [each.name for each in await artifacts.list_artifacts(session, library.id, run_id)]
    assert ("illustration.png" in names) == answers
    titles = [slide.shapes.title.text_frame.text for slide in deck.slides]
    assert any("come to" in title for title in titles) == answers, titles
    assert not any("73.2" in title for title in titles), "an invented figure passed"
    assert lint(data) == []
