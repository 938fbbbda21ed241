"""Tables of eight domains as they would be without a fault: the ground on which `data_planting.py` plants.

Pure Python. Every random draw comes from the given generator, so that a seed gives a table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

Language = str


@dataclass
class Field:
    """One column."""

    name: str
    kind: str
    """`id`, `category`, `code`, `measure`, `money`, `count`, `percent`, `date`, `text`, `lat`, `lon`, `age`."""
    values: list[Any]
    unit: str | None = None
    decimals: int = 0


@dataclass
class Clean:
    """A table without faults, and what is true of it."""

    domain: str
    fields: list[Field]
    series: tuple[str, tuple[str, ...]] | None = None
    """(time column, measures with one value per moment)."""
    related: list[frozenset[str]] = field(default_factory=list)
    """Columns that correlate strongly by how they were made."""
    maybe_related: list[frozenset[str]] = field(default_factory=list)
    decides: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    trending: list[str] = field(default_factory=list)
    """Columns that change over the rows, so that a drift of them is true."""


def _pick(random: Random, values: list[str], count: int, skew: float = 1.0) -> list[str]:
    weights = [1 / (place + 1) ** skew for place in range(len(values))]
    return random.choices(values, weights, k=count)


def shop(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    products = {
        f"Article {letter}": kind
        for letter, kind in zip(
            "ABCDEFGHIJ",
            ["Tools", "Toys", "Books", "Garden", "Tools", "Toys", "Books", "Garden", "Food", "Food"],
            strict=True,
        )
    }
    start = date(random.randint(2019, 2023), 1, 1)
    chosen = _pick(random, list(products), n, 0.4)
    quantity = [random.randint(1, 12) for _ in range(n)]
    price = [round(random.uniform(8, 60), 2) for _ in range(n)]
    fields = [
        Field(names("Order ID"), "id", [f"B{100000 + place * 7}" for place in range(n)]),
        Field(names("Order date"), "date", sorted(start + timedelta(days=random.randint(0, 600)) for _ in range(n))),
        Field(names("Product"), "category", chosen),
        Field(names("Category"), "category", [products[each] for each in chosen]),
        Field(names("Region"), "category", _pick(random, ["Nord", "Süd", "Ost", "West", "Übersee"], n, 0.5)),
        Field(names("Quantity"), "count", quantity),
        Field(names("Unit price"), "money", price, "EUR", 2),
        Field(names("Revenue"), "money", [round(q * p, 2) for q, p in zip(quantity, price, strict=True)], "EUR", 2),
    ]
    product, category = fields[2].name, fields[3].name
    revenue = fields[7].name
    return Clean(
        "shop",
        fields,
        None,
        [],
        [frozenset((revenue, fields[5].name)), frozenset((revenue, fields[6].name))],
        [(product, category)],
        [fields[0].name],
    )


def weather(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    start = date(random.randint(2018, 2023), random.randint(1, 12), 1)
    days = [start + timedelta(days=place) for place in range(n)]
    warmth = [12 - 9 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 20) / 365) for day in days]
    temperature = [round(each + random.gauss(0, 1.6), 1) for each in warmth]
    wind = [round(abs(random.gauss(12, 3)), 1) for _ in days]
    pressure = [round(random.gauss(1013, 6), 1) for _ in days]
    energy = [round(400 - 9 * each + random.gauss(0, 14), 1) for each in temperature]
    fields = [
        Field(names("Day"), "date", days),
        Field(names("Temperature"), "measure", temperature, "°C", 1),
        Field(names("Wind speed"), "measure", wind, "km/h", 1),
        Field(names("Pressure"), "measure", pressure, "hPa", 1),
        Field(names("Heating energy"), "measure", energy, "kWh", 1),
    ]
    pair = frozenset((fields[1].name, fields[4].name))
    return Clean(
        "weather",
        fields,
        (fields[0].name, (fields[2].name, fields[3].name)),
        [pair],
        [],
        [],
        [fields[0].name],
        [fields[1].name, fields[4].name],
    )


def hospital(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    start = date(random.randint(2020, 2023), 1, 1)
    admitted = [start + timedelta(days=random.randint(0, 500)) for _ in range(n)]
    fields = [
        Field(names("Patient ID"), "id", [f"P-{20000 + 3 * place}" for place in random.sample(range(n * 2), n)]),
        Field(names("Age"), "age", [min(99, max(0, round(random.gauss(52, 17)))) for _ in range(n)]),
        Field(names("Ward"), "category", _pick(random, ["Surgery", "Cardiology", "Paediatrics", "Neurology"], n, 0.5)),
        Field(names("Admitted"), "date", admitted),
        Field(names("Discharged"), "date", [day + timedelta(days=random.randint(0, 14)) for day in admitted]),
        Field(names("Weight"), "measure", [round(random.gauss(76, 11), 1) for _ in range(n)], "kg", 1),
        Field(
            names("Oxygen saturation"),
            "percent",
            [round(min(100.0, random.gauss(96, 1.2)), 1) for _ in range(n)],
            "%",
            1,
        ),
    ]
    return Clean("hospital", fields, None, [], [], [], [fields[0].name])


def staff(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    sites = {
        "Zürich": "Schweiz",
        "Genf": "Schweiz",
        "Wien": "Österreich",
        "Graz": "Österreich",
        "Köln": "Deutschland",
        "Mainz": "Deutschland",
    }
    chosen = _pick(random, list(sites), n, 0.4)
    grade = [random.randint(1, 8) for _ in range(n)]
    fields = [
        Field(names("Employee number"), "id", random.sample(range(100_000, 100_000 + 9 * n), n)),
        Field(names("Site"), "category", chosen),
        Field(names("Country"), "category", [sites[each] for each in chosen]),
        Field(
            names("Department"),
            "category",
            _pick(random, ["Sales", "Research", "Finance", "Logistics", "Legal"], n, 0.6),
        ),
        Field(names("Pay grade"), "count", grade),
        Field(
            names("Salary"),
            "money",
            [round(42_000 + 6_500 * each + random.gauss(0, 2_500)) for each in grade],
            "CHF",
            0,
        ),
        Field(names("Weekly hours"), "measure", [round(random.gauss(39, 2.2), 1) for _ in range(n)], "h", 1),
    ]
    return Clean(
        "staff",
        fields,
        None,
        [frozenset((fields[4].name, fields[5].name))],
        [],
        [(fields[1].name, fields[2].name)],
        [fields[0].name],
    )


def meters(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    start = date(random.randint(2019, 2023), 1, 1)
    days = [start + timedelta(days=place) for place in range(n)]
    week = [0.0, 1.0, 2.0, 1.0, 0.0, -9.0, -12.0]
    load = [round(140 + week[day.weekday()] + random.gauss(0, 2.5), 1) for day in days]
    water = [round(random.gauss(55, 4), 1) for _ in days]
    fields = [
        Field(names("Date"), "date", days),
        Field(names("Electricity"), "measure", load, "kWh", 1),
        Field(names("Water"), "measure", water, "m³", 1),
        Field(names("Outside temperature"), "measure", [round(random.gauss(11, 3), 1) for _ in days], "°C", 1),
    ]
    return Clean("meters", fields, (fields[0].name, (fields[1].name, fields[2].name)), [], [], [], [fields[0].name])


def shipments(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    start = date(random.randint(2020, 2023), 3, 1)
    shipped = [start + timedelta(days=random.randint(0, 400)) for _ in range(n)]
    distance = [round(random.uniform(20, 900), 1) for _ in range(n)]
    fields = [
        Field(names("Tracking number"), "id", [f"CH{random.randint(10**8, 10**9 - 1)}" for _ in range(n)]),
        Field(names("Shipped"), "date", shipped),
        Field(names("Delivered"), "date", [day + timedelta(days=random.randint(1, 9)) for day in shipped]),
        Field(names("Carrier"), "category", _pick(random, ["Alpha Express", "Beta Cargo", "Gamma Post"], n, 0.5)),
        Field(names("Distance"), "measure", distance, "km", 1),
        Field(
            names("Freight cost"),
            "money",
            [round(4 + 0.11 * each + random.gauss(0, 3.5), 2) for each in distance],
            "EUR",
            2,
        ),
        Field(names("Latitude"), "lat", [round(random.uniform(45.8, 47.8), 4) for _ in range(n)], None, 4),
        Field(names("Longitude"), "lon", [round(random.uniform(6.0, 10.4), 4) for _ in range(n)], None, 4),
    ]
    return Clean("shipments", fields, None, [frozenset((fields[4].name, fields[5].name))], [], [], [fields[0].name])


def school(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    maths = [round(min(100.0, max(0.0, random.gauss(62, 12))), 1) for _ in range(n)]
    fields = [
        Field(names("Student ID"), "id", [f"S{place:05d}" for place in random.sample(range(90_000), n)]),
        Field(names("Class"), "category", _pick(random, ["7a", "7b", "8a", "8b", "9a"], n, 0.1)),
        Field(names("Gender"), "category", _pick(random, ["female", "male", "other"], n, 0.9)),
        Field(names("Maths"), "percent", maths, "%", 1),
        Field(
            names("Physics"),
            "percent",
            [round(min(100.0, max(0.0, each * 0.8 + random.gauss(12, 4))), 1) for each in maths],
            "%",
            1,
        ),
        Field(
            names("Sport"), "percent", [round(min(100.0, max(0.0, random.gauss(70, 9))), 1) for _ in range(n)], "%", 1
        ),
        Field(names("Absences"), "count", [min(14, int(random.expovariate(0.4))) for _ in range(n)]),
    ]
    return Clean("school", fields, None, [frozenset((fields[3].name, fields[4].name))], [], [], [fields[0].name])


def web(random: Random, n: int, names: Callable[[str], str]) -> Clean:
    start = date(random.randint(2019, 2023), 2, 1)
    days = [start + timedelta(days=place) for place in range(n)]
    visits = [max(50, round(random.gauss(2_400, 130))) for _ in days]
    fields = [
        Field(names("Date"), "date", days),
        Field(names("Visits"), "count", visits),
        Field(names("Page views"), "count", [round(each * 3.1 + random.gauss(0, 120)) for each in visits]),
        Field(names("Bounce rate"), "percent", [round(random.gauss(44, 3), 1) for _ in days], "%", 1),
        Field(names("Load time"), "measure", [round(random.gauss(820, 40)) for _ in days], "ms", 0),
        Field(names("Campaign"), "category", _pick(random, ["none", "Spring sale", "Newsletter"], n, 0.7)),
    ]
    return Clean(
        "web",
        fields,
        (fields[0].name, (fields[1].name, fields[4].name)),
        [frozenset((fields[1].name, fields[2].name))],
        [],
        [],
        [fields[0].name],
    )


DOMAINS: tuple[Callable[[Random, int, Callable[[str], str]], Clean], ...] = (
    shop,
    weather,
    hospital,
    staff,
    meters,
    shipments,
    school,
    web,
)

GERMAN = {
    "Order ID": "Bestellnummer",
    "Order date": "Bestelldatum",
    "Product": "Produkt",
    "Category": "Warengruppe",
    "Region": "Region",
    "Quantity": "Menge",
    "Unit price": "Einzelpreis",
    "Revenue": "Umsatz",
    "Day": "Datum",
    "Temperature": "Temperatur",
    "Wind speed": "Windgeschwindigkeit",
    "Pressure": "Luftdruck",
    "Heating energy": "Heizenergie",
    "Patient ID": "Patienten-ID",
    "Age": "Alter",
    "Ward": "Station",
    "Admitted": "Aufnahme",
    "Discharged": "Entlassung",
    "Weight": "Gewicht",
    "Oxygen saturation": "Sauerstoffsättigung",
    "Employee number": "Personalnummer",
    "Site": "Standort",
    "Country": "Land",
    "Department": "Abteilung",
    "Pay grade": "Lohnstufe",
    "Salary": "Gehalt",
    "Weekly hours": "Wochenstunden",
    "Date": "Datum",
    "Electricity": "Strom",
    "Water": "Wasser",
    "Outside temperature": "Außentemperatur",
    "Tracking number": "Sendungsnummer",
    "Shipped": "Versand",
    "Delivered": "Lieferung",
    "Carrier": "Spediteur",
    "Distance": "Entfernung",
    "Freight cost": "Frachtkosten",
    "Latitude": "Breitengrad",
    "Longitude": "Längengrad",
    "Student ID": "Schüler-ID",
    "Class": "Klasse",
    "Gender": "Geschlecht",
    "Maths": "Mathematik",
    "Physics": "Physik",
    "Sport": "Sport",
    "Absences": "Fehltage",
    "Visits": "Besuche",
    "Page views": "Seitenaufrufe",
    "Bounce rate": "Absprungrate",
    "Load time": "Ladezeit",
    "Campaign": "Kampagne",
}
"""Names of the columns in German."""
