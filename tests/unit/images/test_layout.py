"""Reading order, parts of a page, and tables: rules over boxes."""

import random

import pytest

from activities.images.layout import Block, Placed, in_order, is_mark, merged, paragraphs, with_marks
from activities.images.ruling import Grid, Rectangle, split_at_rules
from activities.images.tables import aligned_tables, ruled_tables
from schema.contracts.images import RegionKind

HEIGHT = 20.0


def line(text: str, left: float, top: float, width: float = 0, height: float = HEIGHT) -> Placed:
    return Placed(text, 0.99, left, top, left + (width or len(text) * 10), top + height)


def ordered(lines: list[Placed]) -> list[str]:
    blocks = [block_of(each) for each in lines]
    return [block.lines[0].text for block in in_order(blocks, HEIGHT)]


def columns(count: int, rows: int, top: float, width: float = 300, gutter: float = 40) -> list[Placed]:
    return [
        line(f"c{column} r{row}", column * (width + gutter), top + row * 28, width)
        for column in range(count)
        for row in range(rows)
    ]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_columns_are_read_one_after_another(count: int) -> None:
    """Whatever order the lines come in."""
    lines = columns(count, 8, 100)
    expected = [each.text for each in lines]
    random.Random(count).shuffle(lines)
    assert ordered(lines) == expected


def test_what_crosses_the_gutter_ends_the_columns() -> None:
    """A title above, a line between, columns again below."""
    above, below = columns(2, 4, 60), [line(f"x{each.text}", each.left, each.top, 300) for each in columns(2, 4, 300)]
    title, between = line("title", 0, 0, 640, 40), line("between", 0, 220, 640)
    expected = ["title", *(e.text for e in above), "between", *(e.text for e in below)]
    assert ordered([*below, between, *above, title]) == expected


def test_columns_of_unequal_length_and_rows_out_of_step() -> None:
    """The gutter decides, and no line of the other column."""
    left = [line(f"l{row}", 0, 100 + row * 27, 300) for row in range(10)]
    right = [line(f"r{row}", 340, 111 + row * 31, 300) for row in range(5)]
    assert ordered([*right, *left]) == [each.text for each in (*left, *right)]


def figure(left: float, top: float, right: float, bottom: float) -> Block:
    return Block(RegionKind.FIGURE, left, top, right, bottom)


def test_what_lies_over_the_columns_or_at_the_edge_is_no_part_of_the_cut() -> None:
    """Shade at the edge of a scan is taken for a figure now and then; columns were read line by line for it."""
    lines = [block_of(each) for each in columns(2, 4, 100)]
    assert is_mark(figure(600, 50, 700, 180), lines, 800, 600), "over what is written"
    assert is_mark(figure(0, 120, 40, 600), [], 800, 600), "at the edge"
    assert not is_mark(figure(100, 300, 500, 400), lines, 800, 600)


def test_marks_stand_before_what_is_below_them() -> None:
    blocks = [block_of(each) for each in (*columns(2, 2, 100), line("end", 0, 300, 640))]
    over_right, right_column, aside = figure(600, 50, 700, 110), figure(400, 160, 500, 180), figure(900, 0, 950, 50)
    found = with_marks(blocks, [aside, over_right, right_column])
    assert found == [*blocks[:2], over_right, *blocks[2:4], right_column, blocks[4], aside]


def block_of(each: Placed) -> Block:
    return Block(RegionKind.TEXT, each.left, each.top, each.right, each.bottom, [each])


def test_parts_of_a_page() -> None:
    """Titles by their height, lists by their marks, captions by their words, paragraphs by the white between them."""
    lines = [
        line("Tides of the Severn", 0, 0, 500, 40),
        line("The range is large,", 0, 60),
        line("the largest in Europe.", 0, 86),
        line("A second paragraph.", 0, 150),
        line("- one", 20, 200),
        line("- two", 20, 226),
        line("Figure 3: A barrage", 0, 280),
        line("12.3 metres were seen.", 0, 340),
    ]
    blocks = [block_of(each) for each in lines]
    parts = [(part.kind.value, len(part.lines)) for part in paragraphs(blocks, HEIGHT)]
    assert parts == [("title", 1), ("text", 2), ("text", 1), ("list", 2), ("caption", 1), ("text", 1)]


def test_pieces_of_a_line_are_joined_and_columns_are_not() -> None:
    """By the white between them."""
    pieces = [line("one", 0, 0, 60), line("two", 66, 1, 60), line("other column", 180, 0, 120)]
    assert sorted(each.text for each in merged(pieces)) == ["one two", "other column"]


TABLE = [["Site", "Range", "Cost"], ["Avonmouth", "14.0", "900"], ["Cardiff", "12.3", "1,200"], ["Barry", "", "80"]]


def cells(rows: list[list[str]], right: bool = False) -> list[Placed]:
    found = []
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            if text:
                left = column * 200.0
                found.append(line(text, left + (150 - len(text) * 10 if right and column else 0), 100 + row * 34))
    return found


@pytest.mark.parametrize("right", [False, True])
def test_a_table_without_rules(right: bool) -> None:
    """Cells that stand under each other; text above and below is none of it."""
    prose = [line("The sites of the survey are these, with their ranges.", 0, 0, 600), line("After it.", 0, 300, 300)]
    (table,), left = aligned_tables([*cells(TABLE, right), *prose], HEIGHT)
    assert table.cells == TABLE
    assert [each.text for each in left] == [each.text for each in prose]


def test_columns_of_prose_are_no_table() -> None:
    """However well their lines are aligned."""
    lines = columns(2, 12, 100)
    tables, left = aligned_tables(lines, HEIGHT)
    assert (tables, len(left)) == ([], len(lines))


def test_a_table_by_its_rules() -> None:
    """Every line falls into its cell; a line that reaches over a rule is cut there; a frame alone is no table."""
    grid = Grid((90, 125, 160, 195, 230), (-10, 190, 390, 590))
    (table,), left = ruled_tables([*cells(TABLE), line("below", 0, 400)], [grid])
    assert (table.cells, [each.text for each in left]) == (TABLE, ["below"])
    pieces = split_at_rules([Rectangle(0, 100, 380, 120), Rectangle(0, 400, 380, 420)], [grid], HEIGHT)
    assert [(each.left, each.right) for each in pieces] == [(0, 190), (190, 380), (0, 380)]
    framed, outside = ruled_tables([line("framed", 0, 100)], [grid])
    assert (framed, len(outside)) == ([], 1)
