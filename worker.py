"""Composition root of the worker process: settings -> clients -> workers, one per task queue of its role.

`python -m worker --role all` (or runs, agents, tools, tools-cpu, billing). SIGTERM stops polling, lets running
activities finish for a while, then cancels them; whatever is left is done again by another worker.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog
import uvloop
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.agents.acting import ActActivities
from activities.agents.rows import RowActivities
from activities.agents.thinking import CloseAgentActivities, ThinkActivities
from activities.audit.activities import AuditActivities
from activities.boundary import Boundary
from activities.deliverables.activities import RunExportActivities
from activities.deliverables.illustrating import ImageModel
from activities.documents.activities import DocumentActivities
from activities.embedding.embedder import NO_MODEL, Embedder, EmbeddingConfig, build_embedder, meanings_of
from activities.files.activities import FileActivities
from activities.files.asking import QuestionActivities
from activities.files.copies import LocalCopies
from activities.files.data_reader import DataReader
from activities.files.document_reader import DocumentReader
from activities.files.image_reader import ImageReader
from activities.files.media_reader import HEARING, MediaConfig, MediaReader
from activities.files.reader import Reader
from activities.files.uploads import Recogniser
from activities.images.captioning import VisionModel
from activities.reconcile.activities import ReconcileActivities
from activities.research.reasoner import ModelConfig, Reasoner, build_reasoner
from activities.research.vendor import load_litellm
from activities.retention.activities import RetentionActivities
from activities.retention.erasing import EraseActivities
from activities.retention.exporting import ExportActivities
from activities.retention.orphans import OrphanActivities
from activities.runs.lifecycle import RunActivities
from activities.runs.planning import Offer, PlanActivities
from activities.runs.reporting import ReportActivities
from activities.sources.asking import Sources
from activities.sources.catalogue import SourceConfig, build_sources
from activities.sources.mcp import list_tools, read_servers
from activities.tools.canary import prompt_canary
from activities.tools.executor import ToolExecutor
from activities.tools.mcp_tool import McpSource, mcp_sources
from activities.tools.python_run import CODE_HINT
from activities.tools.registry import ToolRegistry, builtin_tools
from infra.checkpoints import Signer
from infra.database import Database
from infra.evidence import Evidence
from infra.health import worker_identity
from infra.heap import keep_loaded
from infra.http import SafeHttpClient
from infra.live import Live
from infra.locked import LockedStore
from infra.logging import configure_logging
from infra.objects import ObjectStore
from infra.orchestrator import Orchestrator
from infra.sandbox.kernel import hide_process
from infra.sandbox.levels import CODE_LEVEL_MIN, Level
from infra.sandbox.probe import Sandbox, sandbox
from infra.settings import Settings
from infra.shared import Shared
from infra.temporal import connect
from schema.contracts.files import FileKind
from schema.contracts.research import SourceKind
from schema.contracts.tools import SourceNote
from schema.errors import SwissbrainError
from schema.policies import (
    AUDIT_MAINTAIN_EVERY,
    ORPHANS_EVERY,
    PRIORITY_SCHEDULED,
    RECONCILE_EVERY,
    RETENTION_EVERY,
    STICKY_TIMEOUT,
    TaskQueue,
)
from workflows.agent import AgentWorkflow
from workflows.ask_file import AskFileWorkflow
from workflows.audit import CheckpointAuditWorkflow, MaintainAuditWorkflow
from workflows.boundary import WorkflowBoundary
from workflows.export import ExportRunWorkflow
from workflows.ingest import IngestDocumentWorkflow
from workflows.ingest_file import IngestFileWorkflow
from workflows.lane import LaneWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.retention import EraseWorkflow, ExportDataWorkflow, OrphansWorkflow, RetentionWorkflow
from workflows.run import RunWorkflow

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=20)
HEARTBEAT_THROTTLE = timedelta(seconds=2)
WORKFLOWS: tuple[type, ...] = (
    *(RunWorkflow, LaneWorkflow, AgentWorkflow, IngestDocumentWorkflow, IngestFileWorkflow, AskFileWorkflow),
    *(ExportRunWorkflow, ReconcileWorkflow, CheckpointAuditWorkflow, MaintainAuditWorkflow),
    *(RetentionWorkflow, OrphansWorkflow, EraseWorkflow, ExportDataWorkflow),
)
RECONCILER_ID = "reconciler"
RETENTION_ID = "retention"


@dataclass(frozen=True)
class Parts:
    """Everything the activities stand on."""

    client: Client
    db: Database
    objects: ObjectStore
    live: Live
    evidence: Evidence
    http: SafeHttpClient
    sources: Sources
    mcp: Sequence[McpSource]
    reasoner: Reasoner
    embedder: Embedder | None
    orchestrator: Orchestrator
    readers: Mapping[FileKind, Reader]
    """What reads each kind of file here."""
    copies: LocalCopies
    """Files on this worker's disk."""
    illustrator: ImageModel | None = None
    """Draws covers of decks."""
    scanner: str | None = None
    """Command of a virus scanner."""
    recogniser: Recogniser | None = None
    """Reads documents of the corpus that are pictures."""
    code: bool = False
    """Agents may run programs."""
    sandbox_level: str = ""
    """What the sandbox of this process proved."""
    canaries: tuple[str, ...] = ()
    """Texts that neither a call nor a report may carry."""
    thinkers: int = 20
    """Calls of the reasoner at once; what waits, waits in Temporal's queue and not in a call."""


