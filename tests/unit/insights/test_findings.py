"""What is planted is found, what is not planted is not; and every number of every sentence holds."""

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from activities.insights.checking import fault_of
from activities.insights.examine import read_tables
from activities.insights.sql import Database
from schema.contracts.insights import AnalysisOptions, FindingKind, RelationKind
from tests.eval.insights import analysed as planted_tables
from tests.eval.insights import findings
from tests.support.data_planting import plant
from tests.support.data_recount import fault, read
from tests.unit.insights.reading import analysed, column, found, tables

SEED = 77


def test_findings_of_planted_tables() -> None:
    """A sample of `make eval PART=data`: eight domains."""
    table = findings(SEED, tables=8)
    assert table.ok, table.markdown()


def test_every_number_of_every_sentence_holds() -> None:
    """Recounted in plain Python from the file itself."""
    told = 0
    for planted, table in planted_tables(SEED, tables=8):
        columns = read(planted)
        for insight in table.insights:
            assert fault(insight, planted, columns) is None, insight.sentence
            told += 1
    assert told > 40


def test_the_checker_refuses_what_does_not_match(tmp_path: Path) -> None:
    """A number, a name or a query that was changed."""
    planted = plant(SEED, 0)
    path = tmp_path / planted.filename
    path.write_bytes(planted.data)
    _, [table] = read_tables(path, planted.filename, AnalysisOptions())
    database, columns = Database({table.name: table.frame}), table.frame.columns
    kept = next(table for _, table in planted_tables(SEED, tables=1)).insights
    insight = next(each for each in kept if each.kind.value == "largest_group")
    assert fault_of(insight, database, columns) is None
    number, name = insight.numbers[0], insight.names[0]
    wrong_text = number.model_copy(update={"text": "1" + number.text})
    changes = [
        {
            "sentence": insight.sentence.replace(number.text, "1" + number.text),
            "numbers": (wrong_text, *insight.numbers[1:]),
        },
        {"sentence": insight.sentence.replace(number.text, "1" + number.text)},
        {"sentence": insight.sentence + " It was 7 before."},
        {"sentence": insight.sentence.replace(name, "Atlantis")},
        {"numbers": (number.model_copy(update={"value": number.value * 1.01}), *insight.numbers[1:])},
        {"query": insight.query.replace("DESC", "ASC")},
        {"query": "SELECT 1 AS total"},
        {"query": "DROP TABLE data"},
    ]
    for change in changes:
        assert fault_of(insight.model_copy(update=change), database, columns) is not None, change


def test_identifiers_years_and_codes_have_no_outliers(tmp_path: Path) -> None:
    """However far one of them lies."""
    rows = "".join(f"{100 + n},{1990 + n % 5},{n % 7 + 20}.5\n" for n in range(60)) + "99999,1850,21.5\n"
    analysis = analysed(tmp_path, "order_id,year,value\n" + rows)
    assert not found(analysis, FindingKind.OUTLIERS)


def test_no_time_axis_no_findings_over_time(tmp_path: Path) -> None:
    """A row number is no time."""
    rows = "".join(f"{n},{5 if n != 40 else 900}.{n % 9}\n" for n in range(90))
    kinds = {each.kind for each in analysed(tmp_path, "n,value\n" + rows).tables[0].findings}
    assert not kinds & {FindingKind.TIME_GAP, FindingKind.TIME_SPIKE, FindingKind.LEVEL_SHIFT}


@pytest.mark.parametrize("step", ["day", "business day", "month", "hour"])
def test_gaps_of_every_rhythm(step: str, tmp_path: Path) -> None:
    """Weekends are no gaps of working days, months are months."""
    moments: list[str] = []
    day = date(2023, 1, 2)
    for number in range(80):
        if step == "month":
            moments.append(f"{2017 + number // 12}-{number % 12 + 1:02d}-01")
        elif step == "hour":
            moments.append(f"2024-01-{number // 24 + 1:02d} {number % 24:02d}:00")
        else:
            moments.append(day.isoformat())
            day += timedelta(days=3 if step == "business day" and day.weekday() == 4 else 1)
    whole = "at,v\n" + "".join(f"{moment},{number % 7}\n" for number, moment in enumerate(moments))
    assert not found(analysed(tmp_path, whole), FindingKind.TIME_GAP)
    cut = "at,v\n" + "".join(
        f"{moment},{number % 7}\n" for number, moment in enumerate(moments) if not 30 <= number < 34
    )
    [gap] = found(analysed(tmp_path, cut), FindingKind.TIME_GAP)
    assert gap.count == 4


