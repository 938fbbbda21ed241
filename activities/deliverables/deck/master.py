"""The deck's master: theme, layouts and placeholders, made out of python-pptx's template.

Whoever changes the master in a presentation program changes every slide: slides hold text in placeholders, and
colours and fonts by their names in the theme.
"""

import io
import re
from copy import deepcopy
from xml.sax.saxutils import escape, quoteattr

from PIL import Image
from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE as RELATION
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.oxml.ns import qn
from pptx.parts.slide import SlideLayoutPart
from pptx.presentation import Presentation as Deck
from pptx.slide import SlideLayout, SlideMaster
from pptx.util import Emu

from activities.deliverables.deck import geometry as grid
from activities.deliverables.deck.colours import Palette
from activities.deliverables.deck.geometry import EMU, Box
from activities.deliverables.look import ARABIC_FONT, CJK_FONT, HEBREW_FONT, Look

_SPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
TITLE_IDX, BODY_IDX, SECOND_IDX, FOOTER_IDX, NUMBER_IDX = 0, 1, 2, 11, 12
CONTENT_IDX, CAPTION_IDX, TOPIC_IDX, FACTS_IDX = 13, 14, 15, 16
CARD_IDXS = (17, 18, 19)
LAYOUTS = (
    "Title", "Title and content", "Two content", "Chart", "Table", "Section", "Sources", "Closing", "Diagram",
    "Picture", "Key figures", "One card", "Two cards", "Three cards", "Illustrated title",
)  # fmt: skip
_TYPES = ("title", "obj", "twoObj", None, None, "secHead", None, None, "titleOnly", None, None, None, None, None, None)
LOGO_PIXELS_MAX = 40_000_000


