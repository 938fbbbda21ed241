"""The model reasoner: any model that litellm reaches, asked for JSON that fits a schema.

A model proposes; code disposes: counts and lengths are cut, identifiers that do not exist are dropped, quotations are
looked up in their passage, and what a model calls the same or different is checked against figures and polarity. One
repair round for an unusable answer; every other retry is Temporal's. No prompt grows with the corpus: passages,
findings and sections go in batches. Who works where a model gives nothing usable: `fallback.py`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from activities.research.acting import TOOL_ARGUMENT
from activities.research.answers import (
    Decomposition,
    DrawnClaims,
    FilledCells,
    Merging,
    NextAction,
    PlannedSlides,
    SeenConflicts,
    WrittenAnalysis,
    WrittenSummary,
)
from activities.research.claims import rivals_in, stating
from activities.research.composing import (
    ANALYSIS,
    ANALYSIS_PER_SUBTASK_MAX,
    EXECUTIVE_SUMMARY,
    KEY_FINDINGS,
    RECOMMENDATIONS,
    compose_report,
    quoted_section,
)
from activities.research.conflicts import find_conflicts
from activities.research.decomposition import plan_subtasks
from activities.research.fields_checking import checked
from activities.research.fields_columns import asked_of
from activities.research.fields_reading import Reader
from activities.research.fields_values import Candidate
from activities.research.filling import fill
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.meanings import Meanings
from activities.research.models_acting import action_of
from activities.research.models_asking import Talk
from activities.research.models_reading import (
    claim_of,
    conflict_seen,
    findings_named,
    is_known,
    joined,
    outline_of,
    report_of,
    sentence_of,
    subtasks_of,
)
from activities.research.models_showing import (
    acts_text,
    argument_of,
    columns_text,
    findings_text,
    is_near,
    known_text,
    passage_batches,
    passage_text,
    question_text,
    statements_text,
    task_text,
    tools_text,
)
from activities.research.prompting import fenced
from activities.research.reasoner import ModelConfig, Role, ToolHint
from schema.contracts.research import (
    AgentView,
    Brief,
    Claim,
    Conflict,
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
from schema.contracts.slides import Outline, OutlineRequest
from schema.contracts.tables import Filled, FillRequest

CLAIMS_PER_PROMPT_MAX = 12
FINDINGS_PER_PROMPT_MIN = 5
FINDINGS_PER_PROMPT_MAX = 50
FILL_BATCHES_MAX = 2
"""Prompts of passages that one look at a row may cost."""


class ModelReasoner:
    """A model in three roles: planner, researcher, writer."""

    def __init__(self, config: ModelConfig, hints: Sequence[ToolHint] = (), meanings: Meanings | None = None) -> None:
        self._config = config
        self.meanings = meanings
        self._hints = {hint.name: hint for hint in hints}
        self._seats = asyncio.Semaphore(config.calls_max)
        self.name = config.model or config.for_role("researcher") or "model"

    async def decompose(self, brief: Brief) -> Reasoned[tuple[Subtask, ...]]:
        """Let the model split the task; distinct subtasks survive, at most `agents_max`, with its addresses only."""
        talk = self._talk()
        answer = await talk.ask(
            "planner", "decompose", Decomposition, [fenced("task", task_text(brief))], agents_max=brief.agents_max
        )
        subtasks = subtasks_of(answer, brief)
        return Reasoned(value=subtasks or plan_subtasks(brief), tokens=talk.tokens)

    async def next_action(self, view: AgentView) -> Reasoned[ToolCall | Finish]:
        """Let the model choose; a call that is not allowed, a repetition or an address from nowhere is unusable."""
        if view.steps_left <= 0:
            return Reasoned[ToolCall | Finish](value=Finish(reason="no steps left"))
        usable = [tool for tool in view.tools if tool in TOOL_ARGUMENT or tool in self._hints]
        hints = [self._hints[tool] for tool in usable if tool in self._hints]
        data = [
            fenced("question", question_text(view)),
            fenced("evidence", known_text(view)),
            fenced("acts", acts_text(view)),
        ]
        talk = self._talk()
        answer = await talk.ask(
            "planner",
            "next_action",
            NextAction,
            # What a tool from outside says of itself was written by others: data, like everything they write.
            [*data, *([fenced("tools", tools_text(hints))] if hints else [])],
            tools=", ".join(f"{tool} ({argument_of(tool, self._hints)})" for tool in usable) or "none",
            steps_left=view.steps_left,
        )
        action, is_allowed = action_of(answer, view, usable, self._hints)
        return Reasoned[ToolCall | Finish](value=action, tokens=talk.tokens, unusable=0 if is_allowed else 1)

    async def extract_claims(self, view: AgentView, passages: tuple[Passage, ...]) -> Reasoned[tuple[Claim, ...]]:
        """Let the model draw statements; those whose quotation is not in a passage are dropped."""
        talk, claims = self._talk(), dict[str, Claim]()
        known = {claim.id for claim in view.claims}

        async def draw(batch: Sequence[Passage]) -> DrawnClaims | None:
            shown = [fenced(f"passage {number}", passage.text) for number, passage in enumerate(batch, 1)]
            return await talk.ask_if_usable(
                "researcher",
                "extract_claims",
                DrawnClaims,
                [fenced("question", question_text(view)), fenced("known", known_text(view)), *shown],
                claims_max=CLAIMS_PER_PROMPT_MAX,
            )

        batches = list(passage_batches(passages, self._config.prompt_characters_max))
        for batch, answer in zip(batches, await talk.together([draw(batch) for batch in batches]), strict=True):
            for drawn in answer.claims[:CLAIMS_PER_PROMPT_MAX] if answer else ():
                claim = claim_of(drawn, batch, view.subtask.number, drawn_by=self._model("researcher"))
                if claim is not None and claim.id not in known:
                    claims.setdefault(claim.id, claim)
        claims = {claim.id: claim for claim in await asyncio.to_thread(stating, tuple(claims.values()), passages)}
        # A model that draws only one of two contradicting statements must not hide the other.
        for claim in rivals_in(passages, (*view.claims, *claims.values()), view.subtask.number):
            claims.setdefault(claim.id, claim)
        return Reasoned(value=tuple(claims.values()), tokens=talk.tokens, unusable=talk.unusable)

    async def fill_fields(self, request: FillRequest) -> Reasoned[Filled]:
        """Fill by code what code can read; ask the model for the rest, and check every answer against its passage."""
        filled = await asyncio.to_thread(fill, request)
        known = {cell.column: cell for cell in request.known if cell.filled}
        open_columns = [cell.column for cell in filled.cells if not cell.filled and cell.column not in known]
        asked = [asked_of(column) for column in request.columns if column.name in open_columns]
        reader = Reader(request.item, request.others, request.heads)
        said, talk = dict[str, list[Candidate]](), self._talk()
        near = [passage for passage in request.fresh or request.passages if is_near(passage, reader)]

        async def look(batch: Sequence[Passage]) -> FilledCells | None:
            shown = [fenced(f"passage {number}", passage_text(passage)) for number, passage in enumerate(batch, 1)]
            return await talk.ask_if_usable(
                "researcher",
                "fill_cells",
                FilledCells,
                [
                    fenced("task", task_text(request.brief)),
                    fenced("item", request.item or "(what the task asks about)"),
                    fenced("columns", columns_text(asked)),
                    *shown,
                ],
                cells_max=2 * len(asked),
            )

        batches = list(passage_batches(near, self._config.prompt_characters_max))[:FILL_BATCHES_MAX] if asked else []
        for batch, answer in zip(batches, await talk.together([look(batch) for batch in batches]), strict=True):
            for each in answer.cells[: 2 * len(asked)] if answer else ():
                if 0 < each.column <= len(asked):
                    column = asked[each.column - 1]
                    if (candidate := checked(each, column, batch, reader)) is not None:
                        said.setdefault(column.column.name, []).append(candidate)
        read = {claim.id for claim in filled.claims}
        if said:
            filled = await asyncio.to_thread(fill, request, said)
        model = self._model("researcher")
        claims = [
            claim if claim.id in read else claim.model_copy(update={"drawn_by": model}) for claim in filled.claims
        ]
        cells = tuple(cell if cell.filled else known.get(cell.column, cell) for cell in filled.cells)
        value = Filled(cells=cells, claims=tuple(claims))
        return Reasoned(value=value, tokens=talk.tokens, unusable=talk.unusable)

    async def merge(self, brief: Brief, claims: Sequence[Claim]) -> Reasoned[tuple[Finding, ...]]:
        """Group by code first; then let the model find repetitions in other words, batch by batch."""
        findings, talk = list(merge_claims(claims)), self._talk()
        by_id = {claim.id: claim for claim in claims}

        async def group(batch: Sequence[Finding]) -> Merging | None:
            return await talk.ask_if_usable("writer", "merge", Merging, [fenced("findings", findings_text(batch))])

        batches = self._batches(findings)
        for batch, answer in zip(batches, await talk.together([group(batch) for batch in batches]), strict=True):
            for same in answer.groups if answer else ():
                findings = joined(findings, findings_named(same.findings, batch), by_id)
        findings.sort(key=lambda finding: (-finding.weight, finding.id))
        return Reasoned(value=tuple(findings), tokens=talk.tokens, unusable=talk.unusable)

    async def resolve_conflicts(
        self, brief: Brief, findings: Sequence[Finding], claims: Mapping[str, Claim]
    ) -> Reasoned[tuple[Conflict, ...]]:
        """Compare by code; then let the model name contradictions it missed. The preference is always code's."""
        # By the task's own questions, as the rules have them: a model's subtasks word them as it likes.
        asked = [subtask.question for subtask in plan_subtasks(brief)]
        conflicts, talk = (
            list(await asyncio.to_thread(find_conflicts, findings, claims, asked, self.meanings)),
            self._talk(),
        )

        async def compare(batch: Sequence[Finding]) -> SeenConflicts | None:
            return await talk.ask_if_usable(
                "writer", "resolve_conflicts", SeenConflicts, [fenced("findings", findings_text(batch))]
            )

        batches = self._batches(findings)
        for batch, answer in zip(batches, await talk.together([compare(batch) for batch in batches]), strict=True):
            for seen in answer.conflicts if answer else ():
                conflict = conflict_seen(seen, batch, claims)
                if conflict is not None and not is_known(conflict, conflicts):
                    conflicts.append(conflict)
        return Reasoned(value=tuple(conflicts), tokens=talk.tokens, unusable=talk.unusable)

    async def write_report(
        self,
        brief: Brief,
        subtasks: Sequence[Subtask],
        findings: Sequence[Finding],
        conflicts: Sequence[Conflict],
        claims: Mapping[str, Claim],
        missing: tuple[str, ...],
    ) -> Reasoned[Report]:
        """Let the model write every subtask's part, then the summary; code adds disagreements, gaps and open points."""
        material = await asyncio.to_thread(
            Material, brief, subtasks, findings, conflicts, claims, missing, self.meanings
        )
        if not any(material.by_subtask.values()):
            return Reasoned(value=compose_report(material, made="modelled"))
        talk, best = self._talk(), min(3 * ANALYSIS_PER_SUBTASK_MAX, self._findings_max)
        sections = await talk.together(
            [
                self._analysis(talk, material, subtask, found[:best])
                for subtask in subtasks
                if (found := material.by_subtask.get(subtask.number, []))
            ]
        )
        summary = await self._summary(talk, material)
        report = report_of(material, summary, [Section(title=ANALYSIS), *sections])
        return Reasoned(value=report, tokens=talk.tokens, unusable=talk.unusable)

    async def plan_slides(self, request: OutlineRequest) -> Reasoned[Outline]:
        """Let the model group statements and name slides; numbers that do not exist or repeat are dropped."""
        talk = self._talk()
        answer = await talk.ask(
            "writer",
            "plan_slides",
            PlannedSlides,
            [
                fenced("title", request.title),
                fenced("task", request.task),
                fenced("statements", statements_text(request, self._config.prompt_characters_max)),
            ],
            slides_max=request.slides_max,
        )
        outline = outline_of(answer, request)
        return Reasoned(value=outline, tokens=talk.tokens, unusable=0 if outline.slides else 1)

    async def _analysis(self, talk: Talk, material: Material, subtask: Subtask, found: Sequence[Finding]) -> Section:
        answer = await talk.ask_if_usable(
            "writer",
            "write_analysis",
            WrittenAnalysis,
            [fenced("question", subtask.question), fenced("findings", findings_text(found))],
            sentences_max=2 * ANALYSIS_PER_SUBTASK_MAX,
        )
        if answer is None:
            return quoted_section(subtask, found[:ANALYSIS_PER_SUBTASK_MAX], material)
        paragraphs = tuple(
            tuple(sentence for each in paragraph.sentences if (sentence := sentence_of(each, found)))
            for paragraph in answer.paragraphs
        )
        kept = tuple(paragraph for paragraph in paragraphs if paragraph)
        return Section(title=subtask.title, level=3, paragraphs=kept)

    async def _summary(self, talk: Talk, material: Material) -> dict[str, tuple[Sentence, ...]]:
        each = max(1, self._findings_max // max(1, len(material.by_subtask)))
        best = [finding for found in material.by_subtask.values() for finding in found[:each]]
        best = best[: self._findings_max]
        answer = await talk.ask(
            "writer",
            "write_summary",
            WrittenSummary,
            [fenced("task", task_text(material.brief)), fenced("findings", findings_text(best))],
        )
        written = {
            EXECUTIVE_SUMMARY: answer.executive_summary[:6],
            KEY_FINDINGS: answer.key_findings[:12],
            RECOMMENDATIONS: answer.recommendations[:6],
        }
        return {
            title: tuple(sentence for each in sentences if (sentence := sentence_of(each, best)))
            for title, sentences in written.items()
        }

    def _talk(self) -> Talk:
        return Talk(self._config, self.name, self._seats)

    def _model(self, role: Role) -> str:
        return self._config.for_role(role) or self.name

    @property
    def _findings_max(self) -> int:
        """How many findings one prompt lists: as many as fit where they are of common length."""
        return max(FINDINGS_PER_PROMPT_MIN, min(FINDINGS_PER_PROMPT_MAX, self._config.prompt_characters_max // 300))

    def _batches(self, findings: Sequence[Finding]) -> list[Sequence[Finding]]:
        """Return the findings subtask by subtask, best first, in parts of two or more that fit a prompt."""
        order = sorted(findings, key=lambda finding: (finding.subtask_number, -finding.weight))
        parts = [order[start : start + self._findings_max] for start in range(0, len(order), self._findings_max)]
        return [part for part in parts if len(part) > 1]
