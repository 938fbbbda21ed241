"""How files look: an organisation's theme over the product's own, and the pictures that a document holds.

Beside the record this is all that a builder is given; both together decide every byte of a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schema.contracts.deliverables import Theme

PRIMARY = "#1f4e79"
"""Titles."""
ACCENT = "#c8553d"
"""Emphasis."""
INK = "#24292f"
"""Text, on white."""
MUTED = "#57606a"
"""Captions and what stands beside the text; 6.4:1 on white."""
SERIES = ("#2f6f9f", "#c8553d", "#5b8c5a", "#8d6a9f", "#c99a2e", "#4c8c99")
"""Of charts, in their order."""

HEADING_FONT = "Noto Sans"
BODY_FONT = "Noto Sans"
FALLBACK_FONT = "DejaVu Sans"
CJK_FONT = "Noto Sans CJK SC"
ARABIC_FONT = "Noto Sans Arabic"
HEBREW_FONT = "Noto Sans Hebrew"


@dataclass(frozen=True)
class Picture:
    """A figure, drawn."""

    png: bytes
    svg: bytes


@dataclass(frozen=True)
class Look:
    """What a file looks like."""

    theme: Theme = field(default_factory=Theme)
    logo: bytes | None = None
    """PNG or JPEG."""
    cover: bytes | None = None
    """The picture on a deck's cover, PNG or JPEG."""
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """By the name of the figure; a figure without one is shown as its numbers."""

    @property
    def primary(self) -> str:
        """Return the colour of titles, `#rrggbb`."""
        return self.theme.primary or PRIMARY

    @property
    def accent(self) -> str:
        """Return the colour of emphasis, `#rrggbb`."""
        return self.theme.accent or ACCENT

    @property
    def heading_font(self) -> str:
        """Return the family of titles."""
        return self.theme.heading_font or HEADING_FONT

    @property
    def body_font(self) -> str:
        """Return the family of text."""
        return self.theme.body_font or BODY_FONT
