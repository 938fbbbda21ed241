"""Temporal, as the API and the reconciler use it: start an attempt of a run, hand it a command, start an ingestion.

The only place that knows the exceptions of the SDK's client. Every call is bounded, and may be repeated: a workflow is
found by its id, a command by the id of its Update.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from infra.settings import Settings
from infra.temporal import temporal_ready
from schema.contracts.agent import AgentWorkflow, ApprovalDecided
from schema.contracts.common import Contract
from schema.contracts.documents import IngestDocumentInput, IngestDocumentResult, IngestDocumentWorkflow
from schema.contracts.exports import ExportRunInput, ExportRunWorkflow
from schema.contracts.files import AskFileInput, AskFileWorkflow, IngestFileInput, IngestFileResult, IngestFileWorkflow
from schema.contracts.retention import EraseInput, ExportDataInput
from schema.contracts.run import ExecuteRunInput, RunWorkflow
from schema.errors import Conflict, IllegalTransition, OrchestratorUnavailable, RateLimited, SwissbrainError, all_errors
from schema.ids import agent_workflow_id
from schema.policies import PRIORITY_INGEST, PRIORITY_RUN, PRIORITY_SCHEDULED, UPDATE_ANSWER_WITHIN, TaskQueue
from schema.tables.billing import CreditHold
from schema.tables.organisations import Organisation
from schema.tables.runs import Run

log = structlog.get_logger(__name__)

ORG_ID = SearchAttributeKey.for_keyword("OrgId")
RUN_STATUS = SearchAttributeKey.for_keyword("RunStatus")
ATTEMPT = SearchAttributeKey.for_int("Attempt")

RPC_TIMEOUT = timedelta(seconds=5)
ACCEPT_WITHIN = timedelta(seconds=5)
"""How long a worker may take to accept a command; longer means that none is there."""
CLOSES_WITHIN = timedelta(seconds=5)
"""How long a start of attempt n+1 waits for the execution of attempt n to close behind its settled row."""
CLOSES_POLL_S = 0.1
RETRY_AFTER_S = 5.0
RESULT_GRACE = timedelta(seconds=2)
"""The workflow bounds its handlers by the same time and then says where the run stands: leave it time to say so."""

_ENDED_WITH_RUN = "AcceptedUpdateCompletedWorkflow"
"""Failure type of an Update that was accepted and whose workflow closed before its handler returned."""
_CODES: dict[str, type[SwissbrainError]] = {kind.code: kind for kind in all_errors()}

ResultT = TypeVar("ResultT")


class NoExecution(Exception):
    """There is no open execution of this workflow id; whether there ever was one, the database knows."""


@dataclass(frozen=True)
class Attempt:
    """What starting one attempt of a run needs."""

    run: Run
    hold: CreditHold
    organisation: Organisation


@dataclass(frozen=True)
class Execution:
    """The latest execution of a workflow id."""

    status: WorkflowExecutionStatus
    attempt: int | None
    """The run's attempt that it executes; None for workflows that are not runs."""