def new_deck(look: Look, footer: str) -> Deck:
    """Return an empty 16:9 deck with the look's master."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = Emu(int(grid.SLIDE_WIDTH * EMU)), Emu(int(grid.SLIDE_HEIGHT * EMU))
    _drop_leftovers(deck)
    palette = Palette(look)
    master = deck.slide_master
    _theme_part(master)._blob = _themed(_theme_part(master).blob.decode(), look, palette).encode()
    for number in range(len(deck.slide_layouts), len(LAYOUTS)):
        _add_layout(deck, number + 1)
    _write_master(master, footer)
    for name, kind, layout in zip(LAYOUTS, _TYPES, deck.slide_layouts, strict=True):
        _write_layout(layout, name, kind, palette, footer)
    if look.logo is not None and (size := logo_size(look.logo)) is not None:
        _place_logo(deck, look.logo, size)
    return deck


def layout_named(deck: Deck, name: str) -> SlideLayout:
    """Return a layout of the master."""
    return deck.slide_layouts[LAYOUTS.index(name)]


def logo_size(logo: bytes) -> tuple[int, int] | None:
    """Return a logo's width and height in pixels; None for what is no PNG or JPEG of a sane size."""
    try:
        with Image.open(io.BytesIO(logo), formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
            picture.verify()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return (width, height) if 0 < width * height <= LOGO_PIXELS_MAX else None


def _drop_leftovers(deck: Deck) -> None:
    """Leave out the template's thumbnail and its printer's settings: they show another deck."""
    package = deck.part.package
    for rid, rel in list(package._rels.items()):
        if rel.reltype == RELATION.THUMBNAIL:
            package._rels.pop(rid)
    for rid, rel in list(deck.part.rels.items()):
        if rel.reltype == RELATION.PRINTER_SETTINGS:
            deck.part.rels.pop(rid)


def _add_layout(deck: Deck, number: int) -> None:
    """Add a layout to those that the template has."""
    master, first = deck.slide_master, deck.slide_layouts[0].part
    name = PackURI(f"/ppt/slideLayouts/slideLayout{number}.xml")
    part = SlideLayoutPart(name, first.content_type, first.package, deepcopy(first._element))
    part.relate_to(master.part, RELATION.SLIDE_MASTER)
    listed = master._element.find(qn("p:sldLayoutIdLst"))
    entry = deepcopy(listed[-1])
    entry.set("id", str(max(int(each.get("id")) for each in listed) + 1))
    entry.set(qn("r:id"), master.part.relate_to(part, RELATION.SLIDE_LAYOUT))
    listed.append(entry)


def _theme_part(master: SlideMaster) -> Part:
    return master.part.part_related_by(RELATION.THEME)


def _themed(xml: str, look: Look, palette: Palette) -> str:
    slots = {
        "dk1": palette.ink, "lt1": "#ffffff", "dk2": palette.heading, "lt2": palette.pale,
        **{f"accent{number}": colour for number, colour in enumerate(palette.series, 1)},
        "hlink": palette.link, "folHlink": palette.link,
    }  # fmt: skip
    colours = "".join(f'<a:{slot}><a:srgbClr val="{colour[1:].upper()}"/></a:{slot}>' for slot, colour in slots.items())
    scheme = f'<a:clrScheme name="Swissbrain">{colours}</a:clrScheme>'
    scripts = "".join(
        f"<a:font script={quoteattr(script)} typeface={quoteattr(font)}/>"
        for script, font in (
            ("Jpan", "Noto Sans CJK JP"), ("Hang", "Noto Sans CJK KR"), ("Hans", CJK_FONT),
            ("Hant", "Noto Sans CJK TC"), ("Arab", ARABIC_FONT), ("Hebr", HEBREW_FONT),
        )
    )  # fmt: skip

    def font(tag: str, family: str) -> str:
        return (
            f"<a:{tag}><a:latin typeface={quoteattr(family)}/><a:ea typeface={quoteattr(CJK_FONT)}/>"
            f"<a:cs typeface={quoteattr(ARABIC_FONT)}/>{scripts}</a:{tag}>"
        )

    fonts = (
        f'<a:fontScheme name="Swissbrain">{font("majorFont", look.heading_font)}{font("minorFont", look.body_font)}'
        "</a:fontScheme>"
    )
    xml = re.sub(r"<a:clrScheme.*?</a:clrScheme>", lambda _: scheme, xml, flags=re.DOTALL)
    xml = re.sub(r"<a:fontScheme.*?</a:fontScheme>", lambda _: fonts, xml, flags=re.DOTALL)
    return re.sub(r'(<a:theme [^>]*name=)"[^"]*"', r'\1"Swissbrain"', xml, count=1)


def _frame(box: Box) -> str:
    x, y, width, height = (round(each * EMU) for each in (box.x, box.y, box.width, box.height))
    return f'<a:xfrm><a:off x="{x}" y="{y}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'


_BARE = '<a:bodyPr lIns="0" tIns="0" rIns="0" bIns="0" anchor="{anchor}"><a:noAutofit/></a:bodyPr>'


def _placeholder(
    number: int, name: str, ph: str, box: Box, style: str = "", anchor: str = "t", content: str = ""
) -> str:
    paragraph = content or f'<a:p><a:r><a:rPr lang="en-US"/><a:t>{escape(name)}</a:t></a:r></a:p>'
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name={quoteattr(name)}/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>'
        f"<p:nvPr><p:ph {ph}/></p:nvPr></p:nvSpPr><p:spPr>{_frame(box)}</p:spPr>"
        f"<p:txBody>{_BARE.format(anchor=anchor)}<a:lstStyle>{style}</a:lstStyle>{paragraph}</p:txBody></p:sp>"
    )


def _level(size: float, colour: str = "tx1", *, bold: bool = False, align: str = "l", space: float = 0.0) -> str:
    """Return the style of a placeholder's first level, without a bullet."""
    return (
        f'<a:lvl1pPr marL="0" indent="0" algn="{align}"><a:lnSpc><a:spcPct val="90000"/></a:lnSpc>'
        f'<a:spcBef><a:spcPts val="{round(space * 100)}"/></a:spcBef><a:buNone/>'
        f'<a:defRPr sz="{round(size * 100)}" b="{int(bold)}">{_fill(colour)}</a:defRPr></a:lvl1pPr>'
    )


