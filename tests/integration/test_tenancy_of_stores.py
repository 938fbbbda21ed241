"""What one organisation can do with the identifiers of another, through every function of the stores: nothing.

The list is complete: a store function that is in no list here fails a test. What `TRIED_ELSEWHERE` names is called by
the tests that are named there, not every one with another's identifiers; behind all of it stands row-level security,
which test_row_level_security tries on every table.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncpg import IntegrityConstraintViolationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

import schema.store
from infra.database import Database
from schema.contracts.common import ObjectRef
from schema.contracts.deliverables import ExportFormat, ExportOptions
from schema.contracts.files import FileKind, Inspection, Portion
from schema.contracts.research import Claim, ConsideredSource, Outcome, Score, SourceKind, SourceRef, Subtask
from schema.contracts.tables import Column, TableSpec
from schema.errors import Conflict, HoldClosed, NotFound
from schema.events import EventType
from schema.ids import RUN, approval_id, derived_id, new_id, operation_key
from schema.ids import SOURCE as SOURCE_PREFIX
from schema.states import AgentStatus, RunStatus
from schema.store import (
    agents,
    api_keys,
    approvals,
    artifacts,
    billing,
    chain,
    dead_letters,
    documents,
    domains,
    events,
    exports,
    files,
    forms,
    idempotency,
    organisations,
    passages,
    research,
    runs,
    snapshots,
    steps,
)
from schema.store.agents import AgentProgress, NewStep
from schema.store.approvals import WaitingCall
from schema.store.artifacts import NewArtifact
from schema.store.audit import SYSTEM
from schema.store.billing import Settlement
from schema.store.direct import Connection
from schema.store.documents import NewPassage, ReadDocument
from schema.store.events import NewEvent
from schema.store.files import Finished, NewFile
from schema.store.idempotency import Asked, StoredAnswer
from schema.store.passages import SearchResult
from schema.store.runs import Ending, Projection
from schema.store.steps import FinishedStep, Opening
from schema.tables.approvals import Approval
from schema.tables.collaboration import Workspace
from schema.tables.files import FileQuestion
from schema.tables.runs import Export, Run
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound, pcr, rows_of, run_in, step, use

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHA256 = "ab" * 32
SNAPSHOT = ObjectRef(key="snapshot", sha256=SHA256, size_bytes=4)
SOURCE = SourceRef(
    snapshot_sha256=SHA256,
    kind=SourceKind.CORPUS,
    title="secret",
    uri="document:secret",
    score=Score(relevance=0.5, trust=0.5, recency=0.5),
)
MET = ConsideredSource(
    kind=SourceKind.WEB,
    title="met",
    uri="https://met.example/",
    outcome=Outcome.LEFT_OUT,
    detail="x",
    score=SOURCE.score,
)
CLAIM = Claim(id="clm_secret", agent_number=1, text="text", source=SOURCE, start=0, end=4, quote="text")
REPORT = NewArtifact("research_report.md", "text/markdown", SNAPSHOT)
CITATIONS = NewArtifact("citations.json", "application/json", SNAPSHOT)
TABLE = TableSpec(items=("secret",), columns=(Column(name="secret"),))
INSPECTION = Inspection(
    kind=FileKind.DATA,
    mime="text/csv",
    sha256=SHA256,
    size_bytes=4,
    unit="data.megabyte",
    amount=1,
    portions=(Portion(number=1),),
    reader="r",
)
READ = ReadDocument("secret", "text/plain", SNAPSHOT, 4, "en", "english", None, None)


async def an_export(session: AsyncSession, org_id: str, run_id: str) -> Export:
    """Ask for an export of a run."""
    return await exports.create_export(
        session, org_id, run_id, ExportFormat.MD, ExportOptions(), created_by=None, actor=SYSTEM
    )


@dataclass(frozen=True)
class Theirs:
    """What the other organisation has, by its identifiers."""

    org: Org
    created: str
    running: str
    paused: str
    failed: str
    completed: str
    charge: str
    agent: str
    artifact: str
    export: str
    document: str
    file: str
    read_file: str
    question: str
    key: str
    workspace: str
    plan: Run
    operation: str
    letter: str


async def furnish(db: Database, org: Org) -> Theirs:
    """Give an organisation one of everything."""
    async with db.transaction(org.id) as session:
        running = await run_in(session, org, RunStatus.RUNNING)
        run = await runs.lock_run(session, org.id, running)
        await agents.record_plan(session, org.id, run, (Subtask(number=1, title="secret", question="secret?"),))
        await snapshots.put_snapshot(session, org.id, SNAPSHOT, fingerprint=b"secret", language="en")
        await domains.put_domain(
            session, org.id, "secret.example", trust=0.5, note="", set_by=org.owner_id, actor=SYSTEM
        )
    operation = operation_key(running, 1, 1, 0, "act")
    async with db.direct(org.id) as connection:
        await research.put_sources(connection, org.id, running, [SOURCE])
        opening = await steps.open_attempt(connection, org.id, running, 1)
        await steps.record(connection, org.id, opening, a_finished_step(running, operation))
    async with db.transaction(org.id) as session:
        await approvals.request(session, org.id, a_call(running, operation))
        report = a_step(running, operation_key(running, 1, 0, 4, "render"))
        kept = {"value": SNAPSHOT.model_dump()}
        await agents.record_step(session, org.id, replace(report, kind="render", agent_number=0, output=kept))
        await forms.create_table(session, org.id, running, TABLE)
        ids = {name: await run_in(session, org, RunStatus(name)) for name in ("created", "paused", "failed")}
        [artifact] = await artifacts.list_artifacts(session, org.id, running)
        completed = await run_in(session, org, RunStatus.RUNNING)
        items = [use(completed, amount_pcr=pcr(1))]
        await billing.meter(session, org.id, run_id=completed, attempt=1, agent_number=1, items=items)
        await step(session, org.id, completed, RunStatus.COMPLETED)
        await artifacts.put_artifact(session, org.id, completed, CITATIONS)
        await artifacts.put_artifact(session, org.id, completed, REPORT)
        export = await an_export(session, org.id, completed)
        charges, _ = await billing.list_ledger(session, org.id, limit=9, type="charge")
        upload = {"name": "secret.txt", "mime_type": "text/plain", "object": SNAPSHOT}
        document, _ = await documents.create_document(session, org.id, **upload)
        await documents.mark_ready(session, org.id, document.id, READ, [NewPassage(0, 4, "", "secret", "", "secret")])
        file = await files.create_file(session, org.id, files.new_file_id(), NewFile("secret.csv", "text/csv", 4))
        await files.complete_upload(session, org.id, file.id, sha256=SHA256)
        await files.begin(session, org.id, file.id, 1, INSPECTION)
        read = await files.create_file(session, org.id, files.new_file_id(), NewFile("read.csv", "text/csv", 4))
        await files.complete_upload(session, org.id, read.id, sha256=SHA256)
        await files.begin(session, org.id, read.id, 1, INSPECTION)
        await files.finish(session, org.id, read.id, 1, INSPECTION, Finished(SNAPSHOT, [], None))
        session.add(question := FileQuestion(id=new_id("ask"), org_id=org.id, file_id=file.id, question="secret?"))
        key, _ = await api_keys.create_key(session, org.id, user_id=org.owner_id, name="secret", scopes=[])
        workspace = Workspace(id=new_id("ws"), org_id=org.id, name="secret", owner_id=org.owner_id)
        session.add(workspace)
        await idempotency.store(session, org.id, ASKED, StoredAnswer(200, "text/plain", b"secret"))
        return Theirs(
            org=org,
            **ids,
            running=running,
            completed=completed,
            charge=charges[0].id,
            agent=(await runs.list_agents(session, org.id, running))[0].id,
            artifact=artifact.id,
            export=export.id,
            document=document.id,
            file=file.id,
            read_file=read.id,
            question=question.id,
            key=key.id,
            workspace=workspace.id,
            plan=run,
            operation=operation,
            letter=(await dead_letters.list_dead_letters(session, org.id, limit=1))[0][0].id,
        )


ASKED = Asked("POST /api/v1/runs", "key-of-both", "fingerprint")


def a_step(run_id: str, operation: str) -> NewStep:
    return NewStep(run_id, 1, 1, 0, "act", "corpus.search", operation, NOW)


def a_finished_step(run_id: str, operation: str) -> FinishedStep:
    """A step that writes to every table that a step can write to."""
    return FinishedStep(
        step=a_step(run_id, operation),
        event=NewEvent(EventType.AGENT_THOUGHT, "x", "info", 1),
        usage=replace(use(run_id, amount_pcr=pcr(1)), operation_key=operation),
        progress=AgentProgress(1, 1, AgentStatus.RUNNING, 1),
        claims=[CLAIM],
    )


def a_run(mine: Org, **fields: Any) -> dict[str, Any]:
    return {
        "run_id": new_id(RUN),
        "user_id": mine.owner_id,
        "name": "n",
        "description": None,
        "task": "t",
        "context": {},
        "max_agents": 1,
        "max_tokens": 1_000,
        **fields,
    }


def a_call(run_id: str, operation: str) -> WaitingCall:
    return WaitingCall(
        run_id, 1, 1, 0, operation, "web.fetch", "2", "egress", '{"url":"secret"}', "0" * 64, "required", "secret",
        timedelta(days=1),
    )  # fmt: skip


Call = Callable[[AsyncSession, str, Theirs, Org], Awaitable[Any]]


def directly(work: Callable[[Connection, str, Theirs, Org], Awaitable[Any]]) -> Call:
    """Make a call of what goes to the driver: in a transaction of its own, as the caller of a session."""

    async def call(session: AsyncSession, org_id: str, theirs: Theirs, mine: Org) -> Any:
        database: Database = session.info["database"]
        async with database.direct(org_id) as connection:
            return await work(connection, org_id, theirs, mine)

    return call


# Each as the caller's organisation `o`, with identifiers of theirs `t`.

NOT_FOUND: dict[str, Call] = {
    "approvals.get": lambda s, o, t, m: approvals.get(s, o, approval_id(t.operation)),
    "approvals.decide": lambda s, o, t, m: approvals.decide(
        s, o, approval_id(t.operation), approve=True, arguments_sha256=None, note=None, user_id="x", actor=SYSTEM
    ),
    "runs.get_run": lambda s, o, t, m: runs.get_run(s, o, t.running),
    "runs.lock_run": lambda s, o, t, m: runs.lock_run(s, o, t.running),
    "runs.start_run": lambda s, o, t, m: runs.start_run(s, o, t.created, SYSTEM),
    "runs.retry_run": lambda s, o, t, m: runs.retry_run(s, o, t.failed, SYSTEM),
    "runs.cancel_created": lambda s, o, t, m: runs.cancel_created(s, o, t.created, SYSTEM),
    "runs.raise_hold": lambda s, o, t, m: runs.raise_hold(
        s, o, t.paused, added_ucr=1, idempotency_key="a", actor=SYSTEM
    ),
    "runs.project": lambda s, o, t, m: runs.project(
        s, o, t.running, Projection(1, 99, RunStatus.PAUSED, None, "x"), actor=SYSTEM
    ),
    "runs.close": lambda s, o, t, m: runs.close(s, o, t.running, Ending(1, 99, RunStatus.CANCELLED, "x"), actor=SYSTEM),
    "forms.get_row": lambda s, o, t, m: forms.get_row(s, o, t.running, 1),
    "runs.get_agent": lambda s, o, t, m: runs.get_agent(s, o, t.agent),
    "steps.start": directly(lambda c, o, t, m: steps.start(c, o, t.running, operation_key=t.operation)),
    "steps.remember": directly(
        lambda c, o, t, m: steps.remember(c, o, t.running, attempt=1, agent_number=1, operation_key=t.operation)
    ),
    "steps.open_attempt": directly(lambda c, o, t, m: steps.open_attempt(c, o, t.running, 1)),
    "documents.give_up": lambda s, o, t, m: documents.give_up(s, o, t.document, code="x", detail="x"),
    "documents.reopen": lambda s, o, t, m: documents.reopen(s, o, t.document, actor=SYSTEM),
    "events.append": lambda s, o, t, m: events.append(s, o, t.running, NewEvent(EventType.AGENT_THOUGHT, "x")),
    "billing.refund": lambda s, o, t, m: billing.refund(s, o, charge_id=t.charge, amount_ucr=1, idempotency_key="a"),
    "exports.create_export": lambda s, o, t, m: an_export(s, o, t.completed),
    "exports.create_deliverables": lambda s, o, t, m: exports.create_deliverables(s, o, t.completed, actor=SYSTEM),
    "exports.get_export": lambda s, o, t, m: exports.get_export(s, o, t.export),
    "exports.citations_of": lambda s, o, t, m: exports.citations_of(s, o, t.completed),
    "artifacts.get_artifact": lambda s, o, t, m: artifacts.get_artifact(s, o, t.artifact),
    "files.get_file": lambda s, o, t, m: files.get_file(s, o, t.file),
    "files.require_files": lambda s, o, t, m: files.require_files(s, o, [t.file]),
    "files.complete_upload": lambda s, o, t, m: files.complete_upload(s, o, t.file),
    "files.reopen": lambda s, o, t, m: files.reopen(s, o, t.file, actor=SYSTEM),
    "files.delete_file": lambda s, o, t, m: files.delete_file(s, o, t.file),
    "files.create_question": lambda s, o, t, m: files.create_question(s, o, t.file, "x"),
    "files.get_question": lambda s, o, t, m: files.get_question(s, o, t.file, t.question),
    "files.close_question": lambda s, o, t, m: files.close_question(s, o, t.file, t.question, answer={}),
    "documents.remove_document": lambda s, o, t, m: documents.remove_document(s, o, t.document),
    "documents.get_document": lambda s, o, t, m: documents.get_document(s, o, t.document),
    "documents.delete_document": lambda s, o, t, m: documents.delete_document(s, o, t.document),
    "documents.mark_ready": lambda s, o, t, m: documents.mark_ready(s, o, t.document, READ, []),
    "documents.mark_failed": lambda s, o, t, m: documents.mark_failed(s, o, t.document, code="c", detail="d"),
    "passages.read_window": lambda s, o, t, m: passages.read_window(s, o, t.document, around=0, passages_max=9),
    "passages.unembedded_passages": lambda s, o, t, m: passages.unembedded_passages(
        s, o, t.document, model="m", limit=9
    ),
    "passages.put_vectors": lambda s, o, t, m: passages.put_vectors(s, o, t.document, model="m", vectors={}),
    "domains.get_domain": lambda s, o, t, m: domains.get_domain(s, o, "secret.example"),
    "domains.delete_domain": lambda s, o, t, m: domains.delete_domain(s, o, "secret.example", actor=SYSTEM),
    "research.get_source": lambda s, o, t, m: research.get_source(
        s, o, t.running, derived_id(SOURCE_PREFIX, t.running, SHA256)
    ),
    "dead_letters.get_dead_letter": lambda s, o, t, m: dead_letters.get_dead_letter(s, o, t.letter),
    "api_keys.get_key": lambda s, o, t, m: api_keys.get_key(s, o, t.key),
    "api_keys.revoke_key": lambda s, o, t, m: api_keys.revoke_key(s, o, t.key, actor=SYSTEM),
    "api_keys.expire_key": lambda s, o, t, m: api_keys.expire_key(s, o, t.key, within_s=1, actor=SYSTEM),
    "organisations.get_role": lambda s, o, t, m: organisations.get_role(s, o, t.org.owner_id),
}

HOLD_CLOSED: dict[str, Call] = {
    "billing.meter": lambda s, o, t, m: billing.meter(
        s, o, run_id=t.running, attempt=1, agent_number=1, items=[use(t.running, 1, amount_pcr=1)]
    ),
    "billing.raise_hold": lambda s, o, t, m: billing.raise_hold(
        s, o, run_id=t.running, attempt=1, added_ucr=1, idempotency_key="a"
    ),
}

NOTHING: dict[str, tuple[Any, Call]] = {
    "billing.hold_of": (None, lambda s, o, t, m: billing.hold_of(s, o, t.running, 1)),
    "billing.settle": (
        Settlement(0, 0),
        lambda s, o, t, m: billing.settle(s, o, run_id=t.running, attempt=1, capture=True),
    ),
    "billing.was_raised": (
        False,
        lambda s, o, t, m: billing.was_raised(s, o, run_id=t.paused, attempt=1, added_ucr=1, idempotency_key="a"),
    ),
    "billing.list_ledger": (([], None), lambda s, o, t, m: billing.list_ledger(s, o, limit=9, run_id=t.completed)),
    "billing.list_usage": (([], None), lambda s, o, t, m: billing.list_usage(s, o, limit=9)),
    "billing.usage_summary": ([], lambda s, o, t, m: billing.usage_summary(s, o, run_id=t.running)),
    "runs.list_runs": (([], None), lambda s, o, t, m: runs.list_runs(s, o, limit=9)),
    "runs.live_count": (0, lambda s, o, t, m: runs.live_count(s, o)),
    "runs.list_agents": ([], lambda s, o, t, m: runs.list_agents(s, o, t.running)),
    "runs.list_tasks": ([], lambda s, o, t, m: runs.list_tasks(s, o, t.running)),
    "runs.list_steps": (([], None), lambda s, o, t, m: runs.list_steps(s, o, t.running, limit=9)),
    "runs.list_status_changes": ([], lambda s, o, t, m: runs.list_status_changes(s, o, t.running)),
    "events.list_events": ([], lambda s, o, t, m: events.list_events(s, o, t.running)),
    "agents.find_step": (None, lambda s, o, t, m: agents.find_step(s, o, t.operation)),
    "agents.advance": (
        None,
        lambda s, o, t, m: agents.advance(s, o, t.running, AgentProgress(1, 9, AgentStatus.FAILED, 9)),
    ),
    "agents.add_tokens": (None, lambda s, o, t, m: agents.add_tokens(s, o, t.running, 1)),
    "exports.list_exports": (([], None), lambda s, o, t, m: exports.list_exports(s, o, t.completed, limit=9)),
    "exports.own_artifacts": ([], lambda s, o, t, m: exports.own_artifacts(s, o, t.completed)),
    "exports.fail_export": (None, lambda s, o, t, m: exports.fail_export(s, o, t.export, code="x", detail="x")),
    "agents.latest_value": (None, lambda s, o, t, m: agents.latest_value(s, o, t.running, "render")),
    "billing.ledger_of_run": ([], lambda s, o, t, m: billing.ledger_of_run(s, o, t.completed)),
    "billing.usage_of_run": ([], lambda s, o, t, m: billing.usage_of_run(s, o, t.completed)),
    "chain.ledger_of_run": ([], lambda s, o, t, m: chain.ledger_of_run(s, o, t.completed)),
    "files.data_files": ([], lambda s, o, t, m: files.data_files(s, o, [t.read_file])),
    "artifacts.list_artifacts": ([], lambda s, o, t, m: artifacts.list_artifacts(s, o, t.running)),
    "dead_letters.list_dead_letters": (([], None), lambda s, o, t, m: dead_letters.list_dead_letters(s, o, limit=9)),
    "dead_letters.count_of": (0, lambda s, o, t, m: dead_letters.count_of(s, o, kind="run", subject_id=t.failed)),
    "dead_letters.mark_subject_replayed": (
        None,
        lambda s, o, t, m: dead_letters.mark_subject_replayed(s, o, kind="run", subject_id=t.failed),
    ),
    "events.append_new": (
        None,
        directly(
            lambda c, o, t, m: events.append_new(c, o, t.running, [NewEvent(EventType.AGENT_THOUGHT, "x")], by="x")
        ),
    ),
    "dead_letters.mark_replayed": (None, lambda s, o, t, m: dead_letters.mark_replayed(s, o, run_id=t.failed)),
    "forms.find_form": (None, lambda s, o, t, m: forms.find_form(s, o, t.running)),
    "forms.items_of": ((), lambda s, o, t, m: forms.items_of(s, o, t.running)),
    "forms.list_rows": ([], lambda s, o, t, m: forms.list_rows(s, o, t.running)),
    "forms.progress_of": (forms.Progress(0, 0, 0, 0), lambda s, o, t, m: forms.progress_of(s, o, t.running)),
    "forms.put_cells": (None, lambda s, o, t, m: forms.put_cells(s, o, t.running, 1, [])),
    "forms.put_output": (None, lambda s, o, t, m: forms.put_output(s, o, t.running, {"value": 1})),
    "research.addresses_met": ([], lambda s, o, t, m: research.addresses_met(s, o, t.running)),
    "approvals.find": (None, lambda s, o, t, m: approvals.find(s, o, t.operation)),
    "approvals.list_approvals": (([], None), lambda s, o, t, m: approvals.list_approvals(s, o, limit=9)),
    "approvals.expire": (
        False,
        lambda s, o, t, m: approvals.expire(
            s, o, Approval(id=approval_id(t.operation), org_id=o, run_id=t.running, status="pending"), "expired"
        ),
    ),
    "approvals.withdraw": (None, lambda s, o, t, m: approvals.withdraw(s, o, t.running)),
    "approvals.take": (False, lambda s, o, t, m: approvals.take(s, o, approval_id(t.operation))),
    "research.claims_of": ((), lambda s, o, t, m: research.claims_of(s, o, t.running)),
    "research.number_sources": (None, lambda s, o, t, m: research.number_sources(s, o, t.running, {SHA256: 1})),
    "research.list_sources": (([], None), lambda s, o, t, m: research.list_sources(s, o, t.running, limit=9)),
    "research.read_sources": ([], lambda s, o, t, m: research.read_sources(s, o, t.running)),
    "research.judge_sources": (
        None,
        lambda s, o, t, m: research.judge_sources(s, o, t.running, copies={SHA256: "x"}, trusted={SHA256: (1, "x")}),
    ),
    "agents.list_acts": ([], lambda s, o, t, m: agents.list_acts(s, o, t.running, attempt=1, agent_number=1)),
    "snapshots.fingerprints": ({}, lambda s, o, t, m: snapshots.fingerprints(s, o, [SHA256])),
    "domains.list_domains": (([], None), lambda s, o, t, m: domains.list_domains(s, o, limit=9)),
    "domains.reputations": ({}, lambda s, o, t, m: domains.reputations(s, o, ["secret.example"])),
    "research.list_claims": (([], None), lambda s, o, t, m: research.list_claims(s, o, t.running, limit=9)),
    "research.count_sources": (0, lambda s, o, t, m: research.count_sources(s, o, t.running)),
    "files.begin": (False, lambda s, o, t, m: files.begin(s, o, t.file, 1, INSPECTION)),
    "files.is_being_read": (False, lambda s, o, t, m: files.is_being_read(s, o, t.file, 1)),
    "files.portion_done": (None, lambda s, o, t, m: files.portion_done(s, o, t.file, 1, 1)),
    "files.finish": (False, lambda s, o, t, m: files.finish(s, o, t.file, 1, INSPECTION, Finished(SNAPSHOT, [], None))),
    "files.fail": (False, lambda s, o, t, m: files.fail(s, o, t.file, 1, code="x", detail="x")),
    "files.list_files": (([], None), lambda s, o, t, m: files.list_files(s, o, limit=9)),
    "files.list_questions": (([], None), lambda s, o, t, m: files.list_questions(s, o, t.file, limit=9)),
    "documents.list_documents": (([], None), lambda s, o, t, m: documents.list_documents(s, o, limit=9)),
    "passages.search_passages": (
        SearchResult((), {}, 0, {}),
        directly(lambda c, o, t, m: passages.search_passages(c, o, {"secret": 1.0}, document_id=t.document)),
    ),
    "snapshots.snapshot_refs": ([], lambda s, o, t, m: snapshots.snapshot_refs(s, o, [SHA256])),
    "api_keys.list_keys": (([], None), lambda s, o, t, m: api_keys.list_keys(s, o, limit=9)),
    "api_keys.touch_key": (None, lambda s, o, t, m: api_keys.touch_key(s, o, t.key)),
    "idempotency.look_up": (None, lambda s, o, t, m: idempotency.look_up(s, o, ASKED)),
}
"""What is read is empty; what is written matches no row."""

REFUSED_BY_KEYS: dict[str, Call] = {
    "approvals.request": lambda s, o, t, m: approvals.request(s, o, a_call(t.running, "another")),
    "runs.create_run": lambda s, o, t, m: runs.create_run(s, o, **a_run(m, workspace_id=t.workspace)),
    "agents.record_step": lambda s, o, t, m: agents.record_step(
        s, o, a_step(t.running, operation_key(t.running, 1, 1, 7, "act"))
    ),
    "agents.record_plan": lambda s, o, t, m: agents.record_plan(
        s, o, t.plan, (Subtask(number=2, title="x", question="x"),)
    ),
    "agents.record_rows": lambda s, o, t, m: agents.record_rows(s, o, t.plan, ["x", "y"]),
    "forms.create_table": lambda s, o, t, m: forms.create_table(s, o, t.created, TABLE),
    "forms.create_output": lambda s, o, t, m: forms.create_output(s, o, t.created, {"type": "object"}, ()),
    "forms.add_row": lambda s, o, t, m: forms.add_row(s, o, t.running, 9, "secret"),
    "documents.put_file_document": lambda s, o, t, m: documents.put_file_document(
        s, o, t.document, file_id="file_x", name="x", object=SNAPSHOT
    ),
    "artifacts.put_artifact": lambda s, o, t, m: artifacts.put_artifact(s, o, t.running, REPORT),
    "research.put_considered": directly(lambda c, o, t, m: research.put_considered(c, o, t.running, [MET])),
    "research.put_sources": directly(lambda c, o, t, m: research.put_sources(c, o, t.running, [SOURCE])),
    "steps.record": directly(
        lambda c, o, t, m: steps.record(
            c, o, Opening(left_pcr=1), a_finished_step(t.running, operation_key(t.running, 1, 1, 8, "act"))
        )
    ),
    "billing.place_hold": lambda s, o, t, m: billing.place_hold(s, o, run_id=t.running, attempt=1, amount_ucr=1),
    "api_keys.create_key": lambda s, o, t, m: api_keys.create_key(s, o, user_id=t.org.owner_id, name="x", scopes=[]),
}
"""Written by activities after they locked the run; composite foreign keys stop them without that too."""

NAMES_NOTHING_OF_ANOTHER = {
    *("organisations.tool_policy", "organisations.set_tool_policy", "organisations.theme", "organisations.set_theme"),
    *("billing.open_account", "billing.get_balance", "billing.purchase", "billing.adjust"),
    *("runs.get_organisation", "organisations.get_organisation", "organisations.create_organisation"),
    *(
        "dead_letters.record",
        "audit.record",
        "documents.create_document",
        "files.create_file",
        "passages.query_terms",
        "snapshots.put_snapshot",
        "research.put_snapshots",
    ),
    *("domains.put_domain",),
    *("audit.record_all", "audit.list_entries", "audit.last_verification", "audit.put_verification"),
    *("chain.get_heads", "chain.last_checkpoint", "chain.stored_checkpoints", "chain.put_checkpoint"),
    *("chain.mark_stored", "chain.get_archive", "chain.last_archive", "chain.first_seq", "chain.put_archive"),
    *("idempotency.claim", "idempotency.store"),
}
"""Take no identifier but the organisation's own, or content."""

