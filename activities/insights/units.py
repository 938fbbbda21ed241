"""Units and currencies as people write them in headers and cells. Pure data, and the two ways to look a text up."""

import re

from schema.contracts.insights import Unit

CURRENCIES = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR",
    "$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "£": "GBP", "gbp": "GBP", "chf": "CHF", "sfr": "CHF", "fr.": "CHF", "sfr.": "CHF", "franken": "CHF",
    "¥": "JPY", "jpy": "JPY", "円": "JPY", "yen": "JPY", "cny": "CNY", "rmb": "CNY", "元": "CNY",
    "₹": "INR", "inr": "INR", "rs.": "INR", "₽": "RUB", "rub": "RUB", "руб": "RUB", "руб.": "RUB",
    "₩": "KRW", "krw": "KRW", "₺": "TRY", "try": "TRY", "zł": "PLN", "pln": "PLN", "kč": "CZK", "czk": "CZK",
    "sek": "SEK", "nok": "NOK", "dkk": "DKK", "kr": "kr", "kr.": "kr", "huf": "HUF", "ft": "HUF", "r$": "BRL",
    "brl": "BRL", "aud": "AUD", "a$": "AUD", "cad": "CAD", "c$": "CAD", "nzd": "NZD", "sgd": "SGD", "s$": "SGD",
    "hkd": "HKD", "hk$": "HKD", "mxn": "MXN", "zar": "ZAR", "ils": "ILS", "₪": "ILS", "aed": "AED", "thb": "THB",
    "฿": "THB", "₫": "VND", "vnd": "VND", "₴": "UAH", "uah": "UAH", "ron": "RON", "lei": "RON", "bgn": "BGN",
}  # fmt: skip
"""Spelling in lower case -> ISO 4217 code, where it names one."""
PERCENT = {"%": "%", "percent": "%", "pct": "%", "prozent": "%", "pour cent": "%", "por ciento": "%", "per cent": "%",
           "％": "%", "‰": "‰"}  # fmt: skip
_DIMENSIONS = {
    "length": "nm µm μm um mm cm dm m km mi yd inch in ft",
    "area": "mm² cm² m² km² m2 km2 ha acre sqm sqft sq.ft ft²",
    "volume": "mm³ cm³ m³ m3 ml cl dl l hl L mL gal",
    "mass": "µg μg mg g kg t lb lbs oz kt Mt",
    "time": "µs μs ms s sec min h hr hrs d yr mo wk",
    "temperature": "°C °F °K K",
    "pressure": "kPa hPa MPa Pa bar mbar psi",
    "energy": "Wh kWh MWh GWh TWh J kJ MJ GJ kcal cal",
    "power": "W kW MW GW",
    "voltage": "V mV kV",
    "current": "A mA",
    "charge": "Ah mAh",
    "frequency": "Hz kHz MHz GHz bpm rpm",
    "data": "bit kbit Mbit Gbit B kB KB MB GB TB KiB MiB GiB TiB",
    "data rate": "bps kbps Mbps Gbps Mbit/s Gbit/s MB/s",
    "speed": "km/h mph m/s kn",
    "concentration": "mmol/L mmol/l mg/dL mg/dl g/L g/l µg/m³ μg/m³ ug/m3 µg/L mg/L mg/l",
    "share": "mg/kg g/kg ppm ppb",
    "amount": "mol mmol",
    "force": "N kN",
    "sound": "dB dBA",
    "light": "lux lx lm cd",
    "count": "px pcs pc Stk Stück pts pt",
    "emission": "gCO2 kgCO2 tCO2 tCO2e CO2e",
    "other": "Nm kg/m² kg/m2 g/cm³ kg/ha t/ha l/100km L/100km mm/h W/m² W/m2 m³/s m3/s m³/h",
}
_DIMENSION_OF = {symbol: dimension for dimension, symbols in _DIMENSIONS.items() for symbol in symbols.split()}
PHYSICAL = {symbol: symbol for symbol in _DIMENSION_OF} | {
    "hours": "h", "hour": "h", "stunden": "h", "minutes": "min", "minute": "min", "mins": "min", "minuten": "min",
    "seconds": "s", "second": "s", "secs": "s", "sekunden": "s", "days": "d", "day": "d", "tage": "d", "jours": "d",
    "meters": "m", "metres": "m", "meter": "m", "kilometers": "km", "kilometres": "km", "miles": "mi", "feet": "ft",
    "inches": "in", "kilograms": "kg", "kilogram": "kg", "grams": "g", "gramm": "g", "tonnes": "t", "tons": "t",
    "litres": "l", "liters": "l", "litre": "l", "liter": "l", "celsius": "°C", "fahrenheit": "°F",
    "degc": "°C", "degf": "°F", "deg f": "°F", "℉": "°F",
    "deg c": "°C", "℃": "°C", "bytes": "B", "years": "yr", "yrs": "yr", "yr": "yr", "jahre": "yr", "ans": "yr",
    "months": "mo", "weeks": "wk", "pieces": "pcs",
}  # fmt: skip
"""Spelling -> symbol. Symbols count in their own case and, where that is none of another's, in any."""
_LOWER = {name.lower(): symbol for name, symbol in reversed(PHYSICAL.items()) if len(name) > 1}
_ONLY_IN_BRACKETS = frozenset(
    [
        "m",
        "g",
        "t",
        "l",
        "h",
        "s",
        "d",
        "k",
        "v",
        "a",
        "b",
        "j",
        "n",
        "w",
        "in",
        "pt",
        "pts",
        "pc",
        "cd",
        "bar",
        "try",
        "ft",
        "rs.",
        "kr",
        "lei",
        "cal",
        "min",
        "sec",
        "day",
        "days",
        "second",
        "minute",
        "hour",
        "year",
        "month",
        "years",
        "months",
        "pieces",
        "mo",
        "wk",
        "dollar",
        "euro",
        "l",
        "m",
        "in",
        "try",
        "kn",
        "mi",
        "ms",
        "mm",
        "cm",
        "percent",
    ]
)
"""What is a word or a letter of its own too often to be a unit at the end of a name, unless `_cm` or `(m)` marks it."""
_UNDERSCORED = frozenset(
    [
        "mm",
        "cm",
        "km",
        "kg",
        "ms",
        "kn",
        "min",
        "sec",
        "days",
        "hours",
        "euro",
        "percent",
        "pct",
        "mi",
        "yrs",
        "years",
        "months",
        "mo",
        "wk",
    ]
)
_TEMPERATURES = frozenset(
    ("temp", "temps", "temperature", "temperatur", "tmin", "tmax", "tavg", "dewpoint", "taupunkt")
)
_LENGTHS = frozenset(("elevation", "altitude", "height", "length", "depth", "distance", "width", "laenge", "hoehe"))
_BRACKETS = re.compile(r"[(\[（【]\s*(?:in\s+|en\s+)?([^()\[\]（）【】]{1,20}?)\s*[)\]）】]\s*$")
_WORDED = re.compile(r"(?:\bin|\ben|,|/)\s+(\S{1,12})\s*$", re.IGNORECASE)
_TAIL = re.compile(r"[_\s]([^\s_]{1,12})$")


