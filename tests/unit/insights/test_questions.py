"""Questions in plain words: what they become, what comes out, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from activities.insights.answering import answer, answer_query
from activities.insights.sql import check_query
from activities.insights.table import Table
from schema.errors import ValidationFailed
from tests.unit.insights.reading import tables

REGIONS = ["North", "South", "East", "West"]
ROWS = [
    (
        f"O{n:03d}",
        f"2023-{n % 12 + 1:02d}-15" if n < 60 else f"2024-{n % 12 + 1:02d}-15",
        REGIONS[n % 4],
        "Red apple" if n % 3 else "Pear",
        n % 9 + 1,
        n * 2.5,
        None if n % 10 == 0 else n % 30,
    )
    for n in range(1, 121)
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    """A small table of orders."""
    head = "Order ID,Order date,Region,Product,Units,Revenue (EUR),Discount %\n"
    body = "".join(",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in ROWS)
    return tables(tmp_path_factory.mktemp("questions"), head + body)


def total(test: Any = lambda row: True, column: int = 5) -> float:
    """Add a column up."""
    return sum(row[column] for row in ROWS if test(row) and row[column] is not None)


QUESTIONS: list[tuple[str, Any]] = [
    ("What is the total revenue?", total()),
    ("sum of units", total(column=4)),
    ("How much revenue was made in the North?", total(lambda row: row[2] == "North")),
    ("revenue of pear in the south", total(lambda row: row[3] == "Pear" and row[2] == "South")),
    ("total revenue for red apple", total(lambda row: row[3] == "Red apple")),
    ("average units per order", total(column=4) / 120),
    ("What is the highest revenue?", 300.0),
    ("minimum revenue", 2.5),
    ("How many rows are there?", 120),
    ("How many orders in 2024?", 61),
    ("how many rows have revenue above 200", sum(1 for row in ROWS if row[5] > 200)),
    ("number of orders with more than 5 units", sum(1 for row in ROWS if row[4] > 5)),
    ("How many orders have units between 2 and 4?", sum(1 for row in ROWS if 2 <= row[4] <= 4)),
    ("How many different products?", 2),
    ("revenue excluding North", total(lambda row: row[2] != "North")),
    ("revenue in March 2023", total(lambda row: row[1].startswith("2023-03"))),
    ("revenue between 2023-03-01 and 2023-05-31", total(lambda row: "2023-03-01" <= row[1] <= "2023-05-31")),
    ("revenue before 2024", total(lambda row: row[1] < "2024")),
    ("revenue since 2024", total(lambda row: row[1] >= "2024")),
    ("How many discounts are missing?", 12),
    ("Wie hoch ist der gesamte Umsatz?", total()),
    ("Wie viele Zeilen gibt es?", 120),
]


@pytest.mark.parametrize(("question", "value"), QUESTIONS, ids=[question for question, _ in QUESTIONS])
def test_one_number(question: str, value: float, shop: list[Table]) -> None:
    """The first cell, or the last of a named row, is the number."""
    found = answer(question, shop)
    assert len(found.rows) == 1, found
    assert found.rows[0][0] == pytest.approx(value), found
    assert found.sentence


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("revenue by region", 4),
        ("total revenue by region and product", 8),
        ("units per month", 24),
        ("revenue over time", 24),
        ("revenue per year", 2),
        ("top 3 regions by revenue", 3),
        ("the 2 smallest regions by units", 2),
        ("compare revenue of North and South", 2),
        ("share of revenue by region", 4),
        ("orders with units = 9", sum(1 for row in ROWS if row[4] == 9)),
        (
            "list rows where product contains 'apple' and revenue > 290",
            sum(1 for row in ROWS if row[5] > 290 and row[3] == "Red apple"),
        ),
        ("which columns have missing values", 7),
    ],
)
def test_several_rows(question: str, rows: int, shop: list[Table]) -> None:
    """Groups, lists, comparisons."""
    found = answer(question, shop)
    assert len(found.rows) == rows, found


def test_who_is_named(shop: list[Table]) -> None:
    """The group, the day, the share."""
    best = max(REGIONS, key=lambda region: total(lambda row: row[2] == region))
    assert answer("Which region has the highest revenue?", shop).rows[0] == (best, total(lambda row: row[2] == best))
    assert answer("When was revenue highest?", shop).rows[0][1] == 300.0
    north = 100 * total(lambda row: row[2] == "North") / total()
    assert answer("What share of revenue comes from North?", shop).rows[0][0] == pytest.approx(north)
    assert answer("correlation between units and revenue", shop).query.startswith("SELECT CORR")


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("What is the weather in Paris?", "weather"),
        ("drop table data", "drop"),
        ("revenue by galaxy", "galaxy"),
        ("revenue of Northeast", "Northeast"),
        ("What is the total?", "column of numbers"),
        ("revenue more than", "compares"),
        ("average of", "column of numbers"),
        ("???", "names no column"),
    ],
)
def test_what_cannot_be_translated_is_refused_with_the_columns(question: str, says: str, shop: list[Table]) -> None:
    """No word is passed over."""
    with pytest.raises(ValidationFailed, match=says) as refused:
        answer(question, shop)
    assert "Revenue (EUR)" in refused.value.detail


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE data",
        "DELETE FROM data",
        "UPDATE data SET Units = 1",
        "INSERT INTO data VALUES (1)",
        "CREATE TABLE x AS SELECT * FROM data",
        "SELECT * FROM data; DROP TABLE data",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('x')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM other",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM data, read_csv('x')",
        "WITH x AS (SELECT * FROM read_ndjson('x')) SELECT * FROM x",
        "SELECT (SELECT COUNT(*) FROM secrets) FROM data",
        "COPY data TO '/tmp/x'",
        "SELECT * INTO x FROM data",
        "TRUNCATE TABLE data",
        "PRAGMA x",
        "SET x = 1",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "not sql at all (",
        "SELECT 1" + " + 1" * 4_000,
        "",
    ],
)
def test_queries_that_do_more_than_read_are_refused(query: str) -> None:
    """Whoever wrote them."""
    with pytest.raises(ValidationFailed):
        check_query(query, {"data": ["Units"]})


def test_a_models_query_goes_through_the_same_check(shop: list[Table]) -> None:
    """A good one is run and shown; its rows are bounded."""
    found = answer_query(
        "Units by region",
        'SELECT "Region", SUM("Units") AS units FROM data GROUP BY "Region" ORDER BY units DESC',
        shop,
    )
    assert (len(found.rows), found.origin) == (4, "model")
    with pytest.raises(ValidationFailed, match="data"):
        answer_query("x", "SELECT * FROM read_csv('/etc/passwd')", shop)
    with pytest.raises(ValidationFailed, match="cannot be run"):
        answer_query("x", 'SELECT "Nothing" FROM data', shop)
    many = answer_query("x", "SELECT a.* FROM data AS a CROSS JOIN data AS b", shop)
    assert (len(many.rows), many.truncated) == (200, True)


def test_ambiguous_words_are_asked_back(tmp_path: Path) -> None:
    """Two columns have a price."""
    table = tables(tmp_path, "item,unit price,total price\n" + "a,1.5,3\nb,2.5,5\n" * 5)
    with pytest.raises(ValidationFailed, match="could be"):
        answer("average price", table)
    assert answer("average unit price", table).rows[0][0] == 2.0
