"""Where things stand on a slide, in points: one grid for all layouts. And the sizes of text."""

from dataclasses import dataclass

EMU = 12_700
"""English metric units in a point."""
SLIDE_WIDTH, SLIDE_HEIGHT = 960.0, 540.0


@dataclass(frozen=True)
class Box:
    """A rectangle, in points."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Return the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        return self.y + self.height


MARGIN = 48.0
WIDTH = SLIDE_WIDTH - 2 * MARGIN
TOPIC = Box(MARGIN, 26, WIDTH - 150, 18)
TITLE = Box(MARGIN, 46, WIDTH, 66)
BODY = Box(MARGIN, 132, WIDTH, 350)
GUTTER = 30.0
LEFT = Box(MARGIN, BODY.y, (WIDTH - GUTTER) / 2, BODY.height)
RIGHT = Box(LEFT.right + GUTTER, BODY.y, LEFT.width, BODY.height)
CHART = Box(MARGIN, BODY.y, 590, 322)
BESIDE = Box(CHART.right + GUTTER, BODY.y, WIDTH - CHART.width - GUTTER, 322)
CAPTION = Box(MARGIN, 460, WIDTH, 26)
TABLE = Box(MARGIN, BODY.y, WIDTH, 322)
CARD_INSET = 16.0
_CARD_Y, _CARD_HEIGHT, _CARD_GAP = 148.0, 288.0, 18.0
CARDS = {
    count: tuple(
        Box(MARGIN + at * (wide + _CARD_GAP), _CARD_Y, wide, _CARD_HEIGHT)
        for at in range(count)
        for wide in [(WIDTH - (count - 1) * _CARD_GAP) / count]
    )
    for count in (1, 2, 3)
}
"""Statements side by side, by their number."""
FOOTER = Box(MARGIN, 504, WIDTH - 90, 18)
NUMBER = Box(SLIDE_WIDTH - MARGIN - 60, 504, 60, 18)
LOGO = Box(SLIDE_WIDTH - MARGIN - 120, 18, 120, 26)
COVER_PANEL = Box(0, 0, SLIDE_WIDTH, 336)
COVER_PICTURE = Box(SLIDE_WIDTH - 336, 0, 336, 336)
COVER_TITLE_BESIDE = Box(MARGIN + 24, 84, 520, 220)
COVER_TITLE = Box(MARGIN + 24, 84, 780, 220)
COVER_TEXT = Box(MARGIN + 24, 360, 780, 74)
COVER_FACTS = Box(MARGIN + 24, 446, 620, 40)
COVER_LOGO = Box(SLIDE_WIDTH - MARGIN - 190, 440, 190, 56)

TITLE_PT, COVER_TITLE_PT, COVER_TEXT_PT = 24.0, 36.0, 18.0
BODY_PTS = (26.0, 24.0, 22.0, 20.0, 18.0, 16.0, 14.0)
"""From the largest that few words get to the smallest that a long statement gets."""
BESIDE_PTS = (18.0, 16.0, 14.0)
SMALL_PT = 10.0
"""Captions, the topic above a title, footers."""
TABLE_PTS = (14.0, 12.0, 11.0)
SOURCE_PTS = (14.0, 12.0, 10.5, 9.0)
BULLET = 20.0
"""How far text stands from its bullet's edge."""
GAP = 0.7
"""Space before a paragraph over its size."""
CELL_X, CELL_Y = 9.0, 5.0
"""Margins of a cell."""
