"""The report as one HTML file: nothing is fetched and nothing runs when it is opened, on a screen or in print."""

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from activities.deliverables.blocks import Contents
from activities.deliverables.colours import legible, mixed
from activities.deliverables.contents import contents
from activities.deliverables.look import (
    ARABIC_FONT,
    CJK_FONT,
    FALLBACK_FONT,
    HEBREW_FONT,
    INK,
    MUTED,
    Look,
)
from activities.deliverables.particulars import MADE_BY
from activities.deliverables.text import shortened
from schema.contracts.deliverables import RunRecord

_PROPERTY = re.compile(r"var\(--(\w+)\)")
_WORD_CHARACTERS = 40
_LATIN = "[!-~\u00a1-\u024f]"
_LONG_WORD = re.compile(rf"{_LATIN}{{{_WORD_CHARACTERS}}}(?={_LATIN})|\S{{400}}(?=\S)")
_TEMPLATE = "document.html.j2"
_SHORT_TITLE_CHARACTERS = 80
_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def to_html(record: RunRecord, look: Look) -> bytes:
    """Return the report as one self-contained HTML file, UTF-8.

    Everything that comes of a record is escaped; a policy in the file forbids scripts and whatever is not inside it.
    """
    pictures = {name: data_uri(picture.svg, "image/svg+xml") for name, picture in look.pictures.items()}
    return render(contents(record, look.theme.footer), look, pictures, ("document.css", "screen.css")).encode()


def render(document: Contents, look: Look, pictures: Mapping[str, str], sheets: tuple[str, ...]) -> str:
    """Return a document as HTML.

    Args:
        pictures: by figure, as `data:` URIs; a figure without one is shown as its numbers.
        sheets: names of the style sheets, in their order.
    """
    properties = _properties(look)
    # Written out: to resolve them for every box would be a tenth of the time that a PDF takes.
    style = _PROPERTY.sub(lambda match: properties[match.group(1)], "\n".join(map(_resource, sheets)))
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            document=document,
            created=document.made_at.isoformat(timespec="seconds"),
            short_title=shortened(document.title.text, _SHORT_TITLE_CHARACTERS),
            made_by=MADE_BY,
            pictures=pictures,
            logo=logo_uri(look),
            style=Markup(style),
            style_hash=f"sha256-{digest}",
        )
    )


def logo_uri(look: Look) -> str | None:
    """Return the logo as a `data:` URI; None: there is none, or it is neither PNG nor JPEG."""
    logo = look.logo or b""
    return next((data_uri(logo, kind) for magic, kind in _KINDS if logo.startswith(magic)), None)


def data_uri(content: bytes, mime_type: str) -> str:
    """Return content as a `data:` URI."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def _properties(look: Look) -> dict[str, str]:
    """Return what stands for `var(--name)` in the style sheets; pale colours are darkened until they can be read."""
    primary = legible(look.primary)
    body, heading = _family(look.body_font), _family(look.heading_font)
    cjk = CJK_FONT.removesuffix(" SC")
    return {
        "ink": INK,
        "muted": MUTED,
        "primary": primary,
        "accent": legible(look.accent),
        "band": look.primary,
        "tint": mixed(look.primary, "#ffffff", 0.94),
        "rule": mixed(look.primary, "#ffffff", 0.8),
        "body": body,
        "heading": heading,
        "japanese": _family(look.body_font, f"{cjk} JP"),
        "korean": _family(look.body_font, f"{cjk} KR"),
        "chinese": _family(look.body_font, CJK_FONT),
        "arabic": _family(ARABIC_FONT, look.body_font),
        "hebrew": _family(HEBREW_FONT, look.body_font),
    }


def _family(*first: str) -> str:
    """Return families from the most wanted to the last resort; names are letters, digits, blanks, dots and hyphens."""
    names = dict.fromkeys([*first, "Noto Sans", FALLBACK_FONT, CJK_FONT, ARABIC_FONT, HEBREW_FONT])
    kept = ["".join(letter for letter in name if letter.isalnum() or letter in " .-_") for name in names]
    return ", ".join(f'"{name}"' for name in kept if name.strip()) + ", sans-serif"


def _resource(name: str) -> str:
    return files("activities.deliverables").joinpath("templates", name).read_text(encoding="utf-8")


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({_TEMPLATE: _resource(_TEMPLATE)}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["soft"] = _soft
    return environment


def _soft(text: str) -> Markup:
    """Return a text that may be broken within words that are no words; to set those whole takes minutes."""
    if len(text) <= _WORD_CHARACTERS:
        return escape(text)
    return Markup("<wbr>").join(_LONG_WORD.sub("\\g<0>\0", text).split("\0"))