@dataclass(frozen=True)
class Station:
    """What one task queue's worker runs, and how much of it at once."""

    queue: TaskQueue
    activities: Sequence[Callable[..., Any]] = ()
    workflows: Sequence[type] = ()
    slots: int = 20
    """Activities at once."""
    tasks: int = 10
    """Workflow tasks at once; Python runs them one after another, so a few suffice."""
    cached: int = 500
    extra: dict[str, Any] = field(default_factory=dict)


def stations(parts: Parts, tools: ToolRegistry) -> list[Station]:
    """Return what each task queue needs; the one place that wires activities to their dependencies."""
    run = RunActivities(parts.db, parts.live, parts.orchestrator)
    plan = PlanActivities(parts.db, parts.live, parts.reasoner, offer_of(parts))
    report = ReportActivities(parts.db, parts.objects, parts.live, parts.reasoner, parts.canaries, parts.illustrator)
    think = ThinkActivities(parts.db, parts.objects, parts.live, parts.reasoner)
    row = RowActivities(parts.db, parts.objects, parts.live, parts.reasoner)
    executor = ToolExecutor(tools)
    act = ActActivities(parts.db, parts.objects, parts.live, parts.http, executor, parts.embedder, parts.canaries)
    close = CloseAgentActivities(parts.db, parts.live)
    reconcile = ReconcileActivities(parts.db, parts.orchestrator)
    audit = AuditActivities(parts.db, parts.evidence)
    retention = RetentionActivities(parts.db, parts.objects, parts.orchestrator)
    orphans = OrphanActivities(parts.db, parts.objects)
    erase = EraseActivities(parts.db, parts.objects, parts.orchestrator)
    data_exports = ExportActivities(parts.db, parts.objects)
    run_exports = RunExportActivities(parts.db, parts.objects)
    documents = DocumentActivities(parts.db, parts.objects, parts.embedder, parts.recogniser)
    files = FileActivities(
        parts.db, parts.objects, parts.readers, parts.copies, embedder=parts.embedder, scanner=parts.scanner
    )
    questions = QuestionActivities(parts.db, parts.copies)
    return [
        Station(TaskQueue.RUNS, workflows=WORKFLOWS),
        Station(
            TaskQueue.AGENTS,
            [
                *(plan.plan, think.think, row.think),
                *(report.merge, report.resolve, report.write, report.render, report.outline, report.illustrate),
            ],
            WORKFLOWS,
            slots=parts.thinkers,
        ),
        Station(TaskQueue.TOOLS, [act.act], slots=50),
        Station(
            TaskQueue.TOOLS_CPU,
            [
                *(documents.ingest, documents.embed, files.inspect, files.read, files.finish, questions.ask),
                *(data_exports.build, run_exports.build),
            ],
            slots=2,
        ),
        Station(
            TaskQueue.BILLING,
            [
                *(run.begin, run.transition, run.settle, close.close, documents.give_up, files.begin, files.fail),
                *(questions.refuse, run_exports.finish, run_exports.fail),
                *(reconcile.sweep, audit.checkpoint, audit.maintain),
                *(retention.sweep, orphans.find, erase.stop_runs, erase.erase_batch, erase.finish, erase.fail),
            ],
            slots=20,
        ),
    ]


