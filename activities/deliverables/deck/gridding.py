"""Tables on slides: which rows and columns one slide shows, how wide the columns are and how high the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.deliverables.deck import geometry as geometry
from activities.deliverables.deck.metrics import line_height, text_height, width
from activities.deliverables.deck.packing import marks_text
from schema.contracts.deliverables import Grid, Statement

COLUMNS_MAX = 7
COLUMN_LEAST, COLUMN_MOST = 66.0, 300.0


@dataclass(frozen=True)
class Measured:
    """A table as it is drawn, in points."""

    columns: tuple[float, ...]
    rows: tuple[float, ...]
    """The heading's first."""
    size_pt: float

    @property
    def height(self) -> float:
        """Return the height of all rows."""
        return sum(self.rows)


def measure_grid(grid: Grid, size: float, factor: float = 1.0, room: float = geometry.TABLE.width) -> Measured:
    """Give columns widths by their content, and rows heights by the cell that needs most."""
    wanted = list[float]()
    for column, name in enumerate(grid.heading):
        cells = [_cell(row[column]) for row in grid.rows]
        longest = max((width(text, size, factor=factor) for text in cells), default=0.0)
        head = width(name, size, bold=True, factor=factor)
        wanted.append(min(COLUMN_MOST, max(COLUMN_LEAST, longest, head) + 2 * geometry.CELL_X + 4))
    scale = room / sum(wanted)
    columns = [each * scale for each in wanted]
    rows = [_row(grid.heading, columns, size, factor, bold=True)]
    rows += [_row([_cell(cell) for cell in row], columns, size, factor, bold=False) for row in grid.rows]
    return Measured(tuple(columns), tuple(rows), size)


def _cell(cell: Statement) -> str:
    return cell.text + marks_text(cell)


def _row(texts: Sequence[str], columns: Sequence[float], size: float, factor: float, *, bold: bool) -> float:
    heights = [
        text_height(text, size, wide - 2 * geometry.CELL_X - 1, bold=bold, factor=factor)
        for text, wide in zip(texts, columns, strict=True)
    ]
    return max([line_height("", size), *heights]) + 2 * geometry.CELL_Y + 1


def split_grid(grid: Grid, room: float = geometry.TABLE.height, factor: float = 1.0) -> list[Grid]:
    """Cut a table into pieces that fit a slide each: by columns, each piece with the rows' names, then by rows."""
    pieces = list[Grid]()
    for columns in _column_groups(len(grid.heading)):
        part = Grid(
            heading=tuple(grid.heading[each] for each in columns),
            rows=tuple(tuple(row[each] for each in columns) for row in grid.rows),
        )
        pieces += _by_rows(part, room, factor)
    return pieces


def _column_groups(count: int) -> list[list[int]]:
    if count <= COLUMNS_MAX:
        return [list(range(count))]
    groups = -(-(count - 1) // (COLUMNS_MAX - 1))
    each, more = divmod(count - 1, groups)
    found, start = list[list[int]](), 1
    for number in range(groups):
        end = start + each + (number < more)
        found.append([0, *range(start, end)])
        start = end
    return found


def size_of(grid: Grid, room: float = geometry.TABLE.height, factor: float = 1.0) -> float | None:
    """Return the size at which a table fits; None where it fits at none."""
    for size in geometry.TABLE_PTS:
        if measure_grid(grid, size, factor).height <= room:
            return size
    return None


def _by_rows(grid: Grid, room: float, factor: float) -> list[Grid]:
    if size_of(grid, room, factor) is not None:
        return [grid]
    measured = measure_grid(grid, geometry.TABLE_PTS[1], factor)
    groups, used = [list[tuple[Statement, ...]]()], measured.rows[0]
    for row, high in zip(grid.rows, measured.rows[1:], strict=True):
        if groups[-1] and used + high > 0.97 * room:
            groups.append([])
            used = measured.rows[0]
        groups[-1].append(row)
        used += high
    even, start, count = list[list[tuple[Statement, ...]]](), 0, len(groups)
    for number in range(count):
        end = start + len(grid.rows) // count + (number < len(grid.rows) % count)
        even.append(list(grid.rows[start:end]))
        start = end
    # Another choice of rows has other widths of columns, too: what does not fit is halved.
    pieces = list[Grid]()
    for rows in even:
        piece = grid.model_copy(update={"rows": tuple(rows)})
        if len(rows) > 1 and size_of(piece, room, factor) is None:
            half = len(rows) // 2
            pieces += _by_rows(piece.model_copy(update={"rows": tuple(rows[:half])}), room, factor)
            pieces += _by_rows(piece.model_copy(update={"rows": tuple(rows[half:])}), room, factor)
        else:
            pieces.append(piece)
    return pieces
