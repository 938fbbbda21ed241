"""Language: of a text, as an ISO 639-1 code. Pure."""

import re

_KANA = re.compile(r"[\u3040-\u30ff]")
_SCRIPTS = (
    ("ja", _KANA),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
)
"""What a short text in this script is most often written in; kana before Han, which Japanese uses as well."""
SAMPLE_CHARACTERS = 20_000
SURE_PERCENT = 80


def language_of(text: str) -> str | None:
    """Return the language of a text; None where it is too short or mixed to be told.

    CLD2 decides; where it is not sure, a script that leaves little choice does.
    """
    sample = text[:SAMPLE_CHARACTERS]
    if (found := _detected(sample)) is not None:
        return found
    letters = sum(1 for character in sample if character.isalpha())
    for language, script in _SCRIPTS:
        share = 0.1 if script is _KANA else 0.5
        if letters and len(script.findall(sample)) >= share * letters:
            return language
    return None


def _detected(sample: str) -> str | None:
    try:
        import pycld2
    except ImportError:  # It has no wheel for this Python: what pages declare and scripts show is what is known.
        return None
    try:
        reliable, _, guesses = pycld2.detect(sample, bestEffort=True)
    except pycld2.error:
        return None
    _, code, percent, _ = guesses[0]
    # The Chinese codes of CLD2 carry a script.
    return code.partition("-")[0] if reliable and percent >= SURE_PERCENT and code != "un" else None
