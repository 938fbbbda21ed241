"""Files of data through the sandbox: analysis, charts, questions, relations, and what the walls stop."""

import asyncio
import struct
from pathlib import Path

import pytest

from activities.insights.analysing import analyse, ask, relate
from schema.contracts.insights import AnalysisOptions, ChartKind
from schema.errors import PayloadTooLarge, SourceUnavailable, UnsupportedFormat, ValidationFailed
from tests.integration.test_document_sandbox import children
from tests.support.data_bombs import HOSTILE

SHOP = "Tag;Region;Umsatz (EUR);Stück\n" + "".join(
    f"{n % 28 + 1:02d}.{n // 28 + 1:02d}.2023;{'Nord' if n % 3 else 'Süd'};{(n % 28 + 5) * 3},50;{n % 28 + 5}\n"
    for n in range(300)
)


async def test_analysis_with_charts_and_text(tmp_path: Path) -> None:
    """What comes back is a document that can be cited, with pictures that are none but pictures."""
    path = tmp_path / "shop"
    path.write_bytes(SHOP.encode("cp1252"))
    found = await analyse(path, "shop.csv", AnalysisOptions(as_of="2026-01-01"))
    table = found.analysis.tables[0]
    assert (table.rows, table.reading.encoding, table.reading.delimiter) == (300, "cp1252", ";")
    assert [chart.name for chart in found.charts] == [chart.name for chart in table.charts]
    assert {ChartKind.LINE, ChartKind.BAR, ChartKind.SCATTER, ChartKind.HISTOGRAM, ChartKind.BOX} == {
        chart.kind for chart in table.charts
    }
    for chart in found.charts:
        width, height = struct.unpack(">II", chart.png[16:24])
        assert chart.png.startswith(b"\x89PNG")
        assert 600 < width < 2_000
        assert 150 < height < 2_000
        assert chart.svg.startswith(b"<svg")
        assert b"<script" not in chart.svg
    assert table.insights
    blocks = found.text.split("\n\n")
    assert all(insight.sentence in blocks for insight in table.insights)
    assert all(finding.sentence in blocks for finding in table.findings)
    assert children() == set()


async def test_text_of_the_file_is_no_markup(tmp_path: Path) -> None:
    """A category that is a script stays letters, in the picture as in the specification."""
    path = tmp_path / "x"
    path.write_text("kind,revenue\n" + '"<script>alert(1)</script>",5\n"=HYPERLINK(""http://x"")",6\n' * 20)
    found = await analyse(path, "x.csv", AnalysisOptions())
    assert found.charts
    assert all(b"<script" not in chart.svg for chart in found.charts)


@pytest.mark.extended
@pytest.mark.parametrize("name", ["parquet of long texts", "thrift of two billion", "zip bomb", "deep json"])
async def test_what_the_walls_stop(name: str, tmp_path: Path) -> None:
    """Refused in time and memory; nothing of it is left."""
    filename, make, _ = HOSTILE[name]
    path = tmp_path / "x"
    path.write_bytes(make())
    with pytest.raises((UnsupportedFormat, PayloadTooLarge, SourceUnavailable)):
        await analyse(path, filename, AnalysisOptions())
    assert children() == set()


async def test_questions(tmp_path: Path) -> None:
    """A file is asked; a refusal keeps its words."""
    shop = tmp_path / "a"
    shop.write_text(SHOP)
    answered = await ask(shop, "shop.csv", "Umsatz by Region")
    assert len(answered.rows) == 2
    assert answered.query.startswith("SELECT")
    with pytest.raises(ValidationFailed, match="Umsatz"):
        await ask(shop, "shop.csv", "What is love?")
    assert answered.sentence.startswith("By “Region”, the sum of “Umsatz (EUR)” is ")


@pytest.mark.extended
async def test_queries_and_relations(tmp_path: Path) -> None:
    """A query that reads a file is refused; two files are related."""
    shop = tmp_path / "a"
    shop.write_text(SHOP)
    with pytest.raises(ValidationFailed, match="data"):
        await ask(shop, "shop.csv", "x", query="SELECT * FROM read_csv('/etc/passwd')")
    more = tmp_path / "c"
    more.write_text("customer,city\n" + "".join(f"K{n},Bern\n" for n in range(10)))
    orders = tmp_path / "d"
    orders.write_text("order,customer\n" + "".join(f"O{n},K{n % 10}\n" for n in range(40)))
    related = await relate([(more, "customers.csv"), (orders, "orders.csv")])
    assert [(each.table, each.other_table) for each in related.relations] == [("orders", "customers")]


async def test_a_cancelled_analysis_leaves_no_process(tmp_path: Path) -> None:
    """The child dies with it."""
    path = tmp_path / "x"
    path.write_text("a,b\n" + "".join(f"{n},{n % 97}.5\n" for n in range(300_000)))
    task = asyncio.create_task(analyse(path, "x.csv", AnalysisOptions()))
    while not children():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == set()
