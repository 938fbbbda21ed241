"""A run that is only in the archive, shown as it was."""

import asyncio

from api.views import runs as views
from infra.archive import Bundle, read_bundle
from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.errors import NotFound
from schema.states import AgentStatus
from schema.store.forms import TABLE, Progress
from schema.tables.billing import CreditHold
from schema.tables.forms import RunForm
from schema.tables.retention import RunArchive
from schema.tables.runs import Run

_LOST = (AgentStatus.FAILED.value, AgentStatus.CANCELLED.value)


async def from_archive(objects: ObjectStore, archive: RunArchive) -> views.RunView:
    """Read a run's bundle and show what `GET /runs/{id}` showed, with `archived_at` and without links to files.

    Raises:
        NotFound: the run is not in the archive.
        InvariantViolated: the bundle is not the one that was stored.
    """
    if archive.bundle is None or archive.archived_at is None:
        raise NotFound(f"There is no run {archive.run_id}.")
    data = await objects.get(ObjectRef.model_validate(archive.bundle))
    bundle = await asyncio.to_thread(read_bundle, data)
    # A column that is gone since is passed over, one that came since has its default.
    run = Run.model_validate(bundle.rows["runs"][0])
    holds = [CreditHold.model_validate(row) for row in bundle.rows.get("credit_holds", ())]
    hold = next((item for item in holds if item.attempt == run.attempt), None)
    forms = bundle.rows.get("run_forms", ())
    form = RunForm.model_validate(forms[0]) if forms else None
    shown = views.full(run, hold, [], form, _progress(bundle) if form is not None and form.kind == TABLE else None)
    links = {"self": f"/api/v1/runs/{run.id}", "archive": f"/api/v1/runs/{run.id}/archive"}
    return shown.model_copy(update={"archived_at": archive.archived_at, "links": links})


def _progress(bundle: Bundle) -> Progress:
    statuses = {row["number"]: row["status"] for row in bundle.rows.get("agents", ())}
    rows = bundle.rows.get("table_rows", [])
    of_rows = [statuses.get(row["number"]) for row in rows]
    return Progress(
        rows=len(rows),
        completed=of_rows.count(AgentStatus.COMPLETED.value),
        failed=sum(of_rows.count(status) for status in _LOST),
        cells_filled=sum(row["filled"] for row in rows),
    )