def test_a_season_is_no_spike(tmp_path: Path) -> None:
    """Sundays are low every week; one Tuesday is not."""
    draw = random.Random(5)
    rows = []
    for number in range(200):
        day = date(2023, 1, 1) + timedelta(days=number)
        value = 100 - (60 if day.weekday() == 6 else 0) + draw.gauss(0, 2) - (45 if number == 100 else 0)
        rows.append(f"{day.isoformat()},{value:.2f}\n")
    [spike] = found(analysed(tmp_path, "day,visitors\n" + "".join(rows)), FindingKind.TIME_SPIKE)
    assert (spike.count, spike.rows) == (1, (102,))


def test_a_dependency_with_exceptions_names_them(tmp_path: Path) -> None:
    """A town with another country in one row."""
    towns = {"Bern": "CH", "Basel": "CH", "Graz": "AT", "Linz": "AT", "Ulm": "DE"}
    names = list(towns)
    rows = [(names[n % 5], towns[names[n % 5]]) for n in range(100)]
    rows[50] = (rows[50][0], "FR")
    [finding] = found(
        analysed(tmp_path, "town,country\n" + "".join(f"{a},{b}\n" for a, b in rows)), FindingKind.DEPENDENCY
    )
    assert (finding.columns, finding.rows) == (("town", "country"), (52,))


def test_values_that_cannot_be_are_told_once_each(tmp_path: Path) -> None:
    """By name, unit and type; what may be negative is left alone."""
    head = "age,price (EUR),share %,growth %,latitude,temperature,due date,order date\n"
    rows = [
        f"{20 + n % 50},{5 + n % 9}.5,{n % 100},{n % 30 - 15},{46 + n % 3},{n % 40 - 20},"
        f"2031-01-01,2024-01-{n % 28 + 1:02d}\n"
        for n in range(100)
    ]
    rows[10] = "-4,-3.5,140,5,97,5,2031-01-01,2031-06-01\n"
    rows[11] = "190,5.5,50,5,46,5,2031-01-01,1900-01-01\n"
    impossible = found(analysed(tmp_path, head + "".join(rows), as_of="2026-01-01"), FindingKind.IMPOSSIBLE_VALUES)
    told = sorted((each.columns[0], each.rows) for each in impossible)
    assert told == [
        ("age", (12,)),
        ("age", (13,)),
        ("latitude", (12,)),
        ("order date", (12,)),
        ("order date", (13,)),
        ("price (EUR)", (12,)),
        ("share %", (12,)),
    ]


def test_lists_are_bounded(tmp_path: Path) -> None:
    """Ten thousand faulty rows are counted, and fifty named."""
    rows = "".join(f"{n},{'' if n % 2 else n}\n" for n in range(20_000))
    [missing] = found(analysed(tmp_path, "id,v\n" + rows), FindingKind.MISSING_VALUES)
    assert (missing.count, len(missing.rows)) == (10_000, 50)


def test_relations_between_tables(tmp_path: Path) -> None:
    """Keys, orphans, and no relation between numbers that only count up."""
    from activities.insights.relations import relations_of

    [orders] = tables(
        tmp_path,
        "id,customer_id,amount\n" + "".join(f"{n},{n % 12 + 1},{n * 2}.5\n" for n in range(1, 60)),
        "orders.csv",
    )
    [customers] = tables(
        tmp_path, "customer_id,name\n" + "".join(f"{n},Name {n}\n" for n in range(1, 11)), "customers.csv"
    )
    [products] = tables(tmp_path, "id,title\n" + "".join(f"{n},Title {n}\n" for n in range(1, 80)), "products.csv")
    orders.name, customers.name, products.name = "orders", "customers", "products"
    found_relations = relations_of([orders, customers, products]).relations
    [relation] = [each for each in found_relations if each.kind == RelationKind.FOREIGN_KEY]
    assert (relation.table, relation.column, relation.other_table, relation.other_column) == (
        "orders",
        "customer_id",
        "customers",
        "customer_id",
    )
    assert (relation.orphans, relation.examples) == (2, ("11", "12"))


def test_units_of_two_kinds_are_no_numbers(tmp_path: Path) -> None:
    """`7A` and `7B` are classes; `5 kg` and `800 g` are weights, of which the rarer are left out."""
    classes = analysed(tmp_path, "class,n\n" + "7A,1\n7B,2\n8A,3\n8B,4\n" * 5)
    assert column(classes, "class").type.value == "text"
    weights = analysed(tmp_path, "weight,n\n" + "5 kg,1\n6 kg,2\n7 kg,3\n" * 5 + "800 g,4\n")
    assert column(weights, "weight").statistics.max == 7  # type: ignore[union-attr]
    assert found(weights, FindingKind.MIXED_UNITS)[0].rows == (17,)
