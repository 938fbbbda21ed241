"""The model reasoner: any model that litellm reaches, asked for JSON that fits a schema.

A model proposes; code disposes: counts and lengths are cut, identifiers that do not exist are dropped, quotations are
looked up in their passage, and what a model calls the same or different is checked against figures and polarity. One
repair round for an unusable answer; every other retry is Temporal's. No prompt grows with the corpus: passages,
findings and sections go in batches.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from pydantic import ValidationError

from activities.research import acting, vendor
from activities.research.acting import FETCH_TOOL, READ_TOOL, TOOL_ARGUMENT, read_arguments
from activities.research.answers import (
    Answer,
    Decomposition,
    DrawnClaim,
    DrawnClaims,
    FilledCells,
    Merging,
    NextAction,
    SeenConflict,
    SeenConflicts,
    WrittenAnalysis,
    WrittenSentence,
    WrittenSummary,
    schema_of,
)
from activities.research.claims import claim_id, differ, rivals_in
from activities.research.composing import (
    ANALYSIS,
    ANALYSIS_PER_SUBTASK_MAX,
    CITATIONS_PER_SENTENCE_MAX,
    EXECUTIVE_SUMMARY,
    KEY_FINDINGS,
    RECOMMENDATIONS,
    Material,
    compose_report,
    disagreements,
    gaps,
    recommendations,
    report_title,
    scope_note,
)
from activities.research.conflicts import conflict_of, contradict, find_conflicts, subject_of
from activities.research.fields_checking import checked
from activities.research.fields_columns import Asked, asked_of
from activities.research.fields_reading import Reader
from activities.research.fields_values import Candidate
from activities.research.filling import fill
from activities.research.findings import merge_claims
from activities.research.journal import Answered, digest_of, journal
from activities.research.prompting import fenced, repair_text, system_text
from activities.research.questions import QUESTION_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, plan_subtasks
from activities.research.quotes import locate
from activities.research.reasoner import ModelConfig, Role, ToolHint
from activities.research.rows import row_at
from activities.research.similarity import contained, overlap
from activities.research.statements import facts_of
from activities.research.support import check_support
from activities.research.text import normalise, terms
from schema.contracts.common import Tokens
from schema.contracts.research import (
    AgentView,
    Brief,
    Claim,
    Conflict,
    ConflictKind,
    Finding,
    Finish,
    Passage,
    Reasoned,
    Report,
    Section,
    Sentence,
    Subtask,
    ToolCall,
)
from schema.contracts.tables import Filled, FillRequest
from schema.errors import ProviderAnswerInvalid

A = TypeVar("A", bound=Answer)
T = TypeVar("T")

CLAIMS_PER_PROMPT_MAX = 12
FINDINGS_PER_PROMPT_MIN = 5
FILL_BATCHES_MAX = 2
"""Prompts of passages that one look at a row may cost."""
FINDINGS_PER_PROMPT_MAX = 50
FINDING_CHARACTERS_MAX = 500
STEPS_SHOWN_MAX = 12
RESULTS_SHOWN_MAX = 10
SNIPPET_SHOWN_MAX = 200
CLAIMS_SHOWN_MAX = 24
DRAFT_CHARACTERS_MAX = 8_000
STATEMENT_CHARACTERS_MAX = 600
TASK_CHARACTERS_MAX = 8_000
TOOL_CHARACTERS_MAX = 1_500


class Form(Enum):
    """How a server is told what to return, from the strictest to the loosest."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT_OF_SCHEMA = "json_object_of_schema"
    """`json_object` with a `schema` beside it: what llama.cpp's Python server and some hosted ones take."""
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"


_UNDERSTOOD: dict[tuple[str, str], Form] = {}
"""The strictest form that a (model, base URL) was seen to accept; only servers that refused one are in here."""


class Unusable(ValueError):
    """An answer that is cut off, no JSON, or does not fit its schema."""