def file_readers(
    media: MediaConfig = HEARING, *, ocr: str = "auto", vision: VisionModel | None = None
) -> dict[FileKind, Reader]:
    """Return what reads each kind of file here."""
    recordings = MediaReader(replace(media, ocr=ocr))
    return {
        FileKind.DOCUMENT: DocumentReader(ocr),
        FileKind.DATA: DataReader(),
        FileKind.IMAGE: ImageReader(ocr, vision),
        FileKind.AUDIO: recordings,
        FileKind.VIDEO: recordings,
    }


def media_config(settings: Settings) -> MediaConfig:
    """Return how recordings are heard."""
    return MediaConfig(
        speech=settings.speech_model,
        hub=settings.speech_hub_cache,
        threads=settings.speech_threads,
        language=settings.speech_language,
    )


def offer_of(parts: Parts) -> Offer:
    """Return what runs can be offered."""
    extra: dict[SourceKind, tuple[str, ...]] = {}
    for tool in parts.mcp:
        extra[tool.server.kind] = (*extra.get(tool.server.kind, ()), tool.spec.name)
    kinds = frozenset(provider.info.kind for provider in parts.sources.providers)
    return Offer(
        kinds=kinds,
        illustrator=parts.illustrator is not None,
        missing=tuple(parts.sources.missing),
        extra=extra,
        code=parts.code,
    )


def build_worker(parts: Parts, station: Station, task_queue: str, **overrides: Any) -> Worker:
    """Make the worker of one task queue. `overrides` go to the SDK's Worker (tests turn the cache off)."""
    options: dict[str, Any] = {
        "activities": station.activities,
        "workflows": station.workflows,
        "interceptors": [Boundary(), WorkflowBoundary()],
        "workflow_runner": SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default),
        "workflow_failure_exception_types": [SwissbrainError],
        "max_concurrent_activities": station.slots,
        "max_concurrent_workflow_tasks": station.tasks,
        "max_cached_workflows": station.cached,
        "sticky_queue_schedule_to_start_timeout": STICKY_TIMEOUT,
        "max_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
        "graceful_shutdown_timeout": GRACE,
        # Temporal tells it to who asks: `/readyz`, and an operator by `temporal task-queue describe`.
        "identity": worker_identity(parts.sandbox_level),
    } | overrides
    if not station.workflows:
        for name in ("max_concurrent_workflow_tasks", "max_cached_workflows", "workflows"):
            options.pop(name, None)
    return Worker(parts.client, task_queue=task_queue, **options)


async def ensure_schedules(client: Client, settings: Settings) -> None:
    """Create the deployment's schedules, or bring those that exist to what this version wants.

    Their ids have the deployment's prefix: two deployments in one namespace have their own each. An operator's pause
    stays.
    """
    checkpoint_every = timedelta(minutes=settings.audit_checkpoint_minutes)
    for name, workflow, every in (
        (RECONCILER_ID, ReconcileWorkflow, RECONCILE_EVERY),
        (RETENTION_ID, RetentionWorkflow, RETENTION_EVERY),
        ("orphans", OrphansWorkflow, ORPHANS_EVERY),
        ("audit-checkpoints", CheckpointAuditWorkflow, checkpoint_every),
        ("audit-upkeep", MaintainAuditWorkflow, AUDIT_MAINTAIN_EVERY),
    ):
        await _ensure_schedule(client, settings, name, workflow, every)


