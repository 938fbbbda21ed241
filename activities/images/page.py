"""One page from its pixels to what was read of it. Runs inside the sandbox."""

from collections.abc import Sequence
from typing import Any

from activities.images.describing import appearance
from activities.images.engines import OcrEngine, Pixels
from activities.images.layout import Block, Placed, in_order, is_mark, merged, paragraphs, usual_height, with_marks
from activities.images.ruling import Rectangle as Place
from activities.images.ruling import find_figures, find_grids, split_at_rules
from activities.images.tables import aligned_tables, ruled_tables
from activities.images.upright import Straight, read_lines, straightened
from schema.contracts.images import Box, ReadPage, ReadTable, Region, RegionKind, TextLine
from schema.policies import (
    IMAGE_CONFIDENCE_MIN,
    IMAGE_LINE_LENGTH_MAX,
    IMAGE_LINES_MAX,
    IMAGE_REGIONS_MAX,
)


def read_page(image: Pixels, engine: OcrEngine, number: int = 1) -> tuple[ReadPage, Pixels]:
    """Read one page; return it with the page as it was read: upright and straight."""
    page = straightened(image, engine)
    places = _places(page)
    height = _usual(places)
    grids = find_grids(page.image, height) if places else []
    cut = split_at_rules(places, grids, height)
    lines = _read(page, places, cut, engine)
    blocks = _blocks(page.image, lines, grids)
    return _page(page, blocks, lines, engine.name, number), page.image


def _places(page: Straight) -> list[Place]:
    quads = page.quads[:IMAGE_LINES_MAX]
    return [Place(*(float(value) for value in (*quad.min(axis=0), *quad.max(axis=0)))) for quad in quads]


def _usual(places: Sequence[Place]) -> float:
    heights = sorted(place.bottom - place.top for place in places)
    return heights[len(heights) // 2] if heights else 1.0


def _read(page: Straight, places: Sequence[Place], cut: Sequence[Place], engine: OcrEngine) -> list[Placed]:
    """Read every place; those that are cut along rules are no longer the engine's own."""
    own = dict(zip(places, page.quads, strict=False))
    written = read_lines(page.image, [own.get(place, place) for place in cut], engine)
    found = []
    for place, line in zip(cut, written, strict=True):
        text = " ".join(line.text.split())[:IMAGE_LINE_LENGTH_MAX]
        if text and line.confidence >= IMAGE_CONFIDENCE_MIN:
            confidence = min(1.0, max(0.0, line.confidence))
            found.append(Placed(text, confidence, place.left, place.top, place.right, place.bottom))
    return found


def _blocks(image: Pixels, lines: Sequence[Placed], grids: Sequence[Any]) -> list[Block]:
    """Return the page's parts in reading order."""
    height = usual_height(lines)
    ruled, left = ruled_tables(lines, grids)
    aligned, left = aligned_tables(left, height)
    tables = [*ruled, *aligned]
    single = [Block(RegionKind.TEXT, *_edges(line), [line]) for line in merged(left)]
    taken = [Place(*_edges(line)) for line in lines]
    taken += [Place(table.left, table.top, table.right, table.bottom) for table in tables]
    found = find_figures(image, taken)
    figures = [Block(RegionKind.FIGURE, place.left, place.top, place.right, place.bottom) for place in found]
    written = [*single, *tables]
    marks = [figure for figure in figures if is_mark(figure, written, image.shape[1], image.shape[0])]
    whole = [figure for figure in figures if figure not in marks]
    ordered = in_order([*written, *whole], height)
    return with_marks(paragraphs(ordered, height), marks)[:IMAGE_REGIONS_MAX]


def _edges(line: Placed) -> tuple[float, float, float, float]:
    return line.left, line.top, line.right, line.bottom


def _page(page: Straight, blocks: Sequence[Block], read: Sequence[Placed], engine: str, number: int) -> ReadPage:
    height, width = page.image.shape[:2]
    lines: list[TextLine] = []
    regions: list[Region] = []
    tables: list[ReadTable] = []
    for block in blocks:
        numbers = range(len(lines), len(lines) + len(block.lines))
        lines += [
            TextLine(text=line.text, confidence=round(line.confidence, 3), box=_box(*_edges(line), width, height))
            for line in block.lines
        ]
        table = None
        if block.cells is not None:
            table = len(tables)
            rows = tuple(tuple(cell[:IMAGE_LINE_LENGTH_MAX] for cell in row) for row in block.cells)
            tables.append(ReadTable(rows=rows, columns=len(rows[0]), ruled=block.ruled))
        edges = block.left, block.top, block.right, block.bottom
        regions.append(Region(kind=block.kind, box=_box(*edges, width, height), lines=tuple(numbers), table=table))
    characters = sum(len(line.text) for line in lines)
    sure = sum(line.confidence * len(line.text) for line in lines)
    area = sum((line.right - line.left) * (line.bottom - line.top) for line in read)
    return ReadPage(
        number=number,
        width_px=width,
        height_px=height,
        turned_degrees=page.turned % 360,
        straightened_degrees=round(page.straightened, 2),
        lines=tuple(lines),
        regions=tuple(regions),
        tables=tuple(tables),
        appearance=appearance(page.image, area / (width * height)),
        confidence=round(sure / characters, 3) if characters else None,
        engine=engine,
    )


def _box(left: float, top: float, right: float, bottom: float, width: int, height: int) -> Box:
    x, y = min(max(0, round(left)), width), min(max(0, round(top)), height)
    return Box(left=x, top=y, width=max(0, min(width, round(right)) - x), height=max(0, min(height, round(bottom)) - y))