class Orchestrator:
    """The only way to Temporal outside of workflows."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._runs_queue = settings.task_queue(TaskQueue.RUNS)

    async def require_ready(self) -> None:
        """Make sure that Temporal answers before anything is held.

        Raises:
            OrchestratorUnavailable: it does not.
        """
        try:
            await temporal_ready(self._client, timeout=RPC_TIMEOUT)
        except OrchestratorUnavailable as error:
            raise OrchestratorUnavailable(
                "Temporal does not answer; nothing was held. Repeat with the same Idempotency-Key.",
                retry_after_s=RETRY_AFTER_S,
            ) from error

    async def start_attempt(self, attempt: Attempt) -> None:
        """Start the workflow of an attempt that is pending or retrying; harmless when it runs already.

        Raises:
            OrchestratorUnavailable: it could not be started now; the reconciler will.
        """
        run = attempt.run
        async with _translated():
            if run.attempt > 1 and not await self._earlier_attempt_closed(run):
                return
            await self._client.start_workflow(
                RunWorkflow.run,
                _input(attempt),
                id=run.id,
                task_queue=self._runs_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                priority=_priority(attempt.organisation),
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(ORG_ID, run.org_id),
                        SearchAttributePair(RUN_STATUS, run.status),
                        SearchAttributePair(ATTEMPT, run.attempt),
                    ]
                ),
                # Encrypted by the codec, like every payload; shown by a Web UI that may decode.
                static_summary=run.name,
                rpc_timeout=RPC_TIMEOUT,
            )

    async def try_start_attempt(self, attempt: Attempt) -> bool:
        """Start as `start_attempt` does, after a commit that promised it; tell whether it is started.

        A failure is not the caller's: hold and status are committed, and the reconciler starts within a minute what is
        pending without a workflow.
        """
        try:
            await self.start_attempt(attempt)
        except (SwissbrainError, NoExecution) as error:
            log.warning("run.start_deferred", run_id=attempt.run.id, attempt=attempt.run.attempt, error=str(error))
            return False
        return True

    async def has_attempt(self, run: Run) -> bool:
        """Tell whether Temporal has, or had, an execution of the run's present attempt."""
        try:
            async with _translated():
                found = await self._client.get_workflow_handle(run.id).describe(rpc_timeout=RPC_TIMEOUT)
        except NoExecution:
            return False
        return _attempt_of(found) in (None, run.attempt)

    async def execution(self, workflow_id: str) -> Execution | None:
        """Return the latest execution of a workflow id; None when Temporal knows none."""
        try:
            async with _translated():
                found = await self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except NoExecution:
            return None
        return Execution(found.status or WorkflowExecutionStatus.RUNNING, _attempt_of(found))

    async def signal_cancel(self, run_id: str) -> bool:
        """Tell an open run to cancel, as an operator would; False when no execution is open."""
        try:
            async with _translated():
                await self._client.get_workflow_handle(run_id).signal("cancel", rpc_timeout=RPC_TIMEOUT)
        except NoExecution:
            return False
        return True

    async def tell_decided(self, run_id: str, agent_number: int, approval_id: str) -> bool:
        """Tell an agent that its approval was decided, any number of times; False when it is not there any more."""
        handle = self._client.get_workflow_handle_for(AgentWorkflow.run, agent_workflow_id(run_id, agent_number))
        try:
            async with _translated():
                decided = ApprovalDecided(approval_id=approval_id)
                await handle.signal(AgentWorkflow.approval_decided, decided, rpc_timeout=RPC_TIMEOUT)
        except NoExecution:
            return False
        return True

    async def try_tell_decided(self, run_id: str, agent_number: int, approval_id: str) -> None:
        """Tell as `tell_decided` does, after the commit of the decision; what is lost, the reconciler tells again."""
        try:
            await self.tell_decided(run_id, agent_number, approval_id)
        except SwissbrainError as error:
            log.warning("approval.telling_deferred", approval_id=approval_id, error=str(error))

    async def command(
        self, run_id: str, update: Any, input: Contract, result_type: type[ResultT], *, update_id: str
    ) -> ResultT | None:
        """Hand a command to the run's workflow as an Update and wait for its answer, for a bounded time.

        Args:
            update: the method of `RunWorkflow`.
            update_id: deduplicates: the same id is the same command, and gets the same answer.

        Returns:
            The answer; None when the command was accepted and is not through yet, or the run ended over it.

        Raises:
            IllegalTransition: the workflow refuses the command in its present state.
            NoExecution: no execution is open.
            OrchestratorUnavailable: Temporal does not answer, or no worker took the command in time.
        """
        async with _translated():
            handle: WorkflowUpdateHandle[ResultT] = await self._client.get_workflow_handle(run_id).start_update(
                update,
                input,
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                id=update_id,
                rpc_timeout=ACCEPT_WITHIN,
            )
            return await _result_within(handle, UPDATE_ANSWER_WITHIN + RESULT_GRACE)

    async def ingest(self, input: IngestDocumentInput, organisation: Organisation) -> None:
        """Start the ingestion of one document; harmless when it runs already.

        One that ran already runs again, and leaves the same rows: a document may be read anew after it failed.
        """
        await self._start(IngestDocumentWorkflow.run, input, input.document_id, organisation, priority=PRIORITY_INGEST)

    async def _start(
        self,
        workflow: Any,
        input: IngestDocumentInput | IngestFileInput | AskFileInput | ExportRunInput,
        workflow_id: str,
        organisation: Organisation,
        *,
        priority: int = PRIORITY_RUN,
        summary: str | None = None,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    ) -> None:
        """Start what an organisation asked for, unless it runs already."""
        async with _translated():
            await self._client.start_workflow(
                workflow,
                input,
                id=workflow_id,
                task_queue=self._runs_queue,
                id_reuse_policy=reuse,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                priority=_priority(organisation, priority),
                search_attributes=TypedSearchAttributes([SearchAttributePair(ORG_ID, input.org_id)]),
                static_summary=summary,
                rpc_timeout=RPC_TIMEOUT,
            )

    async def ingested(self, document_id: str, within: timedelta) -> IngestDocumentResult | None:
        """Wait for an ingestion's end; None when it takes longer than `within`, or nobody can say."""
        handle = self._client.get_workflow_handle_for(IngestDocumentWorkflow.run, document_id)
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await handle.result()
        except (TimeoutError, RPCError, RPCTimeoutOrCancelledError, WorkflowFailureError, RuntimeError):
            return None

    async def ingest_file(self, input: IngestFileInput, organisation: Organisation) -> None:
        """Start the reading of one file; harmless when it runs already.

        Raises:
            OrchestratorUnavailable: it could not be started now; the reconciler will.
        """
        await self._start(
            IngestFileWorkflow.run,
            input,
            input.file_id,
            organisation,
            priority=PRIORITY_INGEST,
            summary=input.name[:200],
        )

    async def file_ingested(self, file_id: str, within: timedelta) -> IngestFileResult | None:
        """Wait for the end of a file's reading; None when it takes longer than `within`, or nobody can say."""
        handle = self._client.get_workflow_handle_for(IngestFileWorkflow.run, file_id)
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await handle.result()
        except (TimeoutError, RPCError, RPCTimeoutOrCancelledError, WorkflowFailureError, RuntimeError):
            return None

    async def ask_file(self, input: AskFileInput, organisation: Organisation) -> None:
        """Start the answering of a question about a file; harmless when it runs already, or is answered.

        Raises:
            OrchestratorUnavailable: it could not be started now.
        """
        await self._start(
            AskFileWorkflow.run,
            input,
            input.question_id,
            organisation,
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )

    async def file_asked(self, question_id: str, within: timedelta) -> None:
        """Wait for a question's answer, which its row then has, for a bounded time."""
        handle = self._client.get_workflow_handle_for(AskFileWorkflow.run, question_id)
        with suppress(TimeoutError, RPCError, RPCTimeoutOrCancelledError, WorkflowFailureError, RuntimeError):
            async with asyncio.timeout(within.total_seconds()):
                await handle.result()

    async def export(self, input: ExportRunInput, organisation: Organisation) -> None:
        """Start the export of a run; harmless when it runs already.

        Raises:
            OrchestratorUnavailable: it could not be started now; the reconciler will.
        """
        await self._start(
            ExportRunWorkflow.run,
            input,
            input.export_id,
            organisation,
            summary=f"{input.run_id} as {input.format.value}",
        )

    async def try_export(self, input: ExportRunInput, organisation: Organisation) -> None:
        """Start as `export` does, after a commit that promised it; what fails now, the reconciler starts."""
        try:
            await self.export(input, organisation)
        except (SwissbrainError, NoExecution) as error:
            log.warning("export.start_deferred", export_id=input.export_id, error=str(error))

    async def try_cancel(self, workflow_id: str) -> None:
        """Ask a workflow that may be there to end, after a commit that made its work worth nothing."""
        try:
            async with _translated():
                await self._client.get_workflow_handle(workflow_id).cancel(rpc_timeout=RPC_TIMEOUT)
        except (SwissbrainError, NoExecution) as error:
            log.info("nothing to cancel", cancelled_id=workflow_id, error=str(error))

    async def start_request(self, input: EraseInput | ExportDataInput) -> bool:
        """Start an erasure or an export; False when it runs already, or has ended well.

        Raises:
            OrchestratorUnavailable: it could not be started now; the sweep of retention will.
        """
        name, workflow_id = (
            ("Erase", input.erasure_id) if isinstance(input, EraseInput) else ("ExportData", input.export_id)
        )
        try:
            async with _translated():
                await self._client.start_workflow(
                    name,
                    input,
                    id=workflow_id,
                    task_queue=self._runs_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    priority=Priority(priority_key=PRIORITY_SCHEDULED, fairness_key=input.org_id),
                    search_attributes=TypedSearchAttributes([SearchAttributePair(ORG_ID, input.org_id)]),
                    rpc_timeout=RPC_TIMEOUT,
                )
        except Conflict:
            return False
        return True

    async def forget(self, org_id: str, workflow_id: str) -> int:
        """Delete the histories of a closed workflow and its children (`ID/...`); returns how many.

        What is open stays. Temporal deletes behind the answer, and the list is seconds behind: a repeat may count one
        again.
        """
        query = f'OrgId = "{org_id}" AND WorkflowId STARTS_WITH "{workflow_id}" AND ExecutionStatus != "Running"'
        deleted = 0
        async with _translated():
            async for found in self._client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
                if found.id != workflow_id and not found.id.startswith(f"{workflow_id}/"):
                    continue
                request = DeleteWorkflowExecutionRequest(
                    namespace=self._client.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=found.id, run_id=found.run_id),
                )
                try:
                    await self._client.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)
                except RPCError as error:
                    if error.status is not RPCStatusCode.NOT_FOUND:
                        raise
                else:
                    deleted += 1
        return deleted

    async def _earlier_attempt_closed(self, run: Run) -> bool:
        """Wait for the execution of the attempt before to close; False when this attempt's own is there already."""
        handle = self._client.get_workflow_handle(run.id)
        deadline = asyncio.get_running_loop().time() + CLOSES_WITHIN.total_seconds()
        while True:
            try:
                found = await handle.describe(rpc_timeout=RPC_TIMEOUT)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return True  # Temporal has forgotten it: a run may be retried long after its retention.
                raise
            if found.status is not WorkflowExecutionStatus.RUNNING:
                return True
            if _attempt_of(found) == run.attempt:
                return False
            if asyncio.get_running_loop().time() > deadline:
                raise OrchestratorUnavailable("The attempt before has not closed yet.", retry_after_s=RETRY_AFTER_S)
            await asyncio.sleep(CLOSES_POLL_S)


