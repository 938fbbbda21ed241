"""The guard of every tool call: collects what the agent has met, and asks the policy.

What an agent has met is read from its own recorded acts, of every attempt of the run: claims of one agent never reach
another one that still calls tools. The model's view plays no part: it may say what it likes.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from activities.agents.memory import CODE_TOOL, unpack_passages
from activities.tools.canary import carries, texts_of
from activities.tools.egress import Sent, Vocabulary, addresses_in, addresses_of, fault_of, same_address
from activities.tools.policy import Decision, Legs, Reach, Verdict, decide, reach_of
from activities.tools.tool import Tool
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.agent import ActInput
from schema.contracts.policy import ToolPolicy
from schema.contracts.research import FoundItem, Passage, SourceKind
from schema.contracts.tools import Effect
from schema.errors import CanaryLeaked, ToolRefused
from schema.policies import SNAPSHOTS_LOOKED_THROUGH_MAX
from schema.states import StepStatus
from schema.store import agents, forms, research, runs, snapshots
from schema.tables.forms import RunForm, TableRow
from schema.tables.runs import Run, Step

EffectOf = Callable[[str], Effect | None]
"""Says what a tool of this name does to the world; None: there is none any more."""


@dataclass(frozen=True)
class Met:
    """What an agent has met before a call."""

    legs: Legs
    vocabulary: Vocabulary
    sent: Sent
    given: frozenset[str]
    """Addresses that the task or a source gave, in the one spelling of `same_address`."""
    snapshots: tuple[str, ...]
    """Hashes of the texts that the agent read, the last first."""


@dataclass(frozen=True)
class _Act:
    """One earlier act of the agent."""

    step: Step
    effect: Effect
    passages: tuple[Passage, ...]
    results: tuple[FoundItem, ...] = field(default=())

    @property
    def private(self) -> tuple[Passage, ...]:
        return tuple(each for each in self.passages if each.source.kind is SourceKind.CORPUS)

    @property
    def public(self) -> tuple[Passage, ...]:
        return tuple(each for each in self.passages if each.source.kind is not SourceKind.CORPUS)


class Guard:
    """Judges calls before they are made."""

    def __init__(self, db: Database, objects: ObjectStore, effect_of: EffectOf, canaries: Iterable[str] = ()) -> None:
        """Prepare.

        Args:
            canaries: of the deployment; those of a run's policy come with the run.
        """
        self._db = db
        self._objects = objects
        self._effect_of = effect_of
        self._canaries = tuple(canaries)

    async def judge(self, input: ActInput, policy: ToolPolicy, tool: Tool, arguments: BaseModel) -> Decision:
        """Decide on a call whose arguments fit.

        Returns:
            Allowed, or to wait for a person.

        Raises:
            CanaryLeaked: the arguments carry a planted text.
            ToolRefused: the policy refuses it; `rule` says why.
        """
        spec, given = tool.spec, arguments.model_dump(mode="json")
        if not policy.permits(spec.name):
            raise ToolRefused(f"This run may not use {spec.name}.", rule="not_listed", tool=spec.name)
        named = spec.name in policy.require_approval
        if spec.effect is Effect.READ:
            return decide(Reach.INSIDE, Legs(), free_browsing=policy.free_browsing, named=named)
        if carries(given, (*self._canaries, *policy.canaries)):
            raise CanaryLeaked(
                f"The arguments of {spec.name} carry a text that was planted to be noticed; the call was not made.",
                tool=spec.name,
            )
        strings = list(_values(given))
        _check_characters(strings, spec.name)
        urls = [url for text in strings for url in addresses_of(text)]
        met = await self._met(input)
        unknown = await self._unknown(urls, met, input.org_id)
        reach = reach_of(spec.effect, addresses_known=not unknown)
        decision = decide(reach, met.legs, free_browsing=policy.free_browsing, named=named)
        if decision.verdict is Verdict.REFUSE:
            detail = (
                f"{unknown[0]} is not an address that the task, a search or a page gave; only such addresses may be "
                "fetched."
                if unknown
                else f"The policy of this run refuses {spec.name} here."
            )
            raise ToolRefused(detail, rule=decision.rule, tool=spec.name)
        if met.legs.private and decision.rule != "rule_of_two":
            # What a person reads and approves is not held to the limits of what nobody sees.
            texts = [text for text in strings if not addresses_of(text)]
            if (fault := fault_of(texts, urls, met.vocabulary, met.sent)) is not None:
                raise ToolRefused(fault[1], rule=fault[0], tool=spec.name)
        return decision

    async def _met(self, input: ActInput) -> Met:
        org_id, run_id, number = input.org_id, input.run_id, input.agent_number
        async with self._db.transaction(org_id) as session:
            run = await runs.get_run(session, org_id, run_id)
            recorded = await agents.list_acts(session, org_id, run_id, attempt=None, agent_number=number)
            sources = await research.addresses_met(session, org_id, run_id)
            form = row = None
            if input.subtask.is_row:
                form = await forms.find_form(session, org_id, run_id)
                row = await forms.get_row(session, org_id, run_id, number)
        acts = [await self._act(step) for step in recorded]
        return met_of(_told(run, input.subtask.question, form, row), acts, sources)

    async def _act(self, step: Step) -> _Act:
        passages = await unpack_passages(self._objects, step.output)
        results = tuple(FoundItem.model_validate(item) for item in (step.output or {}).get("results", ()))
        # A tool that is gone is taken for one that left the platform.
        return _Act(step, self._effect_of(step.tool_name or "") or Effect.EGRESS, passages, results)

    async def _unknown(self, urls: Sequence[str], met: Met, org_id: str) -> list[str]:
        """Return the addresses that nothing gave: not the task, no search, and no text that the agent read."""
        unknown = [url for url in urls if same_address(url) not in met.given]
        if not unknown:
            return []
        async with self._db.transaction(org_id) as session:
            refs = await snapshots.snapshot_refs(session, org_id, list(met.snapshots[:SNAPSHOTS_LOOKED_THROUGH_MAX]))
        for ref in refs:
            text = (await self._objects.get(ref)).decode()
            shown = {same_address(url) for url in addresses_in(text)} if any(url in text for url in unknown) else set()
            unknown = [url for url in unknown if same_address(url) not in shown]
            if not unknown:
                break
        return unknown


def met_of(told: Sequence[str], acts: Sequence[_Act], sources: Iterable[str]) -> Met:
    """Return what an agent has met, from what it was told and its acts in order."""
    given = {same_address(url) for text in told for url in addresses_in(text)} | {same_address(uri) for uri in sources}
    public, private = list(told), list[str]()
    untrusted, computed, calls, size = False, False, 0, 0
    for act in acts:
        left = act.effect is not Effect.READ
        if (private or computed) and left and act.step.status == StepStatus.COMPLETED:
            calls += 1
            size += sum(len(text.encode()) for text in _values(act.step.input or {}) if not addresses_of(text))
        untrusted = untrusted or left or bool(act.passages or act.results)
        private += [each.text for each in act.private]
        # What a program printed was made of files of the run: it may say whatever they say.
        computed = computed or act.step.tool_name == CODE_TOOL
        for each in act.public:
            public += [each.source.title, each.text]
        for item in act.results:
            public += [item.title, item.snippet]
            given |= {same_address(item.url), same_address(item.read_url)}
        for each in act.passages:
            given |= {same_address(each.source.uri)} | {same_address(url) for url in addresses_in(each.text)}
    read = [sha for act in reversed(acts) for sha in (act.step.output or {}).get("snapshots", ())]
    return Met(
        legs=Legs(untrusted=untrusted, private=computed or bool(private)),
        vocabulary=Vocabulary(tuple(public), tuple(private)),
        sent=Sent(calls, size),
        given=frozenset(given),
        snapshots=tuple(dict.fromkeys(read)),
    )


def _told(run: Run, question: str, form: RunForm | None, row: TableRow | None) -> list[str]:
    """Return what the user said: the only text that is trusted.

    The question of a subtask is the planner's, made of the task alone, before anything was read. An address in it
    must stand in the task: so it is not looked through for addresses.
    """
    told = [run.task, *texts_of(run.context), " ".join(word for word in question.split() if "://" not in word)]
    if form is not None:
        told += texts_of(form.columns)
    return told if row is None else [*told, row.item]


def _values(arguments: Mapping[str, Any]) -> Iterable[str]:
    """Return every string among the values, at any depth."""
    for value in arguments.values():
        yield from texts_of(value)


def _check_characters(texts: Iterable[str], tool: str) -> None:
    """Refuse characters that nobody sees and that carry text all the same: tags, variation selectors, private use.

    Joiners are left: scripts need them.

    Raises:
        ToolRefused: the rule is `characters`.
    """
    for text in texts:
        for character in text:
            point = ord(character)
            hidden = 0xE0000 <= point <= 0xE0FFF or 0xFE00 <= point <= 0xFE0F or 0x202A <= point <= 0x202E
            if hidden or 0x2066 <= point <= 0x2069 or unicodedata.category(character) in ("Co", "Cs", "Cn"):
                raise ToolRefused(
                    f"An argument holds the invisible character U+{point:04X}.", rule="characters", tool=tool
                )
