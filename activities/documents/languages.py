"""Which language a text is in, and how PostgreSQL's full text search reads it. Pure.

Each document is indexed with the text search configuration of its language (stemming, stop words). Chinese, Japanese,
Korean and Thai write no spaces, or not where words end, and PostgreSQL has no configuration for them: their runs are
indexed as overlapping pairs of characters, whatever the language of the text around them. A query is read likewise.
"""

import re
from functools import lru_cache
from typing import Any

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
LANGUAGE_DEFAULT = "en"

_LETTERS_MIN = 30
"""With fewer letters there is nothing to go by."""
_SURE = 0.9
_SAMPLE = 4_000
_UNSPACED = (
    "\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d"
)
_RUN = re.compile(rf"[{_UNSPACED}]+")
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
)
"""Scripts that one language writes, or nearly so: enough for the shortest query. Japanese before Chinese."""
_SHARED_SCRIPTS = (("ar", re.compile("[\u0600-\u06ff]")), ("ru", re.compile("[\u0400-\u04ff]")))
"""The most frequent language of scripts that several write, where there is too little text to tell."""


def detect_language(text: str, declared: str | None = None) -> str | None:
    """Return the language of a text (ISO 639-1): by its script, by its letters, as declared; None: too little to tell.

    What is written counts more than what is declared: templates declare English around every language.
    """
    sample = text[:_SAMPLE]
    letters = len(_LETTER.findall(sample))
    for language, script in _SCRIPTS:
        if letters and len(script.findall(sample)) >= 0.2 * letters:
            return language
    if letters >= _LETTERS_MIN:
        language, probability = _identifier().classify(sample)
        if probability >= _SURE:
            return str(language)
    for language, script in _SHARED_SCRIPTS:
        if letters and len(script.findall(sample)) >= 0.5 * letters:
            return language
    short = (declared or "").strip().lower().replace("_", "-").partition("-")[0]
    return short if re.fullmatch(r"[a-z]{2}", short) else None


def search_configuration(language: str | None) -> str:
    """Return the text search configuration for a language; English where the language is not known."""
    if language is None:
        return CONFIGURATION_DEFAULT
    return CONFIGURATIONS.get(language, CONFIGURATION_OTHER)


def is_latin(text: str) -> bool:
    """Tell whether most letters of a text are Latin; true where it has none."""
    letters = _LETTER.findall(text)
    return 2 * len(_LATIN.findall(text)) >= len(letters)


def searchable(text: str) -> str:
    """Return a text as it is indexed: runs of unspaced scripts become overlapping pairs of characters.

    >>> searchable("融点は29度 C")
    '融点 点は 29 度  C'
    """
    return _RUN.sub(lambda run: f" {_pairs(run[0])} ", text).strip() if _RUN.search(text) else text


def _pairs(run: str) -> str:
    return run if len(run) == 1 else " ".join(run[at : at + 2] for at in range(len(run) - 1))


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # Imports numpy.

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
