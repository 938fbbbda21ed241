"""Single cells: how sentences, pairs and tables give a value, and what must not be taken for one."""

from typing import Any

import pytest

from activities.research.fields_choosing import choose
from activities.research.fields_columns import asked_of
from activities.research.fields_reading import Reader
from activities.research.fields_values import candidates
from schema.contracts.research import Passage
from schema.contracts.tables import Column, ColumnType
from tests.support.corpus import source_of

ITEM = "Acme Robotics"
STAFF = Column(name="employees", type=ColumnType.INTEGER)
REVENUE = Column(name="revenue", type=ColumnType.NUMBER, unit="million USD")
FOUNDED = Column(name="founded", type=ColumnType.INTEGER)
SEAT = Column(name="headquarters")
CEO = Column(name="ceo")
WEIGHT = Column(name="weight", type=ColumnType.NUMBER, unit="kg")
PROOF = Column(name="waterproof", type=ColumnType.BOOLEAN)
RELEASED = Column(name="release date", type=ColumnType.DATE)
KIND = Column(name="category", type=ColumnType.ENUM, allowed=("lamp", "speaker", "camera"))
SITE = Column(name="website", type=ColumnType.URL)
AREA = Column(name="area", type=ColumnType.NUMBER, unit="km²")


def value(column: Column, text: str, *, item: str = ITEM, heading: str = "", others: tuple[str, ...] = ()) -> Any:
    """Return what a text gives for one cell."""
    passage = Passage(source=source_of(text, heading or "t"), start=0, end=len(text), text=text, heading=heading)
    reader, asked = Reader(item, others), asked_of(column)
    found = [each for statement in reader.statements([passage]) for each in candidates(asked, statement, reader)]
    chosen = choose(asked, found, 1)
    return None if chosen is None else chosen[0].value


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        (FOUNDED, "Acme Robotics (founded 1987, Zurich) makes robot arms.", 1987),
        (FOUNDED, "In 1987, three friends founded Acme Robotics in Zurich.", 1987),
        (FOUNDED, "Acme Robotics dates back to 1987.", 1987),
        (STAFF, "Acme Robotics is in Zurich. It employs roughly 4,200 people worldwide.", 4200),
        (STAFF, "Acme Robotics' workforce numbers 4,200.", 4200),
        (STAFF, "Acme Robotics employs 4,200 people in 12 countries.", 4200),
        (REVENUE, "Acme Robotics posted revenue of $1.2 billion in fiscal 2023.", 1200),
        (REVENUE, "Acme Robotics: revenue of $310M.", 310),
        (REVENUE, "In 2023 sales of Acme Robotics rose from 290 to 310 million USD.", 310),
        (SEAT, "Acme Robotics is a Zurich-based maker of arms.", "Zurich"),
        (SEAT, "Acme Robotics moved its headquarters from Basel to Zurich.", "Zurich"),
        (SEAT, "Acme Robotics, with headquarters in Zurich, makes arms.", "Zurich"),
        (CEO, "Jane Doe, CEO of Acme Robotics, opened the fair.", "Jane Doe"),
        (CEO, "Acme Robotics appointed Jane Doe as chief executive in 2015.", "Jane Doe"),
        (CEO, "Acme Robotics is led by Jane Doe.", "Jane Doe"),
    ],
)
def test_a_sentence_gives_a_value(column: Column, text: str, expected: Any) -> None:
    assert value(column, text) == expected


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (STAFF, "Acme Robotics plans to employ 9,000 people by 2030."),
        (STAFF, "Acme Robotics does not employ 9,000 people."),
        (STAFF, "Acme Robotics grows. Its rival Norvik employs 300 people."),
        (STAFF, "Norvik employs 300 people, more than Acme Robotics. It employs 12 cooks."),
        (STAFF, "Acme Robotics Europe employs 40 people."),
        (STAFF, "New Acme Robotics employs 40 people."),
        (FOUNDED, "Acme Robotics opened a plant in 1999."),
        (REVENUE, "Acme Robotics had revenue of EUR 310 million."),
        (REVENUE, "Acme Robotics made a profit of 12 million USD."),
        (CEO, "The chair of the board of Acme Robotics is Jane Doe."),
        (WEIGHT, "The battery of Acme Robotics weighs 3 kg."),
        (WEIGHT, "Acme Robotics is 3 m long."),
    ],
)
def test_what_is_said_of_something_else_is_no_value(column: Column, text: str) -> None:
    assert value(column, text) is None


SHEET = """Weight: 1,400 g
Waterproof: no
Release date: 03.03.2021
Website: www.lumo.example/x2
Category: Camera"""


@pytest.mark.parametrize(
    ("column", "expected"),
    [(WEIGHT, 1.4), (PROOF, False), (RELEASED, "2021-03-03"), (SITE, "www.lumo.example/x2"), (KIND, "camera")],
)
def test_a_pair_below_its_heading_gives_a_value_of_the_columns_type(column: Column, expected: Any) -> None:
    assert value(column, SHEET, item="Lumo X2", heading="Lumo X2") == expected
    assert value(column, SHEET, item="Lumo X20", heading="Lumo X2") is None


def test_a_table_gives_the_cell_below_the_columns_heading() -> None:
    text = (
        "Company | Founded | Headcount | Revenue (USD m)\nNorvik | 1999 | 120 | 12\nAcme Robotics | 1987 | 4,200 | 310"
    )
    found = [value(column, text, others=("Norvik",)) for column in (FOUNDED, STAFF, REVENUE)]
    assert found == [1987, 4200, 310]


def test_units_are_converted_and_a_date_of_the_value_decides() -> None:
    assert value(AREA, "Velmar has an area of 11,200 hectares.", item="Velmar") == 112
    dated = "As of 2019 Acme Robotics employed 3,000 people. As of 2024 Acme Robotics employed 4,200 people."
    assert value(STAFF, dated) == 4200
