"""Credits in and out, and the one rounding."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schema.money import (
    CREDITS_MAX,
    HOLD_CREDITS_MAX,
    PCR_PER_UCR,
    UCR_PER_CREDIT,
    capture_ucr,
    credits_to_ucr,
    ucr_to_credits,
)
from schema.prices import TOOL_CALL_PCR
from schema.tables.billing import CreditHold

INT64_MAX = 2**63 - 1
AMOUNTS_UCR = st.integers(-CREDITS_MAX * UCR_PER_CREDIT, CREDITS_MAX * UCR_PER_CREDIT)
HELD_UCR = st.integers(0, HOLD_CREDITS_MAX * UCR_PER_CREDIT)


@pytest.mark.parametrize(
    ("credits", "ucr"),
    [
        ("0", 0),
        ("-0", 0),
        ("1", 1_000_000),
        ("50.00", 50_000_000),
        ("0.004", 4_000),
        ("0.000001", 1),
        ("-0.000001", -1),
        ("1E+3", 1_000_000_000),
        ("1.0000000000000000000000000000000000", 1_000_000),
        ("999999999.999999", 999_999_999_999_999),
        ("1000000000", 10**15),
        ("-1000000000", -(10**15)),
    ],
)
def test_credits_become_micro_credits(credits: str, ucr: int) -> None:
    assert credits_to_ucr(Decimal(credits)) == ucr


@pytest.mark.parametrize(
    "credits",
    [
        "0.0000001",
        "1.0000005",
        "1.0000000000000000000000000000000001",
        "1000000000.000001",
        "1000000000.0000000000000000000000000000001",
        "-1000000000.000001",
        "1E+10",
        "1E+999999",
        "1E-999999",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
    ],
)
def test_what_is_no_amount_is_refused(credits: str) -> None:
    with pytest.raises(ValueError, match="amount of credits"):
        credits_to_ucr(Decimal(credits))


@pytest.mark.parametrize(
    ("ucr", "credits"),
    [
        (0, "0.00"),
        (50_000_000, "50.00"),
        (4_000, "0.004"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (1_500_000, "1.50"),
        (1_234_567, "1.234567"),
        (100_000_000_000_000, "100000000.00"),
        (INT64_MAX, "9223372036854.775807"),
    ],
)
def test_micro_credits_are_shown_exactly_with_at_least_two_decimals(ucr: int, credits: str) -> None:
    assert str(ucr_to_credits(ucr)) == credits


@given(AMOUNTS_UCR)
def test_an_amount_survives_the_way_out_and_back(amount_ucr: int) -> None:
    assert credits_to_ucr(ucr_to_credits(amount_ucr)) == amount_ucr


@given(st.integers(-INT64_MAX, INT64_MAX))
def test_what_is_shown_is_never_rounded(amount_ucr: int) -> None:
    shown = ucr_to_credits(amount_ucr)
    assert Fraction(shown) * UCR_PER_CREDIT == amount_ucr
    assert "E" not in str(shown)
    assert len(str(shown).partition(".")[2]) >= 2


@given(st.decimals(allow_nan=True, allow_infinity=True))
@example(Decimal("0.00000000000000000000000000000000001"))
def test_a_decimal_is_taken_exactly_or_not_at_all(credits: Decimal) -> None:
    try:
        amount = credits_to_ucr(credits)
    except ValueError:
        return
    assert Fraction(amount, UCR_PER_CREDIT) == Fraction(credits)


@pytest.mark.parametrize(
    ("metered_pcr", "held_ucr", "captured_ucr"),
    [
        (0, 10, 0),
        (1, 10, 0),
        (499_999, 10, 0),
        (500_000, 10, 1),
        (500_001, 10, 1),
        (1_499_999, 10, 1),
        (1_500_000, 10, 2),
        (2_500_000, 10, 3),  # half up, not to the even neighbour
        (10 * PCR_PER_UCR, 10, 10),
        (10 * PCR_PER_UCR + 500_000, 10, 10),  # rounding never takes more than was held
        (11 * PCR_PER_UCR, 10, 10),
        (5, 0, 0),
    ],
)
def test_use_is_rounded_half_up_within_the_hold(metered_pcr: int, held_ucr: int, captured_ucr: int) -> None:
    assert capture_ucr(metered_pcr, held_ucr) == captured_ucr


@given(st.integers(0, INT64_MAX), HELD_UCR)
def test_a_capture_is_the_nearest_micro_credit_and_never_above_the_hold(metered_pcr: int, held_ucr: int) -> None:
    captured = capture_ucr(metered_pcr, held_ucr)
    assert 0 <= captured <= held_ucr
    if captured < held_ucr:
        assert abs(captured * PCR_PER_UCR - metered_pcr) * 2 <= PCR_PER_UCR


@given(st.integers(0, INT64_MAX), st.integers(0, INT64_MAX), HELD_UCR)
def test_more_use_never_costs_less(one: int, other: int, held_ucr: int) -> None:
    assert capture_ucr(min(one, other), held_ucr) <= capture_ucr(max(one, other), held_ucr)


@given(st.lists(st.integers(0, 10**12), max_size=50))
def test_a_sum_is_rounded_once(amounts_pcr: list[int]) -> None:
    """The error of a whole attempt is at most half a micro-credit, however many parts it has (D11)."""
    captured = capture_ucr(sum(amounts_pcr), HOLD_CREDITS_MAX * UCR_PER_CREDIT)
    assert abs(captured * PCR_PER_UCR - sum(amounts_pcr)) * 2 <= PCR_PER_UCR


def test_a_thousand_charges_of_four_thousandths_are_four_credits() -> None:
    """D11: with two decimals they summed to 0.00, and 0.005 became 0.01."""
    each = credits_to_ucr(Decimal("0.004"))
    assert ucr_to_credits(1_000 * each) == Decimal("4.00")
    assert ucr_to_credits(capture_ucr(1_000 * each * PCR_PER_UCR, 10 * UCR_PER_CREDIT)) == Decimal("4.00")
    assert ucr_to_credits(credits_to_ucr(Decimal("0.005"))) == Decimal("0.005")


def test_the_largest_hold_is_the_one_of_the_tables_constraint() -> None:
    [amounts] = [c for c in CreditHold.__table__.constraints if str(c.name).endswith("amounts")]
    assert f"between 1 and {HOLD_CREDITS_MAX * UCR_PER_CREDIT} " in str(amounts.sqltext)


def test_the_largest_hold_fits_the_database() -> None:
    assert HOLD_CREDITS_MAX * UCR_PER_CREDIT * PCR_PER_UCR + max(TOOL_CALL_PCR.values()) <= INT64_MAX
    assert CREDITS_MAX * UCR_PER_CREDIT * 1_000 <= INT64_MAX
