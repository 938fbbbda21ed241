"""A generated corpus with planted facts, of which everything is known: who says what, where, and how it is wrong. Pure.

Nine kinds of things (`data/planted.toml`), every fact worded by templates of one split, so that what is measured
is worded otherwise than what was looked at before; sixteen splits (`WORLDS`) are each about nine other kinds with
other properties (`data/elsewhere.toml` and so on). What stands around the facts is in `data/surroundings.toml`.
Same seed and split: same bytes.
"""

import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from tests.eval.files import as_html, as_markdown, as_pdf, as_text, table, words_of

Split = Literal[
    "develop",
    "held-out",
    "unseen",
    "sealed",
    "fresh",
    "blind",
    "unread",
    "plain",
    "late",
    "apart",
    "ninth",
    "tenth",
    "eleventh",
    "elsewhere",
    "yonder",
    "beyond",
    "further",
    "afar",
    "outer",
    "remote",
    "overseas",
    "offing",
    "inland",
    "upland",
    "seaward",
    "downtown",
    "midland",
    "riverside",
    "hillside",
]
"""develop: looked at. held-out, unseen, sealed: only measured until 2026-11-28, then looked at. fresh: written by
somebody who had not read the reasoner, and only scored.
blind, unread: written on 2026-11-29, each by somebody who had not read the reasoner; only scored.
plain: written on 2026-11-29 by somebody who had not read the reasoner; only scored.
late: written in the evening of 2026-11-29, the same way; only scored.
apart: written at night on 2026-11-29, the same way; only scored.
ninth: written late on 2026-11-29, the same way, as ordinary prose; only scored.
tenth: written on 2026-11-30, the same way, in many registers; only scored.
eleventh: written on 2026-11-30, after tenth had been looked at, the same way; only scored.
elsewhere: written in the morning of 2026-11-30, the same way, about a world that no other split speaks of: planted
facts only, no wide tables, no questions about documentation.
yonder: written after elsewhere had been looked at, the same way, about a third world.
beyond, further, afar: written in the afternoon of 2026-11-30, the same way, about a world of their own each; looked at
one after the other, after their first scores.
outer: written after that, the same way; only scored, then looked at.
remote, overseas: written in the evening of 2026-11-30, the same way; looked at after their first scores.
offing, inland: written after those had been looked at, the same way; looked at after their first scores.
upland: written after that, the same way; looked at after its first score.
seaward: written after all of that, the same way; looked at after its first score.
downtown: written after that, the same way; only scored.
midland, riverside: written on 2026-12-01, the same way; midland was looked at after its first score.
hillside: written after that, the same way; only scored."""
WORLDS: tuple[Split, ...] = get_args(Split)[get_args(Split).index("elsewhere") :]
"""The splits that have a world of their own, and nothing but planted facts."""
WORDINGS: tuple[Split, ...] = tuple(split for split in get_args(Split) if split not in WORLDS)
"""The splits that word one world, and that have wide tables and questions about documentation, too."""
OUTSIDERS: tuple[Split, ...] = WORDINGS[WORDINGS.index("fresh") :]
"""Those of them by somebody who had not read the reasoner."""
Role = Literal["current", "stale", "rival"]
"""current: what a report should say. stale: once right, in an older document. rival: contradicts it, no older."""
ConflictKind = Literal["stale", "majority", "tie", "unit", "scope"]

THINGS_PER_KIND = 12
CONFLICTS_PER_KIND = 6
DATA = Path(__file__).parent / "data" / "planted.toml"
SURROUNDINGS = DATA.with_name("surroundings.toml")


@dataclass(frozen=True)
class Thing:
    """Something that the corpus speaks of."""

    kind: str
    name: str
    article: str

    @property
    def shown(self) -> str:
        """Return the name with its article."""
        return f"{self.article}{self.name}"


@dataclass(frozen=True)
class Statement:
    """One place that says a value of a thing."""

    document: str
    thing: Thing
    attribute: str
    value: str
    marks: tuple[str, ...]
    """What a quotation of it holds: the sentence, or the label and the value of a row."""
    role: Role = "current"

    @property
    def in_prose(self) -> bool:
        """Tell whether it is a sentence."""
        return len(self.marks) == 1


