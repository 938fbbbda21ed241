"""How numbers and names stand in sentences: the rounding rules of `NumberRule`, units, quotation. Pure."""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from schema.contracts.insights import NumberRule, Unit

_NAME_SHOWN = 80
_SIGNIFICANT = 4
OPEN, CLOSE = "“", "”"


def number(value: float, rule: NumberRule = NumberRule.SIGNIFICANT) -> str:
    """Round a number by a rule (half away from zero) and write it with commas between thousands."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if rule == NumberRule.PERCENT:
        return f"{_quantized(exact * 100, 1):,}"
    if rule == NumberRule.COEFFICIENT:
        return f"{_quantized(exact, 2):,}"
    if rule == NumberRule.INTEGER or exact == exact.to_integral_value() or abs(exact) >= 1000:
        return f"{_quantized(exact, 0):,}"
    decimals = min(12, max(0, _SIGNIFICANT - 1 - exact.adjusted()))
    rounded = _quantized(exact, decimals)
    text = f"{rounded:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quantized(exact: Decimal, decimals: int) -> Decimal:
    if exact.adjusted() > 20:
        return Decimal(int(exact))
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return abs(rounded) if rounded == 0 else rounded


def with_unit(text: str, unit: Unit | None) -> str:
    """Put a unit behind a number."""
    if unit is None:
        return text
    return f"{text}%" if unit.symbol == "%" else f"{text} {unit.symbol}"


def name(value: object) -> str:
    """Quote the name of a column or a value of the file; one line, not too long."""
    text = " ".join(str(value).replace(OPEN, '"').replace(CLOSE, '"').split())
    return f"{OPEN}{text if len(text) <= _NAME_SHOWN else text[: _NAME_SHOWN - 1] + '…'}{CLOSE}"


def names(values: Sequence[object], most: int = 5) -> str:
    """Quote several names as a list."""
    shown = [name(value) for value in values[:most]]
    if len(values) > most:
        return f"{', '.join(shown)} and {len(values) - most} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def rows_text(numbers: Sequence[int], count: int) -> str:
    """Name rows: the first five, and how many there are."""
    shown = ", ".join(str(each) for each in numbers[:5])
    return f"row {shown}" if count == 1 else f"rows {shown}{' …' if count > 5 else ''}"


def percent(share: float) -> str:
    """Return a share as a percentage."""
    text = number(share, NumberRule.PERCENT)
    if share > 0 and text in ("0.0", "0"):
        return "less than 0.1%"
    return f"{text}%"


def clean(value: float) -> float:
    """Return a number without the noise behind its twelfth digit."""
    if not value or not math.isfinite(value):
        return value
    return float(f"{value:.12g}")
