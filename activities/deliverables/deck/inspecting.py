"""Reads from a file what a program shows: sizes, colours and boxes with what they inherit from layout and master."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lxml import etree
from pptx.opc.constants import RELATIONSHIP_TYPE as RELATION
from pptx.oxml import parse_xml
from pptx.oxml.ns import qn
from pptx.slide import Slide

from activities.deliverables.deck import fonts
from activities.deliverables.deck.geometry import EMU, Box
from activities.deliverables.deck.metrics import _pieces

_DEFAULT_INSETS = {"lIns": 91440, "tIns": 45720, "rIns": 91440, "bIns": 45720}
_MAP = {"tx1": "dk1", "tx2": "dk2", "bg1": "lt1", "bg2": "lt2"}


@dataclass(frozen=True)
class Run:
    """Text of one look."""

    text: str
    size: float
    bold: bool
    colour: str
    family: str
    raised: bool
    element: Any


class Inspected:
    """A slide with what stands behind it."""

    def __init__(self, slide: Slide) -> None:
        self.slide = slide
        self.layout = slide.slide_layout
        self.master = self.layout.slide_master
        self._chains: dict[Any, list[Any]] = {}

    @cached_property
    def theme(self) -> Any:
        """Return the theme's root element."""
        return parse_xml(self.master.part.part_related_by(RELATION.THEME).blob)

    @cached_property
    def slots(self) -> dict[str, str]:
        """Return the theme's colours by slot."""
        scheme = self.theme.find(f".//{qn('a:clrScheme')}")
        found = dict[str, str]()
        for slot in scheme:
            colour = slot[0]
            value = colour.get("val") if colour.tag == qn("a:srgbClr") else colour.get("lastClr")
            found[etree.QName(slot).localname] = f"#{value.lower()}"
        return found

    def family(self, slot: str) -> str:
        """Return the theme's Latin font for `major` or `minor`."""
        return str(self.theme.find(f".//{qn(f'a:{slot}Font')}/{qn('a:latin')}").get("typeface"))

    def colour_in(self, parent: Any) -> str | None:
        """Return the colour of a solid fill below `parent`, `#rrggbb`; None: it has none of its own."""
        fill = parent.find(qn("a:solidFill")) if parent is not None else None
        if fill is None or len(fill) == 0:
            return None
        if fill[0].tag == qn("a:srgbClr"):
            return f"#{fill[0].get('val').lower()}"
        name = fill[0].get("val")
        return self.slots.get(_MAP.get(name, name))

    def chain(self, shape: Any) -> list[Any]:
        """Return the elements that a shape's text inherits from, its own first."""
        if shape._element not in self._chains:
            self._chains[shape._element] = self._chain(shape)
        return self._chains[shape._element]

    def _chain(self, shape: Any) -> list[Any]:
        found = [shape._element]
        if not shape.is_placeholder:
            return found
        own = shape.placeholder_format
        found += [each._element for each in self.layout.placeholders if each.placeholder_format.idx == own.idx]
        kind = str(own.type)
        for each in self.master.placeholders:
            other = str(each.placeholder_format.type)
            if other == kind or ("TITLE" in kind and "TITLE" in other and "SUB" not in kind):
                found.append(each._element)
        return found

    def styles(self, shape: Any, paragraph: Any = None) -> Iterator[Any]:
        """Yield the styles of a paragraph's level that apply in a shape, the nearest first."""
        own = paragraph._p.find(qn("a:pPr")) if paragraph is not None else None
        name = f"a:lvl{int(own.get('lvl') or 0) + 1 if own is not None else 1}pPr"
        for element in self.chain(shape):
            level = element.find(f".//{qn('a:lstStyle')}/{qn(name)}")
            if level is not None:
                yield level
        kind = str(shape.placeholder_format.type) if shape.is_placeholder else ""
        is_title = "TITLE" in kind and "SUB" not in kind
        group = "p:titleStyle" if is_title else "p:bodyStyle" if shape.is_placeholder else "p:otherStyle"
        last = self.master._element.find(f".//{qn(group)}")
        found = last.find(qn(name))
        yield found if found is not None else last.find(qn("a:lvl1pPr"))

    def insets(self, shape: Any) -> dict[str, float]:
        """Return a text's distances from its shape's edges, in points."""
        found = dict[str, float]()
        for side, default in _DEFAULT_INSETS.items():
            value = default
            for element in self.chain(shape):
                body = element.find(f".//{qn('a:bodyPr')}")
                if body is not None and body.get(side) is not None:
                    value = int(body.get(side))
                    break
            found[side] = value / EMU
        return found

    def runs(self, paragraph: Any, styles: list[Any], size: float, colour: str | None = None) -> list[Run]:
        """Return a paragraph's runs; `size` and `colour` where nothing says otherwise."""
        major = bool(styles) and styles[-1].getparent().tag == qn("p:titleStyle")
        defaults = [style.find(qn("a:defRPr")) for style in styles]
        found = list[Run]()
        for element in paragraph._p.iter(qn("a:r"), qn("a:fld")):
            own = element.find(qn("a:rPr"))
            sources = [each for each in (own, *defaults) if each is not None]
            sizes = [int(each.get("sz")) / 100 for each in sources if each.get("sz")]
            bolds = [each.get("b") == "1" for each in sources if each.get("b") is not None]
            colours = [found_colour for each in sources if (found_colour := self.colour_in(each))]
            linked = own is not None and own.find(qn("a:hlinkClick")) is not None
            shown = self.slots["hlink"] if linked else next(iter(colours), colour or self.slots["dk1"])
            found.append(
                Run(
                    text=element.findtext(qn("a:t")) or "",
                    size=sizes[0] if sizes else size,
                    bold=bool(bolds and bolds[0]),
                    colour=shown,
                    family=self.family("major" if major else "minor"),
                    raised=own is not None and own.get("baseline") not in (None, "0"),
                    element=element,
                )
            )
        return found


