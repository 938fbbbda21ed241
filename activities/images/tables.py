"""Tables out of lines: by the rules that are drawn, or by how cells stand under each other. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from activities.images.layout import Block, Placed
from activities.images.ruling import Grid
from schema.contracts.images import RegionKind
from schema.policies import IMAGE_TABLE_COLUMNS_MAX, IMAGE_TABLE_ROWS_MAX, IMAGE_TABLES_MAX

ROWS_MIN = 3
"""Of a table without rules: two lines side by side, twice, are as likely something else."""
ROW_GAP = 2.2
"""White between two rows that ends a table without rules, in heights of a line."""
COLUMN_GAP = 0.8
"""White between two columns, in heights of a line."""
PROSE_WIDTH = 9.0
PROSE_FILL = 0.75
"""A column wider than so many heights, whose lines fill so much of it, is prose: columns of text, and no table."""


@dataclass
class _Row:
    """Lines that stand side by side."""

    lines: list[Placed]

    @property
    def middle(self) -> float:
        return sum(line.middle for line in self.lines) / len(self.lines)

    @property
    def top(self) -> float:
        return min(line.top for line in self.lines)

    @property
    def bottom(self) -> float:
        return max(line.bottom for line in self.lines)


def ruled_tables(lines: Sequence[Placed], grids: Sequence[Grid]) -> tuple[list[Block], list[Placed]]:
    """Return tables by their rules, and the lines that stand in none."""
    left = list(lines)
    tables = []
    for grid in grids[:IMAGE_TABLES_MAX]:
        rows, columns = len(grid.rows) - 1, len(grid.columns) - 1
        if rows > IMAGE_TABLE_ROWS_MAX or columns > IMAGE_TABLE_COLUMNS_MAX:
            continue
        inside = [line for line in left if _is_inside(line, grid)]
        placed: dict[tuple[int, int], list[Placed]] = {}
        for line in inside:
            row = bisect_right(grid.rows, line.middle) - 1
            column = bisect_right(grid.columns, (line.left + line.right) / 2) - 1
            placed.setdefault((row, column), []).append(line)
        if len(placed) < 2 or len({column for _, column in placed}) < 2:
            continue  # A frame around text, or a drawing of lines.
        cells = [[_text_of(placed.get((row, column), [])) for column in range(columns)] for row in range(rows)]
        in_order = [line for row in range(rows) for column in range(columns) for line in placed.get((row, column), [])]
        edges = grid.columns[0], grid.rows[0], grid.columns[-1], grid.rows[-1]
        tables.append(Block(RegionKind.TABLE, *edges, in_order, cells, ruled=True))
        left = [line for line in left if line not in inside]
    return tables, left


def _is_inside(line: Placed, grid: Grid) -> bool:
    middle = (line.left + line.right) / 2
    return grid.rows[0] < line.middle < grid.rows[-1] and grid.columns[0] < middle < grid.columns[-1]


def aligned_tables(lines: Sequence[Placed], height: float) -> tuple[list[Block], list[Placed]]:
    """Return tables whose cells only stand under each other, and the lines that stand in none.

    Args:
        height: of the usual line.
    """
    rows = _rows(lines)
    tables: list[Block] = []
    left: list[Placed] = []
    first = 0
    while first < len(rows):
        after = _end_of_table(rows, first, height) if len(tables) < IMAGE_TABLES_MAX else first
        if after - first < ROWS_MIN:
            left += rows[first].lines
            first += 1
            continue
        tables.append(_table(rows[first:after], height))
        first = after
    return tables, left


def _rows(lines: Sequence[Placed]) -> list[_Row]:
    rows: list[_Row] = []
    for line in sorted(lines, key=lambda line: line.middle):
        last = rows[-1] if rows else None
        if last is not None and line.middle - last.middle < 0.5 * line.height:
            last.lines.append(line)
        else:
            rows.append(_Row([line]))
    for row in rows:
        row.lines.sort(key=lambda line: line.left)
    return rows


def _end_of_table(rows: Sequence[_Row], first: int, height: float) -> int:
    """Return the row after the last of the table that begins with a row; the row itself: none does."""
    if len(rows[first].lines) < 2:
        return first
    after = first + 1
    while after < len(rows) and after - first < IMAGE_TABLE_ROWS_MAX:
        row = rows[after]
        if row.top - rows[after - 1].bottom > ROW_GAP * height or len(row.lines) < 2:
            break
        if not _is_table(rows[first : after + 1], height):
            break
        after += 1
    return after if after - first >= ROWS_MIN and _is_table(rows[first:after], height) else first


def _is_table(rows: Sequence[_Row], height: float) -> bool:
    columns = _columns(rows, height)
    if not 2 <= len(columns) <= IMAGE_TABLE_COLUMNS_MAX or len(columns) < max(
        2, median(len(row.lines) for row in rows)
    ):
        return False
    prose = 0
    for start, end in columns:
        widths = [line.right - line.left for row in rows for line in row.lines if start <= line.left < end]
        wide = end - start > PROSE_WIDTH * height
        prose += bool(wide and widths and median(widths) > PROSE_FILL * (end - start))
    return prose * 2 < len(columns)


def _columns(rows: Sequence[_Row], height: float) -> list[tuple[float, float]]:
    """Return where the columns lie: stretches that lines cover, with white between them in every row."""
    columns: list[tuple[float, float]] = []
    for line in sorted((line for row in rows for line in row.lines), key=lambda line: line.left):
        if columns and line.left - columns[-1][1] < COLUMN_GAP * height:
            columns[-1] = columns[-1][0], max(columns[-1][1], line.right)
        else:
            columns.append((line.left, line.right))
    return columns


def _table(rows: Sequence[_Row], height: float) -> Block:
    columns = _columns(rows, height)
    starts = [start for start, _ in columns]
    cells = []
    for row in rows:
        placed: list[list[Placed]] = [[] for _ in columns]
        for line in row.lines:
            placed[max(0, bisect_right(starts, line.left + 1) - 1)].append(line)
        cells.append([_text_of(each) for each in placed])
    lines = [line for row in rows for line in row.lines]
    edges = columns[0][0], rows[0].top, columns[-1][1], rows[-1].bottom
    return Block(RegionKind.TABLE, *edges, lines, cells)


def _text_of(lines: Sequence[Placed]) -> str:
    return " ".join(line.text for line in sorted(lines, key=lambda line: (round(line.top / line.height), line.left)))