class ModelReasoner:
    """A model in three roles: planner, researcher, writer."""

    def __init__(self, config: ModelConfig, hints: Sequence[ToolHint] = ()) -> None:
        self._config = config
        self._hints = {hint.name: hint for hint in hints}
        self.name = config.model or config.for_role("researcher") or "model"

    async def decompose(self, brief: Brief) -> Reasoned[tuple[Subtask, ...]]:
        """Let the model split the task; distinct subtasks survive, at most `agents_max`, with its addresses only."""
        answer, tokens = await self._ask(
            "planner", "decompose", Decomposition, [fenced("task", _task(brief))], agents_max=brief.agents_max
        )
        subtasks = _subtasks(answer, brief)
        return Reasoned(value=subtasks or plan_subtasks(brief), tokens=tokens)

    async def next_action(self, view: AgentView) -> Reasoned[ToolCall | Finish]:
        """Let the model choose; a call that is not allowed, a repetition or an address from nowhere ends the agent."""
        if view.steps_left <= 0:
            return Reasoned[ToolCall | Finish](value=Finish(reason="no steps left"))
        usable = [tool for tool in view.tools if tool in TOOL_ARGUMENT or tool in self._hints]
        hints = [self._hints[tool] for tool in usable if tool in self._hints]
        data = [fenced("question", _question(view)), fenced("evidence", _known(view)), fenced("acts", _acts(view))]
        answer, tokens = await self._ask(
            "planner",
            "next_action",
            NextAction,
            # What a tool from outside says of itself was written by others: data, like everything they write.
            [*data, *([fenced("tools", _described(hints))] if hints else [])],
            tools=", ".join(f"{tool} ({_argument(tool, self._hints)})" for tool in usable) or "none",
            steps_left=view.steps_left,
        )
        action = _action(answer, view, usable, self._hints)
        if isinstance(action, Finish) and not view.steps:
            # Small models call a question answered, or name an address of their own, before they have looked: the first
            # look is code's then.
            action = acting.next_action(view)
        return Reasoned[ToolCall | Finish](value=action, tokens=tokens)

    async def extract_claims(self, view: AgentView, passages: tuple[Passage, ...]) -> Reasoned[tuple[Claim, ...]]:
        """Let the model draw statements; those whose quotation is not in a passage are dropped."""
        tokens, claims = Tokens(), dict[str, Claim]()
        known = {claim.id for claim in view.claims}
        for batch in _passage_batches(passages, self._config.prompt_characters_max):
            shown = [fenced(f"passage {number}", passage.text) for number, passage in enumerate(batch, 1)]
            answer, used = await self._ask(
                "researcher",
                "extract_claims",
                DrawnClaims,
                [fenced("question", _question(view)), fenced("known", _known(view)), *shown],
                claims_max=CLAIMS_PER_PROMPT_MAX,
            )
            tokens += used
            for drawn in answer.claims[:CLAIMS_PER_PROMPT_MAX]:
                claim = _claim(drawn, batch, view.subtask.number)
                if claim is not None and claim.id not in known:
                    claims.setdefault(claim.id, claim)
        # A model that draws only one of two contradicting statements must not hide the other.
        for claim in rivals_in(passages, (*view.claims, *claims.values()), view.subtask.number):
            claims.setdefault(claim.id, claim)
        return Reasoned(value=tuple(claims.values()), tokens=tokens)

    async def fill_fields(self, request: FillRequest) -> Reasoned[Filled]:
        """Fill by code what code can read; ask the model for the rest, and check every answer against its passage."""
        filled = await asyncio.to_thread(fill, request)
        known = {cell.column: cell for cell in request.known if cell.filled}
        open_columns = [cell.column for cell in filled.cells if not cell.filled and cell.column not in known]
        asked = [asked_of(column) for column in request.columns if column.name in open_columns]
        reader = Reader(request.item, request.others, request.heads)
        said, tokens = dict[str, list[Candidate]](), Tokens()
        near = [passage for passage in request.fresh or request.passages if _is_near(passage, reader)]
        for batch in (
            list(_passage_batches(near, self._config.prompt_characters_max))[:FILL_BATCHES_MAX] if asked else ()
        ):
            shown = [fenced(f"passage {number}", _with_heading(passage)) for number, passage in enumerate(batch, 1)]
            answer, used = await self._ask(
                "researcher",
                "fill_cells",
                FilledCells,
                [
                    fenced("task", _task(request.brief)),
                    fenced("item", request.item or "(what the task asks about)"),
                    fenced("columns", _columns(asked)),
                    *shown,
                ],
                cells_max=2 * len(asked),
            )
            tokens += used
            for each in answer.cells[: 2 * len(asked)]:
                if 0 < each.column <= len(asked):
                    column = asked[each.column - 1]
                    if (candidate := checked(each, column, batch, reader)) is not None:
                        said.setdefault(column.column.name, []).append(candidate)
        if said:
            filled = await asyncio.to_thread(fill, request, said)
        cells = tuple(cell if cell.filled else known.get(cell.column, cell) for cell in filled.cells)
        return Reasoned(value=Filled(cells=cells, claims=filled.claims), tokens=tokens)

    async def merge(self, brief: Brief, claims: Sequence[Claim]) -> Reasoned[tuple[Finding, ...]]:
        """Group by code first; then let the model find repetitions in other words, batch by batch."""
        findings, tokens = list(merge_claims(claims)), Tokens()
        by_id = {claim.id: claim for claim in claims}
        for batch in self._batches(findings):
            if len(batch) < 2:
                continue
            answer, used = await self._ask("writer", "merge", Merging, [fenced("findings", _listed(batch))])
            tokens += used
            for group in answer.groups:
                findings = _joined(findings, _named(group.findings, batch), by_id)
        findings.sort(key=lambda finding: (-finding.weight, finding.id))
        return Reasoned(value=tuple(findings), tokens=tokens)

    async def resolve_conflicts(
        self, brief: Brief, findings: Sequence[Finding], claims: Mapping[str, Claim]
    ) -> Reasoned[tuple[Conflict, ...]]:
        """Compare by code; then let the model name contradictions it missed. The preference is always code's."""
        conflicts, tokens = list(find_conflicts(findings, claims)), Tokens()
        for batch in self._batches(findings):
            if len(batch) < 2:
                continue
            answer, used = await self._ask(
                "writer", "resolve_conflicts", SeenConflicts, [fenced("findings", _listed(batch))]
            )
            tokens += used
            for seen in answer.conflicts:
                conflict = _conflict(seen, batch, claims)
                if conflict is not None and not _known_conflict(conflict, conflicts):
                    conflicts.append(conflict)
        return Reasoned(value=tuple(conflicts), tokens=tokens)

    async def write_report(
        self,
        brief: Brief,
        subtasks: Sequence[Subtask],
        findings: Sequence[Finding],
        conflicts: Sequence[Conflict],
        claims: Mapping[str, Claim],
        missing: tuple[str, ...],
    ) -> Reasoned[Report]:
        """Let the model write subtask by subtask, then the summary; code adds disagreements, gaps and open points."""
        material = Material(brief, subtasks, findings, conflicts, claims, missing)
        if not any(material.by_subtask.values()):
            return Reasoned(value=compose_report(material, made="modelled"))
        tokens, sections = Tokens(), [Section(title=ANALYSIS)]
        for subtask in subtasks:
            found = material.by_subtask.get(subtask.number, [])[: min(3 * ANALYSIS_PER_SUBTASK_MAX, self._findings_max)]
            if found:
                section, used = await self._analysis(subtask, found)
                sections.append(section)
                tokens += used
        summary, used = await self._summary(material)
        tokens += used
        return Reasoned(value=_report(material, summary, sections), tokens=tokens)

    async def _analysis(self, subtask: Subtask, found: Sequence[Finding]) -> tuple[Section, Tokens]:
        answer, tokens = await self._ask(
            "writer",
            "write_analysis",
            WrittenAnalysis,
            [fenced("question", subtask.question), fenced("findings", _listed(found))],
            sentences_max=2 * ANALYSIS_PER_SUBTASK_MAX,
        )
        paragraphs = tuple(
            tuple(sentence for each in paragraph.sentences if (sentence := _sentence(each, found)))
            for paragraph in answer.paragraphs
        )
        kept = tuple(paragraph for paragraph in paragraphs if paragraph)
        return Section(title=subtask.title, level=3, paragraphs=kept), tokens

    async def _summary(self, material: Material) -> tuple[dict[str, tuple[Sentence, ...]], Tokens]:
        each = max(1, self._findings_max // max(1, len(material.by_subtask)))
        best = [finding for found in material.by_subtask.values() for finding in found[:each]]
        best = best[: self._findings_max]
        answer, tokens = await self._ask(
            "writer",
            "write_summary",
            WrittenSummary,
            [fenced("task", _task(material.brief)), fenced("findings", _listed(best))],
        )
        written = {
            EXECUTIVE_SUMMARY: answer.executive_summary[:6],
            KEY_FINDINGS: answer.key_findings[:12],
            RECOMMENDATIONS: answer.recommendations[:6],
        }
        return {
            title: tuple(sentence for each in sentences if (sentence := _sentence(each, best)))
            for title, sentences in written.items()
        }, tokens

    @property
    def _findings_max(self) -> int:
        """How many findings one prompt lists: as many as fit where they are of common length."""
        return max(FINDINGS_PER_PROMPT_MIN, min(FINDINGS_PER_PROMPT_MAX, self._config.prompt_characters_max // 300))

    def _batches(self, findings: Sequence[Finding]) -> Iterable[Sequence[Finding]]:
        """Return the findings subtask by subtask, best first, in parts that fit a prompt."""
        order = sorted(findings, key=lambda finding: (finding.subtask_number, -finding.weight))
        for start in range(0, len(order), self._findings_max):
            yield order[start : start + self._findings_max]

    async def _ask(
        self, role: Role, prompt: str, answer: type[A], data: Sequence[str], **values: int | str
    ) -> tuple[A, Tokens]:
        """Ask once, and once more with the fault named; an answer that an open journal has is not asked for again.

        Raises:
            ProviderAnswerInvalid: neither answer was usable; `input_tokens` and `output_tokens` say what was used.
        """
        open_journal, digest = journal(), digest_of(self._config.for_role(role) or self.name, prompt, data, values)
        if open_journal is not None and (known := await open_journal.find(digest)) is not None:
            return answer.model_validate_json(known.text), known.tokens
        talk = [{"role": "user", "content": "\n\n".join(data)}]
        tokens = Tokens()
        for last in (False, True):
            completion = await self._send(role, prompt, answer, talk, values)
            tokens += completion.tokens
            try:
                usable = self._read(completion, answer)
            except Unusable as error:
                if last:
                    raise ProviderAnswerInvalid(
                        f"The model's answer to “{prompt}” was not usable after one repair: {error}",
                        input_tokens=tokens.input,
                        output_tokens=tokens.output,
                    ) from error
                draft = completion.text[:DRAFT_CHARACTERS_MAX] or "(nothing)"
                talk = [
                    *talk,
                    {"role": "assistant", "content": draft},
                    {"role": "user", "content": repair_text(answer, str(error))},
                ]
            else:
                if open_journal is not None:
                    await open_journal.keep(digest, prompt, Answered(usable.model_dump_json(), tokens))
                return usable, tokens
        raise AssertionError("unreachable")

    async def _send(
        self, role: Role, prompt: str, answer: type[Answer], talk: list[dict[str, str]], values: Mapping[str, int | str]
    ) -> vendor.Completion:
        """Send in the strictest form that the server is not known to refuse; remember a refusal once it is proven."""
        model = self._config.for_role(role) or self.name
        key = (model, self._config.base_url or "")
        forms = list(Form)
        first = forms.index(_UNDERSTOOD.get(key, Form(self._config.answer_form)))
        for form in forms[first:]:
            said = form in (Form.JSON_SCHEMA, Form.JSON_OBJECT_OF_SCHEMA)
            system = system_text(prompt, answer, with_schema=not said, **values)
            try:
                completion = await vendor.complete(
                    model=model,
                    messages=[{"role": "system", "content": system}, *talk],
                    max_tokens=self._config.answer_tokens_max,
                    timeout_s=self._config.timeout_s,
                    base_url=self._config.base_url,
                    api_key=self._config.api_key,
                    response_format=_response_format(form, answer),
                )
            except vendor.FormatRefused:
                continue
            if form is not forms[first]:
                _UNDERSTOOD[key] = form
            return completion
        raise AssertionError("unreachable: the loosest form has no response_format to refuse")

    def _read(self, completion: vendor.Completion, answer: type[A]) -> A:
        if completion.truncated:
            raise Unusable(f"it was cut off at {self._config.answer_tokens_max} tokens; answer more briefly")
        fence = _CODE_FENCE.match(completion.text)
        try:
            return answer.model_validate_json(fence.group(1) if fence else completion.text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise Unusable(f"{place}: {first['msg']}"[:300]) from error


def _response_format(form: Form, answer: type[Answer]) -> dict[str, Any] | None:
    if form is Form.JSON_SCHEMA:
        return {
            "type": "json_schema",
            "json_schema": {"name": answer.__name__, "strict": True, "schema": schema_of(answer)},
        }
    if form is Form.JSON_OBJECT_OF_SCHEMA:
        return {"type": "json_object", "schema": schema_of(answer)}
    return {"type": "json_object"} if form is Form.JSON_OBJECT else None


_CODE_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


def _is_near(passage: Passage, reader: Reader) -> bool:
    """Tell whether a passage names the item, in its headings at least: the others would only cost tokens."""
    around = f"{passage.source.title}\n{passage.heading}\n{passage.text}"
    return reader.is_free or bool(reader.item.mentions(around))


def _with_heading(passage: Passage) -> str:
    return f"[{passage.heading or passage.source.title}]\n{passage.text}"


def _columns(asked: Sequence[Asked]) -> str:
    lines = []
    for number, each in enumerate(asked, 1):
        column = each.column
        facts = [column.type.value, *([f"in {column.unit}"] if column.unit else []), *column.allowed]
        described = f": {column.description}" if column.description else ""
        lines.append(f"{number}. {column.name} ({', '.join(facts)}){described}")
    return "\n".join(lines)


def _task(brief: Brief) -> str:
    return brief.task[:TASK_CHARACTERS_MAX]


def _subtasks(answer: Decomposition, brief: Brief) -> tuple[Subtask, ...]:
    kept: list[Subtask] = []
    for planned in answer.subtasks:
        question = normalise(planned.question)[:QUESTION_CHARACTERS_MAX]
        same = any(overlap(terms(question), terms(other.question)) > 0.85 for other in kept)
        if not re.search(r"\w", question) or same or len(kept) >= max(1, brief.agents_max):
            continue
        # Only addresses that the user wrote: a model must not send an agent anywhere else.
        urls = tuple(dict.fromkeys(url for url in planned.urls if url in brief.task))
        title = normalise(planned.title)[:TITLE_CHARACTERS_MAX] or question[:TITLE_CHARACTERS_MAX]
        kept.append(Subtask(number=len(kept) + 1, title=title, question=question, urls=urls))
    return _with_lost_urls(kept, brief)


def _with_lost_urls(kept: list[Subtask], brief: Brief) -> tuple[Subtask, ...]:
    """Give the first subtask the addresses of the task that the model put nowhere."""
    placed = {url for subtask in kept for url in subtask.urls}
    named = [url for subtask in plan_subtasks(brief) for url in subtask.urls]
    lost = tuple(url for url in named if url not in placed)
    if kept and lost:
        kept[0] = kept[0].model_copy(update={"urls": kept[0].urls + lost})
    return tuple(kept)


def _question(view: AgentView) -> str:
    urls = "".join(f"\nnamed by the user: {url}" for url in view.subtask.urls)
    return f"{view.subtask.question}{urls}"


def _known(view: AgentView) -> str:
    return (
        "\n".join(f"- {claim.text[:FINDING_CHARACTERS_MAX]}" for claim in view.claims[-CLAIMS_SHOWN_MAX:]) or "(none)"
    )


def _acts(view: AgentView) -> str:
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
    return "\n".join(lines) or "(none yet)"


def _argument(tool: str, hints: Mapping[str, ToolHint]) -> str:
    """Name the argument of a tool, as the prompt lists it."""
    hint = hints.get(tool)
    return TOOL_ARGUMENT[tool] if hint is None else hint.argument or "a JSON object, see the data"


def _described(hints: Sequence[ToolHint]) -> str:
    lines = []
    for hint in hints:
        lines.append(f"{hint.name}: {normalise(hint.description)[:TOOL_CHARACTERS_MAX]}")
        if hint.argument is None:
            lines.append(f"   argument: {json.dumps(hint.input_schema)[:TOOL_CHARACTERS_MAX]}")
    return "\n".join(lines)


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


def _action(
    answer: NextAction, view: AgentView, usable: Sequence[str], hints: Mapping[str, ToolHint]
) -> ToolCall | Finish:
    reason = normalise(answer.reason)[:300]
    if answer.action == "finish":
        return Finish(reason=reason or "the model finished")
    argument = normalise(answer.argument)
    if answer.tool not in usable or not argument:
        return Finish(reason=f"the model asked for a tool that it does not have: {answer.tool[:60]}")
    if answer.tool in hints:
        return _outside_call(answer, view, hints[answer.tool], reason)
    name = TOOL_ARGUMENT[answer.tool]
    if any(step.tool == answer.tool and step.arguments.get(name) == argument for step in view.steps):
        return Finish(reason="the model asked for the same again")
    if answer.tool in (FETCH_TOOL, READ_TOOL) and argument not in _seen(view):
        return Finish(reason="the model asked for an address or document that no source showed it")
    arguments = read_arguments(view, argument) if answer.tool == READ_TOOL else {name: argument}
    if answer.tool == FETCH_TOOL:
        arguments |= _kind_of(view, argument)
    return ToolCall(tool=answer.tool, arguments=arguments, reason=reason)


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


def _passage_batches(passages: Sequence[Passage], characters_max: int) -> Iterable[list[Passage]]:
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


def _claim(drawn: DrawnClaim, batch: Sequence[Passage], agent_number: int) -> Claim | None:
    """Look a quotation up, in the passage it is said to come from first; None where no passage has it."""
    named = batch[drawn.passage - 1 : drawn.passage] if drawn.passage > 0 else []
    for passage in (*named, *batch):
        span = locate(drawn.quote, passage.text)
        if span is None:
            continue
        row = row_at(passage.text, *span)
        if row is not None:
            span = (row.start, row.end)
        quote = passage.text[span[0] : span[1]]
        statement = (
            row.said(passage.heading or passage.source.title)
            if row
            else normalise(drawn.statement)[:STATEMENT_CHARACTERS_MAX]
        )
        if row is None and (not statement or not check_support(statement, [quote]).ok):
            statement = normalise(quote)
        start, end = passage.start + span[0], passage.start + span[1]
        return Claim(
            id=claim_id(passage.source.snapshot_sha256, start, end, statement),
            agent_number=agent_number,
            text=statement,
            source=passage.source,
            start=start,
            end=end,
            quote=quote,
            relevance=min(max(drawn.relevance, 0.0), 1.0) if drawn.relevance == drawn.relevance else 0.0,
        )
    return None


def _listed(findings: Sequence[Finding]) -> str:
    return "\n".join(
        f"f{number}: {finding.text[:FINDING_CHARACTERS_MAX]}" for number, finding in enumerate(findings, 1)
    )


def _named(short_ids: Iterable[str], findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that short ids (`f3`) stand for; ids that do not exist are dropped."""
    numbers = [int(short[1:]) for short in short_ids if re.fullmatch(r"f\d{1,4}", short)]
    return [findings[number - 1] for number in dict.fromkeys(numbers) if 0 < number <= len(findings)]


def _joined(findings: list[Finding], same: list[Finding], claims: Mapping[str, Claim]) -> list[Finding]:
    """Put findings together that the model calls the same, unless they differ in a value or contradict each other."""
    ids = {finding.id for finding in findings}
    same = [finding for finding in same if finding.id in ids]
    if len(same) < 2:
        return findings
    first = same[0]
    others = [
        finding
        for finding in same[1:]
        if not differ(first.text, finding.text) and not contradict(first, finding, claims)
    ]
    merged_ids = tuple(dict.fromkeys(claim for finding in (first, *others) for claim in finding.claim_ids))
    weight = max(finding.weight for finding in (first, *others))
    merged = first.model_copy(update={"claim_ids": merged_ids, "weight": weight})
    gone = {finding.id for finding in others}
    return [merged if finding.id == first.id else finding for finding in findings if finding.id not in gone]


def _conflict(seen: SeenConflict, batch: Sequence[Finding], claims: Mapping[str, Claim]) -> Conflict | None:
    named = _named(seen.findings, batch)
    facts = [fact for finding in named for fact in facts_of(finding, claims)[-1:]]
    if len(facts) < 2:
        return None
    subject = normalise(seen.subject)[:120]
    said = terms(" ".join(finding.text for finding in named))
    told = subject if subject and contained(terms(subject), said) >= 0.6 else subject_of(facts)
    return conflict_of([[fact] for fact in facts], ConflictKind(seen.kind), told)


def _known_conflict(conflict: Conflict, others: Sequence[Conflict]) -> bool:
    return any(len(set(conflict.finding_ids) & set(other.finding_ids)) >= 2 for other in others)


def _sentence(written: WrittenSentence, findings: Sequence[Finding]) -> Sentence | None:
    """Turn a model's sentence into one that names claims; a sentence that rests on no finding is dropped."""
    named = _named(written.findings, findings)
    text = normalise(written.text)[:STATEMENT_CHARACTERS_MAX]
    claims = list(dict.fromkeys(claim for finding in named for claim in finding.claim_ids[:2]))
    if not claims or not text:
        return None
    return Sentence(text=text, claim_ids=tuple(claims[: 2 * CITATIONS_PER_SENTENCE_MAX]))


def _report(material: Material, written: Mapping[str, tuple[Sentence, ...]], sections: list[Section]) -> Report:
    summary = tuple(part for part in (written[EXECUTIVE_SUMMARY], scope_note(material, "modelled")) if part)
    advised = tuple((sentence,) for sentence in written[RECOMMENDATIONS])
    return Report(
        title=report_title(material.brief),
        sections=(
            Section(title=EXECUTIVE_SUMMARY, paragraphs=summary),
            Section(title=KEY_FINDINGS, paragraphs=tuple((sentence,) for sentence in written[KEY_FINDINGS])),
            *sections,
            *disagreements(material),
            Section(title=RECOMMENDATIONS, paragraphs=(*advised, *recommendations(material))),
        ),
        disclosures=gaps(material),
    )
