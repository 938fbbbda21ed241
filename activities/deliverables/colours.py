"""Colours that stay legible, whatever an organisation's are: WCAG 2.2, contrast ratio."""

TEXT_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA)."""


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`, 0 to 1 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """Return a colour with a share (0 to 1) of another."""
    pairs = ((int(colour[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def legible(colour: str, ground: str = "#ffffff", ratio: float = TEXT_CONTRAST) -> str:
    """Return the colour, moved as little towards black or white as it takes to be read on a ground."""
    end = "#000000" if luminance(ground) > 0.18 else "#ffffff"
    for step in range(51):
        tried = mixed(colour, end, step / 50)
        if contrast(tried, ground) >= ratio:
            return tried
    return end


def on(ground: str) -> str:
    """Return white or near-black: whichever is read better on a ground."""
    return max(("#ffffff", "#16191d"), key=lambda colour: contrast(colour, ground))