@dataclass(frozen=True)
class Fact:
    """What a question asks for."""

    thing: Thing
    attribute: str
    value: str
    """As the report should show it."""
    question: str
    conflict: ConflictKind | None = None
    other: str = ""
    """The value that contradicts it."""


@dataclass
class World:
    """The corpus and all that is known of it."""

    files: dict[str, bytes] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    """Document -> the thing it is about; a document about several is not listed."""
    statements: list[Statement] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


@lru_cache(maxsize=1 + len(WORLDS))
def _read(path: Path) -> dict[str, dict[str, Any]]:
    return tomllib.loads(path.read_text("utf-8"))


def kinds_of(split: Split) -> dict[str, dict[str, Any]]:
    """Return the kinds of things that a split speaks of: what their names end in, their properties, the templates."""
    return _read(DATA.with_name(f"{split}.toml") if split in WORLDS else DATA)


def surroundings(split: Split) -> dict[str, Any]:
    """Return titles, fillers, circumstances and heads of tables of a split; the older splits share theirs."""
    data = tomllib.loads(SURROUNDINGS.read_text("utf-8"))
    return dict(data.get(split, data["shared"]))


_STARTS = words_of("starts")
_MIDDLES = words_of("middles")
_FIRMS = ["Works", "Hydraulics", "Industries", "Lines", "Marine", "Engineering"]
_GIVEN = ["Anna", "Peter", "Maria", "Jonas", "Ingrid", "Tomas", "Clara", "Viktor", "Elena", "Henrik", "Rosa", "Stefan"]
_ENDS_OF_PEOPLE = ["en", "berg", "sson", "ard"]
_ENDS_OF_TOWNS = ["moor", "stad", "wick", "holm", "ford"]


