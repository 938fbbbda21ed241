"""Exports of runs: asked for, built by a workflow, found as an artifact of the run."""

from dataclasses import dataclass

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.contracts.deliverables import ExportFormat, ExportOptions
from schema.contracts.exports import ExportRunInput
from schema.errors import Conflict, NotFound
from schema.ids import ARTIFACT, EXPORT, dated_id, derived_id, new_id
from schema.states import TERMINAL, RunStatus
from schema.store import artifacts, audit, retention, runs
from schema.store.artifacts import NewArtifact
from schema.store.audit import Actor
from schema.tables.runs import Artifact, Export, Run

REPORT_NAME = "research_report.md"
CITATIONS_NAME = "citations.json"


@dataclass(frozen=True)
class Exported:
    """An export, and its file once there is one."""

    export: Export
    artifact: Artifact | None
    """None: there is none (yet), or retention deleted it."""
    expired: bool = False
    """The file has been there, and is not any more."""


async def create_export(
    session: AsyncSession,
    org_id: str,
    run_id: str,
    format: ExportFormat,
    options: ExportOptions,
    *,
    created_by: str | None,
    actor: Actor,
) -> Export:
    """Ask for an export of a finished run.

    Raises:
        NotFound: the organisation has no such run.
        Conflict: the run has not ended, or ended without a report.
        Gone: the report has expired.
    """
    run = await runs.get_run(session, org_id, run_id)
    await require_report(session, run)
    made = Export(
        id=new_id(EXPORT),
        org_id=org_id,
        run_id=run_id,
        format=format.value,
        options=options.model_dump(mode="json"),
        created_by=created_by,
    )
    session.add(made)
    await session.flush()
    await _record(session, org_id, run_id, made.id, format, options, actor)
    await session.refresh(made)
    return made


async def create_deliverables(session: AsyncSession, org_id: str, run_id: str, *, actor: Actor) -> list[Export]:
    """Ask for the exports that a run was created with, once it has completed; a repeat returns the same ones.

    Idempotency key: run, attempt and format, of which an export's id is made.
    """
    run = await runs.get_run(session, org_id, run_id)
    wanted = deliverables_of(run)
    if run.status != RunStatus.COMPLETED or run.completed_at is None or not wanted:
        return []
    made = {dated_id(EXPORT, run.completed_at, run.id, run.attempt, format.value): format for format in wanted}
    for export_id, format in made.items():
        row = upsert(Export).values(
            id=export_id,
            org_id=org_id,
            run_id=run_id,
            format=format.value,
            options=ExportOptions().model_dump(mode="json"),
            status="processing",
        )
        new = row.on_conflict_do_nothing(index_elements=["id"]).returning(col(Export.id))
        if (await session.execute(new)).scalar_one_or_none() is not None:
            await _record(session, org_id, run_id, export_id, format, ExportOptions(), actor)
    query = select(Export).where(Export.org_id == org_id, col(Export.id).in_(made), Export.status == "processing")
    return list((await session.execute(query.order_by(col(Export.id)))).scalars())


def deliverables_of(run: Run) -> list[ExportFormat]:
    """Return the formats that a run was created with.

    What is none is nobody's wish: in a run from before there were deliverables, the context was the caller's alone.
    """
    asked = run.context.get("deliverables")
    return [format for format in ExportFormat if format.value in asked] if isinstance(asked, list) else []


async def _record(
    session: AsyncSession,
    org_id: str,
    run_id: str,
    export_id: str,
    format: ExportFormat,
    options: ExportOptions,
    actor: Actor,
) -> None:
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="run.exported",
        resource_type="export",
        resource_id=export_id,
        run_id=run_id,
        details={"format": format.value, **options.model_dump(mode="json")},
    )


async def require_report(session: AsyncSession, run: Run) -> Artifact:
    """Return a run's report, of which exports are made.

    Raises:
        Conflict: the run has not ended, or ended without a report.
        Gone: the report has expired.
    """
    if RunStatus(run.status) not in TERMINAL:
        raise Conflict(f"The run is {run.status}: it can be exported once it has completed.", status=run.status)
    if run.status != RunStatus.COMPLETED:
        raise Conflict(f"The run is {run.status} and has no report to export; retry it.", status=run.status)
    return await report_of(session, run)


async def report_of(session: AsyncSession, run: Run) -> Artifact:
    """Return a run's report, however far the run is.

    Raises:
        Conflict: it has none.
        Gone: the report has expired.
    """
    found = await _artifact_of(session, run.org_id, run.id, REPORT_NAME)
    if found is None:
        raise Conflict(f"The run is {run.status} and has no report.", status=run.status)
    return await artifacts.get_artifact(session, run.org_id, found.id)


