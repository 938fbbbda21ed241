"""The product's workers in this process, on the real servers, under task queues of their own: for workflow tests."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle

import worker
from activities.embedding.embedder import NO_MODEL
from activities.files.reader import Reader
from activities.tools.registry import ToolRegistry, builtin_tools
from infra.database import Database
from infra.objects import sha256_of
from infra.orchestrator import Attempt, Orchestrator
from infra.settings import Settings
from schema.contracts.documents import IngestDocumentInput
from schema.contracts.files import FileKind
from schema.contracts.run import RunWorkflow
from schema.ids import RUN, new_id
from schema.states import TERMINAL, RunStatus
from schema.store import billing, documents, runs
from schema.store.audit import SYSTEM
from schema.store.invariants import violations
from schema.tables.runs import Run


@dataclass
class Platform:
    """What a workflow test talks to."""

    client: Client
    db: Database
    settings: Settings
    parts: worker.Parts
    orchestrator: Orchestrator

    async def create(self, org_id: str, user_id: str, task: str, **fields: Any) -> str:
        """Create a run; returns its id."""
        run_id = new_id(RUN)
        values: dict[str, Any] = {"max_agents": 3, "max_tokens": 100_000, "context": {}, "description": None} | fields
        async with self.db.transaction(org_id) as session:
            await runs.create_run(session, org_id, run_id=run_id, user_id=user_id, name="test", task=task, **values)
        return run_id

    async def upload(self, org_id: str, texts: dict[str, str]) -> None:
        """Put documents into an organisation's corpus, by the product's own ingestion."""
        mime_type = "text/plain"
        async with self.db.transaction(org_id) as session:
            organisation = await runs.get_organisation(session, org_id)
        document_ids = []
        for name, text in sorted(texts.items()):
            data = text.encode()
            ref = await self.parts.objects.put(f"{org_id}/documents/{sha256_of(data)}", data, mime_type)
            async with self.db.transaction(org_id) as session:
                document, _ = await documents.create_document(
                    session, org_id, name=name, mime_type=mime_type, object=ref, created_by=None
                )
            document_ids.append(document.id)
            fields = IngestDocumentInput(
                org_id=org_id, document_id=document.id, object=ref, filename=name, mime_type=mime_type
            )
            await self.orchestrator.ingest(fields, organisation)
        for document_id in document_ids:
            result = await self.orchestrator.ingested(document_id, timedelta(seconds=60))
            assert result is not None
            assert result.status == "ready", result

    async def start(self, org_id: str, run_id: str) -> WorkflowHandle[RunWorkflow, Any]:
        """Start a run as the API does: hold and status first, then the workflow."""
        async with self.db.transaction(org_id) as session:
            await runs.start_run(session, org_id, run_id, SYSTEM)
        return await self.launch(org_id, run_id)

    async def retry(self, org_id: str, run_id: str) -> WorkflowHandle[RunWorkflow, Any]:
        """Retry a failed run as the API does."""
        async with self.db.transaction(org_id) as session:
            await runs.retry_run(session, org_id, run_id, SYSTEM)
        return await self.launch(org_id, run_id)

    async def launch(self, org_id: str, run_id: str) -> WorkflowHandle[RunWorkflow, Any]:
        """Start the workflow of the run's present attempt."""
        async with self.db.transaction(org_id) as session:
            run = await runs.get_run(session, org_id, run_id)
            hold = await billing.hold_of(session, org_id, run_id, run.attempt)
            organisation = await runs.get_organisation(session, org_id)
        assert hold is not None
        await self.orchestrator.start_attempt(Attempt(run, hold, organisation))
        return self.client.get_workflow_handle_for(RunWorkflow.run, run_id)

    async def run_row(self, org_id: str, run_id: str) -> Run:
        """Return the run's row."""
        async with self.db.transaction(org_id) as session:
            return await runs.get_run(session, org_id, run_id)

    async def until(self, org_id: str, run_id: str, *statuses: RunStatus, within_s: float = 60) -> Run:
        """Wait until the run's row shows one of `statuses` (default: any terminal one)."""
        wanted = set(statuses) or set(TERMINAL)
        async with asyncio.timeout(within_s):
            while (run := await self.run_row(org_id, run_id)).status not in wanted:
                await asyncio.sleep(0.05)
        return run

    async def violations(self) -> dict[str, int]:
        """Count what breaks an invariant, over the whole database."""
        owner = Database(self.settings.owner_url, pool_size=1, pool_overflow=0, application_name="tests-owner")
        try:
            async with owner.transaction(None) as session:
                return await violations(session)
        finally:
            await owner.close()


@asynccontextmanager
async def platform(
    settings: Settings,
    client: Client,
    prefix: str,
    *,
    reasoner: Any = None,
    tools: Sequence[Any] = (),
    readers: Mapping[FileKind, Reader] | None = None,
    vectors: bool = False,
    **overrides: Any,
) -> AsyncIterator[Platform]:
    """Run every station of the worker in this process.

    Args:
        prefix: of the task queues; unique to the test.
        reasoner: replaces the configured one (control-flow tests script it).
        tools: added to the product's tools.
        readers: of files, in place of the product's.
        vectors: with the embedding model that is configured; by full text alone otherwise, since vectors are most of
            what a test of something else would compute.
        overrides: options of the SDK's Worker.
    """
    settings = settings.model_copy(update={"temporal_task_queue_prefix": prefix})
    if not vectors:
        settings = settings.model_copy(update={"embedding_model": NO_MODEL})
    async with AsyncExitStack() as stack:
        parts = await worker.open_parts(settings, client, stack)
        if reasoner is not None:
            parts = replace(parts, reasoner=reasoner)
        if readers is not None:
            parts = replace(parts, readers=readers)
        registry: ToolRegistry = builtin_tools(parts.sources, parts.mcp, copies=parts.copies)
        for tool in tools:
            registry.register(tool)
        for station in worker.stations(parts, registry):
            built = worker.build_worker(parts, station, settings.task_queue(station.queue), **overrides)
            await stack.enter_async_context(built)
        yield Platform(client, parts.db, settings, parts, parts.orchestrator)
