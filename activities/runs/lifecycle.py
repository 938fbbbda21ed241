"""Projections and settlement of runs: one activity attempt is one transaction."""

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from infra.database import Database
from infra.live import Live
from infra.orchestrator import Orchestrator
from schema.contracts.run import BeginRunInput, SettleRunInput, SettleRunResult, TransitionRunInput, TransitionRunResult
from schema.states import RunStatus
from schema.store import billing, exports, runs
from schema.store.audit import workflow_actor
from schema.store.runs import Ending, Projection


class RunActivities:
    """What the Run workflow writes of itself."""

    def __init__(self, db: Database, live: Live, orchestrator: Orchestrator) -> None:
        self._db = db
        self._live = live
        self._orchestrator = orchestrator

    @activity.defn(name="run.begin")
    async def begin(self, input: BeginRunInput) -> None:
        """Assert the attempt's hold and project its first status.

        Idempotency key: the hold's `RUN:ATTEMPT:hold`, and the projection's (attempt, seq).

        Raises:
            InsufficientCredits: there is no hold, and the available credits do not cover one.
        """
        async with self._db.transaction(input.org_id) as session:
            run = await runs.lock_run(session, input.org_id, input.run_id)
            await billing.place_hold(
                session,
                input.org_id,
                run_id=input.run_id,
                attempt=input.attempt,
                amount_ucr=input.hold_ucr,
                user_id=run.user_id,
            )
            await _project(session, input)
        await self._live.publish(input.run_id)

    @activity.defn(name="run.transition")
    async def transition(self, input: TransitionRunInput) -> TransitionRunResult:
        """Project a status; a repeat or a late one changes nothing."""
        hold = None
        async with self._db.transaction(input.org_id) as session:
            await _project(session, input)
            if input.status is RunStatus.RESUMING:
                hold = await billing.hold_of(session, input.org_id, input.run_id, input.attempt)
        await self._live.publish(input.run_id)
        return TransitionRunResult(hold_ucr=hold.amount_ucr if hold is not None else 0)

    @activity.defn(name="run.settle")
    async def settle(self, input: SettleRunInput) -> SettleRunResult:
        """Capture, release and close in one transaction; a repeat returns what the first one moved.

        A completed run's deliverables are asked for in the same transaction; what cannot be started now, the
        reconciler starts.
        """
        error = {"code": input.error_code, "detail": input.error_detail} if input.error_code else None
        ending = Ending(input.attempt, input.seq, input.status, input.message, error)
        async with self._db.transaction(input.org_id) as session:
            actor = workflow_actor(input.run_id)
            moved = await runs.close(session, input.org_id, input.run_id, ending, actor=actor)
            run = await runs.get_run(session, input.org_id, input.run_id)
            status = RunStatus(run.status) if run.attempt == input.attempt else input.status
            asked = await exports.create_deliverables(session, input.org_id, input.run_id, actor=actor)
            organisation = await runs.get_organisation(session, input.org_id)
        await self._live.publish(input.run_id)
        for export in asked:
            await self._orchestrator.try_export(exports.order_of(export), organisation)
        return SettleRunResult(status=status, charged_ucr=moved.charged_ucr, released_ucr=moved.released_ucr)


async def _project(session: AsyncSession, input: TransitionRunInput) -> None:
    projection = Projection(input.attempt, input.seq, input.status, input.status_detail, input.message, input.tries)
    await runs.project(
        session,
        input.org_id,
        input.run_id,
        projection,
        actor=workflow_actor(input.run_id),
        agents_paused=input.agents_paused,
    )