def unit_of(text: str, origin: str) -> Unit | None:
    """Return the unit that a text is, by itself; None: it is none."""
    text = text.strip()
    lower = text.lower()
    if lower in PERCENT:
        return Unit(symbol=PERCENT[lower], kind="percent", origin=origin)
    if lower in CURRENCIES and text not in PHYSICAL:
        return Unit(symbol=CURRENCIES[lower], kind="currency", origin=origin)
    symbol = PHYSICAL.get(text) or _LOWER.get(lower)
    return Unit(symbol=symbol, kind="physical", origin=origin) if symbol else None


_LETTERS = {"c": "°C", "f": "°F", "k": "K", "m": "m"}


def _letter(name: str, tail: str) -> Unit | None:
    """Return the unit of `temp_c`, `Temperature (F)`, `elevation_m`: one letter counts behind what it measures."""
    words = {word for word in re.split(r"[^a-z]+", name.lower()) if word}
    symbol = _LETTERS.get(tail.lower())
    if symbol is None or not words & (_LENGTHS if symbol == "m" else _TEMPERATURES):
        return None
    return Unit(symbol=symbol, kind="physical", origin="header")


def dimension_of(unit: Unit) -> str:
    """Return what a unit measures: `mass`, `currency` ...; units of one dimension may stand in one column."""
    return _DIMENSION_OF.get(unit.symbol, unit.symbol) if unit.kind == "physical" else unit.kind


def unit_of_header(name: str) -> Unit | None:
    """Return the unit that a column's name carries: `Price (EUR)`, `Weight [kg]`, `distance_km`, `Umsatz in CHF`."""
    if found := _BRACKETS.search(name):
        inner = found[1]
        if unit := _letter(name, inner):
            return unit
        if unit := unit_of(inner, "header"):
            return unit
        # `(k EUR)`, `(Mio. €)`, `(in thousands of USD)`: the scale is part of the symbol.
        scaled = re.fullmatch(r"(k|T|Tsd\.?|Mio\.?|Mrd\.?|m|mn|bn|thousands?(?: of)?|millions?(?: of)?)\s*(\S+)", inner)
        if scaled and (unit := unit_of(scaled[2], "header")):
            return unit.model_copy(update={"symbol": f"{scaled[1]} {unit.symbol}"})
        return None
    if (found := _WORDED.search(name)) and (unit := unit_of(found[1], "header")):
        return unit
    if name.rstrip().endswith("%"):
        return Unit(symbol="%", kind="percent", origin="header")
    if found := _TAIL.search(name):
        tail, lower = found[1], found[1].lower()
        if (name[found.start()] == "_" or lower != "m") and (unit := _letter(name, tail)):
            return unit
        if lower in _ONLY_IN_BRACKETS and not (name[found.start()] == "_" and lower in _UNDERSCORED):
            return None
        return unit_of(tail, "header")
    return None
