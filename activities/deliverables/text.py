"""Foreign text before it is shown: what no file format can hold is taken out, its direction and script are told."""

import re
import unicodedata
from collections import Counter
from urllib.parse import quote, urlsplit

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SPACES = re.compile(r"[\s\u2028\u2029]+")
_OPENERS = {"\u202a": "\u202c", "\u202b": "\u202c", "\u202d": "\u202c", "\u202e": "\u202c"} | dict.fromkeys(
    "\u2066\u2067\u2068", "\u2069"
)
_CLOSERS = frozenset("\u202c\u2069")
_URI_CHARACTERS = "%/:=&?~#+!$,;'@()*[]-._"
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")),
    ("ko", re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")),
    ("he", re.compile(r"[\u0590-\u05ff\ufb1d-\ufb4f]")),
    ("ar", re.compile(r"[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")),
    ("el", re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")),
    ("ru", re.compile(r"[\u0400-\u052f]")),
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


def clean(text: str) -> str:
    """Return `text` on one line, without characters that XML or a PDF cannot hold.

    Directional overrides stay, and are closed: they do not reach what stands behind the text.
    """
    text = _SPACES.sub(" ", _CONTROLS.sub("", text.replace("\t", " "))).strip()
    return _balanced(text) if any(opener in text for opener in _OPENERS) else text


def _balanced(text: str) -> str:
    """Close what embeds, overrides or isolates a direction (UAX #9, 2)."""
    kept, pending = list[str](), list[str]()
    for character in text:
        if character in _CLOSERS:
            if not pending or pending[-1] != character:
                continue
            pending.pop()
        elif character in _OPENERS:
            pending.append(_OPENERS[character])
        kept.append(character)
    return "".join(kept) + "".join(reversed(pending))


def direction(text: str) -> str:
    """Return `rtl` or `ltr`, by the first letter that has a direction (UAX #9, P2 and P3)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def language(text: str) -> str | None:
    """Return the tag (BCP 47) of the language that most of a text's letters point to; None: Latin letters, or none."""
    counts = Counter({tag: len(pattern.findall(text)) for tag, pattern in _SCRIPTS})
    if counts["ja"]:
        # Han characters beside kana are Japanese.
        counts["ja"] += counts.pop("zh")
    tag, most = max(counts.items(), key=lambda each: each[1])
    return tag if most and most >= len(_LATIN.findall(text)) else None


def web_address(uri: str) -> str | None:
    """Return an address of the web as it can stand in a link; None: it is none, and stays text."""
    uri = clean(uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or re.search(r"[\s<>\"`\\]", parts.netloc):
        return None
    return quote(uri, safe=_URI_CHARACTERS)


def shortened(text: str, characters: int) -> str:
    """Return at most so many characters of a text, cut at a word where there is one."""
    if len(text) <= characters:
        return text
    head = text[: characters - 1]
    if not text[characters - 1].isspace() and " " in head[characters // 2 :]:
        head = head.rpartition(" ")[0]
    return _balanced(head.rstrip(" ,;:")) + "…"
