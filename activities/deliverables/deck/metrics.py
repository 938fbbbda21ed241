"""How wide and how high text is, by a table of a font's advance widths: the same on every machine, with no font there.

`widths.json` holds the advance widths of Noto Sans, Noto Sans Hebrew and Noto Sans Arabic (isolated forms), in
thousandths of the size, by the code point that each run of characters begins with. Other fonts are taken to be a
little wider. The lint measures with real fonts instead, so that both have to agree.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

SPACING = 0.9
"""Line spacing of every text, as a part of the font's own."""
LATIN_LINE, CJK_LINE, ARABIC_LINE = 1.362, 1.448, 2.112
"""Height of a line of Noto Sans, Noto Sans CJK and Noto Sans Arabic over its size (ascent and descent of `hhea`)."""
OTHER_FONT = 1.1
"""How much wider than Noto Sans another font may be (DejaVu Sans, which replaces what is missing, is 7 percent)."""
SAFETY = 1.03
CHARACTERS_MAX = 6_000
"""Of a text that is measured; what is longer fits no slide at any size."""
JOINED = 0.8
"""Arabic letters within a word over their isolated forms; some join to one side only and stay as wide."""
_UNJOINED = frozenset("اأإآدذرزوؤةىء")


@lru_cache(maxsize=1)
def _widths() -> dict[bool, dict[str, int]]:
    table = json.loads((files(__package__) / "widths.json").read_text())
    return {
        name == "bold": {
            chr(int(first, 16) + offset): width
            for first, widths in blocks.items()
            for offset, width in enumerate(widths)
        }
        for name, blocks in table.items()
    }


@lru_cache(maxsize=20_000)
def _advance(character: str, bold: bool) -> float:
    known = _widths()[bold].get(character)
    if known is not None:
        return known / 1000 * (JOINED if is_arabic(character) and character not in _UNJOINED else 1.0)
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F") or ord(character) > 0xFFFF:
        return 1.3 if ord(character) > 0x1F000 and not is_ideographic(character) else 1.0
    return 0.75


_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff]")
_IDEOGRAPHIC = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


def is_arabic(text: str) -> bool:
    """Tell whether a text has a character that is drawn by the Arabic font."""
    return not text.isascii() and _ARABIC.search(text) is not None


def is_ideographic(text: str) -> bool:
    """Tell whether a text has a character before and after which a line may break without a space."""
    return not text.isascii() and _IDEOGRAPHIC.search(text) is not None


def width(text: str, size: float, *, bold: bool = False, factor: float = 1.0) -> float:
    """Return the width of a line, in points."""
    return sum(_advance(character, bold) for character in text) * size * factor * SAFETY


def line_height(text: str, size: float) -> float:
    """Return the height of a line that holds `text`, in points."""
    natural = ARABIC_LINE if is_arabic(text) else CJK_LINE if is_ideographic(text) else LATIN_LINE
    return natural * SPACING * size


def count_lines(text: str, size: float, room: float, *, bold: bool = False, factor: float = 1.0) -> int:
    """Return how many lines `text` takes in a box that is `room` points wide; a word that is wider is broken."""
    lines, used, text = 1, 0.0, text[:CHARACTERS_MAX]
    for piece, gap in _pieces(text):
        wide = width(piece, size, bold=bold, factor=factor)
        before = width(" ", size, bold=bold, factor=factor) if gap and used else 0.0
        if used + before + wide <= room:
            used += before + wide
            continue
        if used:
            lines += 1
        if wide > room:
            extra = int(wide // max(1.0, room - size))
            lines += extra
            wide -= extra * (room - size)
        used = max(0.0, wide)
    return lines


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield what a line cannot break within, and whether a space stands before it."""
    for word in text.split():
        if "-" not in word and not is_ideographic(word):
            yield word, True
            continue
        start, gap = 0, True
        for index, character in enumerate(word):
            if is_ideographic(character) or (character == "-" and index + 1 < len(word)):
                if is_ideographic(character) and index > start:
                    yield word[start:index], gap
                    start, gap = index, False
                yield word[start : index + 1], gap
                start, gap = index + 1, False
        if start < len(word):
            yield word[start:], gap


@lru_cache(maxsize=20_000)
def text_height(text: str, size: float, room: float, *, bold: bool = False, factor: float = 1.0) -> float:
    """Return the height of a paragraph, in points."""
    return count_lines(text, size, room, bold=bold, factor=factor) * line_height(text, size)
