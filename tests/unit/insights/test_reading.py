"""What a file is and how it is written is found out, and told."""

import io
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from schema.contracts.insights import ColumnType, DataFormat, DateOrder, FindingKind, Role
from schema.errors import PayloadTooLarge, UnsupportedFormat
from tests.support.data_bombs import HOSTILE, workbook
from tests.unit.insights.reading import analysed, column, found, tables

OUTSIDE = {"parquet of long texts", "thrift of two billion", "too many cells"}
"""They are for the sandbox's limits to stop, or take their time."""


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in OUTSIDE])
def test_hostile_files_are_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    """Each by its own check, before a reader takes it whole."""
    filename, make, says = HOSTILE[name]
    with pytest.raises((UnsupportedFormat, PayloadTooLarge), match=f"(?i){says}"):
        analysed(tmp_path, make(), filename)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    """Names come out the same, whatever they were written in."""
    text = "Größe;Straße\n" + "1,5;Müllerstraße\n2,5;Çelebi\n" * 20
    analysis = analysed(tmp_path, text.encode(encoding))
    assert [each.name for each in analysis.tables[0].columns] == ["Größe", "Straße"]
    assert column(analysis, "Straße").top_values[0].value in ("Müllerstraße", "Çelebi")
    assert column(analysis, "Größe").statistics.mean == 2.0  # type: ignore[union-attr]


def test_other_scripts(tmp_path: Path) -> None:
    """Cyrillic and Japanese by the letters that they give."""
    cyrillic = "Город;Число\n" + "Москва;1\nСанкт-Петербург;2\nНовосибирск;3\n" * 30
    assert analysed(tmp_path, cyrillic.encode("cp1251")).tables[0].columns[0].name == "Город"
    japanese = "都市,人口\n" + "東京都,1\n大阪府,2\n横浜市,3\n" * 30
    assert analysed(tmp_path, japanese.encode("shift_jis")).tables[0].columns[0].name == "都市"


def test_a_file_of_two_encodings_is_read_and_told(tmp_path: Path) -> None:
    """The bytes that are not UTF-8 are read as Windows-1252."""
    good = "name,n\n" + "Zoë,1\nJürg,2\n" * 30
    analysis = analysed(tmp_path, good.encode() + "Müller,3\n".encode("cp1252"))
    assert found(analysis, FindingKind.ENCODING)[0].count == 1
    assert "Müller" in {each.value for each in column(analysis, "name").top_values}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    """Also where cells are quoted and hold one themselves."""
    rows = [["name", "note", "n"], *([f"x{n}", f'"a{delimiter} b"', str(n)] for n in range(30))]
    analysis = analysed(tmp_path, "\n".join(delimiter.join(row) for row in rows))
    assert analysis.tables[0].reading.delimiter == delimiter
    assert [each.name for each in analysis.tables[0].columns] == ["name", "note", "n"]


@pytest.mark.parametrize(
    ("cells", "mean", "unit", "thousands"),
    [
        (["1.234,50", "2.000,00", "0,75"], 1078.4167, None, "."),
        (["1,234.50", "2,000.00", "0.75"], 1078.4167, None, ","),
        (["1'234.50", "2'000.00", "0.75"], 1078.4167, None, "'"),
        (["1 234,50", "2 000,00", "0,75"], 1078.4167, None, " "),
        (["12,50 €", "7,50 €", "10,00 €"], 10.0, "EUR", None),
        (["$1,250", "$750", "$1,000"], 1000.0, "USD", ","),
        (["CHF 12.50", "CHF 7.50", "CHF 10.00"], 10.0, "CHF", None),
        (["12.5 %", "7.5%", "10 %"], 10.0, "%", None),
        (["3.2 km", "2.8 km", "3 km"], 3.0, "km", None),
        (["(100)", "-50", "150-"], -100.0, None, None),
        (["1e3", "2E3", "3e3"], 2000.0, None, None),
        (["+5", "−5", "6"], 2.0, None, None),
    ],
)
def test_numbers_of_every_locale(
    cells: list[str], mean: float, unit: str | None, thousands: str | None, tmp_path: Path
) -> None:
    """Decimal mark, thousands, sign and unit."""
    analysis = analysed(
        tmp_path, "\t".join(("id", "value")) + "\n" + "\n".join(f"x{n}\t{cell}" for n, cell in enumerate(cells * 4))
    )
    value = column(analysis, "value")
    assert value.statistics is not None, value
    assert value.statistics.mean == pytest.approx(mean, abs=1e-4)
    assert (value.unit.symbol if value.unit else None, value.thousands) == (unit, thousands)


