"""Commands: start, pause, resume, cancel, retry, finish (specification, 2.2, field for field)."""

from typing import Annotated

from fastapi import APIRouter, Body
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import RunsWriter, SecuredRoute
from api.commands import Order, give, named, open_attempt, retried
from api.deps import RunId
from api.idempotency import Idempotent, Outcome
from api.services import Api
from api.views import runs as views
from api.views.base import Empty
from infra.orchestrator import Attempt
from schema.contracts.run import (
    CancelRunInput,
    CancelRunResult,
    FinishRunInput,
    FinishRunResult,
    PauseRunInput,
    PauseRunResult,
    ResumeRunInput,
    ResumeRunResult,
    RunWorkflow,
)
from schema.money import ucr_to_credits
from schema.states import RunCommand, RunStatus, StatusDetail
from schema.store import runs
from schema.tables.billing import CreditHold
from schema.tables.runs import Run

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=SecuredRoute)

Nothing = Annotated[Empty, Body(description="`{}`, or no body.")]
NO_BODY = Empty()
RESUME = views.ResumeRun()
CANCEL = views.CancelRun()
_ACCEPTED = {202: {"description": "Accepted and on its way; `status_detail` says what the run waits for."}}


@router.post("/start", response_model=views.StartedRun)
async def start_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, api: Api, _body: Nothing = NO_BODY
) -> Response:
    """Start a run: hold its quote, and have its workflow started."""

    def show(attempt: Attempt) -> Outcome:
        run = attempt.run
        return Outcome(
            200,
            views.StartedRun(
                id=run.id,
                status=RunStatus(run.status),
                status_detail=_detail(run),
                started_at=run.started_at,
                agent_count=run.agent_count,
                tokens_used=run.tokens_used,
                credits_reserved=ucr_to_credits(attempt.hold.amount_ucr),
            ),
        )

    return await open_attempt(api, caller, asked, RunCommand.START, named(caller, run_id), show)


@router.post("/retry", response_model=views.RetriedRun)
async def retry_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, api: Api, _body: Nothing = NO_BODY
) -> Response:
    """Try a failed run again: a new attempt with a new hold; agents that finished are not run again."""

    return await open_attempt(api, caller, asked, RunCommand.RETRY, named(caller, run_id), retried)


@router.post("/pause", response_model=views.PausedRun, responses={202: {**_ACCEPTED[202], "model": views.PausedRun}})
async def pause_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, api: Api, _body: Nothing = NO_BODY
) -> Response:
    """Pause a run between steps; answers when every agent is parked, or 202 while some still finish a step."""

    def show(run: Run, _hold: CreditHold | None, result: PauseRunResult | None) -> Outcome:
        status = result.status if result else RunStatus(run.status)
        paused = views.PausedRun(
            id=run.id,
            status=status,
            status_detail=_detail(run, status),
            paused_at=run.paused_at,
            agents_paused=result.agents_paused if result else 0,
        )
        return Outcome(200 if status is RunStatus.PAUSED else 202, paused)

    order = Order(RunCommand.PAUSE, RunWorkflow.pause, lambda _: PauseRunInput(), PauseRunResult, None, show)
    return await give(api, caller, asked, run_id, order)


@router.post("/resume", response_model=views.ResumedRun, responses={202: {**_ACCEPTED[202], "model": views.ResumedRun}})
async def resume_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, api: Api, body: views.ResumeRun = RESUME
) -> Response:
    """Resume a paused run; with `add_credits`, raise what it may spend first."""

    async def raise_hold(session: AsyncSession) -> None:
        if body.added_ucr:
            await runs.raise_hold(
                session,
                caller.org_id,
                run_id,
                added_ucr=body.added_ucr,
                idempotency_key=f"{asked.route} {asked.key}",
                actor=caller.actor,
            )

    def show(run: Run, _hold: CreditHold | None, result: ResumeRunResult | None) -> Outcome:
        status = result.status if result else RunStatus(run.status)
        resumed = views.ResumedRun(
            id=run.id, status=status, status_detail=_detail(run, status), resumed_at=run.resumed_at
        )
        return Outcome(202 if result is None else 200, resumed)

    order = Order(
        RunCommand.RESUME,
        RunWorkflow.resume,
        lambda hold: ResumeRunInput(added_ucr=body.added_ucr, hold_ucr=hold.amount_ucr if hold is not None else 0),
        ResumeRunResult,
        None,
        show,
        before=raise_hold,
    )
    return await give(api, caller, asked, run_id, order)


@router.post(
    "/cancel", response_model=views.CancelledRun, responses={202: {**_ACCEPTED[202], "model": views.CancelledRun}}
)
async def cancel_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, api: Api, body: views.CancelRun = CANCEL
) -> Response:
    """Cancel a run: stop its agents and tools, charge what was used, release the rest."""

    async def cancel_created(session: AsyncSession, run: Run) -> Outcome | None:
        if run.status != RunStatus.CREATED:
            return None
        return show(await runs.cancel_created(session, caller.org_id, run_id, caller.actor), None, None)

    def show(run: Run, hold: CreditHold | None, result: CancelRunResult | None) -> Outcome:
        status = result.status if result else RunStatus(run.status)
        cancelled = views.CancelledRun(
            id=run.id,
            status=status,
            status_detail=_detail(run, status),
            cancelled_at=run.completed_at if status is RunStatus.CANCELLED else None,
            credits_refunded=ucr_to_credits(hold.released_ucr if hold else 0),
            credits_charged=ucr_to_credits(hold.captured_ucr if hold else 0),
        )
        return Outcome(200 if status is RunStatus.CANCELLED else 202, cancelled)

    given = CancelRunInput() if body.reason is None else CancelRunInput(reason=body.reason)
    order = Order(
        RunCommand.CANCEL,
        RunWorkflow.cancel,
        lambda _: given,
        CancelRunResult,
        RunStatus.CANCELLED,
        show,
        instead=cancel_created,
    )
    return await give(api, caller, asked, run_id, order)


@router.post(
    "/finish", response_model=views.FinishingRun, responses={202: {**_ACCEPTED[202], "model": views.FinishingRun}}
)
async def finish_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, api: Api, _body: Nothing = NO_BODY
) -> Response:
    """Finish a run with what it has: its agents stop at their next step, and the report is written."""

    def show(run: Run, _hold: CreditHold | None, result: FinishRunResult | None) -> Outcome:
        status = result.status if result else RunStatus(run.status)
        finishing = views.FinishingRun(id=run.id, status=status, status_detail=_detail(run, status))
        return Outcome(200 if status is RunStatus.COMPLETED else 202, finishing)

    order = Order(
        RunCommand.FINISH, RunWorkflow.finish, lambda _: FinishRunInput(), FinishRunResult, RunStatus.COMPLETED, show
    )
    return await give(api, caller, asked, run_id, order)


def _detail(run: Run, status: RunStatus | None = None) -> StatusDetail | None:
    """Return the row's detail, unless the row stands elsewhere than the answer by now."""
    if run.status_detail is None or (status is not None and run.status != status):
        return None
    return StatusDetail(run.status_detail)