TRIED_ELSEWHERE = {
    # tests/integration/api/test_api_identity.py, test_api_access.py, test_api_limits.py
    *("members.add_member", "members.change_role", "members.create_service_account", "members.find_role"),
    *("members.get_member", "members.limit_member", "members.list_members", "members.remove_member", "members.enter"),
    *("invitations.create_invitation", "invitations.get_invitation", "invitations.list_invitations"),
    *("invitations.reopen_invitation", "invitations.revoke_invitation", "organisations.rename"),
    *("api_keys.revoke_keys_of", "api_keys.set_scopes", "sessions.open_session", "sessions.switch"),
    *("spending.set_organisation_limit", "spending.spent_by_member", "spending.spent_by_organisation"),
    "context.become",
    # tests/integration/test_retention.py
    *("archives.rows_of_run", "archives.cited_snapshots", "archives.find_archive", "archives.get_archive"),
    *(
        "archives.list_archives",
        "archives.put_artifacts_archive",
        "archives.put_run_archive",
        "archives.delete_archive",
    ),
    *("retention.get_policy", "retention.artifacts_kept_for", "retention.set_policy", "retention.delete_run_rows"),
    *("retention.delete_snapshots", "retention.delete_document_rows", "retention.mark_artifacts_deleted"),
    *("retention.ask_for_deletion", "retention.is_referenced", "retention.forget_deletion", "retention.unreferenced"),
    *("retention.asked_for_deletion", "retention.delete_file_rows", "erasures.erase_files"),
    *("erasures.create_erasure", "erasures.get_erasure", "erasures.list_erasures", "erasures.live_runs_of"),
    *("erasures.runs_of", "erasures.erase_run", "erasures.erase_documents", "erasures.erase_person"),
    "erasures.fail_erasure",
    *("data_exports.create_export", "data_exports.get_export", "data_exports.complete_export"),
    "data_exports.expire_export",
    # tests/integration/test_exports.py; in an organisation of its own it asks for the deletion of the file it was given
    "exports.complete_export",
    # tests/integration/test_secrets.py
    *("data_keys.newest_key", "data_keys.get_key", "data_keys.add_key", "data_keys.keys_not_of"),
    "data_keys.put_wrapped",
    *("connectors.put_connector", "connectors.get_connector", "connectors.put_tokens"),
}
"""By the tests of what they are for; see this file's head for what that shows."""


