"""Money: integer micro-credits, and the one place where fractions are rounded.

1 credit = 1,000,000 micro-credits (`_ucr`). Metering is finer, because model prices are per million tokens: usage is
kept in pico-credits (`_pcr`, 1 micro-credit = 1,000,000 pico-credits), exactly, and rounded once, at capture.
"""

from decimal import Decimal

UCR_PER_CREDIT = 1_000_000
PCR_PER_UCR = 1_000_000
CREDITS_MAX = 1_000_000_000
"""Largest amount of credits in one call; keeps every sum far inside a 64-bit integer."""
HOLD_CREDITS_MAX = 1_000_000
"""Largest hold; its use in pico-credits (10^18) still fits a 64-bit integer."""

_UCR = Decimal("0.000001")


def credits_to_ucr(credits: Decimal) -> int:
    """Convert decimal credits into micro-credits.

    Raises:
        ValueError: the amount is not finite, has more than six decimals, or is beyond ±`CREDITS_MAX`.
    """
    if not credits.is_finite() or abs(credits) > CREDITS_MAX:
        raise ValueError(f"an amount of credits must be between -{CREDITS_MAX} and {CREDITS_MAX}")
    # Compared, not multiplied: arithmetic would round to the context's 28 digits and hide a seventh decimal.
    rounded = credits.quantize(_UCR)
    if rounded != credits:
        raise ValueError("an amount of credits has at most six decimals")
    return int(rounded.scaleb(6))


def ucr_to_credits(amount_ucr: int) -> Decimal:
    """Convert micro-credits into decimal credits, exactly, with at least two decimals (`50.00`, `0.004`)."""
    value = Decimal(amount_ucr).scaleb(-6)
    trimmed = value.normalize()
    exponent = trimmed.as_tuple().exponent
    return trimmed.quantize(Decimal("0.01")) if isinstance(exponent, int) and exponent > -2 else trimmed


def capture_ucr(metered_pcr: int, held_ucr: int) -> int:
    """Round the metered use of an attempt to micro-credits, half up, and never above what was held.

    The only rounding of money in the product (`defects.md` D11).
    """
    rounded = (metered_pcr + PCR_PER_UCR // 2) // PCR_PER_UCR
    return min(rounded, held_ucr)