@pytest.mark.parametrize(
    ("header", "symbol"),
    [
        ("Price (EUR)", "EUR"),
        ("Weight [kg]", "kg"),
        ("Umsatz in CHF", "CHF"),
        ("distance_km", "km"),
        ("Share %", "%"),
        ("Name", None),
        ("Rank in class", None),
        ("temp (°C)", "°C"),
        ("Sales (k EUR)", "k EUR"),
        ("Width m", None),
    ],
)
def test_units_of_headers(header: str, symbol: str | None, tmp_path: Path) -> None:
    """Where a header marks one; a word that only looks like one is none."""
    analysis = analysed(tmp_path, f"{header};x\n" + "1.5;a\n2.5;b\n7.5;a\n" * 4)
    unit = analysis.tables[0].columns[0].unit
    assert (unit.symbol if unit else None) == symbol


@pytest.mark.parametrize(
    ("cells", "first", "order"),
    [
        (["2024-01-31", "2024-02-01"], date(2024, 1, 31), DateOrder.YEAR_FIRST),
        (["31/01/2024", "01/02/2024"], date(2024, 1, 31), DateOrder.DAY_FIRST),
        (["01/31/2024", "02/01/2024"], date(2024, 1, 31), DateOrder.MONTH_FIRST),
        (["31.01.2024", "1.2.2024"], date(2024, 1, 31), DateOrder.DAY_FIRST),
        (["31 Jan 2024", "1 February 2024"], date(2024, 1, 31), None),
        (["Jan 31, 2024", "February 1, 2024"], date(2024, 1, 31), None),
        (["31. Januar 2024", "1. März 2024"], date(2024, 1, 31), None),
        (["31/01/24", "01/02/24"], date(2024, 1, 31), DateOrder.DAY_FIRST),
        (["2024年1月31日", "2024年2月1日"], date(2024, 1, 31), DateOrder.YEAR_FIRST),
        (["2024-01", "2024-02"], date(2024, 1, 1), DateOrder.YEAR_FIRST),
    ],
)
def test_dates_of_every_form(cells: list[str], first: date, order: DateOrder | None, tmp_path: Path) -> None:
    """The order of day and month is decided by what the cells allow."""
    analysis = analysed(tmp_path, "when;n\n" + "\n".join(f"{cell};{n}" for n, cell in enumerate(cells * 5)))
    when = column(analysis, "when")
    assert (when.type, when.earliest, when.date_order) == (ColumnType.DATE, first.isoformat(), order)


def test_an_undecided_order_is_told_and_can_be_named(tmp_path: Path) -> None:
    """Nothing decides between the first of February and the second of January."""
    text = "when,n\n" + "01/02/2024,1\n05/03/2024,2\n02/01/2024,3\n" * 4
    assert found(analysed(tmp_path, text), FindingKind.DATE_ORDER)
    named = analysed(tmp_path, text, date_order="dmy")
    assert not found(named, FindingKind.DATE_ORDER)
    assert column(named, "when").earliest == "2024-01-02"


def test_titles_header_and_rows_are_told_apart(tmp_path: Path) -> None:
    """Rows keep the numbers that a spreadsheet shows."""
    analysis = analysed(tmp_path, "Sales report\n\nid,region,amount\n1,a,5\n,,\n2,b,6\n3,b,7\n3,b,7\n")
    reading = analysis.tables[0].reading
    assert (reading.header_row, reading.skipped_rows) == (3, 2)
    assert found(analysis, FindingKind.EMPTY_ROWS)[0].rows == (5,)
    assert found(analysis, FindingKind.DUPLICATE_ROWS)[0].rows == (8,)