def every_store_function() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(schema.store.__path__):
        contents = importlib.import_module(f"schema.store.{module.name}")
        for name, function in inspect.getmembers(contents, inspect.iscoroutinefunction):
            if name.startswith("_") or function.__module__ != contents.__name__:
                continue
            if "org_id" in inspect.signature(function).parameters:
                found.add(f"{module.name}.{name}")
    return found


def test_every_store_function_is_tried() -> None:
    tried = [*NOT_FOUND, *HOLD_CLOSED, *NOTHING, *REFUSED_BY_KEYS, *NAMES_NOTHING_OF_ANOTHER, *TRIED_ELSEWHERE]
    assert len(tried) == len(set(tried))
    assert set(tried) == every_store_function()


def test_the_organisation_comes_first() -> None:
    """Conventions, rule 9."""
    for name in every_store_function():
        module, _, function = name.partition(".")
        if module in ("sessions", "context"):  # A session is a person's; it works in one organisation after another.
            continue
        parameters = list(
            inspect.signature(getattr(importlib.import_module(f"schema.store.{module}"), function)).parameters
        )
        assert parameters[0] in ("session", "connection"), name
        assert parameters[1] == "org_id", name


async def test_nothing_of_another_organisation_can_be_seen_or_changed(
    db: Database, owner_db: Database, org: Org
) -> None:
    theirs = await furnish(db, org)
    mine = await make_org(owner_db)
    async with db.transaction(mine.id) as session:
        await snapshots.put_snapshot(session, mine.id, SNAPSHOT.model_copy(update={"sha256": "cd" * 32}))
    before = await both(owner_db, org, mine)

    async def call(work: Call) -> Any:
        async with db.transaction(mine.id) as session:
            session.info["database"] = db
            return await work(session, mine.id, theirs, mine)

    for name, work in NOT_FOUND.items():
        try:
            outcome = await call(work)
        except NotFound:
            continue
        pytest.fail(f"{name} returned {outcome!r}")
    for work in HOLD_CLOSED.values():
        with pytest.raises(HoldClosed):
            await call(work)
    for name, (expected, work) in NOTHING.items():
        assert await call(work) == expected, name
    for name, work in REFUSED_BY_KEYS.items():
        try:
            outcome = await call(work)
        except (IntegrityError, IntegrityConstraintViolationError):
            continue
        pytest.fail(f"{name} returned {outcome!r}")
    assert await both(owner_db, org, mine) == before
    await assert_sound(owner_db)


