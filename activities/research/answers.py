"""Answers: what a model is asked to return, as Pydantic models, and the strict JSON schemas made from them.

The root is always an object. Lengths and counts are cut by code afterwards; a schema that says them is refused by
some servers.
"""

from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of all answers: nothing missing, nothing extra."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedSubtask(Answer):
    """One part of the task."""

    title: str
    question: str
    urls: list[str]


class Decomposition(Answer):
    """Answer to `decompose`."""

    subtasks: list[PlannedSubtask]


class NextAction(Answer):
    """Answer to `next_action`."""

    action: Literal["tool", "finish"]
    tool: str
    argument: str
    reason: str


class DrawnClaim(Answer):
    """One statement with the words that show it."""

    passage: int
    statement: str
    quote: str
    relevance: float


class DrawnClaims(Answer):
    """Answer to `extract_claims`."""

    claims: list[DrawnClaim]


class SameStatements(Answer):
    """Findings that say the same, the best one first."""

    findings: list[str]


class FilledCell(Answer):
    """One value with the words that show it."""

    column: int
    value: str
    passage: int
    quote: str


class FilledCells(Answer):
    """Answer to `fill_cells`; code decides what each value is worth."""

    cells: list[FilledCell]


class Merging(Answer):
    """Answer to `merge`."""

    groups: list[SameStatements]


class SeenConflict(Answer):
    """Findings that cannot all be true."""

    subject: str
    findings: list[str]
    kind: Literal["plain", "stale", "unit", "scope"]


class SeenConflicts(Answer):
    """Answer to `resolve_conflicts`. Code decides which one is preferred: by age, trust and number of sources."""

    conflicts: list[SeenConflict]


class WrittenSentence(Answer):
    """One sentence and the findings it rests on."""

    text: str
    findings: list[str]


class WrittenParagraph(Answer):
    """Sentences that belong together."""

    sentences: list[WrittenSentence]


class WrittenAnalysis(Answer):
    """Answer to `write_analysis`: the analysis of one subtask."""

    paragraphs: list[WrittenParagraph]


class WrittenSummary(Answer):
    """Answer to `write_summary`."""

    executive_summary: list[WrittenSentence]
    key_findings: list[WrittenSentence]
    recommendations: list[WrittenSentence]


class PlannedSlide(Answer):
    """One slide: which statements stand on it, and what it is called."""

    kind: Literal["findings", "analysis", "recommendations", "conclusion"]
    title: str
    statements: list[int]
    notes: str


class PlannedSlides(Answer):
    """Answer to `plan_slides`."""

    slides: list[PlannedSlide]


@lru_cache(maxsize=32)
def _schema_of(answer: type[Answer]) -> dict[str, Any]:
    whole = answer.model_json_schema()
    resolved = _strict(whole, whole.get("$defs", {}))
    assert isinstance(resolved, dict)
    return resolved


def schema_of(answer: type[Answer]) -> dict[str, Any]:
    """Return the strict JSON schema of an answer: one object, no references, every property required."""
    return _schema_of(answer)


_LEFT_OUT = frozenset({"$defs", "title", "default"})


def _strict(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_strict(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _strict(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    made = {key: _strict(value, definitions) for key, value in node.items() if key not in _LEFT_OUT}
    if isinstance(properties := node.get("properties"), dict):
        made["properties"] = {name: _strict(value, definitions) for name, value in properties.items()}
        made["required"] = list(properties)
        made["additionalProperties"] = False
    return made
