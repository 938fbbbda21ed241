"""The API on a real socket, beside workers that know a stub of the Run workflow (`stub_run.py`)."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.boundary import Boundary
from activities.deliverables.activities import RunExportActivities
from activities.files.activities import FileActivities
from activities.files.asking import QuestionActivities
from activities.files.copies import LocalCopies
from activities.files.media_reader import MediaConfig
from activities.retention.erasing import EraseActivities
from activities.retention.exporting import ExportActivities
from api.app import create_app
from infra.database import Database
from infra.objects import ObjectStore
from infra.orchestrator import Orchestrator
from infra.settings import Settings
from schema.policies import TaskQueue
from schema.store import api_keys
from tests.integration.api.stub_run import StubActivities, StubIngestDocument, StubRun
from tests.integration.conftest import Org, make_org
from worker import file_readers
from workflows.ask_file import AskFileWorkflow
from workflows.boundary import WorkflowBoundary
from workflows.export import ExportRunWorkflow
from workflows.ingest_file import IngestFileWorkflow
from workflows.retention import EraseWorkflow, ExportDataWorkflow

TASK = "What is known of the tides in the Bristol Channel?"


@dataclass(frozen=True)
class Running:
    """An API that listens."""

    app: FastAPI
    url: str


class Caller(httpx.AsyncClient):
    """An HTTP client with a key, that makes up an Idempotency-Key for each POST unless it is given one."""

    def __init__(self, url: str, org: Org, key: str | None) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        super().__init__(base_url=url, headers=headers, timeout=30)
        self.org = org
        self.key = key

    async def post(self, path: Any, *, idem: str | None = "", **more: Any) -> httpx.Response:
        """POST; `idem=None` sends no Idempotency-Key."""
        headers = dict(more.pop("headers", {}))
        if idem is not None:
            headers["idempotency-key"] = idem or uuid.uuid4().hex
        return await super().post(path, headers=headers, **more)

    async def create(self, **fields: Any) -> dict[str, Any]:
        """Create a run."""
        answer = await self.post("/api/v1/runs", json={"task": TASK, **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def start(self, **fields: Any) -> str:
        """Create a run and start it."""
        run_id: str = (await self.create(**fields))["id"]
        answer = await self.post(f"/api/v1/runs/{run_id}/start", json={})
        assert answer.status_code == 200, answer.text
        return run_id

    async def until(self, run_id: str, status: str) -> dict[str, Any]:
        """Wait until a run is in `status`."""

        async def there() -> dict[str, Any] | None:
            run: dict[str, Any] = (await self.get(f"/api/v1/runs/{run_id}")).json()
            return run if run["status"] == status else None

        return await eventually(there)


async def eventually(condition: Callable[[], Awaitable[Any]], within_s: float = 20) -> Any:
    """Wait until `condition` returns something true."""
    async with asyncio.timeout(within_s):
        while not (value := await condition()):
            await asyncio.sleep(0.05)
    return value


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Running]:
    """Run the API in this process, on a socket of its own."""
    app = create_app(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on")
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.02)
    try:
        yield Running(app, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest_asyncio.fixture(scope="session")
async def api_settings(settings: Settings) -> Settings:
    """Settings with task queues of this package's own."""
    return settings.model_copy(update={"temporal_task_queue_prefix": "api-tests-"})


@pytest_asyncio.fixture(scope="session")
async def api(api_settings: Settings) -> AsyncIterator[Running]:
    """The API."""
    async with serving(api_settings) as running:
        yield running


@asynccontextmanager
async def working(settings: Settings, client: Client, db: Database, objects: ObjectStore) -> AsyncIterator[None]:
    """Run workers in this process: stubs of what needs models and tools; erasures, exports and files as they are."""
    boundaries = [Boundary(), WorkflowBoundary()]
    stubs, orchestrator = StubActivities(db), Orchestrator(client, settings)
    erase, data_exports = EraseActivities(db, objects, orchestrator), ExportActivities(db, objects)
    run_exports = RunExportActivities(db, objects)
    copies = LocalCopies(objects)
    questions = QuestionActivities(db, copies)
    files = FileActivities(db, objects, file_readers(MediaConfig(speech="whisper-tiny.en")), copies)
    runs = Worker(
        client,
        task_queue=settings.task_queue(TaskQueue.RUNS),
        workflows=[
            *(StubRun, StubIngestDocument, EraseWorkflow, ExportDataWorkflow, ExportRunWorkflow),
            *(IngestFileWorkflow, AskFileWorkflow),
        ],
        activities=[stubs.project, stubs.close, stubs.ingest],
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=boundaries,
    )
    billing = Worker(
        client,
        task_queue=settings.task_queue(TaskQueue.BILLING),
        activities=[
            erase.stop_runs,
            erase.erase_batch,
            erase.finish,
            erase.fail,
            files.begin,
            files.fail,
            questions.refuse,
            run_exports.finish,
            run_exports.fail,
        ],
        interceptors=boundaries,
    )
    tools = Worker(
        client,
        task_queue=settings.task_queue(TaskQueue.TOOLS_CPU),
        activities=[data_exports.build, run_exports.build, files.inspect, files.read, files.finish, questions.ask],
        interceptors=boundaries,
        max_concurrent_activities=1,  # In the process that answers requests.
    )
    try:
        async with runs, billing, tools:
            yield
    finally:
        copies.close()


@pytest_asyncio.fixture(scope="session")
async def worker(
    api_settings: Settings, temporal_client: Client, db: Database, objects: ObjectStore
) -> AsyncIterator[None]:
    """The workers, for the whole session."""
    async with working(api_settings, temporal_client, db, objects):
        yield


async def make_key(owner_db: Database, org: Org, scopes: tuple[str, ...] = api_keys.TENANT_SCOPES) -> str:
    """Make a key of an organisation's owner."""
    async with owner_db.transaction(org.id) as session:
        _, text = await api_keys.create_key(session, org.id, user_id=org.owner_id, name="test", scopes=scopes)
    return text


@pytest_asyncio.fixture
async def caller(api: Running, owner_db: Database, org: Org) -> AsyncIterator[Caller]:
    """A client of a fresh organisation, with every scope within it."""
    async with Caller(api.url, org, await make_key(owner_db, org)) as client:
        yield client


@pytest_asyncio.fixture
async def other(api: Running, owner_db: Database) -> AsyncIterator[Caller]:
    """A client of another organisation."""
    org = await make_org(owner_db)
    async with Caller(api.url, org, await make_key(owner_db, org)) as client:
        yield client


@pytest_asyncio.fixture
async def anonymous(api: Running, org: Org) -> AsyncIterator[Caller]:
    """A client without a key."""
    async with Caller(api.url, org, None) as client:
        yield client
