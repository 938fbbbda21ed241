"""Retention, archives, erasures and exports: what is asked and shown."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.serialisation import Instant
from api.views.base import Ask, Listing, View
from schema.contracts.common import ObjectRef
from schema.policies import LEDGER_KEPT_DAYS_MIN
from schema.store.retention import Kept
from schema.tables.retention import DataExport, Erasure, RunArchive

UserId = Annotated[str, Field(pattern=r"^user_[0-9a-f]{32}$")]

Days = Field(default=None, ge=1, le=36_500)


class ChangeRetention(Ask):
    """What shall be kept for how long, days; null: the default again; a field that is not there stays."""

    artifacts_days: int | None = Days
    runs_days: int | None = Days
    archives_days: int | None = Field(default=None, ge=0, le=36_500)


class RetentionView(View):
    """What is kept for how long, days."""

    artifacts_days: int
    """After it was made, a run's file moves to the run's archive."""
    runs_days: int
    """After its end, a run moves to its archive."""
    archives_days: int
    """After that, the archive is deleted."""
    ledger_days_min: int
    """Ledger and audit log stay at least so long, whatever becomes of the runs; not to be changed."""


class ArchivedFile(View):
    """A part of an archive."""

    sha256: str
    size_bytes: int
    s3_url: str
    """Ends after some minutes."""


class ArchiveView(View):
    """Where a run's archive is."""

    run_id: str
    name: str
    status: str
    run_created_at: Instant
    archived_at: Instant | None
    """Null: only its files are archived, the run itself is not."""
    expires_at: Instant | None
    bundle: ArchivedFile | None
    """Every row of the run: gzip, JSON lines (docs/retention.md)."""
    files: ArchivedFile | None
    """ZIP of what the run made and of the texts that it cites."""
    links: dict[str, str] = Field(alias="_links")


class ArchivedRun(View):
    """An archived run in a list."""

    run_id: str
    name: str
    status: str
    run_created_at: Instant
    archived_at: Instant | None
    expires_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


class ArchivePage(Listing):
    """A page of archived runs, newest first."""

    archives: list[ArchivedRun]


class CreateErasure(Ask):
    """Whose data shall be erased."""

    user_id: UserId


Progress = Literal["processing", "completed", "failed"]


class ErasureView(View):
    """A person's erasure."""

    id: str
    user_id: str
    status: Progress
    erased: dict[str, int]
    """Kind -> number."""
    error: dict[str, Any] | None
    created_at: Instant
    completed_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


class ErasurePage(Listing):
    """A page of erasures, newest first."""

    erasures: list[ErasureView]


class CreateDataExport(Ask):
    """Whose data shall be exported; null, or not there: the whole organisation's."""

    user_id: UserId | None = None


class DataExportView(View):
    """A copy of data to take away."""

    id: str
    user_id: str | None
    status: Progress
    file: ArchivedFile | None
    """A ZIP, once it is there and until `expires_at`."""
    error: dict[str, Any] | None
    created_at: Instant
    completed_at: Instant | None
    expires_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


def retention_view(kept: Kept) -> RetentionView:
    """Show a policy."""
    return RetentionView(**vars(kept), ledger_days_min=LEDGER_KEPT_DAYS_MIN)


def archived_file(ref: ObjectRef, url: str) -> ArchivedFile:
    """Show a part of an archive."""
    return ArchivedFile(sha256=ref.sha256, size_bytes=ref.size_bytes, s3_url=url)


def archived_run(archive: RunArchive) -> ArchivedRun:
    """Show an archived run in a list."""
    base = f"/api/v1/runs/{archive.run_id}"
    names = ("run_id", "name", "status", "run_created_at", "archived_at", "expires_at")
    return ArchivedRun(
        **{name: getattr(archive, name) for name in names}, links={"run": base, "archive": f"{base}/archive"}
    )


def archive_view(archive: RunArchive, bundle: ArchivedFile | None, files: ArchivedFile | None) -> ArchiveView:
    """Show where a run's archive is."""
    base = f"/api/v1/runs/{archive.run_id}"
    names = ("run_id", "name", "status", "run_created_at", "archived_at", "expires_at")
    return ArchiveView(
        **{name: getattr(archive, name) for name in names},
        bundle=bundle,
        files=files,
        links={"self": f"{base}/archive", "run": base},
    )


def erasure_view(erasure: Erasure) -> ErasureView:
    """Show an erasure."""
    names = ("id", "user_id", "status", "erased", "error", "created_at", "completed_at")
    return ErasureView(
        **{name: getattr(erasure, name) for name in names}, links={"self": f"/api/v1/erasures/{erasure.id}"}
    )


def data_export_view(export: DataExport, file: ArchivedFile | None) -> DataExportView:
    """Show an export."""
    names = ("id", "user_id", "status", "error", "created_at", "completed_at", "expires_at")
    return DataExportView(
        **{name: getattr(export, name) for name in names},
        file=file,
        links={"self": f"/api/v1/data-exports/{export.id}"},
    )
