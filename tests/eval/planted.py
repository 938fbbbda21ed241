"""Part (a): planted facts, stale versions, distractors and typed conflicts in a generated corpus."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from activities.research.dating import undated
from tests.eval.asking import Answer, Asker, Bench
from tests.eval.metrics import Citations, Measure, Table, folded, holds, numbers, share, statements
from tests.eval.planting import Fact, Split, Statement, World, plant, tasks

AGENTS = 10
TOKENS = 200_000
WIDE_TASKS = 12
CONFLICT_TASKS = 6
SMALL_TASKS = 16
DISAGREEMENTS = "Disagreements"


@dataclass
class Tally:
    """What was counted over the reports of one kind of task."""

    found: int = 0
    in_prose: list[int] = field(default_factory=lambda: [0, 0])
    listed: list[int] = field(default_factory=lambda: [0, 0])
    """Facts that only a table or bullets say: [found, all]."""
    asked: int = 0
    stale: int = 0
    """Outdated facts that stand in the report as if they held today."""
    outdated: int = 0
    """Outdated facts that stand there with the date of their old source."""
    leaked: int = 0
    on_topic: int = 0
    sentences: int = 0
    disagreements: list[int] = field(default_factory=lambda: [0, 0])
    """Disagreements that the reports tell of: [of statements about different things or properties, all]."""
    perhaps: list[int] = field(default_factory=lambda: [0, 0])
    """The same, of those that the report tells of as such *if both mean the same*."""
    conflicts: dict[str, list[int]] = field(default_factory=dict)
    """Kind -> [disclosed, rightly chosen, all]."""
    citations: Citations = field(default_factory=Citations)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Judge:
    """Knows the world and reads reports."""

    def __init__(self, world: World, asker: Asker) -> None:
        self._world = world
        self._asker = asker
        self._by_document: dict[str, list[Statement]] = {}
        for statement in world.statements:
            self._by_document.setdefault(statement.document, []).append(statement)

    def judge(self, facts: Sequence[Fact], answer: Answer, tally: Tally) -> None:
        """Count one report."""
        tally.citations.add(answer.sidecar, self._asker.texts)
        for fact in facts:
            self._count_fact(fact, answer, tally)
        asked = {fact.thing for fact in facts}
        attributes = {(fact.thing, fact.attribute) for fact in facts}
        for sentence in statements(answer.sidecar):
            said = self.said_by(sentence)
            tally.sentences += 1
            about = {each.thing for each in said} or self._about(sentence)
            if about and not about & asked:
                tally.leaked += 1
                tally.wrong.append(f"leak: {sentence['text'][:100]!r}")
            tally.on_topic += any((each.thing, each.attribute) in attributes for each in said)
            if said and all(map(self._is_outdated, said)) and sentence["section"] != DISAGREEMENTS:
                if undated(sentence["text"])[1] is not None:
                    tally.outdated += 1
                    tally.wrong.append(f"outdated, with its date: {sentence['text'][:100]!r}")
                    continue
                tally.stale += 1
                tally.wrong.append(f"stale: {sentence['text'][:100]!r}")

        for is_sure, sides in told_sides(answer.sidecar):
            facts_of = [{(each.thing, each.attribute) for each in self.said_by(side)} for side in sides]
            counts = tally.disagreements if is_sure else tally.perhaps
            counts[1] += 1
            if not any(left & right for left, right in combinations(facts_of, 2)):
                counts[0] += 1
                tally.wrong.append(
                    f"no {'disagreement' if is_sure else 'perhaps'}: " + " / ".join(side["text"][:90] for side in sides)
                )

    def said_by(self, sentence: Mapping[str, Any]) -> list[Statement]:
        """Return the planted statements that a cited sentence repeats."""
        found = []
        for span in sentence["spans"]:
            quote = folded(span["quote"])
            for statement in self._by_document.get(self._asker.documents.get(span["snapshot_sha256"], ""), ()):
                if all(folded(mark) in quote for mark in statement.marks) and holds(sentence["text"], statement.value):
                    found.append(statement)
        return found

    def _is_outdated(self, statement: Statement) -> bool:
        """Tell whether an old document says another value than a report should; by chance it may be the same one."""
        right = [
            each.value
            for each in self._world.facts
            if (each.thing, each.attribute) == (statement.thing, statement.attribute)
        ]
        same_number = any(numbers(value) == numbers(statement.value) != set() for value in right)
        return statement.role == "stale" and not same_number

    def _about(self, sentence: Mapping[str, Any]) -> set[Any]:
        names = [self._asker.documents.get(span["snapshot_sha256"], "") for span in sentence["spans"]]
        return {self._world.things[name] for name in names if name in self._world.things}

    def _count_fact(self, fact: Fact, answer: Answer, tally: Tally) -> None:
        tally.asked += 1
        found = self.is_found(fact, answer)
        tally.found += found
        where = [
            each for each in self._world.statements if (each.thing, each.attribute) == (fact.thing, fact.attribute)
        ]
        counted = tally.in_prose if any(each.in_prose for each in where) else tally.listed
        counted[0] += found
        counted[1] += 1
        if not found:
            tally.missed.append(f"{fact.question} -> {fact.value} ({'prose' if counted is tally.in_prose else 'list'})")
        if fact.conflict:
            counts = tally.conflicts.setdefault(fact.conflict, [0, 0, 0])
            disclosed, right = self.disclosure(fact, answer)
            counts[0] += disclosed
            counts[1] += right
            counts[2] += 1
            if not (disclosed and right):
                tally.wrong.append(
                    f"{fact.conflict}: {fact.question} {fact.value} / {fact.other}: "
                    f"disclosed {disclosed}, right {right}"
                )

    def is_found(self, fact: Fact, answer: Answer) -> bool:
        """Tell whether a cited sentence says the fact's value of the fact's thing."""
        return any(
            (each.thing, each.attribute, each.value) == (fact.thing, fact.attribute, fact.value)
            for sentence in statements(answer.sidecar)
            for each in self.said_by(sentence)
        )

    def disclosure(self, fact: Fact, answer: Answer) -> tuple[bool, bool]:
        """Tell whether both values of a disputed fact are shown, and whether the right one was chosen.

        The part on disagreements gives both sides, the chosen one first, and then the reason. For a difference of
        circumstances both statements hold: shown anywhere is disclosed, and choosing one is wrong.
        """
        values = [fact.value, fact.other]
        told = [each for each in answer.sidecar["sentences"] if each["section"] == DISAGREEMENTS]
        sides = [self._side(fact, sentence) for sentence in told]
        both = all(value in sides for value in values)
        chosen = self._chosen(told, sides, values)
        if fact.conflict == "scope":
            shown = {self._side(fact, sentence) for sentence in statements(answer.sidecar)}
            return all(value in shown for value in values), chosen is None
        if not both:
            return False, False
        if fact.conflict == "tie":
            return True, chosen is None
        if fact.conflict == "unit":
            return True, True
        return True, chosen == fact.value

    def _side(self, fact: Fact, sentence: Mapping[str, Any]) -> str | None:
        same = [
            each.value
            for each in self.said_by(sentence)
            if (each.thing, each.attribute) == (fact.thing, fact.attribute)
        ]
        return same[0] if same else None

    @staticmethod
    def _chosen(told: Sequence[Mapping[str, Any]], sides: Sequence[str | None], values: Sequence[str]) -> str | None:
        """Return the value that is preferred: the first side above the reason that says so."""
        first: str | None = None
        for sentence, side in zip(told, sides, strict=True):
            if side in values:
                first = first or side
            elif first and not sentence["spans"] and sentence["text"].startswith("Preferred:"):
                return first
            elif first and not sentence["spans"] and not sentence["text"].endswith(":"):
                return None
        return None


def told_sides(sidecar: Mapping[str, Any]) -> list[tuple[bool, list[Mapping[str, Any]]]]:
    """Return the sides of every disagreement that a report tells of, and whether it is sure of it."""
    found: list[tuple[bool, list[Mapping[str, Any]]]] = []
    for sentence in sidecar["sentences"]:
        if sentence["section"] != DISAGREEMENTS:
            continue
        if sentence["text"].startswith(("The sources disagree about ", "A source of ", "The sources give different")):
            found.append((sentence["text"].startswith("The sources disagree"), []))
        elif sentence["spans"] and found:
            found[-1][1].append(sentence)
    return [(is_sure, sides) for is_sure, sides in found if len(sides) >= 2]


def wide_task(facts: Sequence[Fact]) -> str:
    """Word a task of many questions."""
    return "Please answer these questions from our documents:\n\n" + "\n".join(f"- {fact.question}" for fact in facts)


def small_task(facts: Sequence[Fact], number: int) -> str:
    """Word a task of a few questions about one thing, in one of several ways."""
    questions = [fact.question for fact in facts]
    if number % 3 == 0:
        return " ".join(f"{each.rstrip('?')}?" for each in questions)
    if number % 3 == 1:
        first, *rest = [
            each if number == 0 or each.startswith(facts[number].thing.name) else each[:1].lower() + each[1:]
            for number, each in enumerate(questions)
        ]
        return f"{first.rstrip('?')}, and {', and '.join(each.rstrip('?') for each in rest)}?"
    return "\n".join(f"{n}. {question}" for n, question in enumerate(questions, 1))


def small_tasks(world: World, count: int) -> list[list[Fact]]:
    """Draw tasks of two facts about one thing."""
    by_thing: dict[Any, list[Fact]] = {}
    for fact in world.facts:
        if not fact.conflict:
            by_thing.setdefault(fact.thing, []).append(fact)
    things = list(by_thing)
    return [by_thing[thing][:2] for thing in things[:: max(1, len(things) // count)]][:count]


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (a)."""
    world = plant(seed, split)
    wide, small = Tally(), Tally()
    with bench.asker(world.files) as asker:
        judge = Judge(world, asker)
        many = [
            *tasks(world, WIDE_TASKS, AGENTS, seed=seed, conflicts=False),
            *tasks(world, CONFLICT_TASKS, AGENTS, seed=seed, conflicts=True),
        ]
        for facts, answer in zip(
            many, asker.ask([wide_task(each) for each in many], agents=AGENTS, tokens=TOKENS), strict=True
        ):
            judge.judge(facts, answer, wide)
        few = small_tasks(world, SMALL_TASKS)
        asked = [small_task(facts, number) for number, facts in enumerate(few)]
        for facts, answer in zip(few, asker.ask(asked, agents=3, tokens=TOKENS), strict=True):
            judge.judge(facts, answer, small)
    title = f"(a) planted facts, {len(world.files)} documents, seed {seed}, templates {split}"
    return [
        _table(f"{title}: {len(many)} tasks of {AGENTS} questions, {AGENTS} agents", wide, floor=0.9),
        _table(f"{title}: {len(few)} tasks of two questions on one thing", small, floor=0.9),
    ]


