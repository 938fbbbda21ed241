"""Widths of text by the real fonts that a machine has: what the lint measures with, never the builder.

Which font draws which character is what LibreOffice does with the theme's fonts: a font that is not there is replaced
by DejaVu Sans. Without any font files the builder's own table stands in.
"""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont, features

from activities.deliverables.deck import metrics

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
_UNIT = 200
"""Size at which advances are taken, in pixels."""
_NAMES = {
    "Noto Sans": ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    "DejaVu Sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "arabic": ("NotoSansArabic-Regular.ttf", "NotoSansArabic-Bold.ttf"),
    "hebrew": ("NotoSansHebrew-Regular.ttf", "NotoSansHebrew-Bold.ttf"),
    "cjk": ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc"),
}


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    found = dict[str, Path]()
    for folder in FOLDERS:
        if folder.is_dir():
            for path in sorted(folder.rglob("*.tt[fc]")):
                found.setdefault(path.name, path)
    return found


@lru_cache(maxsize=32)
def _font(family: str, bold: bool) -> ImageFont.FreeTypeFont | None:
    names = _NAMES.get(family) or _NAMES["DejaVu Sans"]
    path = _files().get(names[bold]) or _files().get(names[0]) or _files().get("DejaVuSans.ttf")
    if path is None:
        return None
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(path), _UNIT, layout_engine=engine)


def _family_of(text: str, family: str) -> str:
    if metrics.is_arabic(text):
        return "arabic"
    if any("\u0590" <= each <= "\u05ff" for each in text):
        return "hebrew"
    return "cjk" if metrics.is_ideographic(text) else family


@lru_cache(maxsize=50_000)
def width(text: str, size: float, family: str, bold: bool) -> float:
    """Return the width of a piece of text that no line breaks within, in points."""
    font = _font(_family_of(text, family), bold)
    if font is None:
        return metrics.width(text, size, bold=bold)
    return float(font.getlength(text)) / _UNIT * size


def line_height(text: str, size: float, family: str) -> float:
    """Return the natural height of a line that holds `text`, in points."""
    font = _font(_family_of(text, family), False)
    if font is None:
        return metrics.line_height(text, size) / metrics.SPACING
    ascent, descent = font.getmetrics()
    return (ascent + descent) / _UNIT * size