async def test_the_same_calls_reach_what_is_ones_own(db: Database, org: Org) -> None:
    """The calls above fail for the organisation's sake and for no other: made by the owner, they find something."""
    theirs = await furnish(db, org)
    for name, work in [*NOT_FOUND.items(), *HOLD_CLOSED.items()]:
        async with db.transaction(org.id) as session:
            session.info["database"] = db
            with suppress(Conflict):  # Theirs is found; that it is in no state for the call is another matter.
                await work(session, org.id, theirs, org)
            await session.rollback()
            assert name
    expected_none = {"agents.advance", "agents.add_tokens", "research.number_sources", "api_keys.touch_key"}
    expected_none |= {"research.judge_sources"}
    expected_none |= {"forms.put_cells", "forms.put_output", "exports.fail_export"}
    expected_none |= {"dead_letters.mark_subject_replayed", "events.append_new", "files.portion_done"}
    expected_none |= {"dead_letters.mark_replayed", "billing.was_raised", "approvals.withdraw"}
    for name, (nothing, work) in NOTHING.items():
        if name not in expected_none:
            async with db.transaction(org.id) as session:
                session.info["database"] = db
                assert await work(session, org.id, theirs, org) != nothing, name
                await session.rollback()


async def both(owner_db: Database, *orgs: Org) -> list[dict[str, list[Any]]]:
    found = []
    for org in orgs:
        async with owner_db.transaction(org.id) as session:
            found.append(await rows_of(session, org.id))
    return found


async def test_a_dead_letter_of_one_does_not_keep_anothers_away(db: Database, owner_db: Database, org: Org) -> None:
    other = await make_org(owner_db)
    for each in (org, other):
        async with db.transaction(each.id) as session:
            await dead_letters.record(session, each.id, kind="document", subject_id="same", attempt=1, error={})
            letters, _ = await dead_letters.list_dead_letters(session, each.id, limit=9)
            assert len(letters) == 1
