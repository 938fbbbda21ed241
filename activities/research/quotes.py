"""Quotes: finds a quotation in a text although white space, quotation marks or dashes were changed on the way."""

import unicodedata
from dataclasses import dataclass

QUOTE_CHARACTERS_MIN = 12

_SAME = {
    **dict.fromkeys("‘’‚‛`´", "'"),
    **dict.fromkeys("“”„‟«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
}


@dataclass(frozen=True)
class _Folded:
    text: str
    starts: tuple[int, ...]
    """Offset in the original of every folded character."""


def _fold(text: str, *, case: bool) -> _Folded:
    out: list[str] = []
    starts: list[int] = []
    for offset, character in enumerate(text):
        if character.isspace():
            if out and out[-1] != " ":
                out.append(" ")
                starts.append(offset)
            continue
        folded = _SAME.get(character) or unicodedata.normalize("NFKC", character)
        for each in folded.casefold() if case else folded:
            out.append(each)
            starts.append(offset)
    return _Folded("".join(out), tuple(starts))


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return the exact span of `quote` in `text`, or None where it is not there or too short to prove anything."""
    if len(quote.strip()) < QUOTE_CHARACTERS_MIN:
        return None
    at = text.find(quote)
    if at >= 0:
        leading = len(quote) - len(quote.lstrip())
        return at + leading, at + len(quote.rstrip())
    for case in (False, True):
        needle, hay = _fold(quote, case=case).text.strip(" \"'"), _fold(text, case=case)
        if len(needle) < QUOTE_CHARACTERS_MIN:
            return None
        found = hay.text.find(needle)
        if found >= 0:
            return hay.starts[found], hay.starts[found + len(needle) - 1] + 1
    return None
