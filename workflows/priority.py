"""Whose a task is: every activity and child of a workflow carries the workflow's own priority and fairness key.

The server shares its workers between organisations by what a task says of itself. In one place, so that no call can
forget it.
"""

from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)


class PassPriorityOn(Interceptor):
    """Make every workflow of a worker pass its priority on."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Return what wraps a workflow."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":
        if input.priority == Priority.default:
            input.priority = workflow.info().priority
        return super().start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> "workflow.ChildWorkflowHandle[Any, Any]":
        if input.priority == Priority.default:
            input.priority = workflow.info().priority
        return await super().start_child_workflow(input)