def lines_of(runs: list[Run], room: float) -> int:
    """Return how many lines runs take."""
    lines, used = 1, 0.0
    for run in runs:
        size = run.size * (2 / 3 if run.raised else 1.0)
        begins_with_gap = run.text[:1].isspace() and run.text[:1] != "\u00a0"
        for number, (piece, gap) in enumerate(_pieces(run.text.replace("\u00a0", "\u2060"))):
            wide = fonts.width(piece, size, run.family, run.bold)
            before = fonts.width(" ", size, run.family, run.bold) if used and gap and (number or begins_with_gap) else 0
            if used + before + wide <= room + 0.5:
                used += before + wide
            else:
                lines += int(bool(used)) + int(wide // room)
                used = wide % room
    return lines


def paragraph_height(paragraph: Any, runs: list[Run], styles: list[Any], room: float) -> float:
    """Return a paragraph's height with the space before it, in points."""
    spacing, before = 1.0, 0.0
    own = paragraph._p.find(qn("a:pPr"))
    tallest = max((run.size for run in runs), default=18.0)
    for style in (own, *styles):
        share = style.find(f"{qn('a:lnSpc')}/{qn('a:spcPct')}") if style is not None else None
        if share is not None:
            spacing = int(share.get("val")) / 100_000
            break
    for style in (own, *styles):
        space = style.find(qn("a:spcBef")) if style is not None else None
        if space is not None and len(space):
            value = int(space[0].get("val"))
            before = value / 100 if space[0].tag == qn("a:spcPts") else value / 100_000 * tallest
            break
    high = max((fonts.line_height(run.text, run.size, run.family) for run in runs), default=0.0)
    return lines_of(runs, room) * high * spacing + before


def box_of(shape: Any) -> Box:
    """Return where a shape stands, in points."""
    return Box(*(int(each or 0) / EMU for each in (shape.left, shape.top, shape.width, shape.height)))
