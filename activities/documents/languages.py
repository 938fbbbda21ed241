"""How PostgreSQL's full text search reads a text in a language; which one that is, `language.py` tells. Pure.

Each document is indexed with the text search configuration of its language (stemming, stop words). Chinese, Japanese,
Korean and Thai write no spaces, or not where words end, and PostgreSQL has no configuration for them: their runs are
indexed as overlapping pairs of characters, whatever the language of the text around them. A query is read likewise.
"""

import re
import unicodedata

from activities.documents.language import language_of

CONFIGURATIONS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""ISO 639-1 -> text search configuration of PostgreSQL 16 and later."""
CONFIGURATION_DEFAULT = "english"
CONFIGURATION_OTHER = "simple"
"""Words as they stand: for languages without a configuration."""

_UNSPACED = (
    "\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d"
)
_RUN = re.compile(rf"[{_UNSPACED}]+")
_MARKS = {point: " " for point in range(0x80, 0x10000) if unicodedata.category(chr(point))[0] in "PS"} | {ord("’"): "'"}
_HIRAGANA = re.compile("[\u3040-\u309f]+")
_ARABIC_PARTICLES = frozenset(
    (
        *("ما", "ماذا", "هي", "هو", "هل", "كم", "كيف", "متى", "اين", "أين", "في", "من", "على", "الى", "إلى", "عن"),
        *("التي", "الذي", "هذا", "هذه", "ان", "أن", "و", "او", "أو"),
    )
)
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


def search_configuration(language: str | None) -> str:
    """Return the text search configuration for a language; English where the language is not known."""
    if language is None:
        return CONFIGURATION_DEFAULT
    return CONFIGURATIONS.get(language, CONFIGURATION_OTHER)


def is_latin(text: str) -> bool:
    """Tell whether most letters of a text are Latin; true where it has none."""
    letters = _LETTER.findall(text)
    return 2 * len(_LATIN.findall(text)) >= len(letters)


SENTENCE_WORDS = 5
"""With fewer words the language of a query is not told by its letters."""


def spoken(query: str) -> str | None:
    """Return the language of a query as far as its letters tell; a few Latin words look like any language."""
    if is_latin(query):
        return language_of(query) if len(query.split()) >= SENTENCE_WORDS else None
    return language_of(query) or "und"


def searchable(text: str) -> str:
    """Return a text as it is indexed: in lower case, without marks, unspaced scripts as overlapping pairs.

    PostgreSQL's parser knows neither capitals nor marks outside of ASCII where its locale is C: a word in curly
    quotation marks, or before an Arabic question mark, would be another word.

    >>> searchable("融点は29度。“Ärzte”")
    '融点 点は 29 度   ärzte'
    """
    plain = text if text.isascii() else text.translate(_MARKS)
    return _RUN.sub(lambda run: f" {_pairs(run[0])} ", plain.lower()).strip()


def is_grammar(term: str) -> bool:
    """Tell whether a term is likely grammar where no list of stop words exists: Japanese endings, Arabic particles."""
    return bool(_HIRAGANA.fullmatch(term)) or term in _ARABIC_PARTICLES


def _pairs(run: str) -> str:
    return run if len(run) == 1 else " ".join(run[at : at + 2] for at in range(len(run) - 1))
