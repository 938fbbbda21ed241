"""The words of questions: what they ask for, in English, German and French; synonyms of columns' names; words to
skip."""

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

PHRASES: dict[str, tuple[str, ...]] = {
    kind: tuple(phrase.strip() for phrase in phrases.split(";"))
    for kind, phrases in {
        "sum": (
            "total; sum; sum of; total of; in total; altogether; overall; gesamt; summe; insgesamt; somme; au total; "
            "gesamte; gesamter; gesamten"
        ),
        "mean": (
            "average; mean; avg; on average; typical; durchschnitt; mittelwert; durchschnittlich; durchschnittliche; "
            "durchschnittlicher; moyenne; moyen; im schnitt; mittlere"
        ),
        "median": "median; mediane; middle value",
        "std": "standard deviation; stddev; std; spread; variability; standardabweichung; ecart type",
        "count": (
            "how many; number of; count; count of; how often; anzahl; wie viele; wieviele; combien; combien de; nombre "
            "de; zahl der"
        ),
        "distinct": "distinct; different; unique; verschiedene; unterschiedliche; differents; distincts",
        "max": (
            "highest; largest; biggest; greatest; maximum; max; most; best; longest; most expensive; top; peak; "
            "hochste; hochsten; hochster; grosste; grossten; grosster; meisten; maximal; plus grand; plus grande; plus "
            "eleve; plus elevee; oldest; strongest; am meisten; am hochsten; heaviest; tallest; fastest; richest; "
            "deepest; widest; warmest; hottest; newest; latest; most recent; most common; most frequent; most often; "
            "haufigste; haufigsten; langste; langsten; langster; schwerste; schwersten; teuerste; teuersten; "
            "teuerster; alteste; altesten; altester; neueste; neuesten; schnellste; schnellsten; tiefste; tiefsten; "
            "plus long; plus longue; plus lourd; plus lourde; plus cher; plus chere; plus rapide; plus recent; "
            "plus recente; most populous; most valuable"
        ),
        "min": (
            "lowest; smallest; least; minimum; min; worst; fewest; shortest; cheapest; bottom; youngest; weakest; "
            "niedrigste; niedrigsten; kleinste; kleinsten; wenigsten; minimal; plus petit; plus petite; plus bas; am "
            "wenigsten; lightest; slowest; poorest; narrowest; shallowest; coldest; coolest; earliest; "
            "least expensive; least common; least frequent; kurzeste; kurzesten; "
            "kurzester; leichteste; leichtesten; billigste; "
            "billigsten; gunstigste; gunstigsten; jungste; jungsten; fruheste; fruhesten; langsamste; langsamsten; "
            "plus court; plus courte; plus leger; plus legere; moins cher; moins chere; plus lent; plus ancien; "
            "plus ancienne"
        ),
        "share": (
            "what share; share of; share; what percentage; percentage of; percent of; proportion of; what proportion; "
            "what fraction; fraction of; anteil; anteil der; welcher anteil; prozentsatz; pourcentage; part de; quelle "
            "part; percentage; proportion; what percent"
        ),
        "missing": (
            "missing; missing values; null; nulls; empty; blank; blanks; without a value; fehlend; fehlende; fehlen; "
            "fehlt; fehlende werte; leer; manquant; manquants; manquantes; is null; unknown"
        ),
        "correlation": (
            "correlation; correlate; correlated; correlation between; korrelation; correlation entre; relationship; "
            "relationship between; zusammenhang"
        ),
        "by": (
            "by; per; for each; in each; for every; each; grouped by; group by; broken down by; split by; across; pro; "
            "je; nach; par; fur jede; fur jeden; pour chaque; by each; according to; within each"
        ),
        "over": (
            "over time; trend; trend of; development; evolution; evolve; evolved; develop; developed; change over "
            "time; changed over time; verlauf; im zeitverlauf; entwicklung; entwickelt; au fil du temps; history of; "
            "timeline"
        ),
        "which": "which; what; who; welche; welcher; welches; quel; quelle; quels; quelles; wer; qui; whose; name the",
        "when": (
            "when; wann; quand; on which day; on what day; at what time; which day; what day; on which date; which "
            "date; what date"
        ),
        "compare": (
            "compare; compared to; compared with; versus; vs; vs.; comparison of; comparison between; difference "
            "between; difference in; vergleiche; vergleich; gegenuber; comparer; comparaison"
        ),
        "list": (
            "show; list; show me; give me; display; find; zeige; zeig; liste; montre; affiche; rows where; records "
            "where; rows with; records with; all rows; zeilen mit; show rows; print"
        ),
        "rows": (
            "rows; row; records; record; entries; entry; lines; observations; zeilen; zeile; datensatze; eintrage; "
            "lignes; enregistrements; items; cases; times; data points; data"
        ),
        ">": (
            "more than; greater than; larger than; bigger than; higher than; above; over; exceeds; exceeding; exceed; "
            ">; mehr als; grosser als; uber; hoher als; plus de; superieur a; older than; longer than; superieure a; "
            "heavier than; taller than; faster than; deeper than; wider than; warmer than; hotter than; more expensive "
            "than; langer als; alter als; schwerer als; teurer als; schneller als"
        ),
        "<": (
            "less than; fewer than; smaller than; lower than; below; under; <; weniger als; kleiner als; unter; moins "
            "de; inferieur a; younger than; shorter than; cheaper than; inferieure a; "
            "lighter than; slower than; colder than; cooler than; less expensive than; kurzer als; junger als; "
            "leichter als; billiger als"
        ),
        ">=": "at least; >=; ≥; no less than; not less than; or more; mindestens; au moins; minimum of",
        "<=": "at most; <=; ≤; no more than; not more than; or less; up to; hochstens; maximal; au plus; maximum of",
        "=": "equals; equal to; =; ==; is; are; was; were; ist; sind; gleich; est; exactly; of exactly",
        "!=": (
            "is not; are not; isn't; aren't; not; !=; <>; other than; except; excluding; without; not equal to; "
            "ausser; ohne; nicht; sauf; was not; were not"
        ),
        "between": "between; zwischen; entre; ranging from",
        "contains": (
            "contains; containing; contain; including; includes; include; like; with the word; enthalt; enthalten; "
            "contient; contenant"
        ),
        "starts": "starts with; starting with; begins with; beginning with; beginnt mit; commence par",
        "ends": "ends with; ending with; endet mit",
        "before": "before; earlier than; until; vor; avant; bis; prior to",
        "after": "after; later than; since; nach dem; seit; apres; depuis; from",
        "day": "day; daily; days; tag; tage; taglich; jour; jours; date",
        "week": "week; weekly; weeks; woche; wochen; wochentlich; semaine",
        "month": "month; monthly; months; monat; monate; monatlich; mois; mensuel",
        "quarter": "quarter; quarterly; quarters; quartal; quartale; trimestre",
        "year": "year; yearly; annual; annually; years; jahr; jahre; jahrlich; annee; annees; an",
        "weekday": "weekday; day of the week; day of week; weekdays; wochentag",
    }.items()
}
"""What is asked -> the phrases that ask for it, without accents."""

