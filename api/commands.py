"""Commands for a run, given once per Idempotency-Key: an Update of its workflow, or the opening of an attempt.

A run that is under way takes an Update (`give`). The key is bound to the request in a short transaction, the Update
carries an id that is made of the key, and the answer is stored in another short transaction. No connection is held
while the workflow acts; a crash in between costs a repetition, which meets the same Update.

A start or a retry (`open_attempt`) needs no workflow yet: hold, status, key and answer are one transaction.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import Caller
from api.idempotency import Outcome, effect_id, fresh, once, replay
from api.services import Services
from api.views import runs as views
from infra.orchestrator import Attempt, NoExecution
from schema.contracts.common import Contract
from schema.errors import IllegalTransition, InvariantViolated, OrchestratorUnavailable, RateLimited
from schema.policies import ADMISSION_RETRY_AFTER, RECONCILE_EVERY
from schema.states import TERMINAL, RunCommand, RunStatus
from schema.store import billing, idempotency, organisations, runs
from schema.store.idempotency import Asked
from schema.tables.billing import CreditHold
from schema.tables.runs import Run

ResultT = TypeVar("ResultT")
FindRun = Callable[[AsyncSession], Awaitable[Run]]


@dataclass(frozen=True)
class Order(Generic[ResultT]):
    """A command, the Update that carries it, and how its answer is shown."""

    command: RunCommand
    update: Any
    """Method of `RunWorkflow`."""
    input: Callable[[CreditHold | None], Contract]
    """Makes its input from the attempt's hold, as it stands once the key is bound."""
    result_type: type[ResultT]
    goal: RunStatus | None
    """The status that the command leads to for good; a repetition that finds it there needs no workflow any more."""
    show: Callable[[Run, CreditHold | None, ResultT | None], Outcome]
    before: Callable[[AsyncSession], Awaitable[object]] | None = None
    """Work of PostgreSQL that precedes the Update, in the transaction that binds the key."""
    instead: Callable[[AsyncSession, Run], Awaitable[Outcome | None]] | None = None
    """Work that PostgreSQL does alone where there is no workflow yet; None where there is one."""


async def give(api: Services, caller: Caller, asked: Asked, run_id: str, order: Order[ResultT]) -> Response:
    """Give the order once, and answer with where the run stands.

    Raises:
        NotFound: the organisation has no such run.
        IllegalTransition: the run's status, or its workflow, does not allow the command.
        OrchestratorUnavailable: Temporal or a worker did not answer; the same key goes on with the same Update.
    """
    async with api.database.transaction(caller.org_id) as session:
        run = await runs.get_run(session, caller.org_id, run_id)
        claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        if claim.first:
            runs.require(order.command, run)
            if order.instead is not None and (outcome := await order.instead(session, run)) is not None:
                await idempotency.store(session, caller.org_id, asked, outcome.stored())
                return fresh(outcome.sent())
            if order.before is not None:
                await order.before(session)
        input = order.input(await billing.hold_of(session, caller.org_id, run_id, run.attempt))
    result = await _send(api, run, order, input, effect_id(caller.org_id, asked, claim.claimed_at))
    return await _answer(api, caller, asked, run_id, order, result)


async def _send(api: Services, run: Run, order: Order[ResultT], input: Contract, update_id: str) -> ResultT | None:
    async def command() -> ResultT | None:
        return await api.orchestrator.command(run.id, order.update, input, order.result_type, update_id=update_id)

    try:
        return await command()
    except NoExecution:
        run, attempt = await _present(api, run)
    if run.status == order.goal:
        return None
    if attempt is None:
        raise IllegalTransition(
            f"A run that is {run.status} cannot be given the command '{order.command}'.",
            status=run.status,
            command=order.command,
        )
    if await api.orchestrator.has_attempt(run):
        raise OrchestratorUnavailable(
            "The run's workflow has closed and its row has not caught up; the reconciler settles it within a minute.",
            retry_after_s=RECONCILE_EVERY.total_seconds(),
        )
    # Committed as started, and the start itself was lost: do here what the reconciler would do within a minute.
    try:
        await api.orchestrator.start_attempt(attempt)
        return await command()
    except NoExecution as error:
        raise OrchestratorUnavailable("The run's workflow cannot be found yet.", retry_after_s=5) from error


