"""Units: what stands behind a number, as dimension and factor, so that 1.5 km and 1,500 m are one length.

The everyday spellings are data (`lexicon.toml`). Compounds and SI prefixes (cubic metres, hPa, GJ) come from pint,
whose registry takes half a second to build and is therefore built at the first spelling that needs it. A word that
pint would take for a unit only by chance (*hands*, *points*, *as*) is none here: `_SPELLED` bounds what it is asked.
"""

import re
import threading
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from activities.research.lexicon import table_of


@dataclass(frozen=True)
class Unit:
    """A unit; a value in the dimension's base unit is `(value - offset) * factor`."""

    canonical: str
    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)


_OFFSETS = {"°F": Decimal(32), "K": Decimal("273.15")}


def _table() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for dimension, entries in table_of("units").items():
        for entry in entries:
            canonical, factor, *spellings = entry.split()
            unit = Unit(canonical, dimension, Decimal(factor), _OFFSETS.get(canonical, Decimal(0)))
            for spelling in (canonical, *spellings):
                found[spelling.replace("_", " ")] = unit
    return found


TABLE = _table()
"""Spelling -> unit, of the everyday ones."""

CURRENCIES = frozenset(unit.dimension for unit in TABLE.values() if re.fullmatch(r"[A-Z]{3}", unit.dimension))

_PREFIX = "kilo|mega|giga|tera|milli|micro|nano|centi|deci|hecto"
_BASE = (
    "met(?:re|er)|gram(?:me)?|watt|joule|volt|ampere|hertz|pascal|newton|lit(?:re|er)|tonne|ohm|farad|lumen|lux|"
    "becquerel|sievert|gray|mole|tesla|henry|coulomb|electronvolt|bar"
)
_NAMED = rf"(?:{_PREFIX})?(?:{_BASE})s?|nautical_miles?|feet|foot|inch(?:es)?|yards?|miles?|barrels?|fathoms?"
_SYMBOL = r"[kMGTmµnc]?(?:m|g|W|J|V|A|Hz|Pa|N|l|L|t|Ω|F|lm|lx|Bq|Sv|Gy|mol|eV|bar|Wh|cal)|hPa|[dh][lL]|ft|yd|mi"
_SPELLED = re.compile(
    rf"(?:(?P<power>cubic|square)\s(?P<powered>{_NAMED})|(?P<name>{_NAMED})|(?P<symbol>{_SYMBOL})\^?(?P<exponent>[²³23])?)"
)
_DIMENSIONS = {
    "[length]": ("length", 1.0),
    "[length] ** 2": ("area", 1.0),
    "[length] ** 3": ("volume", 1e3),
    "[mass]": ("mass", 1e-3),
    "[length] ** 2 * [mass] / [time] ** 3": ("power", 1e-3),
    "[mass] * [length] ** 2 / [time] ** 3": ("power", 1e-3),
    "[length] ** 2 * [mass] / [time] ** 2": ("energy", 1e-3),
    "[mass] * [length] ** 2 / [time] ** 2": ("energy", 1e-3),
    "[mass] / [length] / [time] ** 2": ("pressure", 1e-3),
    "[current]": ("current", 1.0),
}
"""Dimensionality as pint writes it -> (our name, factor from pint's root unit to our base unit)."""

_LOCK = threading.Lock()
_REGISTRY: list[Any] = []


def _registry() -> Any:
    with _LOCK:
        if not _REGISTRY:
            import pint  # Half a second: only for those who meet such a unit.

            _REGISTRY.append(pint.UnitRegistry())
        return _REGISTRY[0]


@lru_cache(maxsize=4_096)
def unit_of(spelling: str) -> Unit | None:
    """Return the unit that a word behind a number spells, or None where it is none."""
    if spelling in TABLE:
        return TABLE[spelling]
    lower = spelling.lower()
    if lower in TABLE and len(lower) > 3:
        return TABLE[lower]
    if "/" in spelling:
        return unit_of(spelling.split("/", 1)[0])
    match = _SPELLED.fullmatch(spelling.replace("nautical mile", "nautical_mile")) or _SPELLED.fullmatch(lower)
    return _by_pint(match) if match else None


def _by_pint(match: re.Match[str]) -> Unit | None:
    name = match["powered"] or match["name"] or match["symbol"]
    raised = {"square": 2, "cubic": 3, "²": 2, "2": 2, "³": 3, "3": 3}
    power = raised.get(match["power"] or match["exponent"] or "", 1)
    quantity = (_registry().Quantity(1.0, name) ** power).to_root_units()
    dimension, factor = _DIMENSIONS.get(str(quantity.dimensionality), (str(quantity.dimensionality), 1.0))
    value = Decimal(repr(round(float(quantity.magnitude) * factor, 12)))
    if not value:
        return None
    same = next((unit for unit in TABLE.values() if unit.dimension == dimension and unit.factor == value), None)
    return same or Unit(match.group(), dimension, value)