def _input(attempt: Attempt) -> ExecuteRunInput:
    run = attempt.run
    return ExecuteRunInput(
        org_id=run.org_id,
        run_id=run.id,
        attempt=run.attempt,
        hold_ucr=attempt.hold.amount_ucr,
        tokens_max=run.max_tokens,
        tries_max=run.max_tries,
        paused_max_s=float(attempt.organisation.paused_max_s),
        retried=run.attempt > 1,
    )


def _priority(organisation: Organisation, key: int = PRIORITY_RUN) -> Priority:
    """Ask for what a user waits for first, and share the workers between organisations by their weight.

    Children and activities inherit it from their workflow, over continue-as-new too.
    """
    return Priority(priority_key=key, fairness_key=organisation.id, fairness_weight=float(organisation.fairness_weight))


def _attempt_of(found: WorkflowExecutionDescription) -> int | None:
    attempt = found.typed_search_attributes.get(ATTEMPT)
    return int(attempt) if attempt is not None else None


async def _result_within(handle: WorkflowUpdateHandle[ResultT], within: timedelta) -> ResultT | None:
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await handle.result()
    except (TimeoutError, RPCTimeoutOrCancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None  # The SDK hides a cancel of our own; it must go on.
        return None
    except WorkflowUpdateFailedError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.type == _ENDED_WITH_RUN:
            return None
        raise


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Turn the SDK's exceptions into ours (`research/temporal.md`, 2.3); never by their text."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except WorkflowAlreadyStartedError as error:
        raise Conflict("The run's workflow exists already and cannot be started again.") from error
    except RPCTimeoutOrCancelledError as error:
        raise _unavailable("No worker took the command in time.") from error
    except RPCError as error:
        raise _from_status(error) from error
    except RuntimeError as error:  # A lazy client that cannot connect raises nothing more specific.
        raise _unavailable("Temporal does not answer.") from error


def _refusal(error: WorkflowUpdateFailedError) -> Exception:
    cause = error.cause
    kind = _CODES.get(cause.type or "") if isinstance(cause, ApplicationError) else None
    if kind is None:
        return error
    assert isinstance(cause, ApplicationError)
    return kind(cause.message, **_facts(cause))


def _facts(cause: ApplicationError) -> dict[str, Any]:
    first = cause.details[0] if cause.details else None
    facts = first if isinstance(first, dict) else {}
    return {str(name): value for name, value in facts.items() if name not in ("detail", "retry_after_s")}


def _from_status(error: RPCError) -> Exception:
    match error.status:
        case RPCStatusCode.NOT_FOUND:
            return NoExecution(error.message)
        case RPCStatusCode.FAILED_PRECONDITION:
            return IllegalTransition("The workflow does not take this command at present.")
        case RPCStatusCode.RESOURCE_EXHAUSTED:
            return RateLimited("Temporal asks for fewer requests.", retry_after_s=RETRY_AFTER_S)
        case RPCStatusCode.INVALID_ARGUMENT | RPCStatusCode.PERMISSION_DENIED | RPCStatusCode.UNAUTHENTICATED:
            return error  # Ours to mend; it must not look like an outage.
    return _unavailable("Temporal does not answer.")


def _unavailable(what: str) -> OrchestratorUnavailable:
    return OrchestratorUnavailable(f"{what} Repeat with the same Idempotency-Key.", retry_after_s=RETRY_AFTER_S)