STOPWORDS = frozenset(
    [
        "a",
        "against",
        "all",
        "also",
        "am",
        "among",
        "amongst",
        "an",
        "and",
        "answer",
        "any",
        "are",
        "as",
        "at",
        "au",
        "auf",
        "aus",
        "aux",
        "avec",
        "be",
        "been",
        "bei",
        "bitte",
        "both",
        "bring",
        "brought",
        "by",
        "calculate",
        "called",
        "came",
        "can",
        "ce",
        "column",
        "columns",
        "combien",
        "come",
        "comes",
        "coming",
        "compute",
        "contained",
        "could",
        "d",
        "dans",
        "das",
        "data",
        "dataset",
        "de",
        "dem",
        "den",
        "der",
        "des",
        "determine",
        "did",
        "die",
        "do",
        "does",
        "du",
        "during",
        "earn",
        "earned",
        "ein",
        "eine",
        "einem",
        "einen",
        "einer",
        "eines",
        "en",
        "es",
        "est",
        "et",
        "exist",
        "exists",
        "file",
        "for",
        "found",
        "from",
        "fur",
        "generate",
        "generated",
        "get",
        "gibt",
        "give",
        "got",
        "group",
        "groups",
        "haben",
        "had",
        "happen",
        "happened",
        "happens",
        "has",
        "hat",
        "hatte",
        "have",
        "having",
        "how",
        "i",
        "if",
        "il",
        "im",
        "in",
        "is",
        "ist",
        "it",
        "its",
        "just",
        "l",
        "la",
        "le",
        "les",
        "listed",
        "made",
        "make",
        "makes",
        "many",
        "me",
        "mit",
        "much",
        "my",
        "named",
        "no",
        "occur",
        "occurred",
        "oder",
        "of",
        "on",
        "only",
        "or",
        "ou",
        "our",
        "overall",
        "people",
        "per",
        "person",
        "please",
        "pour",
        "quel",
        "quelle",
        "recorded",
        "relate",
        "related",
        "relation",
        "s",
        "same",
        "se",
        "sell",
        "sells",
        "sich",
        "sind",
        "so",
        "sold",
        "sont",
        "spalte",
        "spend",
        "spent",
        "sur",
        "tabelle",
        "table",
        "tell",
        "than",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "this",
        "those",
        "to",
        "total",
        "un",
        "und",
        "une",
        "us",
        "value",
        "values",
        "viel",
        "viele",
        "vom",
        "von",
        "war",
        "waren",
        "was",
        "we",
        "welche",
        "welcher",
        "welches",
        "were",
        "werte",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whose",
        "wie",
        "will",
        "with",
        "within",
        "would",
        "wurde",
        "wurden",
        "y",
        "you",
        "your",
        "zu",
        "zum",
        "zur",
    ]
)

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "revenue sales turnover umsatz income proceeds ventes earnings",
        "price cost preis prix kosten",
        "quantity qty units amount menge anzahl pieces volume quantite",
        "customer client buyer kunde",
        "product item article artikel produkt produit sku",
        "country nation land pays",
        "city town stadt ville ort",
        "date day datum time when timestamp jour",
        "region area gebiet territory zone",
        "employee staff worker mitarbeiter person",
        "department dept team abteilung division",
        "salary pay wage gehalt lohn compensation earnings",
        "age old alter years",
        "category type kind class kategorie typ categorie group",
        "temperature temp temperatur",
        "duration length time dauer",
        "store shop branch filiale laden outlet",
        "gender sex geschlecht",
        "status state zustand",
        "score rating grade note points bewertung",
        "weight mass gewicht poids",
        "distance km entfernung",
        "patient patients",
        "student pupil schuler",
        "discount rabatt reduction",
        "order bestellung purchase commande",
        "name title label",
        "energy consumption verbrauch usage",
        "population inhabitants people einwohner",
    )
)

_WORD = re.compile(r"[^\W_]+|[<>=!]=?|≥|≤|<>")
_stemmer = snowballstemmer.stemmer("english")
_german = snowballstemmer.stemmer("german")


def plain(text: str) -> str:
    """Return a text in lower case, without accents."""
    folded = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss"))
    return "".join(letter for letter in folded if not unicodedata.combining(letter))


@lru_cache(maxsize=8192)
def stems(word: str) -> frozenset[str]:
    """Return the stems of a word: its English and its German one."""
    word = plain(word)
    found = {word, _stemmer.stemWord(word), _german.stemWord(word)}
    if word.endswith("ies"):
        found.add(word[:-3] + "y")
    return frozenset(found)


def related(word: str, other: str) -> bool:
    """Tell whether two words are synonyms."""
    one, two = stems(word), stems(other)
    return any(
        any(stems(each) & one for each in group) and any(stems(each) & two for each in group) for group in SYNONYMS
    )
