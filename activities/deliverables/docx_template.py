"""The empty document that every DOCX begins with: theme, styles, numbering, made of an organisation's look.

Colours and families stand in the theme alone; styles name the theme's. The parts are in `templates/docx`.
"""

import io
from functools import lru_cache
from importlib.resources import files

from docx import Document
from docx.document import Document as DocumentObject
from jinja2 import Environment, StrictUndefined, Template

from activities.deliverables.colours import legible, mixed
from activities.deliverables.look import (
    ARABIC_FONT,
    CJK_FONT,
    FALLBACK_FONT,
    HEBREW_FONT,
    INK,
    MUTED,
    SERIES,
    Look,
)
from activities.deliverables.ooxml import packed
from activities.deliverables.particulars import MADE_BY

TEXT_WIDTH = 9412
"""Of a page that stands, in twentieths of a point: A4 less its margins."""
WIDE_WIDTH = 14344
"""Of one that lies."""
_PARTS = {
    "[Content_Types].xml": "content_types",
    "_rels/.rels": "package.rels",
    "word/_rels/document.xml.rels": "document.rels",
    "word/document.xml": "document",
    "word/styles.xml": "styles",
    "word/numbering.xml": "numbering",
    "word/settings.xml": "settings",
    "word/fontTable.xml": "fontTable",
    "word/theme/theme1.xml": "theme",
    "docProps/core.xml": "core",
    "docProps/app.xml": "app",
}
_ALIKE = (
    (CJK_FONT, "Microsoft YaHei"),
    (CJK_FONT.replace("SC", "JP"), "Yu Gothic"),
    (CJK_FONT.replace("SC", "KR"), "Malgun Gothic"),
    (ARABIC_FONT, "Segoe UI"),
    (HEBREW_FONT, "Segoe UI"),
    (FALLBACK_FONT, "Verdana"),
)
"""Families, and what is near them on machines that lack them."""


def empty_document(look: Look) -> DocumentObject:
    """Return a document without text in an organisation's look; pale colours are darkened until they can be read."""
    colours = {
        "ink": INK,
        "muted": MUTED,
        "primary": legible(look.primary),
        "accent": legible(look.accent),
        "tint": mixed(look.primary, "#ffffff", 0.94),
        "rule": mixed(look.primary, "#ffffff", 0.8),
    }
    latin = dict.fromkeys([look.heading_font, look.body_font])
    values = {
        "colours": {name: colour.removeprefix("#").upper() for name, colour in colours.items()},
        "series": [colour.removeprefix("#").upper() for colour in SERIES],
        "heading_font": look.heading_font,
        "body_font": look.body_font,
        "east_asian_font": CJK_FONT,
        "arabic_font": ARABIC_FONT,
        "fonts": [*((name, "Segoe UI") for name in latin if name.startswith("Noto ")), *_ALIKE],
        "text_width": TEXT_WIDTH,
        "made_by": MADE_BY,
    }
    return Document(io.BytesIO(packed({name: _part(part).render(values).encode() for name, part in _PARTS.items()})))


@lru_cache
def _part(name: str) -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = files("activities.deliverables").joinpath("templates", "docx", f"{name}.xml.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))