def test_no_header(tmp_path: Path) -> None:
    """The first row is data where it looks like the others."""
    analysis = analysed(tmp_path, "a,1,2024-01-01\nb,2,2024-01-02\nc,3,2024-01-03\n")
    assert not analysis.tables[0].reading.header
    assert (analysis.tables[0].rows, analysis.tables[0].columns[0].name) == (3, "column_1")
    years = analysed(tmp_path, "country,2019,2020,2021\nA,1.5,2.5,3.5\nB,2.5,3.5,4.5\n")
    assert years.tables[0].reading.header


def test_ragged_rows_and_headers(tmp_path: Path) -> None:
    """Told, with their rows; doubled and empty names are made unique."""
    analysis = analysed(tmp_path, "a,a,,b\n1,2,3,4\n1,2\n5,6,7,8,9\n1,3,3,4\n")
    assert {each.rows for each in found(analysis, FindingKind.RAGGED_ROWS)} == {(3,), (4,)}
    assert [each.name for each in analysis.tables[0].columns] == ["a", "a_2", "column_3", "b"]
    assert {each.renamed for each in analysis.tables[0].columns} == {None, "duplicate", "empty"}


def test_quotes_that_do_not_match_are_read_as_a_spreadsheet_does(tmp_path: Path) -> None:
    """And told."""
    analysis = analysed(tmp_path, 'a,b\n1,5" pipe\n2,"x" y\n3,z\n')
    assert analysis.tables[0].rows == 3
    assert analysis.tables[0].reading.notes


def test_cleaning_is_an_option_and_says_how_many(tmp_path: Path) -> None:
    """The specification's cleaning drops what is only reported otherwise; rows keep their numbers."""
    text = "id,v\n1,5\n,\n2,6\n2,6\n3,-\n"
    cleaned = analysed(tmp_path, text, clean=True)
    reading = cleaned.tables[0].reading
    assert (cleaned.tables[0].rows, reading.dropped_empty_rows, reading.dropped_duplicate_rows) == (3, 1, 1)
    assert found(cleaned, FindingKind.MISSING_VALUES)[0].rows == (6,)
    assert analysed(tmp_path, text).tables[0].rows == 5


def test_codes_keep_their_zeros(tmp_path: Path) -> None:
    """`00123` is no number, wherever in a large file the first of them stands."""
    text = "code,n,x\n" + "".join(f"{n + 100},{n},1.5\n" for n in range(360_000)) + "00123,5,1.5\n"
    [table] = tables(tmp_path, text)
    assert table.frame["code"].dtype == pl.String
    assert table.frame["code"][-1] == "00123"
    assert table.columns["x"].numeric


@pytest.mark.parametrize("late", ["n/a", "12 kg", "unknown"])
def test_a_late_cell_of_another_kind_changes_how_a_large_file_is_read(late: str, tmp_path: Path) -> None:
    """What a sample does not show is still found."""
    text = "id,x\n" + "".join(f"k{n},{n % 90}.5\n" for n in range(360_000)) + f"last,{late}\n"
    [table] = tables(tmp_path, text)
    assert table.columns["x"].numeric
    assert table.frame["x"].null_count() == (0 if late == "12 kg" else 1)


def test_json_of_every_shape(tmp_path: Path) -> None:
    """Records, wrapped records, columns, by key, by line; nested ones are flattened one level."""
    records = [{"a": 1, "b": {"c": "x", "d": {"e": 1}}}, {"a": 2.5, "b": {"c": "y", "d": [1, 2]}}]
    shapes = {
        "a.json": [json.dumps(records), json.dumps({"meta": 1, "data": records})],
        "a.ndjson": ["\n".join(json.dumps(record) for record in records)],
    }
    for name, texts in shapes.items():
        for text in texts:
            analysis = analysed(tmp_path, text, name)
            assert [each.name for each in analysis.tables[0].columns] == ["a", "b.c", "b.d"], text
            assert analysis.tables[0].reading.flattened == ("b",)
    by_column = analysed(tmp_path, json.dumps({"a": [1, 2, 3], "b": ["x", "y", None]}), "a.json")
    assert by_column.tables[0].rows == 3
    by_key = analysed(tmp_path, json.dumps({"x": {"a": 1}, "y": {"a": 2}}), "a.json")
    assert [each.name for each in by_key.tables[0].columns] == ["key", "a"]


