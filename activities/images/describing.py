"""What can be said of a picture by measuring it: size, colours, how much of it is text. Nothing is recognised. Pure."""

import colorsys
from collections import Counter
from collections.abc import Sequence

from activities.images.engines import Pixels
from schema.contracts.images import Appearance, Colour, ImageFacts, ReadPage, RegionKind
from schema.policies import IMAGE_COLOURS_MAX

GREY_SATURATION = 0.15
COLOUR_SHARE_MIN = 0.02
_MEASURED_SIDE_PX = 160
_HUES = (
    *((15, "red"), (40, "orange"), (68, "yellow"), (165, "green"), (195, "turquoise")),
    *((255, "blue"), (290, "violet"), (335, "pink"), (361, "red")),
)
"""Upper bounds in degrees of the hue circle, and the plain names of what lies below them."""
_KINDS = {
    RegionKind.TITLE: ("title", "titles"),
    RegionKind.TEXT: ("paragraph", "paragraphs"),
    RegionKind.LIST: ("list", "lists"),
    RegionKind.TABLE: ("table", "tables"),
    RegionKind.CAPTION: ("caption", "captions"),
    RegionKind.FIGURE: ("figure", "figures"),
}


def appearance(image: Pixels, text_share: float) -> Appearance:
    """Measure a picture.

    Args:
        text_share: of its area, within lines of text.
    """
    import cv2
    import numpy as np

    scale = min(1.0, _MEASURED_SIDE_PX / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(-1, 3)
    # Steps of 16 make few colours of many, and change no name.
    steps, counts = np.unique(small // 16, axis=0, return_counts=True)
    names: Counter[str] = Counter()
    for (red, green, blue), count in zip(steps.tolist(), counts.tolist(), strict=True):
        names[colour_name(red * 16 + 8, green * 16 + 8, blue * 16 + 8)] += count
    shares = [(name, count / len(small)) for name, count in names.most_common(IMAGE_COLOURS_MAX)]
    colours = [Colour(name=name, share=round(share, 3)) for name, share in shares if share >= COLOUR_SHARE_MIN]
    return Appearance(
        colours=tuple(colours),
        text_share=round(min(1.0, text_share), 3),
        brightness=round(float(small.mean()) / 255, 3),
        grey=all(colour.name in ("black", "white") or colour.name.endswith("grey") for colour in colours),
    )


def colour_name(red: int, green: int, blue: int) -> str:
    """Return the plain English name of a colour, 0..255 each."""
    hue, light, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    chroma = (max(red, green, blue) - min(red, green, blue)) / 255
    if light < 0.12:
        return "black"
    if light > 0.92 and chroma < 0.12:
        return "white"
    if chroma < GREY_SATURATION:
        return "dark grey" if light < 0.35 else "light grey" if light > 0.7 else "grey"
    name = next(name for bound, name in _HUES if hue * 360 < bound)
    if name == "orange" and light < 0.4:
        return "brown"
    return f"dark {name}" if light < 0.28 else f"light {name}" if light > 0.75 and saturation > 0.1 else name


def describe(facts: ImageFacts, pages: Sequence[ReadPage]) -> str:
    """Say what was measured, in plain sentences."""
    first = pages[0]
    size = f"{facts.width_px} by {facts.height_px} pixels"
    said = [f"A {facts.format} picture of {facts.pages} pages; the first has {size}." if facts.pages > 1 else ""]
    if facts.pages == 1:
        said = [f"A {facts.format} picture of {size}."]
    if first.appearance.colours:
        colours = [f"{colour.name} ({colour.share:.0%})" for colour in first.appearance.colours[:3]]
        said.append(f"Its main colours are {_listed(colours)}.")
    lines = sum(len(page.lines) for page in pages)
    if lines:
        share = sum(page.appearance.text_share for page in pages) / len(pages)
        found = f"{lines} lines of text were" if lines > 1 else "One line of text was"
        said.append(f"{found} read, on {share:.0%} of its area.")
    else:
        said.append("No text was found in it.")
    kinds = Counter(region.kind for page in pages for region in page.regions)
    counted = [f"{count} {_KINDS[kind][count > 1]}" for kind, count in kinds.items()]
    if counted and lines:
        said.append(f"Its parts are {_listed(counted)}.")
    return " ".join(said)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
