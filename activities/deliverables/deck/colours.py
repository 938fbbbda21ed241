"""Colours that stay readable: contrast by WCAG 2.2, and an organisation's colour made as dark as text needs."""

import colorsys

from activities.deliverables.look import INK, MUTED, SERIES, Look

TEXT_CONTRAST, LARGE_CONTRAST = 4.5, 3.0
"""WCAG 2.2, 1.4.3 and 1.4.11."""
WHITE = "#ffffff"


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def darkened(colour: str, background: str = WHITE, least: float = TEXT_CONTRAST) -> str:
    """Return a colour, or its darker shade that is read on a light background."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))
    while contrast(colour, background) < least and lightness > 0:
        lightness = max(0.0, lightness - 0.02)
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
        colour = "#" + "".join(f"{round(each * 255):02x}" for each in (red, green, blue))
    return colour


def tint(colour: str, part: float) -> str:
    """Return a colour mixed with white; `part` of it is left."""
    channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - each) * part):02x}" for each in channels)


class Palette:
    """The colours of a deck: slots of its theme, and its cover."""

    def __init__(self, look: Look) -> None:
        primary, accent = look.primary.lower(), look.accent.lower()
        self.ink, self.muted = INK, MUTED
        self.heading = darkened(primary)
        self.pale = tint(self.heading, 0.07)
        # An organisation's series come first; of the product's own those stay that are not taken for them.
        self.series = [darkened(primary, least=LARGE_CONTRAST), darkened(accent, least=LARGE_CONTRAST)]
        self.series += [darkened(each, least=LARGE_CONTRAST) for each in SERIES[2:]]
        self.link = darkened(primary, self.pale)
        self.panel, self.on_panel = self._panel(primary)
        self.stripe = accent

    @staticmethod
    def _panel(primary: str) -> tuple[str, str]:
        """Return the cover's colour and that of the text on it: white, or ink where the colour is pale."""
        if contrast(primary, WHITE) >= TEXT_CONTRAST:
            return primary, WHITE
        if contrast(primary, INK) >= TEXT_CONTRAST:
            return primary, INK
        return darkened(primary), WHITE