async def _present(api: Services, run: Run) -> tuple[Run, Attempt | None]:
    """Read the run anew, with what starting it needs; no attempt where it has ended."""
    async with api.database.transaction(run.org_id) as session:
        run = await runs.get_run(session, run.org_id, run.id)
        hold = await billing.hold_of(session, run.org_id, run.id, run.attempt)
        organisation = await organisations.get_organisation(session, run.org_id)
    live = RunStatus(run.status) not in TERMINAL and hold is not None
    return run, Attempt(run, hold, organisation) if live and hold is not None else None


async def _answer(
    api: Services, caller: Caller, asked: Asked, run_id: str, order: Order[ResultT], result: ResultT | None
) -> Response:
    async with api.database.transaction(caller.org_id) as session:
        run = await runs.get_run(session, caller.org_id, run_id)
        hold = await billing.hold_of(session, caller.org_id, run_id, run.attempt)
        outcome = order.show(run, hold, result)
        if result is None and outcome.status_code == 202:
            # Not through yet: a repetition waits for the same Update again, and may bring its end.
            return fresh(outcome.sent())
        return fresh(await idempotency.store(session, caller.org_id, asked, outcome.stored()))


def named(caller: Caller, run_id: str) -> FindRun:
    """Return what finds the run of this id among the caller's."""

    async def find(session: AsyncSession) -> Run:
        return await runs.get_run(session, caller.org_id, run_id)

    return find


async def open_attempt(
    api: Services,
    caller: Caller,
    asked: Asked,
    command: RunCommand,
    find: FindRun,
    show: Callable[[Attempt], Outcome],
) -> Response:
    """Start or retry a run: hold and status in one transaction with the key, the workflow after its commit.

    Args:
        find: finds the run, in the same transaction.

    Raises:
        IllegalTransition: the run's status does not allow the command.
        InsufficientCredits: nothing was held.
        OrchestratorUnavailable: Temporal did not answer, and nothing was held.
        RateLimited: the organisation has as many live runs as it may have, or accepted work waits too long already.
    """
    opened: list[Attempt] = []

    async def work(session: AsyncSession) -> Outcome:
        run = await find(session)
        runs.require(command, run)
        await api.orchestrator.require_ready()
        await api.admission.require_capacity()
        organisation = await organisations.get_organisation(session, caller.org_id, for_admission=True)
        live = await runs.live_count(session, caller.org_id)
        if live >= organisation.runs_live_max:
            raise RateLimited(
                f"The organisation has {live} live runs, as many as it may have; nothing was held. Wait for one to "
                "end.",
                retry_after_s=ADMISSION_RETRY_AFTER.total_seconds(),
                limit=organisation.runs_live_max,
            )
        open_run = runs.start_run if command is RunCommand.START else runs.retry_run
        run = await open_run(session, caller.org_id, run.id, caller.actor)
        hold = await billing.hold_of(session, caller.org_id, run.id, run.attempt)
        if hold is None:
            raise InvariantViolated(f"run {run.id} was started without a hold")
        opened.append(Attempt(run, hold, organisation))
        return show(opened[0])

    answer, _ = await once(api.database, caller.org_id, asked, work)
    for attempt in opened:
        # From here the hold stands. Where the start is lost (Temporal went away just now, or this process dies), the
        # answer is still `pending`: the reconciler starts within a minute what has no workflow.
        await api.orchestrator.try_start_attempt(attempt)
    return answer


def retried(attempt: Attempt) -> Outcome:
    """Show a retry."""
    return Outcome(200, views.retried(attempt.run, attempt.hold))
