"""The colours of a deck: an organisation's, moved as far as text and charts need to be read."""

from activities.deliverables.colours import TEXT_CONTRAST, contrast, legible, mixed
from activities.deliverables.look import INK, MUTED, SERIES, Look

LARGE_CONTRAST = 3.0
"""Of large text and of graphics (WCAG 2.2, 1.4.3 and 1.4.11)."""
WHITE = "#ffffff"


class Palette:
    """The colours of a deck: slots of its theme, and its cover."""

    def __init__(self, look: Look) -> None:
        primary, accent = look.primary.lower(), look.accent.lower()
        self.ink, self.muted = INK, MUTED
        self.heading = legible(primary)
        self.pale = mixed(WHITE, self.heading, 0.07)
        # An organisation's series come first; of the product's own those stay that are not taken for them.
        self.series = [legible(primary, WHITE, LARGE_CONTRAST), legible(accent, WHITE, LARGE_CONTRAST)]
        self.series += [legible(each, WHITE, LARGE_CONTRAST) for each in SERIES[2:]]
        self.link = legible(primary, self.pale)
        self.panel, self.on_panel = self._panel(primary)
        self.stripe = accent

    @staticmethod
    def _panel(primary: str) -> tuple[str, str]:
        """Return the cover's colour and that of the text on it: white, or ink where the colour is pale."""
        if contrast(primary, WHITE) >= TEXT_CONTRAST:
            return primary, WHITE
        if contrast(primary, INK) >= TEXT_CONTRAST:
            return primary, INK
        return legible(primary), WHITE