class Planter:
    """Draws the world; one instance per seed and split."""

    def __init__(self, seed: int, split: Split) -> None:
        self.random = random.Random(f"{seed} {split}")
        self.split = split.replace("-", "_")
        self.kinds = kinds_of(split)
        self.units = _UNITS | _MORE_UNITS if split in WORLDS else _UNITS
        self._around = surroundings(split)
        self._fillers: list[str] = self._around["fillers"]
        self.world = World()
        self._names: set[str] = set()
        self._turn: dict[tuple[str, str], int] = defaultdict(int)

    def plant(self) -> World:
        for kind in self.kinds:
            things = [self._thing(kind, number) for number in range(THINGS_PER_KIND)]
            values = {thing: self._values(thing) for thing in things}
            disputes = {thing: self._disputed(thing, number) for number, thing in enumerate(things)}
            for thing in things:
                self._write(thing, values, disputes)
            self._compare(things, values, disputes)
        return self.world

    def attributes(self, thing: Thing) -> dict[str, dict[str, Any]]:
        kind = self.kinds[thing.kind]
        return {name: each for name, each in kind.items() if isinstance(each, dict) and "value" in each}

    # Names and values.

    def _syllables(self, ends: Sequence[str]) -> str:
        while True:
            name = self.random.choice(_STARTS) + self.random.choice(_MIDDLES) + self.random.choice(ends)
            if name not in self._names:
                self._names.add(name)
                return name

    def _thing(self, kind: str, number: int) -> Thing:
        spec = self.kinds[kind]
        if spec.get("in_families"):
            # What is said of one member is a distractor for the other.
            family = self._syllables(spec["ends"]) if number % 2 == 0 else self._family
            self._family = family
            return Thing(kind, f"{family} {20 + 30 * (number % 2)}", spec["article"])
        name = self._syllables(spec["ends"])
        more = spec.get("more")
        return Thing(kind, f"{name} {self.random.choice(more)}" if more else name, spec["article"])

    _family = ""

    def _values(self, thing: Thing) -> dict[str, str]:
        return {attribute: self.value(spec["value"]) for attribute, spec in self.attributes(thing).items()}

    def value(self, kind: Any, *, unlike: str = "") -> str:
        while (value := self._drawn(kind)) == unlike:
            pass
        return value

    def _drawn(self, kind: Any) -> str:
        draw = self.random
        if isinstance(kind, list):
            low, high, step, unit, words = kind
            number = draw.randrange(low, high, step)
            digits = f"{number:,}" if number >= 10_000 or (number >= 1_000 and unit) else str(number)
            if unit == "CHF":
                return f"CHF {digits}"
            return f"{digits} {draw.choice([unit, words])}".strip()
        if kind == "year":
            return str(draw.randrange(1871, 2012))
        if kind == "person":
            return f"{draw.choice(_GIVEN)} {self._syllables(_ENDS_OF_PEOPLE)}"
        if kind == "town":
            return self._syllables(_ENDS_OF_TOWNS)
        if kind == "firm":
            return f"{self._syllables(_ENDS_OF_TOWNS)} {draw.choice(_FIRMS)}"
        return str(draw.choice(kind["any_of"]))

    def _disputed(self, thing: Thing, number: int) -> tuple[str, ConflictKind] | None:
        """Half of the things of a kind have one disputed attribute; the rest are plain."""
        if number >= CONFLICTS_PER_KIND:
            return None
        attributes = list(self.attributes(thing))
        self.random.shuffle(attributes)
        attribute = self._disputable(thing, attributes, _CONFLICTS[number])
        return (attribute, _CONFLICTS[number]) if attribute else None

    def _disputable(self, thing: Thing, attributes: Sequence[str], conflict: ConflictKind) -> str | None:
        """Choose the attribute to dispute: units and circumstances need a figure that has a unit of measurement."""
        specs = self.attributes(thing)
        for attribute in attributes:
            value = specs[attribute]["value"]
            measured = isinstance(value, list) and value[3] in self.units and value[4] in self.units
            if measured or (conflict in ("stale", "majority", "tie") and not specs[attribute].get("undisputed")):
                return attribute
        return None

    # Sentences.

    def say(self, thing: Thing, attribute: str, value: str, *, named: bool = False) -> str:
        """Word a fact by the next template of the split; `named`: by one that names the thing."""
        templates = self.attributes(thing)[attribute][self.split]
        while True:
            self._turn[thing.kind, attribute] += 1
            template = templates[self._turn[thing.kind, attribute] % len(templates)]
            if "{e}" in template or not named:
                break
        text = template.format(e=thing.name, v=value)
        return text[:1].upper() + text[1:]

    def ask(self, thing: Thing, attribute: str) -> str:
        return str(self.random.choice(self.attributes(thing)[attribute][f"ask_{self.split}"])).format(e=thing.name)

    def _intro(self, thing: Thing) -> str:
        return str(self.random.choice(self.kinds[thing.kind]["intro"][self.split])).format(e=thing.name)

    # Documents.

    def _write(self, thing: Thing, all_values: Mapping[Thing, Mapping[str, str]], disputes: "_Disputes") -> None:
        values = all_values[thing]
        attributes = list(values)
        self.random.shuffle(attributes)
        dispute = disputes[thing]
        free = [attribute for attribute in attributes if not dispute or attribute != dispute[0]]
        slug = re.sub(r"\W+", "-", thing.name.lower())
        # Some facts stand in prose only, some in a table or in bullets only, some in both.
        self._prose(f"{slug}-profile", thing, free[:2], values)
        self._listing(f"{slug}-sheet", thing, free[1:], values)
        self._note(f"{slug}-note", thing, free[2:-1] or free[:1], all_values, disputes)
        if dispute:
            self._dispute(slug, thing, dispute[0], values[dispute[0]], dispute[1])
        for attribute in free:
            self.world.facts.append(Fact(thing, attribute, values[attribute], self.ask(thing, attribute)))

    def _prose(self, name: str, thing: Thing, attributes: Sequence[str], values: Mapping[str, str]) -> None:
        sentences = [self._intro(thing)]
        said = []
        for attribute in attributes:
            text = self.say(thing, attribute, values[attribute])
            said.append((attribute, values[attribute], text))
            sentences.append(text)
        sentences.append(self.random.choice(self._fillers))
        self._store(name, thing, [" ".join(sentences), self.random.choice(self._fillers)], said)

    def _listing(self, name: str, thing: Thing, attributes: Sequence[str], values: Mapping[str, str]) -> None:
        """A data sheet: a table or bullets, in which a label and a value say what a sentence says elsewhere."""
        specs = self.attributes(thing)
        rows = [
            (str(specs[each].get(f"label_{self.split}", specs[each]["label"])), values[each]) for each in attributes
        ]
        bullets = self.random.random() < 0.5
        form = self.random.choice(["md", "html"])
        title = self._around["sheet"].format(e=thing.name)
        block = [f"- {label}: {value}" for label, value in rows] if bullets else table(self._around["columns"], rows)
        parts = [self._intro(thing), "\n".join(block)]
        document = f"{name}.{form}"
        self.world.files[document] = as_markdown(title, parts) if form == "md" else as_html(title, parts)
        self.world.things[document] = thing
        for attribute, (label, value) in zip(attributes, rows, strict=True):
            self.world.statements.append(Statement(document, thing, attribute, value, (label, value)))

    def _note(
        self,
        name: str,
        thing: Thing,
        attributes: Sequence[str],
        all_values: Mapping[Thing, Mapping[str, str]],
        disputes: "_Disputes",
    ) -> None:
        """A text that says the same of another thing in the same breath."""
        other = self.random.choice([each for each in all_values if each != thing])
        said = []
        for about in (thing, other):
            for attribute in attributes[:2]:
                if disputes[about] is None or disputes[about][0] != attribute:
                    value = all_values[about][attribute]
                    said.append((about, attribute, value, self.say(about, attribute, value, named=True)))
        parts = [self.random.choice(self._fillers), " ".join(text for _, _, _, text in said)]
        document = self._store(name, thing, parts, [each[1:] for each in said if each[0] == thing])
        for about, attribute, value, text in said:
            if about == other:
                self.world.statements.append(Statement(document, about, attribute, value, (text,)))

    def _compare(
        self, things: Sequence[Thing], all_values: Mapping[Thing, Mapping[str, str]], disputes: "_Disputes"
    ) -> None:
        """Documents about several things at once: every sentence is a distractor for the others."""
        for number in range(0, len(things), 3):
            group = things[number : number + 3]
            attribute = self.random.choice(list(all_values[group[0]]))
            said = [
                Statement("", thing, attribute, value, (self.say(thing, attribute, value, named=True),))
                for thing in group
                if (value := all_values[thing][attribute]) and (not disputes[thing] or disputes[thing][0] != attribute)
            ]
            if said:
                document = f"survey-{group[0].kind}-{number}.txt"
                text = " ".join(each.marks[0] for each in said)
                self.world.files[document] = as_text(self._around["survey"], [self.random.choice(self._fillers), text])
                self.world.statements += [replace(each, document=document) for each in said]

    def _dispute(self, slug: str, thing: Thing, attribute: str, value: str, conflict: ConflictKind) -> None:
        other = self.value(self.attributes(thing)[attribute]["value"], unlike=value)
        right = [(attribute, value, self.say(thing, attribute, value, named=True))]
        wrong = [(attribute, other, self.say(thing, attribute, other, named=True))]
        filler = self.random.choice
        forms = ("md", "html", "pdf")
        if conflict == "stale":
            self._store(
                f"{slug}-report", thing, [filler(self._fillers), right[0][2]], right, dated="2025-03-14", forms=forms
            )
            older = f"{self.random.randrange(2012, 2019)}-05-02"
            self._store(f"{slug}-archive", thing, [filler(self._fillers), wrong[0][2]], wrong, "stale", older, forms)
        elif conflict == "majority":
            self._store(f"{slug}-first", thing, [filler(self._fillers), right[0][2]], right)
            # Two witnesses, not a copy: the second one uses other words.
            while (other_words := self.say(thing, attribute, value, named=True)) == right[0][2]:
                pass
            again = [(attribute, value, other_words)]
            self._store(f"{slug}-second", thing, [again[0][2], filler(self._fillers)], again)
            self._store(f"{slug}-third", thing, [filler(self._fillers), wrong[0][2]], wrong, "rival")
        elif conflict == "tie":
            self._store(f"{slug}-one", thing, [right[0][2], filler(self._fillers)], right)
            self._store(f"{slug}-two", thing, [filler(self._fillers), wrong[0][2]], wrong, "rival")
        elif conflict == "unit":
            number, _, unit = value.partition(" ")
            other = f"{number} {self.units[unit]}"
            wrong = [(attribute, other, self.say(thing, attribute, other, named=True))]
            self._store(f"{slug}-one", thing, [right[0][2], filler(self._fillers)], right)
            self._store(f"{slug}-two", thing, [filler(self._fillers), wrong[0][2]], wrong, "rival")
        else:
            here, there = self.random.choice(self._around["circumstances"])
            right = [(attribute, value, f"{here}, {right[0][2][:1].lower() + right[0][2][1:]}")]
            wrong = [(attribute, other, f"{there}, {wrong[0][2][:1].lower() + wrong[0][2][1:]}")]
            right, wrong = [_recased(each, thing) for each in right], [_recased(each, thing) for each in wrong]
            self._store(f"{slug}-one", thing, [right[0][2], filler(self._fillers)], right)
            self._store(f"{slug}-two", thing, [filler(self._fillers), wrong[0][2]], wrong, "rival")
        self.world.facts.append(Fact(thing, attribute, value, self.ask(thing, attribute), conflict, other))

    def _store(
        self,
        name: str,
        thing: Thing,
        parts: Sequence[str],
        said: Sequence[tuple[str, str, str]],
        role: Role = "current",
        dated: str = "",
        forms: Sequence[str] = ("txt", "md", "html", "pdf"),
    ) -> str:
        form = self.random.choice(forms)
        title = self.random.choice(self._around["titles"]).format(e=thing.name)
        writer = {"txt": as_text, "md": as_markdown, "html": as_html, "pdf": as_pdf}[form]
        document = f"{name}.{form}"
        self.world.files[document] = writer(title, parts, dated)
        self.world.things[document] = thing
        for attribute, value, text in said:
            self.world.statements.append(Statement(document, thing, attribute, value, (text,), role))
        return document


