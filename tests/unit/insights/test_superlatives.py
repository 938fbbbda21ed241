"""Adjectives, comparatives with units, and the row's noun, over five tables; answers as sentences."""

import re
from pathlib import Path

import pytest

from activities.insights.answering import answer
from activities.insights.table import Table
from schema.contracts.insights import FindingKind
from schema.errors import ValidationFailed
from tests.unit.insights.reading import analysed, column, found, tables

FILES = {
    "data.csv": "River,Country,Length (km),Basin (km2),Measured\nDanube,Romania,2850,817000,2019-03-01\n"
    "Rhine,Switzerland,1233,185000,2020-04-01\nLoire,France,1006,117000,2018-05-02\nRhone,France,813,98000,2021-02-03\n"
    "Seine,France,777,79000,2020-06-01\nElbe,Germany,1094,148000,2017-01-09\nPo,Italy,652,74000,2022-10-11\n"
    "Tagus,Portugal,1007,80100,2016-12-01\nOder,Poland,854,119000,2015-07-08\nVistula,Poland,1047,194000,2023-08-09\n",
    "employees.csv": "Name,Department,Age,Salary (EUR),Hired\nAda,IT,36,72000,2015-02-01\nBob,IT,51,64000,2009-07-15\n"
    "Cleo,Sales,29,58000,2021-01-10\nDan,Sales,44,91000,2012-11-05\nEve,HR,39,55000,2018-03-20\n"
    "Fay,IT,25,49000,2023-06-30\n",
    "products.csv": "product;category;price_eur;weight_kg;rating\nDesk;Office;249,5;31,2;4,5\n"
    "Chair;Office;129,0;11,4;4,1\n"
    "Lamp;Light;39,9;1,8;3,9\nBulb;Light;4,5;0,1;4,7\nSofa;Living;899,0;62,0;4,4\n",
    "stations.csv": "station,elevation_m,temp_c,wind (km/h),area_km2\nBern,553,9.4,11,51.6\nDavos,1560,3.5,8,284\n"
    "Sion,482,10.7,9,34.9\nSäntis,2502,-1.2,31,1.1\n",
    "orders.csv": "order_id,customer,placed,amount (EUR),status\n"
    + "".join(
        f"A{100 + n},{'Acme' if n % 3 else 'Bolt'},20{18 + n % 6}-0{n % 9 + 1}-11,{n * 37 % 211 + 5.5},"
        f"{'paid' if n % 4 else 'open'}\n"
        for n in range(40)
    ),
}
AMOUNTS = [n * 37 % 211 + 5.5 for n in range(40)]

ANSWERS: list[tuple[str, str, list[object]]] = [
    ("data", "What is the longest river?", ["Danube", 2850]),
    ("data", "Which river is the longest?", ["Danube", 2850]),
    ("data", "What is the shortest river in France?", ["Seine", 777]),
    ("data", "What is the largest river?", ["Danube", 817000]),
    ("data", "most recent river", ["Vistula", "2023-08-09"]),
    ("data", "How long is the Danube?", [2850]),
    ("data", "Which country has the most rivers?", ["France", 3]),
    ("data", "How many rivers are longer than 1000 km?", [6]),
    ("data", "countries with a basin over 100 000 km2", ["France", "Germany", "Poland", "Romania", "Switzerland"]),
    ("data", "rivers between 800 and 1000 km long", ["Rhone", "Oder"]),
    ("data", "how many rivers before 2019", [4]),
    ("data", "how many rivers since March 2020", [5]),
    ("data", "how many rivers after 2020", [3]),
    ("data", "What is the mean length of the rivers?", [1133.3]),
    ("data", "share of rivers in France", [30.0]),
    ("data", "How many rivers are there?", [10]),
    ("employees", "Who is the oldest employee?", ["Bob", 51]),
    ("employees", "Who is the youngest?", ["Fay", 25]),
    ("employees", "the newest employee", ["Fay", "2023-06-30"]),
    ("employees", "richest employee", ["Dan", 91000]),
    ("employees", "How old is Ada?", [36]),
    ("employees", "How many employees are older than 40 years?", [2]),
    ("employees", "average salary of employees older than 30", [70500]),
    ("employees", "Which department has the most employees?", ["IT", 3]),
    ("employees", "share of employees in IT", [50.0]),
    ("products", "What is the cheapest product?", ["Bulb", 4.5]),
    ("products", "lightest product in Office", ["Chair", 11.4]),
    ("employees", "Which department has the fewest employees?", ["HR", 1]),
    ("products", "most expensive product", ["Sofa", 899]),
    ("products", "products under 50 EUR", ["Lamp", "Bulb"]),
    ("products", "How many products cost more than 100 €?", [3]),
    ("products", "How heavy is the Sofa?", [62]),
    ("stations", "highest station", ["Säntis", 2502]),
    ("stations", "coldest station", ["Säntis", -1.2]),
    ("stations", "largest station", ["Davos", 284]),
    ("stations", "stations above 1000 m", ["Davos", "Säntis"]),
    ("stations", "stations below 0 °C", ["Säntis"]),
    ("stations", "stations with wind over 10 km/h", ["Bern", "Säntis"]),
    ("orders", "How many orders above 150 EUR?", [sum(amount > 150 for amount in AMOUNTS)]),
    ("orders", "How many orders between 50 and 100 EUR?", [sum(50 <= amount <= 100 for amount in AMOUNTS)]),
    ("orders", "the largest order", ["A117", 212.5]),
    ("orders", "which customer has the most orders", ["Acme", 26]),
    ("orders", "share of open orders", [25.0]),
    ("orders", "mean amount of the orders", [sum(AMOUNTS) / 40]),
]
SENTENCES = [
    ("data", "What is the mean length of the rivers?", "The mean of “Length (km)” is 1,133 km."),
    ("data", "Which country has the most rivers?", "“France” has the most rows by “Country”: 3."),
    ("data", "What is the longest river?", "The longest by “Length (km)” is “Danube”: 2,850 km."),
    ("data", "How many rivers are longer than 1000 km?", "In 6 rows, “Length (km)” is above 1,000 km."),
    (
        "employees",
        "mean salary by department",
        "By “Department”, the mean of “Salary (EUR)” is 74,500 EUR for “Sales”, 61,667 EUR for “IT” and 55,000 EUR for "
        "“HR”.",
    ),
    ("employees", "share of employees in IT", "Rows where “Department” is “IT” make up 50.0% of all rows."),
    ("employees", "employees older than 40", "In 2 rows, “Age” is above 40: “Bob” and “Dan”."),
    (
        "products",
        "the two cheapest products",
        "The cheapest by “price_eur” are “Bulb” (4.5 EUR) and “Lamp” (39.9 EUR).",
    ),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Table]]:
    """Five tables, by their files' names."""
    folder = tmp_path_factory.mktemp("superlatives")
    return {name.removesuffix(".csv"): tables(folder, data, name) for name, data in FILES.items()}