async def citations_of(session: AsyncSession, org_id: str, run_id: str) -> Artifact:
    """Return the machine-readable citations of a run's report.

    Raises:
        NotFound: the run has none.
        Gone: they have expired.
    """
    found = await _artifact_of(session, org_id, run_id, CITATIONS_NAME)
    if found is None:
        raise NotFound(f"The run {run_id} has no citations.")
    return await artifacts.get_artifact(session, org_id, found.id)


async def _artifact_of(session: AsyncSession, org_id: str, run_id: str, name: str) -> Artifact | None:
    query = select(Artifact).where(Artifact.org_id == org_id, Artifact.run_id == run_id, Artifact.name == name)
    return (await session.execute(query)).scalar_one_or_none()


async def own_artifacts(session: AsyncSession, org_id: str, run_id: str) -> list[Artifact]:
    """Return what the run itself made, by name: without files that exports made of it."""
    exported = select(col(Export.artifact_id)).where(Export.org_id == org_id, Export.run_id == run_id)
    query = exported.where(col(Export.artifact_id).is_not(None))
    made = set((await session.execute(query)).scalars())
    found = await artifacts.list_artifacts(session, org_id, run_id)
    return sorted((item for item in found if item.id not in made), key=lambda item: item.name)


async def get_export(session: AsyncSession, org_id: str, export_id: str) -> Exported:
    """Return an export with its file.

    Raises:
        NotFound: the organisation has no such export.
    """
    query = _SELECTED.where(Export.org_id == org_id, Export.id == export_id)
    row = (await session.execute(query.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound(f"There is no export {export_id}.")
    return _exported(*row)


async def list_exports(
    session: AsyncSession, org_id: str, run_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[Exported], str | None]:
    """Return a run's exports, newest first, and where the next page begins."""
    query = _SELECTED.where(Export.org_id == org_id, Export.run_id == run_id)
    if cursor is not None:
        query = query.where(Export.id < cursor)
    rows = [_exported(*row) for row in await session.execute(query.order_by(col(Export.id).desc()).limit(limit + 1))]
    return rows[:limit], rows[limit - 1].export.id if len(rows) > limit else None


def order_of(export: Export) -> ExportRunInput:
    """Return what the workflow of an export is started with."""
    return ExportRunInput(
        org_id=export.org_id, run_id=export.run_id, export_id=export.id, format=ExportFormat(export.format)
    )


def _exported(export: Export, artifact: Artifact | None, expired: bool | None) -> Exported:
    gone = artifact is not None and (artifact.deleted_at is not None or bool(expired))
    return Exported(export, None if gone else artifact, gone)


async def complete_export(
    session: AsyncSession, org_id: str, export_id: str, *, name: str, mime_type: str, file: ObjectRef
) -> None:
    """Record the artifact and where the export has it; once per export, a repeat changes nothing."""
    export = await _lock(session, org_id, export_id)
    if export is None or export.status != "processing":
        await retention.ask_for_deletion(session, org_id, [file.key])  # Deleted unless an artifact points to it.
        return
    description = f"The run as {export.format.upper()}"
    # The first of a run's files that ends takes all of them to the archive: none is promised for longer.
    report_id = derived_id(ARTIFACT, export.run_id, REPORT_NAME)
    export.artifact_id = await artifacts.put_artifact(
        session, org_id, export.run_id, NewArtifact(name, mime_type, file, description, report_id)
    )
    export.status = "completed"
    export.completed_at = func.clock_timestamp()  # type: ignore[assignment]
    await session.flush()


async def fail_export(
    session: AsyncSession, org_id: str, export_id: str, *, code: str, detail: str, cancelled: bool = False
) -> None:
    """Close an export that has no file; a repeat changes nothing."""
    export = await _lock(session, org_id, export_id)
    if export is None or export.status != "processing":
        return
    export.status = "cancelled" if cancelled else "failed"
    export.error = {"code": code, "detail": detail}
    export.completed_at = func.clock_timestamp()  # type: ignore[assignment]
    await session.flush()


async def _lock(session: AsyncSession, org_id: str, export_id: str) -> Export | None:
    query = select(Export).where(Export.org_id == org_id, Export.id == export_id).with_for_update()
    return (await session.execute(query)).scalar_one_or_none()


_SELECTED = select(Export, Artifact, col(Artifact.expires_at) <= func.clock_timestamp()).outerjoin(
    Artifact, (col(Artifact.org_id) == col(Export.org_id)) & (col(Artifact.id) == col(Export.artifact_id))
)
