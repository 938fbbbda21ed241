"""Agents and lanes as the workflow above them sees them: started, given orders, cancelled. By workflow id throughout.

An id reaches the current execution of a chain; the handle of a child reaches only its first.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import AgentControl, AgentWorkflow, ExecuteAgentInput, ExecuteAgentResult
    from schema.contracts.tables import ExecuteLaneInput, ExecuteLaneResult, LaneWorkflow
    from schema.ids import agent_workflow_id, lane_workflow_id
    from schema.policies import AGENT_START_AGAIN_AFTER, AGENT_START_TRIES, TaskQueue

    from workflows._support import queue, wait_until

_AGENT_ATTRIBUTE = SearchAttributeKey.for_int("AgentNo")
_ORGANISATION_ATTRIBUTE = SearchAttributeKey.for_keyword("OrgId")

_Handle = TypeVar("_Handle")


async def start_agent(
    input: ExecuteAgentInput, summary: str, given_up: Callable[[], bool]
) -> "workflow.ChildWorkflowHandle[AgentWorkflow, ExecuteAgentResult]":
    """Start the agent of a subtask or of a table's row.

    Raises:
        WorkflowAlreadyStartedError: one of a terminated attempt did not close in time, or `given_up` came true.
    """
    number = input.subtask.number
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(_AGENT_ATTRIBUTE, number),
        SearchAttributePair(_ORGANISATION_ATTRIBUTE, input.org_id),
    ]
    return await _start_again(
        lambda: workflow.start_child_workflow(
            AgentWorkflow.run,
            input,
            id=agent_workflow_id(input.run_id, number),
            task_queue=queue(TaskQueue.AGENTS),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=summary,
            search_attributes=TypedSearchAttributes(attributes),
        ),
        given_up,
    )


async def start_lane(
    input: ExecuteLaneInput, given_up: Callable[[], bool]
) -> "workflow.ChildWorkflowHandle[LaneWorkflow, ExecuteLaneResult]":
    """Start one lane of a table.

    Raises:
        WorkflowAlreadyStartedError: as `start_agent`.
    """
    attributes = [SearchAttributePair(_ORGANISATION_ATTRIBUTE, input.org_id)]
    return await _start_again(
        lambda: workflow.start_child_workflow(
            LaneWorkflow.run,
            input,
            id=lane_workflow_id(input.run_id, input.lane),
            task_queue=queue(TaskQueue.AGENTS),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"{len(input.rows)} rows",
            search_attributes=TypedSearchAttributes(attributes),
        ),
        given_up,
    )


async def _start_again(start: Callable[[], Awaitable[_Handle]], given_up: Callable[[], bool]) -> _Handle:
    """Start a child; one of a terminated attempt, which still closes under the same id, is waited for."""
    for _ in range(AGENT_START_TRIES - 1):
        try:
            return await start()
        except WorkflowAlreadyStartedError:
            if await wait_until(given_up, AGENT_START_AGAIN_AFTER):
                raise
    return await start()


async def order(workflow_id: str, control: AgentControl) -> None:
    """Give a child an order; one that just ended is left alone."""
    handle = workflow.get_external_workflow_handle_for(AgentWorkflow.run, workflow_id)
    try:
        await handle.signal(AgentWorkflow.control, control)
    except ApplicationError:
        workflow.logger.debug("%s ended before it could be told %s", workflow_id, control.kind)


async def cancel(workflow_id: str) -> None:
    """Cancel a child; one that just ended is left alone."""
    handle = workflow.get_external_workflow_handle(workflow_id)
    try:
        await handle.cancel()
    except ApplicationError:
        workflow.logger.debug("%s ended before it could be cancelled", workflow_id)