async def _ensure_schedule(client: Client, settings: Settings, name: str, workflow: Any, every: timedelta) -> None:
    schedule_id = settings.task_queue(name)
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            workflow.run,
            id=schedule_id,
            task_queue=settings.task_queue(TaskQueue.RUNS),
            priority=Priority(priority_key=PRIORITY_SCHEDULED),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )
    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:

        def renew(found: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(replace(wanted, state=found.description.schedule.state))

        await client.get_schedule_handle(schedule_id).update(renew)
        log.debug("schedule exists", schedule=schedule_id)


async def run_worker(settings: Settings, role: str) -> None:
    """Run the workers of a role until SIGINT or SIGTERM."""
    hide_process()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if (
        settings.model
        or settings.vision_model
        or settings.image_model
        or settings.embedding_model not in (None, NO_MODEL)
    ):
        await asyncio.to_thread(load_litellm)  # Seconds of imports, which the first think should not pay.
    client = await connect(settings, runtime=Runtime(telemetry=TelemetryConfig()))
    async with AsyncExitStack() as stack:
        parts = await open_parts(settings, client, stack)
        wanted = [
            item
            for item in stations(parts, builtin_tools(parts.sources, parts.mcp, copies=parts.copies, code=parts.code))
            if role in ("all", item.queue.value)
        ]
        if role in ("all", TaskQueue.RUNS.value):
            await ensure_schedules(client, settings)
        workers = [build_worker(parts, item, settings.task_queue(item.queue)) for item in wanted]
        keep_loaded()
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        log.info("worker started", role=role, queues=[item.queue.value for item in wanted])
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())
        await stop.wait()
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*tasks)
        log.info("worker stopped", role=role)


def vision_model(settings: Settings) -> VisionModel | None:
    """Return the model that is shown images; None: there is none."""
    if settings.vision_model is None:
        return None
    key = settings.vision_api_key or settings.model_api_key
    return VisionModel(
        settings.vision_model,
        settings.vision_base_url or settings.model_base_url,
        key.get_secret_value() if key else None,
        settings.model_timeout_s,
    )


def image_model(settings: Settings) -> ImageModel | None:
    """Return the model that draws covers of decks; None: there is none."""
    if settings.image_model is None:
        return None
    key = settings.image_api_key or settings.model_api_key
    return ImageModel(
        settings.image_model,
        settings.image_base_url or settings.model_base_url,
        key.get_secret_value() if key else None,
        settings.model_timeout_s,
    )


def model_config(settings: Settings) -> ModelConfig:
    """Return which model plays which role."""
    return ModelConfig(
        model=settings.model,
        base_url=settings.model_base_url,
        api_key=settings.model_api_key.get_secret_value() if settings.model_api_key else None,
        planner=settings.model_planner,
        researcher=settings.model_researcher,
        writer=settings.model_writer,
        timeout_s=settings.model_timeout_s,
        calls_max=settings.model_concurrency,
        answer_form=settings.model_answer_form,
        prompt_characters_max=settings.model_prompt_characters,
        answer_tokens_max=settings.model_answer_tokens,
        canary=canary_of(settings),
    )


def canary_of(settings: Settings) -> str:
    """Return the canary of the prompts, made of a secret that every process of the deployment has."""
    return prompt_canary((settings.payload_keys or settings.database_url).get_secret_value().encode())


def source_config(settings: Settings) -> SourceConfig:
    """Return where agents may look besides the corpus."""
    names = (
        *("searxng", "brave", "tavily", "wikipedia", "marginalia", "openalex", "arxiv", "crossref"),
        *("semantic_scholar", "gdelt", "newsapi"),
    )
    urls = {name: getattr(settings, f"{name}_url") for name in names}
    keys = {
        "brave": settings.brave_api_key,
        "tavily": settings.tavily_api_key,
        "marginalia": settings.marginalia_api_key,
        "openalex": settings.openalex_api_key,
        "semantic_scholar": settings.semantic_scholar_api_key,
        "newsapi": settings.newsapi_key,
    }
    return SourceConfig(
        enabled=settings.sources,
        urls={name: url for name, url in urls.items() if url},
        keys={name: key for name, key in keys.items() if key},
        feeds=settings.news_feeds,
        contact=settings.contact_email,
        user_agent=settings.http_user_agent,
    )