def _fill(colour: str) -> str:
    """Return a fill: a slot of the theme by its name, or `#rrggbb`."""
    if colour.startswith("#"):
        return f'<a:solidFill><a:srgbClr val="{colour[1:].upper()}"/></a:solidFill>'
    return f'<a:solidFill><a:schemeClr val="{colour}"/></a:solidFill>'


def _rectangle(number: int, name: str, box: Box, colour: str) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name={quoteattr(name)}/><p:cNvSpPr/><p:nvPr userDrawn="1"/></p:nvSpPr>'
        f'<p:spPr>{_frame(box)}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom>{_fill(colour)}<a:ln><a:noFill/></a:ln>'
        '</p:spPr><p:txBody><a:bodyPr/><a:lstStyle/><a:p><a:endParaRPr lang="en-US"/></a:p></p:txBody></p:sp>'
    )


def _tree(shapes: str, background: str = "") -> str:
    return (
        f'<p:cSld {_SPACES}%s>{background}<p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/>'
        '</p:nvGrpSpPr><p:grpSpPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/><a:chOff x="0" y="0"/>'
        f'<a:chExt cx="0" cy="0"/></a:xfrm></p:grpSpPr>{shapes}</p:spTree></p:cSld>'
    )


def _feet(footer: str) -> str:
    number = (
        '<a:p><a:fld id="{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}" type="slidenum"><a:rPr lang="en-US"/>'
        "<a:t>‹#›</a:t></a:fld></a:p>"
    )
    text = f'<a:p><a:r><a:rPr lang="en-US"/><a:t>{escape(footer)}</a:t></a:r></a:p>'
    small = _level(grid.SMALL_PT, _MUTED)
    return _placeholder(
        21, "Footer", f'type="ftr" sz="quarter" idx="{FOOTER_IDX}"', grid.FOOTER, small, "ctr", text
    ) + _placeholder(
        22, "Slide number", f'type="sldNum" sz="quarter" idx="{NUMBER_IDX}"', grid.NUMBER,
        _level(grid.SMALL_PT, _MUTED, align="r"), "ctr", number,
    )  # fmt: skip


_MUTED = "#57606a"
_TITLE_PH, _BODY_PH = 'type="title"', f'type="body" idx="{BODY_IDX}"'


def _write_master(master: SlideMaster, footer: str) -> None:
    background = '<p:bg><p:bgPr><a:solidFill><a:schemeClr val="bg1"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>'
    rule = _rectangle(8, "Rule", Box(grid.MARGIN, 120, 56, 3), "accent2")
    shapes = (
        rule
        + _placeholder(2, "Title", _TITLE_PH, grid.TITLE, anchor="b")
        + _placeholder(3, "Text", _BODY_PH, grid.BODY)
        + _feet(footer)
    )
    element = master._element
    element.replace(element.cSld, parse_xml(_tree(shapes, background) % ""))
    levels = "".join(
        f'<a:lvl{level}pPr marL="{round(grid.BULLET * level * EMU)}" indent="-{round(grid.BULLET * EMU)}" algn="l" '
        f'defTabSz="914400" eaLnBrk="1" latinLnBrk="0" hangingPunct="1"><a:lnSpc><a:spcPct val="90000"/></a:lnSpc>'
        f'<a:spcBef><a:spcPct val="{round(grid.GAP * 1e5)}"/></a:spcBef><a:buClr><a:schemeClr val="accent2"/></a:buClr>'
        f'<a:buFont typeface="Arial"/><a:buChar char="•"/><a:defRPr sz="{size}" kern="1200">'
        '<a:solidFill><a:schemeClr val="tx1"/></a:solidFill><a:latin typeface="+mn-lt"/><a:ea typeface="+mn-ea"/>'
        f'<a:cs typeface="+mn-cs"/></a:defRPr></a:lvl{level}pPr>'
        for level, size in ((1, 1800), (2, 1600), (3, 1400))
    )
    title = (
        '<a:lvl1pPr algn="l" defTabSz="914400" eaLnBrk="1" latinLnBrk="0" hangingPunct="1"><a:lnSpc>'
        f'<a:spcPct val="90000"/></a:lnSpc><a:spcBef><a:spcPct val="0"/></a:spcBef><a:buNone/>'
        f'<a:defRPr sz="{round(grid.TITLE_PT * 100)}" b="1" kern="1200">{_fill("tx2")}<a:latin typeface="+mj-lt"/>'
        '<a:ea typeface="+mj-ea"/><a:cs typeface="+mj-cs"/></a:defRPr></a:lvl1pPr>'
    )
    other = (
        '<a:lvl1pPr marL="0" algn="l"><a:defRPr sz="1800" kern="1200">'
        '<a:solidFill><a:schemeClr val="tx1"/></a:solidFill>'
        '<a:latin typeface="+mn-lt"/><a:ea typeface="+mn-ea"/><a:cs typeface="+mn-cs"/></a:defRPr></a:lvl1pPr>'
    )
    styles = parse_xml(
        f"<p:txStyles {_SPACES}><p:titleStyle>{title}</p:titleStyle><p:bodyStyle>{levels}</p:bodyStyle>"
        f"<p:otherStyle>{other}</p:otherStyle></p:txStyles>"
    )
    old = element.find("{http://schemas.openxmlformats.org/presentationml/2006/main}txStyles")
    element.replace(old, styles)


