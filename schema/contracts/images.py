"""What was read of an image or a scanned page: lines, regions, tables, and what the picture looks like.

Coordinates are pixels of the page as it was read: turned upright and straightened (`turned_degrees`,
`straightened_degrees`), `width_px` by `height_px`. All text is the picture's own, which nobody vouches for: data.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from schema.contracts.common import Contract
from schema.policies import (
    IMAGE_CAPTION_LENGTH_MAX,
    IMAGE_COLOURS_MAX,
    IMAGE_LINE_LENGTH_MAX,
    IMAGE_LINES_MAX,
    IMAGE_PAGES_MAX,
    IMAGE_REGIONS_MAX,
    IMAGE_TABLE_COLUMNS_MAX,
    IMAGE_TABLE_ROWS_MAX,
    IMAGE_TABLES_MAX,
)

Line = Annotated[str, StringConstraints(max_length=IMAGE_LINE_LENGTH_MAX)]
Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=0, le=1_000_000)]


class RegionKind(StrEnum):
    """What a part of a page is."""

    TITLE = "title"
    TEXT = "text"
    LIST = "list"
    TABLE = "table"
    CAPTION = "caption"
    """Of a figure or table, as the page has it."""
    FIGURE = "figure"
    """Something drawn or photographed; nothing is read of it but the lines in it."""


class Box(Contract):
    """Where something is, in pixels from the upper left corner."""

    left: Pixels
    top: Pixels
    width: Pixels
    height: Pixels


class TextLine(Contract):
    """A line of text."""

    text: Line
    confidence: Share
    """As the engine has it; lines below `IMAGE_CONFIDENCE_MIN` are left out."""
    box: Box


class Region(Contract):
    """A part of a page, in reading order."""

    kind: RegionKind
    box: Box
    lines: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(), max_length=IMAGE_LINES_MAX)
    """Numbers of its lines, from 0."""
    table: Annotated[int, Field(ge=0)] | None = None
    """Number of its table, from 0."""


class ReadTable(Contract):
    """A table as data: every row has a cell per column; an empty cell is an empty text."""

    rows: tuple[tuple[Line, ...], ...] = Field(max_length=IMAGE_TABLE_ROWS_MAX)
    columns: int = Field(ge=1, le=IMAGE_TABLE_COLUMNS_MAX)
    ruled: bool
    """It has lines drawn between its cells; else the cells stand under each other."""


class Colour(Contract):
    """A colour by its plain name, and how much of the picture has it."""

    name: Annotated[str, StringConstraints(max_length=20)]
    share: Share


class Appearance(Contract):
    """What a picture looks like, as far as code can tell without a model."""

    colours: tuple[Colour, ...] = Field(max_length=IMAGE_COLOURS_MAX)
    """The most of it first."""
    text_share: Share
    """Of the area, within lines of text."""
    brightness: Share
    grey: bool
    """It has no colour to speak of."""


class ReadPage(Contract):
    """One page, or one picture."""

    number: int = Field(ge=1)
    width_px: Pixels
    height_px: Pixels
    turned_degrees: int
    """By how much it was turned clockwise until it was upright: 0, 90, 180 or 270."""
    straightened_degrees: float = Field(ge=-45, le=45)
    """By how much it was turned clockwise further, until its lines were level."""
    lines: tuple[TextLine, ...] = Field(max_length=IMAGE_LINES_MAX)
    """In reading order."""
    regions: tuple[Region, ...] = Field(max_length=IMAGE_REGIONS_MAX)
    """In reading order."""
    tables: tuple[ReadTable, ...] = Field(default=(), max_length=IMAGE_TABLES_MAX)
    appearance: Appearance
    confidence: Share | None = None
    """Mean of its lines' by their lengths; None: it has no text."""
    engine: Annotated[str, StringConstraints(max_length=100)]


class Caption(Contract):
    """What a vision model says of a picture: its words, and not the picture's."""

    text: Annotated[str, StringConstraints(max_length=IMAGE_CAPTION_LENGTH_MAX)]
    model: Annotated[str, StringConstraints(max_length=200)]


class ImageFacts(Contract):
    """What an image file is, before it is decoded."""

    format: Annotated[str, StringConstraints(max_length=20)]
    width_px: Pixels
    height_px: Pixels
    """Of the first page, as stored."""
    pages: int = Field(ge=1, le=IMAGE_PAGES_MAX)
    """Of a multi-page TIFF; of what moves, the first picture only is read."""


class ReadImage(Contract):
    """What an image file came to: the result of a file of the kind `image`."""

    filename: str
    facts: ImageFacts
    pages: tuple[ReadPage, ...] = Field(max_length=IMAGE_PAGES_MAX)
    description: str
    """By code, of what can be measured; it names nothing that would have to be recognised."""
    caption: Caption | None = None
    """By a vision model, where one is configured."""
    caption_missing: str | None = None
    """Why a configured model gave none."""


class ScannedPages(Contract):
    """Which pages of a PDF have to be recognised."""

    pages: int = Field(ge=1)
    scanned: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), max_length=IMAGE_PAGES_MAX)
    """Numbers of the pages that show something and have no usable text, from 1."""
    with_text: int = Field(ge=0)
    beyond: int = Field(default=0, ge=0)
    """Scanned pages beyond `IMAGE_PAGES_MAX`."""