def embedding_config(settings: Settings) -> EmbeddingConfig:
    """Return which model makes the vectors."""
    return EmbeddingConfig(
        model=settings.embedding_model,
        base_url=settings.embedding_base_url,
        api_key=settings.embedding_api_key.get_secret_value() if settings.embedding_api_key else None,
        dimensions=settings.embedding_dimensions,
    )


async def open_parts(settings: Settings, client: Client, stack: AsyncExitStack) -> Parts:
    """Open what the activities stand on; closed by `stack`."""
    db = Database.from_settings(settings, application_name="swissbrain-worker")
    stack.push_async_callback(db.close)
    objects = ObjectStore.from_settings(settings)
    stack.push_async_callback(objects.close)
    live = Live(settings.redis_url.get_secret_value())
    stack.push_async_callback(live.close)
    locked = LockedStore.from_settings(settings)
    stack.push_async_callback(locked.close)
    shared = Shared(settings.redis_url.get_secret_value())
    stack.push_async_callback(shared.close)
    servers = read_servers(settings.mcp_servers.get_secret_value()) if settings.mcp_servers else {}
    mcp = mcp_sources(servers, await list_tools(servers))
    silent = [
        SourceNote(provider=f"mcp:{name}", kind=server.kind, reason="it offered no tools when the worker started")
        for name, server in servers.items()
        if not any(tool.tool.server == name for tool in mcp)
    ]
    sources = build_sources(source_config(settings), shared)
    walls = await open_sandbox(settings)
    code = settings.code_execution and walls.level >= CODE_LEVEL_MIN
    embedder = await asyncio.to_thread(build_embedder, embedding_config(settings))
    hints = [*(tool.hint for tool in mcp), *([CODE_HINT] if code else [])]
    copies = LocalCopies(objects)
    stack.callback(copies.close)
    return Parts(
        client=client,
        db=db,
        objects=objects,
        live=live,
        evidence=Evidence(db, locked, Signer.from_settings(settings)),
        http=SafeHttpClient(settings.fetch_allowed_private_hosts, user_agent=settings.http_user_agent),
        sources=replace(sources, missing=(*sources.missing, *silent)),
        mcp=mcp,
        reasoner=build_reasoner(model_config(settings), hints, meanings_of(embedder)),
        embedder=embedder,
        orchestrator=Orchestrator(client, settings),
        recogniser=Recogniser(settings.ocr_engine),
        readers=file_readers(media_config(settings), ocr=settings.ocr_engine, vision=vision_model(settings)),
        copies=copies,
        scanner=settings.file_scan_command,
        illustrator=image_model(settings),
        code=code,
        sandbox_level=walls.level.label,
        canaries=(canary_of(settings),),
        thinkers=settings.model_concurrency,
    )


async def open_sandbox(settings: Settings) -> Sandbox:
    """Prove this machine's sandbox, and say what it does not allow."""
    minimum = Level[settings.sandbox_level_min.upper()]
    walls = await sandbox(minimum)
    if walls.level < minimum:
        log.error("no sandbox is strong enough: nothing is parsed", level=walls.level.label, wanted=minimum.label)
    if settings.code_execution and walls.level < CODE_LEVEL_MIN:
        log.error("no sandbox is strong enough: no code is run", level=walls.level.label, wanted=CODE_LEVEL_MIN.label)
    return walls


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the role and run."""
    parser = argparse.ArgumentParser(prog="swissbrain worker", description=__doc__)
    parser.add_argument("--role", default="all", choices=["all", *(queue.value for queue in TaskQueue)])
    options = parser.parse_args(arguments)
    settings = Settings()
    configure_logging(level=settings.log_level, log_format=settings.log_format, service="worker")
    uvloop.run(run_worker(settings, options.role))
    return 0


if __name__ == "__main__":
    sys.exit(main())