_Disputes = Mapping[Thing, tuple[str, ConflictKind] | None]
_CONFLICTS: tuple[ConflictKind, ...] = ("stale", "majority", "tie", "unit", "scope", "stale")
_UNITS = {
    "kW": "hp",
    "kilowatts": "horsepower",
    "kg": "tonnes",
    "kilograms": "tonnes",
    "m": "km",
    "metres": "kilometres",
    "mg": "g",
    "milligrams": "grams",
    "hours": "days",
    "days": "weeks",
    "seconds": "minutes",
    "cm": "m",
    "centimetres": "metres",
    "g": "kg",
    "grams": "kilograms",
    "MB": "GB",
    "megabytes": "gigabytes",
    "knots": "km/h",
    "MPa": "kPa",
    "megapascals": "kilopascals",
    "million euros": "million dollars",
}
_MORE_UNITS = {
    "km": "m",
    "kilometres": "metres",
    "litres": "hectolitres",
    "minutes": "hours",
    "tonnes": "kg",
    "MW": "kW",
    "megawatts": "kilowatts",
    "watts": "kilowatts",
    "km²": "ha",
    "square kilometres": "hectares",
    "weeks": "months",
    "months": "years",
}
"""Of the other worlds only: with them the older splits would have other conflicts than those that were measured."""


def _recased(said: tuple[str, str, str], thing: Thing) -> tuple[str, str, str]:
    """Give a name at the former beginning of a sentence its capital back."""
    attribute, value, text = said
    for name in (thing.name, value):
        text = text.replace(name[:1].lower() + name[1:], name)
    return attribute, value, text


@lru_cache(maxsize=4)
def plant(seed: int, split: Split) -> World:
    """Draw the corpus of a seed and a split."""
    return Planter(seed, split).plant()


def tasks(world: World, count: int, size: int, *, seed: int, conflicts: bool | None = None) -> Iterator[list[Fact]]:
    """Draw `count` tasks of `size` facts about different things; `conflicts`: only of disputed, or of plain facts."""
    draw = random.Random(f"tasks {seed} {conflicts}")
    pool = [fact for fact in world.facts if conflicts is None or bool(fact.conflict) == conflicts]
    draw.shuffle(pool)
    for _ in range(count):
        chosen: list[Fact] = []
        for fact in pool:
            if len(chosen) < size and all(fact.thing != other.thing for other in chosen):
                chosen.append(fact)
        if not chosen:
            return
        pool = [fact for fact in pool if fact not in chosen]
        yield chosen
