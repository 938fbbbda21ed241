"""Part (e): wide tables: row and cell F1 at 10, 100 and 1,000 rows, with and without injected faults.

A cell is right where its value is that of the corpus, in the column's type and unit. A row is right where all of its
cells are (WideSearch's two scores: item and row F1). What the corpus does not say must stay empty.
"""

import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.eval.asking import Bench, StackAsker
from tests.eval.files import as_html, as_markdown, as_pdf, as_text, table, words_of
from tests.eval.metrics import Measure, Table, folded, numbers, share
from tests.eval.planting import Split
from tests.support.stack import Stack

SIZES = tuple(int(size) for size in os.environ.get("ROWS", "10,100,1000").split(","))
FAULTS = tuple(int(count) for count in os.environ.get("FAULTS", "0,5").split(","))
"""Kills of the worker while a table is filled."""
FILL_WITHIN_S = 2_400.0
SAID_SHARE = 0.9
"""Of the cells that the corpus states; the rest must stay empty."""


@dataclass(frozen=True)
class Column:
    """One column, as the API takes it."""

    name: str
    description: str
    type: str
    unit: str | None = None

    def asked(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {key: value for key, value in vars(self).items() if value is not None}


COLUMNS = (
    Column("founded", "year in which the company was founded", "integer"),
    Column("employees", "number of people that it employs", "integer"),
    Column("revenue", "revenue of the last year", "number", "million EUR"),
    Column("headquarters", "town of the head office", "text"),
)


@dataclass(frozen=True)
class Wide:
    """A corpus of companies and the table that it should give."""

    files: dict[str, bytes]
    items: tuple[str, ...]
    cells: dict[tuple[str, str], Any]
    """(item, column) -> value; a cell that nothing states is not there."""


_FIRST = words_of("first")
_LAST = words_of("last")
_TRADE = ["Optics", "Foods", "Paper", "Robotics", "Textiles", "Shipping", "Tools", "Glass", "Dairy", "Timber"]
_SAY: dict[str, dict[Split, tuple[str, ...]]] = {
    "founded": {
        "develop": (
            "{item} was founded in {value}.",
            "The history of {item} goes back to {value}, the year it was founded.",
        ),
        "held-out": (
            "{item} was established in {value}.",
            "Since it was set up in {value}, {item} has stayed in family hands.",
        ),
        "unseen": (
            "{item} opened for business in {value}.",
            "The company dates back to {value}.",
            "Founded in {value}, {item} is one of the older firms in its trade.",
        ),
        "sealed": (
            "{item} first opened its doors in {value}.",
            "It came into being in {value}.",
            "{value} is the founding year of {item}.",
        ),
        "fresh": (
            "{item} was called into life in {value}.",
            "Its entry in the register shows {value} as the founding year.",
            "When {item} was started in {value}, it had a single workshop.",
            "{item}, founded as long ago as {value}, sells all over the country.",
        ),
        "blind": (
            "{item} was set up in {value} by a handful of craftsmen.",
            "Its founders signed the deed in {value}.",
            "The founding of {item} took place in {value}, a hard year for the trade.",
            "Back in {value}, somebody founded {item} in a rented barn.",
        ),
        "unread": (
            "{item} can look back on a history that starts with its foundation in {value}.",
            "The deed of foundation bears the year {value}.",
            "It was not until {value} that {item} was founded.",
            "{value} saw the foundation of {item}, at first a one-man workshop.",
        ),
        "plain": (
            "{item} was founded by two brothers in {value}.",
            "Ever since the family established it in {value}, {item} has kept its name.",
            "The company was founded in {value} and is still growing.",
            "In {value}, a few friends put their savings together and set up {item}.",
        ),
        "late": (
            "{item} has been in business since {value}.",
            "The firm was established in {value}, long before its present building.",
            "In the trade register, {item} first appears in {value}, the year it was founded.",
            "It was {value} when the founder of {item} rented a first workshop and started the firm.",
        ),
        "apart": (
            "{item} opened for business in {value}.",
            "The founding document of the company carries a date of {value}.",
            "Customers have been able to buy from {item} since {value}, when two partners started it.",
            "At the jubilee, the speakers recalled how {item} was founded in {value}.",
        ),
        "ninth": (
            "{item} was founded in {value}.",
            "The company was established in {value} and has been family-owned ever since.",
            "Founded in {value}, {item} looks back on a long tradition.",
            "{item} has existed since {value}, when it was founded as a workshop.",
        ),
        "tenth": (
            "{item} was set up in {value} and moved to its present site much later.",
            "The firm came into existence in {value}.",
            "In {value}, a merchant and an engineer joined forces and founded {item}.",
            "{item}, whose founding goes back to {value}, is well known beyond the region.",
        ),
        "eleventh": (
            "{item} was brought into being in {value} by a watchmaker and his sons.",
            "In {value}, the company was founded in the back room of an inn.",
            "The foundation stone of {item} was laid in {value}, when the firm was established.",
            "{value} was the year in which {item} was founded, as the sign over the gate tells visitors.",
        ),
    },
    "employees": {
        "develop": ("{item} employs {value:,} people.", "The company has {value:,} employees."),
        "held-out": ("{item} has a workforce of {value:,}.", "In all, {value:,} people work for {item}."),
        "unseen": (
            "{item} has {value:,} people on its payroll.",
            "The headcount stands at {value:,}.",
            "{value:,} people are employed at {item}.",
        ),
        "sealed": (
            "{item} counts {value:,} employees.",
            "Its staff numbers {value:,}.",
            "{item} gives work to {value:,} people.",
        ),
        "fresh": (
            "{value:,} people earn their living at {item}.",
            "Its team is made up of {value:,} people.",
            "The works council of {item} speaks for a staff of {value:,}.",
            "On the books of {item} are {value:,} employees.",
        ),
        "blind": (
            "{item} provides jobs for {value:,} people.",
            "It pays wages to {value:,} employees.",
            "The canteen of {item} feeds a workforce of {value:,}.",
            "With a staff of {value:,} people, {item} is the biggest employer in the valley.",
        ),
        "unread": (
            "According to its headcount, {item} has {value:,} people under contract.",
            "{value:,} people, part-timers included, draw a salary from {item}.",
            "Its headcount, trainees counted, comes to {value:,}.",
            "Safety training was given at {item} to the whole staff of {value:,} people.",
        ),
        "plain": (
            "{item} now has {value:,} employees.",
            "{value:,} people work for the company.",
            "Last autumn, {item} employed {value:,} people, apprentices included.",
            "As the personnel manager told us, {item} has a staff of {value:,}.",
        ),
        "late": (
            "{item} provides jobs for {value:,} people.",
            "Its payroll lists {value:,} employees.",
            "Counting all sites, {value:,} people are on the staff of {item}.",
            "At the end of the quarter, {item} reported a headcount of {value:,}.",
        ),
        "apart": (
            "{item} pays wages to {value:,} people.",
            "A badge of the company is worn by {value:,} employees.",
            "If all departments are added up, {item} has {value:,} people at work.",
            "There are {value:,} names on the staff list of {item}.",
        ),
        "ninth": (
            "{item} employs {value:,} people at several sites.",
            "The company has a workforce of {value:,} employees.",
            "At the end of the year, {item} had {value:,} employees.",
            "With {value:,} employees, {item} is an important employer in the region.",
        ),
        "tenth": (
            "{item} has {value:,} people working for it.",
            "Its workforce numbers {value:,}, apprentices included.",
            "{value:,} employees keep {item} running day and night.",
            "According to its personnel office, {item} employs {value:,} people.",
        ),
        "eleventh": (
            "{item} offers employment to {value:,} people.",
            "The company counts {value:,} people among its staff.",
            "{value:,} employees of {item} were invited to the summer party, that is, the whole workforce.",
            "Anyone who joins {item} becomes a colleague of {value:,} people who are already employed there.",
        ),
    },
    "revenue": {
        "develop": ("The revenue of {item} was {value} million euros.", "Its revenue came to EUR {value} million."),
        "held-out": ("{item} had sales of {value} million euros.", "Its turnover reached EUR {value} million."),
        "unseen": (
            "{item} generated sales of {value} million euros.",
            "The group reported revenue of EUR {value} million.",
            "Annual turnover at {item} stands at {value} million euros.",
        ),
        "sealed": (
            "Revenues at {item} totalled {value} million euros.",
            "It took EUR {value} million in revenue.",
            "With {value} million euros, {item} kept its revenue steady.",
        ),
        "fresh": (
            "{item} announced revenue of {value} million euros for the last year.",
            "Its sales added up to EUR {value} million.",
            "For {item}, the year closed with {value} million euros in sales.",
            "A turnover of EUR {value} million was reported by {item}.",
        ),
        "blind": (
            "{item} turned over {value} million euros in its last business year.",
            "Its revenue for the last year stands at EUR {value} million.",
            "The shareholders of {item} were told of last year's sales of {value} million euros.",
            "EUR {value} million is the revenue that {item} made last year.",
        ),
        "unread": (
            "Net sales of {item} for the last year were audited at {value} million euros.",
            "Its turnover last year, net of rebates, was EUR {value} million.",
            "{value} million euros in sales was what {item} declared for the last financial year.",
            "The latest income statement of {item} opens with revenue of EUR {value} million.",
        ),
        "plain": (
            "{item} earned revenue of {value} million euros last year.",
            "Last year, sales at {item} reached EUR {value} million.",
            "The company had a turnover of {value} million euros last year.",
            "Shareholders of {item} were pleased with the revenue of EUR {value} million.",
        ),
        "late": (
            "{item} closed the year with a turnover of {value} million euros.",
            "Annual revenue stands at EUR {value} million.",
            "Customers spent {value} million euros with {item} over the year, its report on sales says.",
            "Auditors have confirmed revenue of EUR {value} million for {item}.",
        ),
        "apart": (
            "Over the year, {item} sold goods for {value} million euros.",
            "The accounts show a revenue of EUR {value} million.",
            "With a turnover of EUR {value} million, {item} is among the larger firms of its district.",
            "The yearly sales of {item} add up to {value} million euros.",
        ),
        "ninth": (
            "{item} achieved revenue of {value} million euros last year.",
            "Its annual sales amount to EUR {value} million.",
            "Last year, sales of {item} rose to {value} million euros.",
            "For the past financial year, {item} reports revenue of EUR {value} million.",
        ),
        "tenth": (
            "{item} recorded a turnover of {value} million euros in the year just ended.",
            "The revenue of the firm was EUR {value} million last year.",
            "Sales worth {value} million euros were made by {item} last year.",
            "For the last twelve months, the accountants of {item} put revenue at EUR {value} million.",
        ),
        "eleventh": (
            "{item} brought in revenue of {value} million euros last year.",
            "Revenue of EUR {value} million was booked last year.",
            "In its annual report, {item} puts last year's sales at EUR {value} million.",
            "{value} million euros was the turnover that {item} achieved last year.",
        ),
    },
    "headquarters": {
        "develop": ("{item} is headquartered in {value}.", "Its head office is in {value}."),
        "held-out": ("{item} is based in {value}.", "The head office of {item} is in {value}."),
        "unseen": (
            "{item}, with headquarters in {value}, ships worldwide.",
            "The main office is located in {value}.",
            "The registered office of {item} is in {value}.",
        ),
        "sealed": (
            "The seat of {item} is in {value}.",
            "Its headquarters can be found in {value}.",
            "{item} runs its business from a head office in {value}.",
        ),
        "fresh": (
            "Letters to {item} are answered by its head office in {value}.",
            "Its board meets at the headquarters in {value}.",
            "{item} is managed out of {value}.",
            "In {value}, visitors will find the main office of {item}.",
        ),
        "blind": (
            "{item} has its main office in {value}, right next to the station.",
            "Its headquarters stand on a hill in {value}.",
            "The trade register gives {value} as the place where {item} has its headquarters.",
            "Applications are to be handed in at the head office of {item} in {value}.",
        ),
        "unread": (
            "Although it has branches elsewhere, {item} keeps its headquarters in {value}.",
            "All decisions are taken at its head office in {value}.",
            "{value} has been chosen by {item} as the location of its headquarters.",
            "For legal purposes, {item} is domiciled in {value}, where its head office is.",
        ),
        "plain": (
            "The headquarters of {item} are in {value}.",
            "If you want to visit {item}, go to the head office in {value}.",
            "The company has its head office in {value}.",
            "From its headquarters in {value}, {item} delivers to shops all over the country.",
        ),
        "late": (
            "{item} is run from its headquarters in {value}.",
            "Its main office is located in {value}.",
            "{item} has been based in {value} from the start, and the headquarters are still there.",
            "Address letters to the headquarters of {item} to {value}.",
        ),
        "apart": (
            "The head office of {item} stands in {value}.",
            "Visitors will find the headquarters in {value}.",
            "{item} is directed from {value}, where its management has its desks.",
            "Anyone with business at the main office of {item} has to travel to {value}.",
        ),
        "ninth": (
            "{item} is headquartered in {value}.",
            "The company has its head office in {value}.",
            "The headquarters of {item} are located in {value}.",
            "{item} is based in {value}, where its headquarters were recently renovated.",
        ),
        "tenth": (
            "{item} has its headquarters in {value}.",
            "The head office is in {value}, a short walk from the market.",
            "It is in {value} that {item} has set up its head office.",
            "The management of {item} sits at the main office in {value}.",
        ),
        "eleventh": (
            "{item} keeps its head office in {value}.",
            "The headquarters of the company can be found in {value}, opposite the theatre.",
            "Interviews for the job are held at the headquarters of {item} in {value}.",
            "{value} is the town from which {item}, which has its head office there, is managed.",
        ),
    },
}


@dataclass(frozen=True)
class _Around:
    """What stands around the facts of a split: the first sentence, the labels of rows, the head of a table."""

    intro: str
    labels: Mapping[str, str]
    head: tuple[str, str]


_SHARED = _Around(
    "{item} is a company with a long list of customers.",
    {
        "founded": "Founded",
        "employees": "Employees",
        "revenue": "Revenue (million EUR)",
        "headquarters": "Headquarters",
    },
    ("Property", "Value"),
)
"""Of the splits that have nothing of their own."""
_AROUND: dict[Split, _Around] = {
    "fresh": _Around(
        "{item} is pleased to introduce itself here.",
        {
            "founded": "Year of foundation",
            "employees": "Workforce",
            "revenue": "Turnover (million EUR)",
            "headquarters": "Head office",
        },
        ("Item", "Entry"),
    ),
    "blind": _Around(
        "{item} has sent us this portrait for the directory.",
        {
            "founded": "Established in",
            "employees": "Number of employees",
            "revenue": "Annual sales (million EUR)",
            "headquarters": "Main office",
        },
        ("Feature", "Details"),
    ),
    "unread": _Around(
        "The file on {item} was opened after a site visit.",
        {
            "founded": "Foundation",
            "employees": "Headcount",
            "revenue": "Net sales (million EUR)",
            "headquarters": "Location of head office",
        },
        ("Parameter", "As recorded"),
    ),
    "plain": _Around(
        "Our reporter spent a day at {item}.",
        {
            "founded": "Founding year",
            "employees": "People employed",
            "revenue": "Sales last year (million EUR)",
            "headquarters": "Head office in",
        },
        ("What", "How much or where"),
    ),
    "late": _Around(
        "Below is what our files hold on {item}.",
        {
            "founded": "Year established",
            "employees": "Total headcount",
            "revenue": "Annual turnover (million EUR)",
            "headquarters": "Headquarters located in",
        },
        ("Key figure", "Company's answer"),
    ),
    "apart": _Around(
        "{item} has answered our questions by letter.",
        {
            "founded": "Start of business",
            "employees": "Persons on the staff list",
            "revenue": "Yearly sales (million EUR)",
            "headquarters": "Seat of the head office",
        },
        ("Question", "Reply"),
    ),
    "ninth": _Around(
        "{item} is a company with a long tradition and a broad product range.",
        {
            "founded": "Year of founding",
            "employees": "Number of staff",
            "revenue": "Annual revenue (million EUR)",
            "headquarters": "Company headquarters",
        },
        ("Characteristic", "Specification"),
    ),
    "tenth": _Around(
        "This page of the trade directory is about {item}.",
        {
            "founded": "Founded in the year",
            "employees": "Employees at present",
            "revenue": "Turnover last year (million EUR)",
            "headquarters": "Town of the head office",
        },
        ("Entry", "As reported"),
    ),
    "eleventh": _Around(
        "{item} is one of the companies that took part in the career day.",
        {
            "founded": "Founding of the company",
            "employees": "Size of the workforce",
            "revenue": "Revenue in the last year (million EUR)",
            "headquarters": "Place of the headquarters",
        },
        ("Topic", "Answer given"),
    ),
}


def wide_corpus(rows: int, *, seed: int, split: Split) -> Wide:
    """Draw `rows` companies, one document each, as prose, bullets or tables. Pure: same arguments, same bytes."""
    draw = random.Random(f"wide {rows} {seed} {split}")
    pool = [f"{first}{last} {trade}" for first in _FIRST for last in _LAST for trade in _TRADE]
    items = tuple(draw.sample(pool, rows))
    files: dict[str, bytes] = {}
    cells: dict[tuple[str, str], Any] = {}
    for number, item in enumerate(items):
        values = {
            "founded": draw.randrange(1860, 2015),
            "employees": draw.randrange(30, 9_900, 10),
            "revenue": draw.randrange(3, 900),
            "headquarters": draw.choice(_FIRST) + draw.choice(_LAST),
        }
        said = {name: value for name, value in values.items() if draw.random() < SAID_SHARE}
        cells |= {(item, name): value for name, value in said.items()}
        name, data = _document(draw, number, item, said, split)
        files[name] = data
    return Wide(files, items, cells)


def _document(draw: random.Random, number: int, item: str, said: Mapping[str, Any], split: Split) -> tuple[str, bytes]:
    around = _AROUND.get(split, _SHARED)
    intro = around.intro.format(item=item)
    form = draw.choice(["txt", "md", "html", "pdf"])
    layout = draw.choice(["prose", "bullets", "table"]) if form in ("md", "html") else "prose"
    if layout == "prose":
        sentences = [draw.choice(_SAY[name][split]).format(item=item, value=value) for name, value in said.items()]
        parts = [" ".join([intro, *sentences])]
    else:
        shown = {name: f"{value:,}" if name == "employees" else str(value) for name, value in said.items()}
        rows = [(around.labels[name], value) for name, value in shown.items()]
        lines = [f"- {label}: {value}" for label, value in rows] if layout == "bullets" else table(around.head, rows)
        parts = [intro, "\n".join(lines)]
    writer = {"txt": as_text, "md": as_markdown, "html": as_html, "pdf": as_pdf}[form]
    return f"company-{number:04}.{form}", writer(item, parts)


@dataclass
class Score:
    """Counts of cells and rows, as for F1."""

    right: int = 0
    filled: int = 0
    stated: int = 0
    rows_right: int = 0
    rows_answered: int = 0
    rows: int = 0

    @property
    def cell_f1(self) -> float:
        """Return F1 over cells: of those filled, and of those that the corpus states."""
        return 2 * self.right / (self.filled + self.stated) if self.filled + self.stated else 1.0

    @property
    def row_f1(self) -> float:
        """Return F1 over rows that are right in every cell."""
        return 2 * self.rows_right / (self.rows_answered + self.rows) if self.rows_answered + self.rows else 1.0


def score(wide: Wide, rows: Sequence[Mapping[str, Any]]) -> Score:
    """Compare a table with the truth.

    Args:
        rows: `{item, cells: [{column, value}]}` as `GET /runs/{id}/table` gives them.
    """
    counted = Score(stated=len(wide.cells), rows=len(wide.items))
    for row in rows:
        given = {cell["column"]: cell.get("value") for cell in row["cells"]}
        counted.rows_answered += any(value is not None for value in given.values())
        all_right = True
        for column in COLUMNS:
            truth, value = wide.cells.get((row["item"], column.name)), given.get(column.name)
            is_right = truth is not None and value is not None and same(value, truth)
            counted.filled += value is not None
            counted.right += is_right
            all_right &= is_right or (truth is None and value is None)
        counted.rows_right += all_right
    return counted


def same(given: Any, truth: Any) -> bool:
    """Tell whether a cell's value is the true one: numbers by value, texts by their folded words."""
    if isinstance(truth, int | float):
        if isinstance(given, str):
            found = numbers(given)
            return len(found) == 1 and float(next(iter(found))) == float(truth)
        return isinstance(given, int | float) and abs(float(given) - float(truth)) < 1e-6 * max(1.0, abs(float(truth)))
    return folded(str(given)) == folded(str(truth))


def fill(stack: Stack, wide: Wide, *, faults: int, draw: random.Random) -> list[dict[str, Any]]:
    """Ask the product for the table, kill its worker `faults` times meanwhile, and read all rows. The only API call."""
    asked = {"items": list(wide.items), "columns": [column.asked() for column in COLUMNS]}
    run_id = stack.create("Fill in the table of these companies.", table=asked)
    stack.start(run_id)
    for _ in range(faults):
        time.sleep(draw.uniform(1.0, 4.0))
        stack.returned("worker", stack.kill("worker"))
    ended = stack.finished(run_id, FILL_WITHIN_S)
    assert ended["status"] == "completed", ended
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = stack.get(
            f"/api/v1/runs/{run_id}/table", params={"limit": 200, **({"cursor": cursor} if cursor else {})}
        )
        rows += page["rows"]
        if not (cursor := page.get("next_cursor")):
            return rows


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (e); in the environment `ROWS=10,100` chooses sizes, `FAULTS=5` how often the worker is killed."""
    if bench.memory:
        return [Table("(e) wide tables", notes=["skipped: it needs the stack"])]
    result = Table(f"(e) wide tables, {len(COLUMNS)} columns, seed {seed}, templates {split}")
    for rows in SIZES:
        wide = wide_corpus(rows, seed=seed, split=split)
        with bench.stack() as stack:
            if stack.get("/api/v1/openapi.json")["paths"].get("/api/v1/runs/{run_id}/table") is None:
                result.notes.append("skipped: this version has no tables")
                return [result]
            StackAsker(stack, wide.files)
            for faults in FAULTS:
                found = score(wide, fill(stack, wide, faults=faults, draw=random.Random(seed)))
                how = f"{rows} rows, {faults} worker kills" if faults else f"{rows} rows"
                result.measures += [
                    Measure(
                        f"cell F1, {how}",
                        round(found.cell_f1, 4),
                        floor=0.9,
                        of=f"{found.right} of {found.stated} right",
                    ),
                    Measure(f"row F1, {how}", round(found.row_f1, 4), of=f"{found.rows_right} of {found.rows} rows"),
                    share(f"filled cells that are right, {how}", found.right, found.filled),
                ]
    return [result]
