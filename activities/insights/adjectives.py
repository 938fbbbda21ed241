"""Which column an adjective speaks of: `longest` of a length, `older than` of an age, `cheapest` of a price."""

from dataclasses import dataclass

from activities.insights.names import words_of
from activities.insights.table import Table
from activities.insights.units import dimension_of
from activities.insights.vocabulary import plain
from schema.contracts.insights import Role


@dataclass(frozen=True)
class _Facet:
    """What an adjective measures: words of columns' names, the best first; dimensions of units, where no name fits."""

    names: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    general: bool = False
    """Says `much` of whatever is measured: the only measure there is will do."""
    times: bool = False
    """Speaks of points in time, too."""


_FACETS = {
    "long": _Facet(
        (
            "length len laenge lange longueur",
            "distance distanz entfernung duration dauer duree runtime mileage",
            "time zeit",
        ),
        ("length", "time"),
    ),
    "heavy": _Facet(("weight mass gewicht masse poids",), ("mass",)),
    "tall": _Facet(("height hoehe hohe hauteur size groesse", "elevation altitude"), ("length",)),
    "high": _Facet(("height hoehe hohe hauteur elevation altitude summit",), general=True),
    "large": _Facet(
        ("area flaeche surface size groesse", "population inhabitants einwohner", "volume volumen capacity"),
        ("area",),
        general=True,
    ),
    "much": _Facet((), general=True),
    "good": _Facet(("score rating grade note points bewertung",), general=True),
    "deep": _Facet(("depth tiefe profondeur",)),
    "wide": _Facet(("width breite largeur",)),
    "strong": _Facet(("strength power force magnitude staerke",), ("power", "force")),
    "expensive": _Facet(
        ("price preis prix cost costs kosten cout fee fare tarif rent miete", "amount betrag montant total"),
        ("currency",),
    ),
    "valuable": _Facet(("value wert valeur price preis",), ("currency",)),
    "fast": _Facet(("speed velocity geschwindigkeit vitesse",), ("speed", "data rate")),
    "rich": _Facet(("income wealth gdp bip salary wage gehalt einkommen revenu networth",), ("currency",)),
    "warm": _Facet(("temperature temperatur temp",), ("temperature",)),
    "populous": _Facet(("population inhabitants einwohner people",)),
    "old": _Facet(("age alter ages",), times=True),
    "recent": _Facet((), times=True),
}
_SPELLINGS = {
    "long": "long longest longer lang langste langsten langster langer longue short shortest shorter kurzeste "
    "kurzesten kurzester kurzer court courte",
    "heavy": "heavy heaviest heavier schwer schwerste schwersten schwerer lourd lourde light lightest lighter leicht "
    "leichteste leichtesten leichter leger legere",
    "tall": "tall tallest taller",
    "high": "high highest higher hoch hohe hohen hochste hochsten hochster hoher eleve elevee low lowest lower "
    "niedrigste niedrigsten bas",
    "large": "large largest larger big biggest bigger greatest greater gross grosste grossten grosster grosser grand "
    "grande small smallest smaller kleinste kleinsten kleiner petit petite",
    "much": "maximum max maximal top peak minimum min minimal bottom superieur superieure inferieur inferieure",
    "good": "best worst",
    "deep": "deep deepest deeper tief tiefste tiefsten shallowest",
    "wide": "wide widest wider narrowest",
    "strong": "strongest weakest",
    "expensive": "expensive cheap cheapest cheaper teuerste teuersten teuerster teurer billigste billigsten billiger "
    "gunstigste gunstigsten cher chere",
    "valuable": "valuable",
    "fast": "fast fastest faster schnell schnellste schnellsten schneller rapide slow slowest slower langsamste "
    "langsamsten lent",
    "rich": "rich richest poorest",
    "warm": "warm hot warmest hottest warmer hotter cold coldest coolest colder cooler",
    "populous": "populous",
    "old": "old oldest older alt alteste altesten altester alter youngest younger jungste jungsten junger ancien "
    "ancienne",
    "recent": "newest latest recent earliest neueste neuesten fruheste fruhesten recente",
}
_FACET_OF = {word: facet for facet, words in _SPELLINGS.items() for word in words.split()}
_ROWS = frozenset(["common", "frequent", "often", "haufigste", "haufigsten"])
_BACKWARDS = frozenset(word for word in _SPELLINGS["old"].split() if word not in ("old", "alt", "alter"))
"""What is old has a high age, and an early date."""


def facet_of(text: str) -> str | None:
    """Return what the adjective of a phrase measures; None: it has none (`most`, `above`)."""
    return next((found for word in plain(text).split() if (found := _FACET_OF.get(word))), None)


def counts_rows(text: str) -> bool:
    """Tell whether a phrase asks for what stands in most rows: `most common`."""
    return bool(_ROWS & set(plain(text).split()))


def general(text: str) -> bool:
    """Tell whether a phrase may speak of any measure: `above`, `highest`."""
    facet = facet_of(text)
    return facet is None or _FACETS[facet].general


def backwards(table: Table, column: str, text: str) -> bool:
    """Tell whether much of what the phrase says is little of the column: the oldest has the earliest date."""
    moment = table.columns[column].temporal or table.roles[column] == Role.YEAR
    return moment and bool(_BACKWARDS & set(plain(text).split()))


def candidates(table: Table, text: str, *, moments: bool = True) -> list[str]:
    """Return the columns that a phrase may speak of: one, if it is clear; none, if the table has no such column.

    Args:
        text: the phrase, with an adjective or without.
        moments: columns of dates and years may be meant, too.
    """
    measures = table.measures()
    key = facet_of(text)
    if key is None:
        return measures
    facet = _FACETS[key]
    for tier in facet.names:
        wanted = set(tier.split())
        if named := [column for column in measures if wanted & set(words_of(column))]:
            return named
    by_unit = [
        column
        for column in measures
        if (unit := table.unit(column)) is not None and dimension_of(unit) in facet.dimensions
    ]
    if facet.general:
        return by_unit if len(by_unit) == 1 else measures
    if by_unit or not (facet.times and moments):
        return by_unit
    return table.with_role(Role.TIME) or table.with_role(Role.YEAR)
