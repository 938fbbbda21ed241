"""Filling: the cells of one item from passages, and what a row's agent searches for next.

The one mechanism behind tables and structured output. Without a model; `models.py` asks a model for the cells and lets
the same code check every answer.
"""

from collections.abc import Mapping, Sequence

from activities.research.acting import READ_TOOL, SEARCH_TOOLS, TOOL_ARGUMENT
from activities.research.fields_choosing import choose, choose_many
from activities.research.fields_columns import Asked, asked_of, plain_name
from activities.research.fields_reading import Item, Reader, Statement
from activities.research.fields_values import Candidate, candidates
from activities.research.lexicon import groups_of
from activities.research.quantities import names
from activities.research.questions import query_terms
from activities.research.text import normalise, stem, words
from activities.research.values import concept
from schema.contracts.research import Claim, Finish, StepRecord, Subtask, ToolCall
from schema.contracts.tables import Cell, Column, Filled, FillRequest
from schema.policies import PASSAGES_PER_SEARCH_MAX

QUERY_CHARACTERS_MAX = 480
COLUMN_WORDS_MAX = 24
"""Words of the columns that a query holds at most; more would drown the item."""
SEARCHES_MAX = 3
_SYNONYMS = {f"={number}": group for number, group in enumerate(groups_of("attributes"))}


def fill(request: FillRequest, said: Mapping[str, Sequence[Candidate]] | None = None) -> Filled:
    """Fill the cells of one item from all passages that were found for it; the same passages give the same cells.

    Args:
        said: column -> what a model said in addition, and code has checked.
    """
    reader = Reader(request.item, request.others, request.heads)
    statements = reader.statements(request.passages)
    cells, claims = [], dict[str, Claim]()
    for column in request.columns:
        asked = asked_of(column)
        found = [
            each
            for statement in statements
            if column.many or not statement.one_of_many
            for each in candidates(asked, statement, reader)
        ]
        found += (said or {}).get(column.name, ())
        chosen = (choose_many if column.many else choose)(asked, found, request.agent_number)
        if chosen is None:
            cells.append(Cell(column=column.name, reason=_why_empty(request, asked, statements)))
            continue
        cells.append(chosen[0])
        claims.update((claim.id, claim) for claim in chosen[1])
    return Filled(cells=tuple(cells), claims=tuple(claims.values()))


def _why_empty(request: FillRequest, asked: Asked, statements: Sequence[Statement]) -> str:
    """Say honestly how near the sources came."""
    name = plain_name(asked.column.name)
    if not request.passages:
        return "no source was found"
    if not statements:
        return f"none of the sources that were read speaks of “{request.item}”"
    if any(asked.label_score(statement.label) >= 0.6 for statement in statements if statement.label):
        return f"a source names “{name}”, but gives no value of the kind that is wanted"
    return f"the sources that speak of it do not give “{name}”"


# What a row's agent does next.


def next_search(
    item: str,
    columns: Sequence[Column],
    cells: Sequence[Cell],
    steps: Sequence[StepRecord],
    *,
    tools: Sequence[str],
    steps_left: int,
) -> ToolCall | Finish:
    """Choose the next act for a row: search for all columns, then for those that are empty, then read on."""
    filled = {cell.column for cell in cells if cell.filled}
    missing = [column for column in columns if column.name not in filled]
    if steps and not missing:
        return Finish(reason=f"all {len(columns)} cells are filled")
    if steps_left <= 1:
        return Finish(reason=_summary(columns, missing))
    call = _search(item, columns, missing, steps, tools) or _read(item, missing, steps, tools)
    return call or Finish(reason=_summary(columns, missing))


def _summary(columns: Sequence[Column], missing: Sequence[Column]) -> str:
    names_missing = ", ".join(plain_name(column.name) for column in missing[:5])
    return f"{len(columns) - len(missing)} of {len(columns)} cells are filled; not found: {names_missing}"


