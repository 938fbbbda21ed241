"""Acting, as a model wants it: a call that is not allowed, a repetition or an address from nowhere ends the agent."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from activities.research.acting import FETCH_TOOL, READ_TOOL, TOOL_ARGUMENT, read_arguments
from activities.research.answers import NextAction
from activities.research.reasoner import ToolHint
from activities.research.text import normalise
from schema.contracts.research import AgentView, Finish, ToolCall


def action_of(
    answer: NextAction, view: AgentView, usable: Sequence[str], hints: Mapping[str, ToolHint]
) -> tuple[ToolCall | Finish, bool]:
    """Return what the model wants, and whether it may: what it may not do is a finish that says why."""
    reason = normalise(answer.reason)[:300]
    if answer.action == "finish":
        return Finish(reason=reason or "the model finished"), True
    argument = normalise(answer.argument)
    if answer.tool not in usable or not argument:
        return Finish(reason=f"the model asked for a tool that it does not have: {answer.tool[:60]}"), False
    wanted = (
        _outside_call(answer, view, hints[answer.tool], reason)
        if answer.tool in hints
        else _own_call(answer.tool, argument, view, reason)
    )
    return wanted, isinstance(wanted, ToolCall)


def _own_call(tool: str, argument: str, view: AgentView, reason: str) -> ToolCall | Finish:
    name = TOOL_ARGUMENT[tool]
    if any(step.tool == tool and step.arguments.get(name) == argument for step in view.steps):
        return Finish(reason="the model asked for the same again")
    if tool in (FETCH_TOOL, READ_TOOL) and argument not in _seen(view):
        return Finish(reason="the model asked for an address or document that no source showed it")
    arguments = read_arguments(view, argument) if tool == READ_TOOL else {name: argument}
    if tool == FETCH_TOOL:
        arguments |= _kind_of(view, argument)
    return ToolCall(tool=tool, arguments=arguments, reason=reason)


def _outside_call(answer: NextAction, view: AgentView, hint: ToolHint, reason: str) -> ToolCall | Finish:
    """Read the arguments of a tool from outside; whether they fit its schema is the executor's question."""
    arguments: Any = {hint.argument: answer.argument.strip()}
    if hint.argument is None:
        try:
            arguments = json.loads(answer.argument)
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            return Finish(reason=f"the model gave {hint.name} arguments that cannot be read")
    if any(step.tool == hint.name and step.arguments == arguments for step in view.steps):
        return Finish(reason="the model asked for the same again")
    return ToolCall(tool=hint.name, arguments=arguments, reason=reason)


def _kind_of(view: AgentView, url: str) -> dict[str, str]:
    """Say which kind of search pointed to an address; nothing for one that the user named."""
    return next(
        ({"kind": item.kind.value} for step in view.steps for item in step.results if url in (item.url, item.read_url)),
        {},
    )


_URL = re.compile(r"https?://[^\s<>\"'\])]+")


def _seen(view: AgentView) -> set[str]:
    """Return the addresses and documents that an agent may open: named by the user, found, or shown by a source."""
    passages = [passage for step in view.steps for passage in step.passages]
    sources = [claim.source for claim in view.claims] + [passage.source for passage in passages]
    seen = {*view.subtask.urls, *_URL.findall(view.brief.task)}
    seen |= {source.uri for source in sources} | {source.document_id for source in sources if source.document_id}
    seen |= {url for step in view.steps for item in step.results for url in (item.url, item.read_url)}
    return seen | {url.rstrip(".,;") for passage in passages for url in _URL.findall(passage.text)}