def _table(title: str, tally: Tally, *, floor: float) -> Table:
    table = Table(title)
    table.measures = [
        share("fact recall", tally.found, tally.asked, floor=floor),
        share("  of facts that prose states", *tally.in_prose),
        share("  of facts that only a table or bullets state", *tally.listed),
        Measure("stale facts repeated, with a date or without", tally.stale + tally.outdated, ceiling=0),
        Measure("  of them as if they held today", tally.stale, ceiling=0),
        share("distractor leakage (cited sentences about something else)", tally.leaked, tally.sentences, ceiling=0.05),
        share("cited sentences that answer a question", tally.on_topic, tally.sentences),
        share("disagreements told that are none", *tally.disagreements),
        share("possible disagreements told that are none", *tally.perhaps),
        *tally.citations.measures(),
    ]
    for kind, (disclosed, right, total) in sorted(tally.conflicts.items()):
        table.measures += [
            share(f"conflict, {kind}: disclosed", disclosed, total),
            share(f"conflict, {kind}: right choice", right, total),
        ]
    table.notes = _notes(tally)
    return table


def _notes(tally: Tally) -> list[str]:
    kinds = Counter(line.partition(":")[0] for line in tally.wrong)
    notes = [f"missed: {line}" for line in tally.missed] + tally.wrong + tally.citations.problems
    return notes if notes else [f"nothing missed {dict(kinds) or ''}".strip()]
