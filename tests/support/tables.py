"""Generated corpora for tables: entities with facts, told in prose, lists and tables, with what misleads in between.

Seeded. Every document is written from templates; those with an odd number are held out (`held_out=True` uses only
them), so that what was tuned on one half is measured on the other. Facts are kept apart: `Corpus.truth`.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schema.contracts.tables import Cell, Column, ColumnType

_FIRST = [
    "Cal",
    "Nor",
    "Vel",
    "Ard",
    "Hel",
    "Bor",
    "Tes",
    "Kol",
    "Fen",
    "Oru",
    "Mar",
    "Sil",
    "Tor",
    "Wex",
    "Ald",
    "Ram",
    "Quin",
    "Ser",
    "Lum",
    "Dra",
    "Pel",
    "Ost",
    "Ivo",
    "Zan",
    "Gre",
    "Hal",
    "Jor",
    "Kes",
    "Lin",
    "Mor",
    "Nim",
    "Opa",
    "Pra",
    "Rud",
    "Sol",
    "Tam",
    "Ulm",
    "Var",
    "Wyn",
    "Yar",
]
_LAST = [
    "der",
    "vik",
    "mar",
    "en",
    "is",
    "or",
    "ana",
    "eth",
    "ium",
    "ock",
    "ell",
    "ara",
    "ton",
    "wick",
    "den",
    "mere",
    "ora",
    "ix",
    "um",
    "ast",
]
_PEOPLE_FIRST = [
    "Ana",
    "Ivo",
    "Maria",
    "Peter",
    "Lena",
    "Omar",
    "Sofia",
    "Jonas",
    "Mei",
    "Amir",
    "Clara",
    "Hugo",
    "Ines",
    "Karl",
    "Nadia",
    "Tomas",
]
_PEOPLE_LAST = [
    "Petrov",
    "Maras",
    "Olsen",
    "Brandt",
    "Keller",
    "Haddad",
    "Moreau",
    "Lind",
    "Tanaka",
    "Novak",
    "Rossi",
    "Weber",
    "Duarte",
    "Fischer",
]
_CITIES = [
    "Lyon",
    "Grenoble",
    "Basel",
    "Turin",
    "Graz",
    "Ghent",
    "Porto",
    "Malmö",
    "Brno",
    "Leeds",
    "Aarhus",
    "Bilbao",
    "Ulm",
    "Trieste",
    "Cork",
    "Bergen",
]


@dataclass(frozen=True)
class Domain:
    """A kind of thing, its columns, and how facts about it are worded: column -> sentences with {e} and {v}."""

    name: str
    noun: str
    suffixes: tuple[str, ...]
    columns: tuple[Column, ...]
    make: Callable[[random.Random], dict[str, Any]]
    show: Callable[[str, Any], str]
    labels: Mapping[str, tuple[str, ...]]
    prose: Mapping[str, tuple[str, ...]]
    misleading: tuple[str, ...]


@dataclass
class Corpus:
    """Files, and what is true."""

    files: dict[str, str] = field(default_factory=dict)
    truth: dict[str, dict[str, Any]] = field(default_factory=dict)
    """item -> column -> value; a column that nothing tells is not in it."""
    columns: tuple[Column, ...] = ()


def _number(value: int) -> str:
    return f"{value:,}"


def _company(rng: random.Random) -> dict[str, Any]:
    return {
        "founded": rng.randint(1880, 2015),
        "employees": rng.randint(12, 90) * 37,
        "headquarters": rng.choice(_CITIES),
        "CEO": f"{rng.choice(_PEOPLE_FIRST)} {rng.choice(_PEOPLE_LAST)}",
        "revenue": rng.randint(11, 980),
        "listed": rng.random() < 0.5,
    }


def _show_company(column: str, value: Any) -> str:
    if column == "revenue":
        return f"{value} million CHF"
    if column == "listed":
        return "yes" if value else "no"
    return _number(value) if column == "employees" else str(value)


COMPANY = Domain(
    name="company",
    noun="company",
    suffixes=("Optics", "Shipping", "Foods", "Robotics", "AG", "Hydraulics", "Textiles", "Analytics"),
    columns=(
        Column(name="founded", type=ColumnType.INTEGER, description="year of foundation"),
        Column(name="employees", type=ColumnType.INTEGER),
        Column(name="headquarters", description="city of the head office"),
        Column(name="CEO", description="name of the chief executive"),
        Column(name="revenue", type=ColumnType.NUMBER, unit="million CHF"),
    ),
    make=_company,
    show=_show_company,
    labels={
        "founded": ("Founded", "Year founded", "Established", "Founding year"),
        "employees": ("Employees", "Staff", "Number of employees", "Headcount"),
        "headquarters": ("Headquarters", "Head office", "HQ", "Based in"),
        "CEO": ("CEO", "Chief executive", "Chief Executive Officer", "Managing director"),
        "revenue": ("Revenue", "Annual revenue", "Turnover", "Sales"),
    },
    prose={
        "founded": (
            "{e} was founded in {v}.",
            "{e} was established in {v} by two engineers.",
            "Founded in {v}, {e} is one of the older names of its trade.",
            "The history of {e} goes back a while: it was incorporated in {v}.",
        ),
        "employees": (
            "{e} employs {v} people.",
            "The company has a workforce of {v}.",
            "{e} has {v} employees in nine countries.",
            "Some {v} people work for {e}.",
        ),
        "headquarters": (
            "{e} is headquartered in {v}.",
            "{e}, based in {v}, sells in most of Europe.",
            "The head office of {e} is in {v}.",
            "Its headquarters are in {v}.",
        ),
        "CEO": (
            "The CEO of {e} is {v}.",
            "{v} is the chief executive of {e}.",
            "{e} is led by {v}.",
            "Its chief executive officer, {v}, took over three years ago.",
        ),
        "revenue": (
            "{e} had a revenue of {v}.",
            "The turnover of {e} was {v} last year.",
            "Annual sales of {e} amount to {v}.",
            "The company reported revenues of {v}.",
        ),
    },
    misleading=(
        "{e} plans to hire {n} people by 2030.",
        "Its rival {o} employs {n} people.",
        "A plant of {e} was opened in {y}.",
        "{o} was founded in {y}.",
        "{e} opened an office in {c} with {n} desks.",
        "The chair of the board is {p}.",
        "Profit was {m} million CHF.",
    ),
)


def _bridge(rng: random.Random) -> dict[str, Any]:
    return {
        "length": rng.randint(90, 2400),
        "opened": f"{rng.randint(1890, 2022)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "architect": f"{rng.choice(_PEOPLE_FIRST)} {rng.choice(_PEOPLE_LAST)}",
        "type": rng.choice(("arch", "suspension", "cable-stayed", "beam")),
        "toll": rng.random() < 0.5,
    }


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def _show_bridge(column: str, value: Any) -> str:
    if column == "length":
        return f"{_number(value)} m"
    if column == "opened":
        year, month, day = value.split("-")
        return f"{int(day)} {_MONTHS[int(month) - 1]} {year}"
    if column == "toll":
        return "yes" if value else "no"
    return str(value)


BRIDGE = Domain(
    name="bridge",
    noun="bridge",
    suffixes=("Bridge",),
    columns=(
        Column(name="length", type=ColumnType.NUMBER, unit="m"),
        Column(name="opened", type=ColumnType.DATE, description="opening date"),
        Column(name="architect"),
        Column(name="type", type=ColumnType.ENUM, allowed=("arch", "suspension", "cable-stayed", "beam")),
    ),
    make=_bridge,
    show=_show_bridge,
    labels={
        "length": ("Length", "Total length", "Length (m)", "Span length"),
        "opened": ("Opened", "Opening date", "Date of opening", "Inaugurated"),
        "architect": ("Architect", "Designer", "Designed by", "Architect"),
        "type": ("Type", "Type of bridge", "Kind", "Bridge type"),
    },
    prose={
        "length": (
            "{e} is {v} long.",
            "{e} has a length of {v}.",
            "The bridge stretches over {v}.",
            "With {v}, {e} is among the longest of its valley.",
        ),
        "opened": (
            "{e} opened on {v}.",
            "{e} was opened to traffic on {v}.",
            "The inauguration of {e} took place on {v}.",
            "It was inaugurated on {v}.",
        ),
        "architect": (
            "{e} was designed by {v}.",
            "The architect of {e} was {v}.",
            "{v} designed {e}.",
            "{e} is a work of the architect {v}.",
        ),
        "type": (
            "{e} is a {v} bridge.",
            "{e} was built as a {v} bridge of steel.",
            "The structure is of the {v} type.",
            "Engineers chose a {v} design.",
        ),
    },
    misleading=(
        "The approach road is {n} m long.",
        "{o} was designed by {p}.",
        "It was repainted in {y}.",
        "{o} is {n} m long.",
        "The old ferry ended in {y}.",
        "The foundation stone was laid in {y}.",
    ),
)


def _software(rng: random.Random) -> dict[str, Any]:
    return {
        "licence": rng.choice(("MIT", "Apache-2.0", "GPL-3.0", "BSD-3-Clause", "MPL-2.0")),
        "language": rng.choice(("Rust", "Zig", "Go", "Kotlin", "OCaml", "Elixir")),
        "first release": rng.randint(1996, 2023),
        "encryption": rng.random() < 0.5,
        "maximum database size": rng.randint(2, 64),
    }


def _show_software(column: str, value: Any) -> str:
    if column == "maximum database size":
        return f"{value} TB"
    if column == "encryption":
        return "yes" if value else "no"
    return str(value)


SOFTWARE = Domain(
    name="software",
    noun="database",
    suffixes=("DB", "Store", "Base"),
    columns=(
        Column(name="licence"),
        Column(name="language", description="programming language it is written in"),
        Column(name="first release", type=ColumnType.INTEGER, description="year of the first release"),
        Column(name="maximum database size", type=ColumnType.NUMBER, unit="TB"),
    ),
    make=_software,
    show=_show_software,
    labels={
        "licence": ("Licence", "License", "Licensing", "License"),
        "language": ("Language", "Written in", "Implementation language", "Programming language"),
        "first release": ("First release", "First released", "Initial release", "Year of first release"),
        "maximum database size": (
            "Maximum database size",
            "Max database size",
            "Database size, max",
            "Max. database size",
        ),
    },
    prose={
        "licence": (
            "{e} is released under the {v} licence.",
            "{e} is licensed under {v}.",
            "Its licence is {v}.",
            "The code of {e} is published under the {v} license.",
        ),
        "language": (
            "{e} is written in {v}.",
            "{e} is implemented in {v} and has few dependencies.",
            "The programming language of {e} is {v}.",
            "Its authors wrote it in {v}.",
        ),
        "first release": (
            "The first release of {e} was in {v}.",
            "{e} was first released in {v}.",
            "{e} appeared in {v} in its first release.",
            "Its first release dates from {v}.",
        ),
        "maximum database size": (
            "The maximum database size of {e} is {v}.",
            "{e} supports a maximum database size of {v}.",
            "Its maximum database size is {v}.",
            "A database of {e} has a maximum size of {v}.",
        ),
    },
    misleading=(
        "{o} is written in Perl.",
        "A page has 16 kB.",
        "Version 2 of {e} was released in {y}.",
        "The documentation of {e} is under CC-BY.",
        "{o} is released under the ISC licence.",
    ),
)

DOMAINS = (COMPANY, BRIDGE, SOFTWARE)


def generate(
    domain: Domain,
    rows: int,
    *,
    seed: int,
    held_out: bool = False,
    stale: float = 0.0,
    distractors: bool = True,
    forms: str = "plmt",
) -> Corpus:
    """Write a corpus about `rows` entities of a domain, and others that nobody asks for.

    Args:
        stale: how many of the entities have an old note that contradicts one of their facts.
        forms: how the entities are told in turn: in prose, a list, mixed, or a table of twelve.
    """
    rng = random.Random(f"{domain.name}:{seed}:{held_out}")
    corpus = Corpus(columns=domain.columns)
    entities = _entities(domain, rng, rows)
    others = _entities(domain, rng, min(40, max(4, rows // 2)), taken=set(entities))
    facts = {entity: domain.make(rng) for entity in (*entities, *others)}
    tabled: list[str] = []
    for number, entity in enumerate((*entities, *others)):
        told = [column for column in domain.columns if rng.random() < 0.93]
        if entity in entities:
            corpus.truth[entity] = {column.name: facts[entity][column.name] for column in told}
        form = "plmt".index(forms[number % len(forms)])
        if form == 3:
            tabled.append(entity)
            corpus.truth.get(entity, {}).update({column.name: facts[entity][column.name] for column in domain.columns})
            continue
        write = (_prose, _list, _mixed)[form]
        text = write(domain, entity, facts[entity], told, rng, others, held_out, distractors)
        corpus.files[f"{domain.name}-{number:04}.md"] = f"---\ndate: 2025-03-{1 + number % 28:02}\n---\n\n{text}"
        if rng.random() < stale and told:
            corpus.files[f"{domain.name}-{number:04}-old.md"] = _stale(domain, entity, told, rng)
    for number in range(0, len(tabled), 12):
        corpus.files[f"{domain.name}-table-{number:04}.md"] = _table(
            domain, tabled[number : number + 12], facts, rng, held_out
        )
    return corpus


def _entities(domain: Domain, rng: random.Random, count: int, taken: set[str] | None = None) -> list[str]:
    found = dict.fromkeys(taken or ())
    before = len(found)
    while len(found) < count + before:
        stem = rng.choice(_FIRST) + rng.choice(_LAST)
        if rng.random() < 0.3:
            stem += rng.choice(_LAST)
        suffix = rng.choice(domain.suffixes)
        found[f"{stem}{suffix}" if domain.name == "software" else f"{stem} {suffix}"] = None
    return list(found)[before:]


def _pick(items: tuple[str, ...], rng: random.Random, held_out: bool) -> str:
    return rng.choice([item for number, item in enumerate(items) if number % 2 == int(held_out)])


def _say(domain: Domain, entity: str, facts: dict[str, Any], column: str, rng: random.Random, held_out: bool) -> str:
    value = domain.show(column, facts[column])
    return _pick(domain.prose[column], rng, held_out).format(e=entity, v=value)


def _noise(domain: Domain, entity: str, rng: random.Random, others: list[str]) -> str:
    return rng.choice(domain.misleading).format(
        e=entity,
        o=rng.choice(others),
        n=rng.randint(3, 900),
        y=rng.randint(1900, 2020),
        c=rng.choice(_CITIES),
        m=rng.randint(2, 9),
        p=f"{rng.choice(_PEOPLE_FIRST)} {rng.choice(_PEOPLE_LAST)}",
    )


Written = Callable[..., str]


def _prose(
    domain: Domain,
    entity: str,
    facts: dict[str, Any],
    told: list[Column],
    rng: random.Random,
    others: list[str],
    held_out: bool,
    distractors: bool,
) -> str:
    sentences = [f"{entity} is a {domain.noun} that many people know."]
    order = list(told)
    rng.shuffle(order)
    for column in order:
        sentences.append(_say(domain, entity, facts, column.name, rng, held_out))
        if distractors and rng.random() < 0.4:
            sentences.append(_noise(domain, entity, rng, others))
    half = 1 + len(sentences) // 2
    return f"# {entity}\n\n{' '.join(sentences[:half])}\n\n{' '.join(sentences[half:])}\n"


def _list(
    domain: Domain,
    entity: str,
    facts: dict[str, Any],
    told: list[Column],
    rng: random.Random,
    others: list[str],
    held_out: bool,
    distractors: bool,
) -> str:
    lines = [
        f"- {'**' if held_out else ''}{_pick(domain.labels[column.name], rng, held_out)}{'**' if held_out else ''}: "
        f"{domain.show(column.name, facts[column.name])}"
        for column in told
    ]
    extra = f"\nSee also {rng.choice(others)}.\n" if distractors else ""
    return f"# {entity}: facts\n\nA short profile of {entity}.\n\n" + "\n".join(lines) + f"\n{extra}"


def _mixed(
    domain: Domain,
    entity: str,
    facts: dict[str, Any],
    told: list[Column],
    rng: random.Random,
    others: list[str],
    held_out: bool,
    distractors: bool,
) -> str:
    half = len(told) // 2
    sentences = [f"This page collects what is known of {entity}."]
    sentences += [_say(domain, entity, facts, column.name, rng, held_out) for column in told[:half]]
    if distractors:
        sentences.append(_noise(domain, entity, rng, others))
    rows = "\n".join(
        f"| {_pick(domain.labels[column.name], rng, held_out)} | {domain.show(column.name, facts[column.name])} |"
        for column in told[half:]
    )
    return f"# Notes on {entity}\n\n{' '.join(sentences)}\n\n| Property | Value |\n|---|---|\n{rows}\n"


def _table(
    domain: Domain, entities: list[str], facts: dict[str, dict[str, Any]], rng: random.Random, held_out: bool
) -> str:
    labels = [_pick(domain.labels[column.name], rng, held_out) for column in domain.columns]
    head = f"| Name | {' | '.join(labels)} |\n|{'---|' * (len(labels) + 1)}"
    rows = "\n".join(
        f"| {entity} | {' | '.join(domain.show(c.name, facts[entity][c.name]) for c in domain.columns)} |"
        for entity in entities
    )
    return (
        f"---\ndate: 2025-02-01\n---\n\n# Overview of {domain.noun}s\n\nThe list is not complete.\n\n{head}\n{rows}\n"
    )


def _stale(domain: Domain, entity: str, told: list[Column], rng: random.Random) -> str:
    column = rng.choice(told)
    sentence = _say(domain, entity, domain.make(rng), column.name, rng, False)
    return f"---\ndate: 2017-05-04\n---\n\n# {entity}, an old note\n\nWritten long ago. {sentence}\n"


@dataclass
class Score:
    """Cells and rows against the truth."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    rows_right: int = 0
    rows: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed + sum("instead" in error for error in self.errors))

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def add(self, item: str, cells: tuple[Cell, ...], truth: Mapping[str, Any]) -> None:
        """Count one row."""
        whole = True
        for cell in cells:
            expected = truth.get(cell.column)
            if cell.value is None:
                if expected is not None:
                    self.missed += 1
                    whole = False
                    self.errors.append(f"{item} / {cell.column}: missed {expected!r}: {cell.reason}")
            elif expected is not None and _equal(cell.value, expected):
                self.right += 1
            else:
                self.wrong += 1
                whole = False
                told = f"instead of {expected!r}" if expected is not None else "though nothing says it"
                quote = cell.evidence[0].quote if cell.evidence else ""
                self.errors.append(f"{item} / {cell.column}: {cell.value!r} {told} from {quote!r}")
        self.rows += 1
        self.rows_right += whole


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return bool(found is expected)
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return abs(found - expected) <= 1e-9 * max(1, abs(expected))
    return str(found).casefold() == str(expected).casefold()
