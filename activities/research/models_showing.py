"""Showing: what a prompt shows of a task, an agent's view, passages and findings; all of it bounded."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from activities.research.acting import TOOL_ARGUMENT
from activities.research.fields_columns import Asked
from activities.research.fields_reading import Reader
from activities.research.reasoner import ToolHint
from activities.research.text import normalise
from schema.contracts.research import AgentView, Brief, Finding, Passage
from schema.contracts.slides import OutlineRequest

FINDING_CHARACTERS_MAX = 500
STEPS_SHOWN_MAX = 12
RESULTS_SHOWN_MAX = 10
SNIPPET_SHOWN_MAX = 200
PRINTED_SHOWN_MAX = 4_000
CLAIMS_SHOWN_MAX = 24
TASK_CHARACTERS_MAX = 8_000
TOOL_CHARACTERS_MAX = 1_500


def is_near(passage: Passage, reader: Reader) -> bool:
    """Tell whether a passage names the item, in its headings at least: the others would only cost tokens."""
    around = f"{passage.source.title}\n{passage.heading}\n{passage.text}"
    return reader.is_free or bool(reader.item.mentions(around))


def passage_text(passage: Passage) -> str:
    return f"[{passage.heading or passage.source.title}]\n{passage.text}"


def columns_text(asked: Sequence[Asked]) -> str:
    lines = []
    for number, each in enumerate(asked, 1):
        column = each.column
        facts = [column.type.value, *([f"in {column.unit}"] if column.unit else []), *column.allowed]
        described = f": {column.description}" if column.description else ""
        lines.append(f"{number}. {column.name} ({', '.join(facts)}){described}")
    return "\n".join(lines)


def task_text(brief: Brief) -> str:
    return brief.task[:TASK_CHARACTERS_MAX]


def question_text(view: AgentView) -> str:
    urls = "".join(f"\nnamed by the user: {url}" for url in view.subtask.urls)
    return f"{view.subtask.question}{urls}"


def known_text(view: AgentView) -> str:
    return (
        "\n".join(f"- {claim.text[:FINDING_CHARACTERS_MAX]}" for claim in view.claims[-CLAIMS_SHOWN_MAX:]) or "(none)"
    )


def acts_text(view: AgentView) -> str:
    lines = []
    for step in view.steps[-STEPS_SHOWN_MAX:]:
        outcome = "ok" if step.ok else f"failed: {step.error or 'no reason given'}"
        lines.append(f"{step.step}. {step.tool} {step.arguments} -> {outcome[:200]}")
        lines += [
            f"   {source.title[:100]} | document_id {source.document_id or '-'} | {source.uri}"
            for source in {passage.source.snapshot_sha256: passage.source for passage in step.passages}.values()
        ]
        lines += [
            f"   {item.title[:100]} | {item.published_at.date() if item.published_at else '-'} | {item.read_url} | "
            f"{item.snippet[:SNIPPET_SHOWN_MAX]}"
            for item in step.results[:RESULTS_SHOWN_MAX]
        ]
        if step.printed:
            lines.append(f"   wrote: {step.printed[:PRINTED_SHOWN_MAX]}")
    return "\n".join(lines) or "(none yet)"


def argument_of(tool: str, hints: Mapping[str, ToolHint]) -> str:
    """Name the argument of a tool, as the prompt lists it."""
    hint = hints.get(tool)
    return TOOL_ARGUMENT[tool] if hint is None else hint.argument or "a JSON object, see the data"


def tools_text(hints: Sequence[ToolHint]) -> str:
    lines = []
    for hint in hints:
        lines.append(f"{hint.name}: {normalise(hint.description)[:TOOL_CHARACTERS_MAX]}")
        if hint.argument is None:
            lines.append(f"   argument: {json.dumps(hint.input_schema)[:TOOL_CHARACTERS_MAX]}")
    return "\n".join(lines)


def passage_batches(passages: Sequence[Passage], characters_max: int) -> Iterable[list[Passage]]:
    batch: list[Passage] = []
    size = 0
    for passage in passages:
        if batch and size + len(passage.text) > characters_max:
            yield batch
            batch, size = [], 0
        batch.append(passage)
        size += len(passage.text)
    if batch:
        yield batch


def findings_text(findings: Sequence[Finding]) -> str:
    return "\n".join(
        f"f{number}: {finding.text[:FINDING_CHARACTERS_MAX]}" for number, finding in enumerate(findings, 1)
    )


def statements_text(request: OutlineRequest, characters_max: int) -> str:
    """Return statements by number, as many as fit: of every kind its first ones."""
    lines = {
        each.number: f"{each.number} ({each.kind}) {each.topic[:60]}: {each.text[:FINDING_CHARACTERS_MAX]}"
        for each in request.statements
    }
    kinds = dict.fromkeys(each.kind for each in request.statements)
    in_turn = zip_longest(*([each.number for each in request.statements if each.kind == kind] for kind in kinds))
    shown, used = list[int](), 0
    for number in (each for row in in_turn for each in row if each is not None):
        used += len(lines[number]) + 1
        if used > characters_max:
            break
        shown.append(number)
    return "\n".join(lines[number] for number in sorted(shown))