@pytest.mark.parametrize(("name", "question", "cells"), ANSWERS, ids=[question for _, question, _ in ANSWERS])
def test_answers(name: str, question: str, cells: list[object], files: dict[str, list[Table]]) -> None:
    """The cells are those of a plain recount, and every one of them stands in the sentence."""
    told = answer(question, files[name])
    assert [cell for row in told.rows for cell in row] == pytest.approx(cells)
    figures = {float(each.replace(",", "")) for each in re.findall(r"-?\d[\d,]*(?:\.\d+)?", told.sentence)}
    for cell in cells:
        if isinstance(cell, int | float):
            assert any(abs(figure - cell) <= abs(cell) * 5e-4 for figure in figures), told.sentence
        else:
            assert str(cell) in told.sentence


@pytest.mark.parametrize(("name", "question", "sentence"), SENTENCES, ids=[each[1] for each in SENTENCES])
def test_sentences(name: str, question: str, sentence: str, files: dict[str, list[Table]]) -> None:
    """They may be sent on as they are."""
    assert answer(question, files[name]).sentence == sentence


def test_a_shared_first_place_names_all(tmp_path: Path) -> None:
    """One of two would be a wrong answer."""
    table = tables(tmp_path, "City,Area,Height (m)\nBern,5,10\nBasel,9,40\nChur,7,40\n")
    told = answer("Which city is the highest?", table)
    assert sorted(told.rows) == [("Basel", 40), ("Chur", 40)]
    assert told.sentence.startswith("The highest by “Height (m)” are ")


@pytest.mark.parametrize(
    ("name", "question", "says"),
    [
        ("data", "What is the highest river?", "could be “Length"),
        ("data", "What is the heaviest river?", "no column"),
        ("data", "Which river has the most?", "column of numbers"),
        ("data", "How old is the Danube?", "no column"),
        ("data", "How many long rivers?", "long"),
        ("data", "How many rivers are longer than 1000 m?", "is in km"),
        ("data", "which rivers are longer than the Rhine", "compares"),
        ("products", "largest product", "could be “price_eur”"),
        ("products", "products over 5", "could be"),
        ("products", "products above $50", "is in EUR"),
        ("orders", "How many large orders?", "large"),
    ],
)
def test_what_is_not_clear_is_refused(name: str, question: str, says: str, files: dict[str, list[Table]]) -> None:
    """No column is guessed, no unit converted, no adjective passed over."""
    with pytest.raises(ValidationFailed, match=says):
        answer(question, files[name])


@pytest.mark.parametrize(
    ("header", "symbol"),
    [("temp_c", "°C"), ("temp (C)", "°C"), ("Temperature (°F)", "°F"), ("temp_f", "°F"), ("a_c", "")],
)
def test_units_of_temperature(header: str, symbol: str, tmp_path: Path) -> None:
    """One letter counts behind a word for temperature only."""
    unit = column(analysed(tmp_path, f"{header},x\n" + "".join(f"{n}.5,{n}\n" for n in range(20))), header).unit
    assert (unit.symbol if unit else "") == symbol


@pytest.mark.parametrize("header", ["PLZ", "zip", "postcode"])
def test_codes_of_places_are_no_keys(header: str, tmp_path: Path) -> None:
    """One that happens to repeat is no finding."""
    codes = [8000 + n * 7 for n in range(119)] + [8007]
    data = f"{header},revenue\n" + "".join(f"{code},{n * 1.5}\n" for n, code in enumerate(codes))
    assert not found(analysed(tmp_path, data), FindingKind.DUPLICATE_KEYS)


def test_groups_that_share_the_first_place_are_all_named(tmp_path: Path) -> None:
    """Of counts and of sums, greatest and smallest; the reader is told that there are several."""
    rows = "North,3,5\nSouth,4,5\nWest,6,10\nNorth,3,1\nSouth,2,9\nEast,1,1\nWest,0,4\n"
    table = tables(tmp_path, f"Region,Revenue,Units\n{rows}")
    told = answer("Which region has the most rows?", table)
    assert told.rows == (("North", 2), ("South", 2), ("West", 2))
    assert told.sentence == "“North”, “South” and “West” have the most rows by “Region”: 2 each."
    told = answer("Which region has the highest total revenue?", table)
    assert [row[0] for row in told.rows] == ["North", "South", "West"]
    assert "6 each" in told.sentence
    assert answer("Which region has the lowest total revenue?", table).rows == (("East", 1),)
