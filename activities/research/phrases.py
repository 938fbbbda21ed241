"""Phrases: the only sentences of a report that need no citation, because they speak of the run and not of the world.

The citation gate lets a sentence without claims pass only if it is one of these.
"""

import re
from functools import lru_cache

PHRASES: dict[str, str] = {
    "extracted": "Prepared by extraction, without a language model: every cited sentence is quoted from its source.",
    "modelled": "Written by a language model; every cited sentence was checked against the quoted text of its source.",
    "arranged": "A language model took part and gave no usable text for this report. It is arranged by rule; every "
    "cited sentence was checked against the quoted text of its source.",
    "by_rule": "Of {claims}, {drawn} drawn by rule: the model drew none there that the source shows.",
    "question": "Question: {task}",
    "scope": "It rests on {claims} from {sources}, found for {subtasks}.",
    "nothing": "No source that was read answers this question.",
    "disagreements": "The sources disagree about {subjects}; see “Disagreements” in the analysis.",
    "disagree": "The sources disagree about {subject} ({kind}).",
    "one_says": "One says:",
    "another_says": "Another says:",
    "choice": "{reason}",
    "older": "A source of {stated} gives another value than one of {newer}, if both mean the same. The newer one:",
    "may_be_old": "A source of {stated} may be out of date: one of {newer} on the same subject does not repeat it. "
    "The newer one says:",
    "older_one": "The older one:",
    "differ": "The sources give different values, if all of them mean the same.",
    "aged": "Some answers of older sources may be out of date; see “Disagreements” in the analysis.",
    "gaps": "Not everything was covered; see “Not covered” in the analysis.",
    "missing": "{reason}",
    "no_evidence": "No evidence was found for “{subtask}”.",
    "thin_evidence": "The evidence for “{subtask}” rests on a single source.",
    "read_on": "For “{subtask}”, read “{title}” in full: {count} of the statements above come from it.",
    "settle": "Settle the disagreement about {subject} with a primary source before relying on either statement.",
    "open_point": "Look further for “{subtask}”: none of the statements found mentions {words}.",
    "dated": "Look for something newer on “{subtask}”: whatever answers it is of {stated} or older.",
    "add_sources": "Add documents or addresses that cover “{subtask}”, and run the question again.",
    "disputed_only": "Only disputed statements were found; see “Disagreements” in the analysis.",
    "no_analysis": "Nothing was found beyond the statements above.",
    "no_citations": "Nothing is cited.",
    "tabled": "The table has {rows} and {columns}: {filled} of {cells} cells are filled, each in words of a source.",
    "shown": "The first {shown} rows stand here; all of them, with the evidence of every cell, are in table.json.",
    "row_failed": "Row {row} ({item}) failed: {reason}.",
    "row_not_begun": "Row {row} ({item}) was not worked on: {reason}.",
    "row_empty": "Row {row} ({item}): {reason}.",
    "rows_more": "{count} more rows are incomplete; table.json says why for each of them.",
    "cell_disputed": "Row {row} ({item}), {column}: {reason}.",
    "cells_more": "{count} more cells are disputed; table.json has all of them.",
    "retry_rows": "Retry or run again for the {count} rows that failed: rows that are done are not worked on again.",
    "add_for_rows": "Add documents or addresses that cover the {count} rows of which no source speaks.",
    "outputs": "Of the structured output, {filled} of {fields} values were found; see output.json.",
    "no_recommendation": "The evidence suggests no open point; recommendations would go beyond what was read.",
}
_CHOICES = (
    r"Preferred: the newer source \([\d-]{10}; the other is of [\d-]{10}\)\.",
    r"Preferred: the more trusted source \(trust \d\.\d\d against \d\.\d\d\)\.",
    r"Preferred: \d+ independent sources against \d+\.",
    r"The statements name different circumstances and may both hold\.",
    r"The same number stands with different units; one of them is likely a slip\.",
    r"Neither age, trust nor number of the sources gives a reason to prefer one\.",
)
FIELD_CHARACTERS_MAX = 300
_FREE = ("choice", "missing")
"""Phrases that are given whole: `choice` must be one of the known reasons, `missing` is told by the workflow."""


def say(phrase: str, **fields: str) -> str:
    """Return a phrase with its fields filled in; fields are cut to a sensible length and kept on one line."""
    cut = {name: _one_line(value) for name, value in fields.items()}
    return PHRASES[phrase].format_map(cut)


def _one_line(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= FIELD_CHARACTERS_MAX else value[: FIELD_CHARACTERS_MAX - 1].rstrip() + "…"


def is_connective(text: str) -> bool:
    """Tell whether a sentence is one of the phrases."""
    return any(pattern.fullmatch(text) for pattern in _patterns())


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], ...]:
    fixed = [phrase for name, phrase in PHRASES.items() if name not in _FREE]
    made = [re.sub(r"\\\{\w+\\\}", f".{{1,{FIELD_CHARACTERS_MAX}}}", re.escape(phrase)) for phrase in fixed]
    return tuple(re.compile(pattern) for pattern in (*made, *_CHOICES))


def counted(count: int, noun: str) -> str:
    """Return `1 source`, `2 sources`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
