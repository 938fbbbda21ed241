"""The one boundary of every workflow: what comes in fits its handler, what goes out says whose it is.

Signals come from operators too, and stay in the history: one that its handler cannot take would fail every workflow
task from then on, and nothing but a reset would help.

The server shares its workers between organisations by what a task says of itself: every activity and child carries the
priority and the fairness key of its workflow. Both in one place, so that no handler and no call can forget it.
"""

import inspect
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.worker import (
    HandleSignalInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)


class WorkflowBoundary(Interceptor):
    """Put every workflow of a worker behind the boundary."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Return what wraps a workflow."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """Hand a signal on if it fits: a handler that takes nothing gets nothing, whatever was sent along.

        With another number of inputs than the handler takes, the SDK has decoded them without their types; and a null
        passes for every type.
        """
        takes = _inputs_of(input.signal)
        if takes is None:
            takes = len(input.args)  # Nobody's: the SDK keeps it aside.
        if takes and (len(input.args) != takes or None in input.args):
            workflow.logger.warning("signal ignored: %s came without what it needs", input.signal)
            return
        input.args = input.args[:takes]
        await super().handle_signal(input)


def _inputs_of(signal: str) -> int | None:
    """Return how many inputs the workflow's handler of a signal takes; None where it has none.

    Asked of the methods themselves: what the SDK makes of an asynchronous one takes anything.
    """
    for owner in type(workflow.instance()).__mro__:
        for method in vars(owner).values():
            definition = getattr(method, "__temporal_signal_definition", None)
            if definition is not None and definition.name == signal:
                return len(inspect.signature(method).parameters) - 1
    return None


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":
        if input.priority == Priority.default:
            input.priority = workflow.info().priority
        return super().start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> "workflow.ChildWorkflowHandle[Any, Any]":
        if input.priority == Priority.default:
            input.priority = workflow.info().priority
        return await super().start_child_workflow(input)
