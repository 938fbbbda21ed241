"""Figures, dates, versions, names, negation."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.research.quantities import (
    dates,
    designations,
    figures,
    names,
    negations,
    opposed,
    quotations,
    versions,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It produces 420 kW.", [("420", "kW")]),
        ("It produces 0.42 MW or 563hp.", [("0.42", "MW"), ("563", "hp")]),
        ("The Zephyr-9 has 12 members.", [("12", "member")]),
        ("$3.5 billion and 1,200 CHF and CHF 30", [("3500000000.0", "USD"), ("1200", "CHF"), ("30", "CHF")]),
        ("It fell by 12.5% to -3 °C.", [("12.5", "%"), ("-3", "°C")]),
        ("In March 2024, Python 3.12 was 1.2.3.", []),
        ("On 2024-03-12 in 1998 there were 5 of 7.", [("5", ""), ("7", "")]),
        ("2024 kg", [("2024", "kg")]),
        ("It melts at 170 degrees Celsius, or 338 Degrees Fahrenheit.", [("170", "°C"), ("338", "°F")]),
        (
            "80 kilometres per hour, 50 miles per hour, 3 metres per second",
            [("80", "km/h"), ("50", "mph"), ("3", "m/s")],
        ),
        ("5 kilowatt hours at an angle of 30 degrees", [("5", "kWh"), ("30", "degre")]),
        ("9e999999999", []),
    ],
)
def test_figures(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(figure.value, figure.unit) for figure in figures(text)] == [
        (Decimal(value), unit) for value, unit in expected
    ]


@pytest.mark.parametrize(
    ("left", "right", "agree"),
    [
        ("420 kW", "0.42 MW", True),
        ("420 kW", "380 kW", False),
        ("100 mph", "161 km/h", True),
        ("100 degrees Celsius", "212 degrees Fahrenheit", True),
        ("80 kilometres per hour", "80 km/h", True),
        ("5 kg", "5 km", False),
        ("90 minutes", "1.5 hours", True),
    ],
)
def test_agreement(left: str, right: str, agree: bool) -> None:
    assert figures(left)[0].agrees_with(figures(right)[0]) is agree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 March 2024", ["2024-03-12"]),
        ("March 12, 2024", ["2024-03-12"]),
        ("Sept. 2024", ["2024-09"]),
        ("2024-03-12", ["2024-03-12"]),
        ("in 1998 and 2001", ["1998", "2001"]),
        ("1998 kg, 20.5, v2.0.1", []),
    ],
)
def test_dates(text: str, expected: list[str]) -> None:
    assert [date.iso for date in dates(text)] == expected


def test_versions_names_quotations() -> None:
    assert [version for version, _, _ in versions("Python 3.12, v1.2.3, version 2 and 4.5")] == ["3.12", "1.2.3", "2"]
    assert names("The Zephyr-9 of Rolls in Zürich uses HTTP.") == ("zephyr-9", "rolls", "zürich", "http")
    assert designations("Zephyr-9 and Zephyr") == {"zephyr-9"}
    assert quotations('He said "yes please" and “no thanks”.') == ("yes please", "no thanks")


@pytest.mark.parametrize(("text", "count"), [("It is not so.", 1), ("It isn't never.", 2), ("not only that", 0)])
def test_negations(text: str, count: int) -> None:
    assert negations(text) == count


def test_opposites() -> None:
    assert opposed("Sales increased.", "Sales decreased.")
    assert not opposed("Sales increased.", "Sales increased, then decreased.")


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for figure in figures(text):
        assert text[figure.start : figure.end].strip()
        assert figure.base is not None
    dates(text)
    versions(text)
    names(text)
