"""Records whose text is not what it should be: hostile, endless, empty, of every script; and tables without measure."""

from activities.insights import specs
from schema.contracts.deliverables import (
    Bullets,
    Document,
    Figure,
    Grid,
    Paragraph,
    Part,
    Quotation,
    RecordedSource,
    RunRecord,
    Statement,
)  # fmt: skip
from tests.support.records import Shape, made_record

HOSTILE = (
    "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "{{ 7 * 7 }} {% raw %}", "javascript:alert(1) said so.",
    "Bell\x07 null\x00 escape\x1b and \ufffe stay out.", "\u202egnihtyna sdaer siht\u202c", "_x0041_ is no letter",
    "Emoji 👩‍👩‍👧‍👦 and 🇨🇭 and \U0001f9ea count 12 units.", "W" * 50_000, "A " * 4_000, "漢" * 3_000, "ا" * 2_000,
    "https://reports.example/" + "a" * 900, "&amp; &lt; \" ' ]]> <!-- -->", "Zalgo t̴̢͚̗̼e̵͍̽x̸̱͑t̵͎̆",
    "ไทยไม่มีช่องว่างระหว่างคำในประโยคนี้เลย",
)  # fmt: skip


def hostile_record() -> RunRecord:
    """Return a record of such text everywhere."""
    record = made_record(7, Shape(figures=0))
    said = [Statement(text=text, marks=(1 + number % 12,)) for number, text in enumerate(HOSTILE)]
    wide = Grid(
        heading=tuple(f"Column {number} {HOSTILE[number % 6]}" for number in range(17)),
        rows=tuple(
            tuple(
                Statement(text=HOSTILE[(row + column) % len(HOSTILE)], marks=(1 + column % 12,)) for column in range(17)
            )
            for row in range(5)
        ),
    )
    empty = Statement(text="", marks=(1,))
    parts = (
        Part(title="Executive summary", level=2, blocks=(Paragraph(sentences=tuple(said[:5])),)),
        Part(title="Key findings", level=2, blocks=(Bullets(items=tuple(said)),)),
        Part(title="Analysis", level=2),
        Part(title=HOSTILE[1] * 40, level=3, blocks=(wide, Paragraph(sentences=tuple(_again(said, "Again: "))))),
        Part(title="", level=3, blocks=(Paragraph(sentences=(empty, *_again(said, "More: "))),)),
        Part(title="Recommendations", level=2, blocks=(Bullets(items=tuple(_again(said, "Do: "))),)),
    )
    sources = tuple(
        RecordedSource(
            n=number, title=HOSTILE[number % len(HOSTILE)], uri=uri, kind="web", published_at="not a date",
            snapshot_sha256="0" * 64, score=0.5,
            quotations=(Quotation(quote=HOSTILE[number % len(HOSTILE)], start=0, end=5, claim_id="clm_1"),),
        )
        for number, uri in enumerate(
            (
                "javascript:alert(1)", "http://[broken", "https://reports.example/ü ber?a=b&c=\"d\"", "file:///etc/passwd",
                "http://", "https://" + "a" * 3_000, "data:text/html,x", "HTTPS://REPORTS.EXAMPLE", "document:doc_1",
                "https://user:pass@reports.example/\x00\n", "\\\\server\\share", "https://例え.jp/パス",
            ),
            1,
        )
    )  # fmt: skip
    bars = [{"x": text[:80], "y": number, "order": number} for number, text in enumerate(HOSTILE)]
    boxes = [
        {
            "x": text[:60],
            "low": 1,
            "q1": 2,
            "median": 3 + number,
            "q3": 4 + number,
            "high": 9 + number,
            "outliers": [20],
        }
        for number, text in enumerate(HOSTILE[:4])
    ]
    bins = [{"from": number * 10.0, "to": (number + 1) * 10.0, "y": number * number} for number in range(9)]
    broken = {"data": {"values": [{"x": "a"}, 3, {"x": 1, "y": "b"}]}}
    years = [{"x": year, "y": -5 + year % 7 * 1e7} for year in range(1990, 2024)]
    figures = (
        _figure("bar", HOSTILE[0], specs.bar(HOSTILE[1], bars, HOSTILE[2], HOSTILE[0])),
        _figure("box", "Boxes", specs.box("Boxes", boxes, "kind", "price")),
        _figure("histogram", "How prices are spread", specs.histogram("Prices", bins, "price")),
        _figure("line", "Years", specs.line("Years", years, "year", "sum", label="year", temporal=False)),
        _figure("scatter", "Broken", broken),
        _figure("line", "Nothing", {}),
    )
    return record.model_copy(
        update={"document": Document(title=HOSTILE[8], parts=parts), "sources": sources, "figures": figures}
    )


def _again(said: list[Statement], before: str) -> list[Statement]:
    return [each.model_copy(update={"text": before + each.text}) for each in said]


def _figure(kind: str, title: str, spec: dict[str, object]) -> Figure:
    return Figure(name=f"{kind}_{title[:7]}", kind=kind, title=title, origin="orders.csv", query="select 1", spec=spec)