def test_workbooks_with_several_sheets(tmp_path: Path) -> None:
    """All of them are read; empty ones are named."""
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    share = book.add_format({"num_format": "0.0%"})
    money = book.add_format({"num_format": '#,##0.00 "€"'})
    orders, customers = book.add_worksheet("Orders 2024"), book.add_worksheet("Customers")
    book.add_worksheet("Empty")
    orders.write_row(0, 0, ["order", "customer", "amount", "rebate"])
    for row in range(1, 31):
        orders.write(row, 0, f"O{row:03d}")
        orders.write(row, 1, f"K{row % 5:02d}")
        orders.write(row, 2, row * 1.5, money)
        orders.write(row, 3, 0.25, share)
    customers.write_row(2, 1, ["customer", "name"])
    for row in range(5):
        customers.write_row(row + 3, 1, [f"K{row:02d}", f"Name {row}"])
    book.close()
    analysis = analysed(tmp_path, out.getvalue(), "a.xlsx")
    assert [each.sheet for each in analysis.tables] == ["Orders 2024", "Customers"]
    assert analysis.skipped_sheets == ("Empty",)
    assert (column(analysis, "amount").unit.symbol, column(analysis, "rebate").statistics.mean) == ("EUR", 25.0)  # type: ignore[union-attr]
    assert analysis.tables[1].reading.header_row == 3
    relation = analysis.relations[0]
    assert (relation.column, relation.other_column, relation.orphans) == ("customer", "customer", 0)


def test_parquet(tmp_path: Path) -> None:
    """Types come from the file; objects are flattened, binary columns left out and told."""
    out = io.BytesIO()
    pl.DataFrame(
        {"n": [1, 2, 3], "d": [date(2024, 1, 1)] * 3, "s": [{"x": 1.5}] * 3, "b": [b"x"] * 3, "c": ["u", "v", "u"]}
    ).write_parquet(out)
    analysis = analysed(tmp_path, out.getvalue(), "a.parquet")
    assert analysis.format == DataFormat.PARQUET
    assert [each.name for each in analysis.tables[0].columns] == ["n", "d", "c", "s.x"]
    assert "binary" in analysis.tables[0].reading.notes[0]


@pytest.mark.parametrize(
    "data",
    [
        "a\n1\n",
        "a,b\n1,2\n",
        "a\nx\ny\nz\n",
        "a,b\n,\n,\n",
        "only\n" + "\n".join("abc"),
        "a,b\n1,\n",
        "名前,年齢\n太郎,5\n",
        "a,b\n" + "x" * 50_000 + ",1\n",
        "a;b\n;\n",
        "x,y\n1,nan\n2,inf\n",
        'a,"b\nc"\n1,2\n',
        "שם,ערך\nא,1\nב,2\n",
        "a,b\n1,1e400\n",
        "v\n" + "9" * 30 + "\n" + "8" * 30 + "\n",
    ],
)
def test_odd_tables_give_an_analysis_that_is_json(data: str, tmp_path: Path) -> None:
    """One row, one column, nothing in it, letters of any script, numbers out of range."""
    analysis = analysed(tmp_path, data, as_of="2026-01-01", charts=True)
    assert json.loads(analysis.model_dump_json())["tables"]
    assert "NaN" not in analysis.model_dump_json()


def test_workbook_with_one_cell(tmp_path: Path) -> None:
    """A header without rows is no table."""
    with pytest.raises(UnsupportedFormat, match="no table"):
        analysed(tmp_path, workbook([["only"]]), "a.xlsx")


def test_roles(tmp_path: Path) -> None:
    """Identifiers, codes and years measure nothing."""
    rows = "".join(f"{1000 + n},{8000 + n % 7},{2000 + n % 20},{n % 3},{n * 1.5},{'abc'[n % 3]}\n" for n in range(60))
    analysis = analysed(tmp_path, "customer_id,zip,year,rating,amount,kind\n" + rows)
    roles = [each.role for each in analysis.tables[0].columns]
    assert roles == [Role.IDENTIFIER, Role.CODE, Role.YEAR, Role.MEASURE, Role.MEASURE, Role.CATEGORY]
    assert {each for pair in analysis.tables[0].correlations for each in (pair.first, pair.second)} == {
        "rating",
        "amount",
    }