def _write_layout(layout: SlideLayout, name: str, kind: str | None, palette: Palette, footer: str) -> None:
    element = layout._element
    cover = name in ("Title", "Section", "Illustrated title")
    shapes = _cover_shapes(name, palette) if cover else _content_shapes(name) + _feet(footer)
    element.replace(element.cSld, parse_xml(_tree(shapes) % f" name={quoteattr(name)}"))
    for attribute in ("type", "showMasterSp", "userDrawn", "preserve"):
        element.attrib.pop(attribute, None)
    if kind:
        element.set("type", kind)
    else:
        element.set("userDrawn", "1")
    element.set("preserve", "1")
    if cover:
        element.set("showMasterSp", "0")


def _cover_shapes(name: str, palette: Palette) -> str:
    panel = Box(0, 0, grid.SLIDE_WIDTH, grid.SLIDE_HEIGHT) if name == "Section" else grid.COVER_PANEL
    title = _level(grid.COVER_TITLE_PT, palette.on_panel, bold=True)
    shapes = _rectangle(8, "Panel", panel, palette.panel) + _rectangle(
        9, "Stripe", Box(grid.MARGIN, 84, 5, 220), palette.stripe
    )
    if name == "Section":
        return shapes + _placeholder(2, "Title", _TITLE_PH, grid.COVER_TITLE, title, "b")
    if name == "Illustrated title":
        shapes += _placeholder(7, "Picture", f'type="pic" idx="{CONTENT_IDX}"', grid.COVER_PICTURE)
    beside = grid.COVER_TITLE_BESIDE if name == "Illustrated title" else grid.COVER_TITLE
    return (
        shapes
        + _placeholder(2, "Title", 'type="ctrTitle"', beside, title, "b")
        + _placeholder(
            3, "Subtitle", f'type="subTitle" idx="{BODY_IDX}"', grid.COVER_TEXT, _level(grid.COVER_TEXT_PT), "t"
        )
        + _placeholder(
            4, "Facts", f'type="body" sz="quarter" idx="{FACTS_IDX}"', grid.COVER_FACTS, _level(12, _MUTED), "b"
        )
    )


