"""Records of made-up runs, by seed: every shape that an export has to draw, in five scripts."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from activities.insights import specs
from activities.research.composing import ANALYSIS, EXECUTIVE_SUMMARY, KEY_FINDINGS, RECOMMENDATIONS
from schema.contracts.deliverables import (
    Bill,
    Block,
    Bullets,
    DataSentence,
    Document,
    Figure,
    Grid,
    Paragraph,
    Part,
    Quotation,
    RecordedEvent,
    RecordedLine,
    RecordedRun,
    RecordedSource,
    RunRecord,
    Statement,
)
from schema.contracts.research import Quality
from schema.ids import RUN, derived_id

_SUBJECTS = (
    "The Alder pump", "The Birch turbine", "The county archive", "The ferry to Norrvik", "The new cold store",
    "The signalling upgrade", "The river gauge at Lund", "The pilot plant", "The night train", "The seed bank",
)  # fmt: skip
_VERBS = (
    "reached {n} units in {y}", "cost {n} thousand euros", "was opened on 14 March {y}", "serves {n} households",
    "lost {p} percent of its throughput in {y}", "is rated for {n} hours between services",
    "replaced an older installation after {n} days of trial operation", "requires a permit that was renewed in {y}",
)  # fmt: skip
_TAILS = (
    "", "", ", according to the operator", ", which is more than in any year before",
    ", although the figures of the second quarter were corrected afterwards and are shown here as corrected",
    ", while the regional average stayed unchanged",
)  # fmt: skip
SCRIPTS = {
    "el": "Η νέα γραμμή μεταφέρει {n} επιβάτες την ημέρα",
    "ru": "Новая линия перевозит {n} пассажиров в день",
    "zh": "新线路每天运送{n}名乘客，比去年增加了三成",
    "ja": "新しい路線は一日に{n}人の乗客を運びます",
    "ar": "ينقل الخط الجديد {n} راكب يوميا",
    "he": "הקו החדש מסיע {n} נוסעים ביום",
    "fr": "La nouvelle ligne transporte {n} voyageurs par jour",
}


@dataclass(frozen=True)
class Shape:
    """How large, and of what."""

    subtasks: int = 4
    findings: int = 3
    """Of every subtask."""
    paragraphs: int = 2
    sources: int = 12
    grids: int = 1
    grid_rows: int = 6
    figures: int = 2
    events: int = 0
    scripts: tuple[str, ...] = ()


def made_record(seed: int, shape: Shape | None = None) -> RunRecord:
    """Return a record that is the same for the same seed and shape."""
    return _Maker(random.Random(seed), shape or Shape()).record(seed)


class _Maker:
    def __init__(self, chance: random.Random, shape: Shape) -> None:
        self._chance = chance
        self._shape = shape
        self._cited: dict[int, list[str]] = {}

    def record(self, seed: int) -> RunRecord:
        shape = self._shape
        began = datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(hours=seed % 1000)
        document = Document(title=self._subject() + ": costs, output and outlook", parts=tuple(self._parts()))
        return RunRecord(
            run=RecordedRun(
                id=derived_id(RUN, "made", seed),
                name=document.title,
                task=f"What is known of {document.title[0].lower() + document.title[1:]}?",
                status="completed",
                attempt=1,
                created_at=began,
                completed_at=began + timedelta(minutes=4, seconds=seed % 60),
                agents=shape.subtasks,
                tokens=41_000 + seed,
            ),
            document=document,
            sources=tuple(self._source(number) for number in range(1, shape.sources + 1)),
            quality=Quality(claims=90, supported=60, sources_read=shape.sources + 9, sources_cited=shape.sources),
            figures=tuple(self._figure(number) for number in range(1, shape.figures + 1)),
            insights=tuple(
                DataSentence(sentence=f"{name} holds 1,200 rows.", query="select count(*) from t", origin=name)
                for name in (["orders.csv"] if shape.figures else [])
            ),
            bill=self._bill(began),
            log=tuple(
                RecordedEvent(
                    sequence_number=number,
                    at=began + timedelta(seconds=number),
                    type="agent.step",
                    message=f"Agent {1 + number % 4} read a page",
                )
                for number in range(1, shape.events + 1)
            ),
        )

    def _parts(self) -> list[Part]:
        shape = self._shape
        parts = [Part(title=EXECUTIVE_SUMMARY, level=2, blocks=(self._paragraph(5),))]
        parts.append(Part(title=KEY_FINDINGS, level=2, blocks=(self._bullets(shape.subtasks * shape.findings),)))
        parts.append(Part(title=ANALYSIS, level=2))
        for number in range(shape.subtasks):
            blocks: list[Block] = [self._paragraph(self._chance.randint(2, 6)) for _ in range(shape.paragraphs)]
            if number < shape.grids:
                blocks.append(self._grid())
            parts.append(Part(title=f"{self._subject()} in detail", level=3, blocks=tuple(blocks)))
        parts.append(Part(title=RECOMMENDATIONS, level=2, blocks=(self._bullets(4),)))
        return parts

    def _subject(self) -> str:
        return self._chance.choice(_SUBJECTS)

    def _sentence(self) -> Statement:
        values = {"n": self._chance.randint(12, 9800), "y": self._chance.randint(2009, 2026)}
        if self._shape.scripts and self._chance.random() < 0.4:
            text = SCRIPTS[self._chance.choice(self._shape.scripts)].format(**values) + "."
        else:
            says = self._chance.choice(_VERBS).format(**values, p=self._chance.randint(2, 60))
            text = f"{self._subject()} {says}{self._chance.choice(_TAILS)}."
        count = min(self._shape.sources, self._chance.choice((1, 1, 1, 2, 3)))
        marks = tuple(self._chance.sample(range(1, self._shape.sources + 1), count))
        for mark in marks:
            self._cited.setdefault(mark, []).append(text)
        return Statement(text=text, marks=marks)

    def _paragraph(self, sentences: int) -> Paragraph:
        return Paragraph(sentences=tuple(self._sentence() for _ in range(sentences)))

    def _bullets(self, items: int) -> Bullets:
        return Bullets(items=tuple(self._sentence() for _ in range(items)))

    def _grid(self) -> Grid:
        heading = ("Site", "Opened", "Output (GWh)", "Cost (M EUR)", "Operator")
        rows = []
        for number in range(self._shape.grid_rows):
            mark = self._chance.randint(1, self._shape.sources)
            cells = (
                str(self._chance.randint(1995, 2026)), f"{self._chance.uniform(3, 900):.1f}",
                str(self._chance.randint(2, 400)), self._chance.choice(("Norrvik Energi", "Stadtwerke Lund", "–")),
            )  # fmt: skip
            made = [Statement(text=cell, marks=(mark,) if cell != "–" else ()) for cell in cells]
            rows.append((Statement(text=f"{self._subject().removeprefix('The ')} {number + 1}"), *made))
        return Grid(heading=heading, rows=tuple(rows))

    def _source(self, number: int) -> RecordedSource:
        quotes = list(dict.fromkeys(self._cited.get(number, [])))
        position, spans = 0, []
        for index, quote in enumerate(quotes):
            claim = derived_id("clm", number, index)
            spans.append(Quotation(quote=quote, start=position, end=position + len(quote), claim_id=claim))
            position += len(quote) + 1
        own = number % 5 == 0
        return RecordedSource(
            n=number,
            title=f"{self._subject()}, report {number}",
            uri=f"document:doc_{number:032x}" if own else f"https://reports.example/{number}/annual-report.html",
            kind="corpus" if own else "web",
            published_at=f"{2015 + number % 11}-0{1 + number % 9}-17T00:00:00+00:00" if number % 3 else None,
            snapshot_sha256=sha256(str(number).encode()).hexdigest(),
            score=round(self._chance.uniform(0.4, 0.95), 4),
            pages=(number,) if own else (),
            quotations=tuple(spans),
        )

    def _figure(self, number: int) -> Figure:
        kind = ("line", "bar", "scatter")[number % 3]
        title = f"{('Revenue over time', 'Orders by region', 'Price and quantity')[number % 3]} ({number})"
        chance = self._chance
        if kind == "line":
            months = [{"x": f"2025-{month:02}-01", "y": round(chance.uniform(100, 900), 1)} for month in range(1, 13)]
            spec = specs.line(title, months, "month", "revenue", label="month", temporal=True)
        elif kind == "bar":
            names = ("North", "South", "East", "West", "Overseas")
            bars = [{"x": name, "y": chance.randint(10, 800), "order": order} for order, name in enumerate(names)]
            spec = specs.bar(title, bars, "region", "orders")
        else:
            points = [{"x": chance.uniform(1, 90), "y": chance.uniform(1, 300)} for _ in range(60)]
            spec = specs.scatter(title, points, "price", "quantity")
        return Figure(
            name=f"figure_{number}", kind=kind, title=title, columns=("a", "b"), query="select …", origin="orders.csv",
            spec=spec,
        )  # fmt: skip

    def _bill(self, at: datetime) -> Bill:
        lines = [("hold", 5_000_000), ("charge", -1_234_500), ("release", -3_765_500)]
        return Bill(
            held_ucr=5_000_000,
            charged_ucr=1_234_500,
            released_ucr=3_765_500,
            lines=tuple(
                RecordedLine(
                    sequence_number=number, type=kind, amount_ucr=amount, description=kind.capitalize(),
                    created_at=at + timedelta(seconds=number), attempt=1,
                )
                for number, (kind, amount) in enumerate(lines, 1)
            ),
        )  # fmt: skip
