"""What the words of a column's name say of it, in several languages. Pure data and one way to ask."""

import re
import unicodedata
from functools import lru_cache

_SPLIT = re.compile(r"[^\w]+|_|(?<=[a-zäöüß])(?=[A-ZÄÖÜ])|(?<=[A-Za-z])(?=\d)")

WORDS: dict[str, frozenset[str]] = {
    topic: frozenset(words.split())
    for topic, words in {
        "identifier": "id ids uuid guid key pk sku isbn iban ean gtin serial email mail invoice nr no number num nummer numero "
        "belegnr rechnungsnr kundennr kennung identifier identifiant vin imei token hash",
        "code": "code codes zip zipcode postcode postal postalcode plz cap npa phone telefon tel fax ssn account konto bic "
        "postleitzahl",
        "year": "year jahr annee anno ano any yr fiscalyear",
        "latitude": "lat latitude breite breitengrad",
        "longitude": "lon lng long longitude laenge laengengrad",
        "time": "date datum day time timestamp zeit zeitpunkt month monat period periode created updated at when jour fecha data "
        "giorno tag week woche datetime quarter",
        "age": "age alter ages idade edad eta",
        "count": "count qty quantity quantities menge anzahl units stock inventory bestand stueck stk pieces visits visitors clicks "
        "orders sales_count beds employees headcount population einwohner passengers attendance downloads nombre quantite cantidad "
        "quantita views sessions users members students patients births deaths cases",
        "amount": "price preis prix precio prezzo prijs cost costs kosten salary gehalt salaire wage lohn rent miete fee gebuehr "
        "fare income fare tariff",
        "size": "weight gewicht height hoehe length laenge distance distanz entfernung area flaeche volume volumen duration dauer "
        "speed mass width breite depth size mileage power leistung consumption verbrauch rainfall precipitation "
        "niederschlag humidity pressure poids distancia peso",
        "signed": "change growth diff difference delta balance saldo profit margin marge gewinn return returns yield variance "
        "deviation veraenderung wachstum error temperature temperatur temp latitude longitude lat lon elevation altitude net "
        "adjustment refund yoy mom gain loss score zscore log offset drift surplus deficit anomaly",
        "share": "share rate ratio percentage percent pct proportion probability anteil quote prozent occupancy utilization "
        "utilisation auslastung completion humidity battery attendance taux part",
        "due": "due expiry expires expiration expected planned forecast target deadline valid until faellig next scheduled end "
        "ende termin renewal maturity estimated eta plan",
        "start": "start begin beginn from von ab order ordered bestell bestelldatum created opened open hire hired check_in checkin "
        "admission admitted birth born departure pickup issued issue invoice posted signup joined submitted debut inicio eintritt "
        "aufnahme arrival entry loan borrowed",
        "end": "end ende to bis finish ship shipped delivered delivery liefer lieferdatum closed close completed resolved left exit "
        "termination checkout discharge discharged returned return paid due dropoff fin arrival arrived entlassung austritt "
        "departure updated",
        "group": "split set batch period phase wave cohort version group arm source site charge lot half",
        "additive": "amount revenue sales umsatz total sum qty quantity menge anzahl count units cost costs profit income spend "
        "budget volume value betrag turnover orders visits ventes chiffre importe kosten downloads clicks fee passengers cases "
        "deaths births rainfall precipitation energy consumption production output hours stunden",
    }.items()
}


@lru_cache(maxsize=4096)
def words_of(name: str) -> frozenset[str]:
    """Return the words of a name in lower case, without accents, also joined in pairs."""
    found = [_plain(part) for part in _SPLIT.split(name) if part]
    pairs = [f"{first}{second}" for first, second in zip(found, found[1:], strict=False)]
    return frozenset(found + pairs)


SUFFIXES: dict[str, tuple[str, ...]] = {
    "identifier": ("nummer", "nr", "kennung", "kennzeichen"),
    "code": ("leitzahl",),
    "time": ("datum", "zeitpunkt"),
    "count": ("anzahl", "menge", "zahl", "bestand", "tage"),
    "amount": ("preis", "kosten", "gehalt", "lohn", "miete", "gebuehr"),
    "size": ("gewicht", "entfernung", "laenge", "hoehe", "flaeche", "dauer", "breite"),
    "share": ("quote", "anteil", "rate", "grad"),
    "additive": ("umsatz", "betrag", "summe", "menge", "anzahl", "kosten", "zahl"),
    "start": ("beginn", "eingang"),
    "end": ("ende", "ausgang"),
}
"""Ends of German compounds that tell the topic."""


@lru_cache(maxsize=4096)
def says(name: str, topic: str) -> bool:
    """Tell whether a name has a word of a topic."""
    words = words_of(name)
    ends = SUFFIXES.get(topic, ())
    return bool(words & WORDS[topic]) or any(word.endswith(ends) and len(word) > 6 for word in words if ends)


def _plain(word: str) -> str:
    word = word.lower().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