def _content_shapes(name: str) -> str:
    topic = _placeholder(
        5, "Topic", f'type="body" sz="quarter" idx="{TOPIC_IDX}"', grid.TOPIC,
        _level(grid.SMALL_PT + 1, _MUTED, bold=True), "ctr",
    )  # fmt: skip
    caption = _placeholder(
        6, "Caption", f'type="body" sz="quarter" idx="{CAPTION_IDX}"', grid.CAPTION, _level(grid.SMALL_PT, _MUTED), "b"
    )
    body = _placeholder(3, "Text", _BODY_PH, grid.BODY)
    small = _level(12, space=6)
    parts = {
        "Title and content": body,
        "Closing": _rectangle(9, "Panel", Box(0, 126, grid.SLIDE_WIDTH, 370), "bg2")
        + _placeholder(3, "Text", _BODY_PH, Box(grid.MARGIN, 140, grid.WIDTH, 342)),
        "Two content": _placeholder(3, "Left", f'sz="half" idx="{BODY_IDX}"', grid.LEFT)
        + _placeholder(4, "Right", f'sz="half" idx="{SECOND_IDX}"', grid.RIGHT),
        "Chart": _placeholder(7, "Chart", f'type="chart" idx="{CONTENT_IDX}"', grid.CHART)
        + _placeholder(3, "Text", f'type="body" sz="quarter" idx="{BODY_IDX}"', grid.BESIDE)
        + caption,
        "Picture": _placeholder(7, "Picture", f'type="pic" idx="{CONTENT_IDX}"', grid.CHART)
        + _placeholder(3, "Text", f'type="body" sz="quarter" idx="{BODY_IDX}"', grid.BESIDE)
        + caption,
        "Table": _placeholder(7, "Table", f'type="tbl" idx="{CONTENT_IDX}"', grid.TABLE) + caption,
        "Key figures": _placeholder(7, "Key figures", f'type="tbl" idx="{CONTENT_IDX}"', grid.BODY),
        "One card": _cards(1),
        "Two cards": _cards(2),
        "Three cards": _cards(3),
        "Diagram": caption,
        "Sources": _placeholder(3, "Left", f'type="body" sz="half" idx="{BODY_IDX}"', grid.LEFT, small)
        + _placeholder(4, "Right", f'type="body" sz="half" idx="{SECOND_IDX}"', grid.RIGHT, small),
    }
    return _placeholder(2, "Title", _TITLE_PH, grid.TITLE, anchor="b") + topic + parts[name]


def _cards(count: int) -> str:
    """Return filled placeholders side by side: a statement, and smaller, at the second level, where it is from."""
    inset = round(grid.CARD_INSET * EMU)
    second = (
        '<a:lvl2pPr marL="0" indent="0" algn="l"><a:lnSpc><a:spcPct val="90000"/></a:lnSpc><a:spcBef>'
        f'<a:spcPts val="1200"/></a:spcBef><a:buNone/><a:defRPr sz="1400">{_fill(_MUTED)}</a:defRPr></a:lvl2pPr>'
    )
    shapes = ""
    for idx, box in zip(CARD_IDXS, grid.CARDS[count], strict=False):
        edge = Box(box.x, box.y - 4, box.width, 4)
        shape = _placeholder(
            idx + 20, f"Card {idx - 16}", f'type="body" sz="quarter" idx="{idx}"', box, _level(18) + second
        )
        shape = shape.replace("</p:spPr>", f"{_fill('bg2')}</p:spPr>", 1).replace(
            'lIns="0" tIns="0" rIns="0" bIns="0"', f'lIns="{inset}" tIns="{inset}" rIns="{inset}" bIns="{inset}"', 1
        )
        shapes += _rectangle(idx + 40, f"Edge {idx - 16}", edge, "accent1") + shape
    return shapes


def _place_logo(deck: Deck, logo: bytes, size: tuple[int, int]) -> None:
    """Put the logo on the master, for all slides, and larger on the cover."""
    covers = [(layout_named(deck, name), grid.COVER_LOGO) for name in ("Title", "Illustrated title")]
    for target, box in ((deck.slide_master, grid.LOGO), *covers):
        scale = min(box.width / size[0], box.height / size[1])
        width, height = size[0] * scale, size[1] * scale
        _, rid = target.part.get_or_add_image_part(io.BytesIO(logo))
        frame = _frame(Box(box.right - width, box.y + (box.height - height) / 2, width, height))
        target.shapes._spTree.append(
            parse_xml(
                f'<p:pic {_SPACES}><p:nvPicPr><p:cNvPr id="30" name="Logo" descr="Logo"/><p:cNvPicPr>'
                '<a:picLocks noChangeAspect="1"/></p:cNvPicPr><p:nvPr userDrawn="1"/></p:nvPicPr><p:blipFill>'
                f'<a:blip r:embed="{rid}"/><a:stretch><a:fillRect/></a:stretch></p:blipFill><p:spPr>{frame}'
                '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr></p:pic>'
            )
        )