def _search(
    item: str, columns: Sequence[Column], missing: Sequence[Column], steps: Sequence[StepRecord], tools: Sequence[str]
) -> ToolCall | None:
    available = [tool for tool in SEARCH_TOOLS if tool in tools]
    named = Item(item)
    met = any(named.mentions(f"{p.source.title} {p.heading} {p.text}") for s in steps for p in s.passages)
    for tool in available:
        done = [step for step in steps if step.tool == tool]
        tried = {str(step.arguments.get(TOOL_ARGUMENT[tool], "")) for step in done}
        if any(not step.ok for step in done) or len(done) >= SEARCHES_MAX:
            continue
        for query in _queries(item, columns, missing, met=met or not named.tokens):
            if query and query not in tried:
                arguments = {TOOL_ARGUMENT[tool]: query, "limit": PASSAGES_PER_SEARCH_MAX}
                reason = "first search" if not done else f"not found yet: {', '.join(c.name for c in missing[:4])}"
                return ToolCall(tool=tool, arguments=arguments, reason=reason)
    return None


def _queries(item: str, columns: Sequence[Column], missing: Sequence[Column], *, met: bool) -> list[str]:
    """Return queries from the widest to the narrowest; what no source names is not looked for in other words."""
    first = _query(item, [word for column in columns for word in _own_words(column)])
    if len(missing) == len(columns) and not met:
        return [first, _query(item, [])] if item else [first]
    return [first, _query(item, [word for column in missing for word in _other_words(column)]), _query(item, [])]


def _query(item: str, column_words: Sequence[str]) -> str:
    kept = [word for word in dict.fromkeys(column_words) if word not in words(item)][:COLUMN_WORDS_MAX]
    return normalise(f"{item} {' '.join(kept)}")[:QUERY_CHARACTERS_MAX].strip()


def _own_words(column: Column) -> list[str]:
    return [word for word in words(plain_name(column.name)) if len(word) > 1]


def _other_words(column: Column) -> list[str]:
    """Return a column's words with those of the same meaning: a source may call it otherwise."""
    own = [*_own_words(column), *words(column.description)[:6]]
    groups = dict.fromkeys(concept(stem(word)) for word in own)
    return [*own, *(other for group in groups for other in _SYNONYMS.get(group, ())[:6])]


def _read(item: str, missing: Sequence[Column], steps: Sequence[StepRecord], tools: Sequence[str]) -> ToolCall | None:
    """Read the document whose title is the item's name, where its passages did not give everything."""
    if READ_TOOL not in tools or any(step.tool == READ_TOOL for step in steps):
        return None
    named = Item(item)
    for passage in (passage for step in steps for passage in step.passages):
        document_id = passage.source.document_id
        if document_id and named.tokens and named.mentions(passage.source.title):
            query = _query(item, [word for column in missing for word in _other_words(column)])
            arguments = {"document_id": document_id, "query": query or item}
            return ToolCall(tool=READ_TOOL, arguments=arguments, reason=f"“{passage.source.title}” is about it")
    return None


# The row of a structured output.


def subject_of(task: str) -> str:
    """Return the name that a task is about, as it is written there; nothing where it names none or several."""
    named = [term.word for term in query_terms(task) if term.is_name and not term.places]
    found = [name for name in names(task) if name in {word.lower() for word in named}] or list(named)
    if not found:
        return ""
    text = normalise(task)
    at = text.lower().find(found[0])
    end = at
    for word in found:
        start = text.lower().find(word, end)
        if start < 0 or (end > at and text[end:start].strip(" -–.&'’")):
            break
        end = start + len(word)
    while end < len(text) and (text[end].isalnum() or (text[end] == "-" and text[end + 1 : end + 2].isalnum())):
        end += 1
    return text[at:end].strip(" .?!,") if at >= 0 else ""


def output_row(task: str, number: int) -> Subtask:
    """Return the subtask of the agent that fills a structured output."""
    return Subtask(number=number, title="Structured output", question=task, is_row=True)
