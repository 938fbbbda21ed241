"""What the words of a column's name say of it, in several languages. Pure data and one way to ask."""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

_SPLIT = re.compile(r"[^\w]+|_|(?<=[a-zäöüß])(?=[A-ZÄÖÜ])|(?<=[A-Za-z])(?=\d)")

WORDS: dict[str, frozenset[str]] = {
    topic: frozenset(words.split())
    for topic, words in {
        "identifier": (
            "belegnr ean email gtin guid hash iban id identifiant identifier ids imei invoice isbn kennung key "
            "kundennr mail no nr num number numero nummer pk rechnungsnr serial sku token uuid vin"
        ),
        "code": (
            "account bic cap code codes fax konto npa phone plz postal postalcode postcode postleitzahl ssn tel "
            "telefon zip zipcode"
        ),
        "year": "annee anno ano any fiscalyear jahr year yr",
        "latitude": "breite breitengrad lat latitude",
        "longitude": "laenge laengengrad lng lon long longitude",
        "time": (
            "at created data date datetime datum day fecha giorno jour monat month period periode quarter tag time "
            "timestamp updated week when woche zeit zeitpunkt"
        ),
        "age": "age ages alter edad eta idade",
        "count": (
            "anzahl attendance beds bestand births cantidad cases clicks count deaths downloads einwohner employees "
            "headcount inventory members menge nombre orders passengers patients pieces population qty quantita "
            "quantite quantities quantity sales_count sessions stk stock students stueck units users views visitors "
            "visits"
        ),
        "amount": (
            "cost costs fare fee gebuehr gehalt income kosten lohn miete precio preis prezzo price prijs prix rent "
            "salaire salary tariff wage"
        ),
        "size": (
            "area breite consumption dauer depth distance distancia distanz duration entfernung flaeche gewicht height "
            "hoehe humidity laenge leistung length mass mileage niederschlag peso poids power precipitation pressure "
            "rainfall size speed verbrauch volume volumen weight width"
        ),
        "signed": (
            "adjustment altitude anomaly balance change deficit delta deviation diff difference drift elevation error "
            "gain gewinn growth lat latitude log lon longitude loss marge margin mom net offset profit refund return "
            "returns saldo score surplus temp temperatur temperature variance veraenderung wachstum yield yoy zscore"
        ),
        "share": (
            "anteil attendance auslastung battery completion humidity occupancy part pct percent percentage "
            "probability proportion prozent quote rate ratio share taux utilisation utilization"
        ),
        "due": (
            "deadline due end ende estimated eta expected expiration expires expiry faellig forecast maturity next "
            "plan planned renewal scheduled target termin until valid"
        ),
        "start": (
            "ab admission admitted arrival aufnahme begin beginn bestell bestelldatum birth born borrowed check_in "
            "checkin created debut departure eintritt entry from hire hired inicio invoice issue issued joined loan "
            "open opened order ordered pickup posted signup start submitted von"
        ),
        "end": (
            "arrival arrived austritt bis checkout close closed completed delivered delivery departure discharge "
            "discharged dropoff due end ende entlassung exit fin finish left liefer lieferdatum paid resolved return "
            "returned ship shipped termination to updated"
        ),
        "group": "arm batch charge cohort group half lot period phase set site source split version wave",
        "additive": (
            "amount anzahl betrag births budget cases chiffre clicks consumption cost costs count deaths downloads "
            "energy fee hours importe income kosten menge orders output passengers precipitation production profit qty "
            "quantity rainfall revenue sales spend stunden sum total turnover umsatz units value ventes visits volume"
        ),
    }.items()
}


@lru_cache(maxsize=4096)
def words_of(name: str) -> frozenset[str]:
    """Return the words of a name in lower case, without accents, also joined in pairs."""
    found = [_plain(part) for part in _SPLIT.split(name) if part]
    return frozenset(found + [f"{first}{second}" for first, second in pairwise(found)])


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
