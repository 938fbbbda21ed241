"""HTML and XML: the main text of a page, with its headings, code, lists and tables; the entries of a feed. Pure.

trafilatura finds the main text; where it finds much less than the page's own main part holds (documentation pages with
short paragraphs, tables, long code), that part is read as it stands.
"""

import re
from calendar import timegm
from datetime import UTC, datetime
from typing import Any

import lxml.html
from lxml import etree
from trafilatura import bare_extraction

from activities.documents.builder import TextBuilder
from activities.documents.dates import read_date
from activities.documents.feed import parse_feed
from schema.policies import FEED_ENTRIES_MAX

MAIN_SHARE_MIN = 0.6
"""trafilatura's text must be at least this share of the main part's, or the main part is taken as it stands."""

_DROPPED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "header",
        "footer",
        "aside",
        "form",
        "button",
        "select",
        "svg",
        "iframe",
        "object",
        "embed",
        "canvas",
        "video",
        "audio",
        "dialog",
        "graphic",
        "meta",
        "link",
        "title",
    ]
)
_CHROME = re.compile(
    r"\b(?:nav|navbar|navigation|sidebar|breadcrumbs?|menu|footer|toc|toctree|cookie|banner|headerlink|skip-link|related)\b"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "main",
        "body",
        "blockquote",
        "quote",
        "ul",
        "ol",
        "dl",
        "list",
        "li",
        "item",
        "dt",
        "dd",
        "table",
        "tbody",
        "thead",
        "tfoot",
        "tr",
        "row",
        "figure",
        "figcaption",
        "details",
        "summary",
        "address",
        "fieldset",
        "center",
    ]
)
_ITEMS = frozenset(("li", "item", "dd"))
_ROWS = frozenset(("tr", "row"))
_CELLS = frozenset(("td", "th", "cell"))
_MAIN_XPATHS = ("//main", "//*[@role='main']", "//article", "//*[@id='content' or @id='main' or @id='main-content']")
_FEED = re.compile(r"<(?:rss|feed|rdf:RDF)\b", re.IGNORECASE)
_DATE_PARAMS = {"extensive_search": False, "original_date": True, "min_date": "1990-01-01", "max_date": "2100-01-01"}


def read_html(text: str, builder: TextBuilder) -> None:
    """Append the main text of a page, and note its title, date, author and language."""
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    # Parsed by us: the declared encoding is that of the bytes, and this text is decoded already.
    try:
        tree = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError):
        return
    cited = _citation(tree)
    builder.metadata.language = (tree.get("lang") or "")[:20] or None
    canonical = tree.xpath("string((//link[@rel='canonical']/@href)[1])")
    builder.metadata.canonical = canonical.strip()[:2048] or None
    title = tree.findtext(".//title")
    builder.metadata.title = " ".join(title.split()) if title else ""
    body = _main_text(text, builder)
    own = _own_main(tree)
    if body is None or _length(body) < MAIN_SHARE_MIN * _length(own) or _code_blocks(body) < _code_blocks(own):
        body = own
    _prefer(cited, builder)
    _Walker(builder).block(body)


def _citation(tree: Any) -> dict[str, list[str]]:
    """Return the `citation_*` metas that publishers of science give (Google Scholar's inclusion guidelines)."""
    found: dict[str, list[str]] = {}
    for meta in tree.iter("meta"):
        name = (meta.get("name") or "").lower()
        if name.startswith("citation_") and (value := " ".join((meta.get("content") or "").split())):
            found.setdefault(name, []).append(value)
    return found


def _prefer(cited: dict[str, list[str]], builder: TextBuilder) -> None:
    """Take what the publisher says of a work before what the page looks like."""
    metadata = builder.metadata
    metadata.title = cited.get("citation_title", [metadata.title])[0]
    if authors := cited.get("citation_author"):
        metadata.author = "; ".join(authors[:10])
    for name in ("citation_publication_date", "citation_date", "citation_online_date"):
        if read := read_date(cited.get(name, [""])[0].replace("/", "-")):
            metadata.published_at = read
            break


def read_feed(text: str, builder: TextBuilder) -> bool:
    """Append the entries of an RSS or Atom feed, each under its title; tell whether it is one."""
    feed = parse_feed(text.encode("utf-8", "replace"), response_headers={"content-type": "text/xml; charset=utf-8"})
    if not feed.version:
        return False
    builder.metadata.title = " ".join(str(feed.feed.get("title", "")).split())
    builder.metadata.language = str(feed.feed.get("language", ""))[:20] or None
    if builder.metadata.title:
        builder.heading(1, builder.metadata.title)
    dates = [entry.get("published_parsed") or entry.get("updated_parsed") for entry in feed.entries]
    if known := [date for date in dates if date]:
        # A feed is as old as its newest entry.
        builder.metadata.published_at = datetime.fromtimestamp(timegm(max(known)), UTC)
    for entry in feed.entries[:FEED_ENTRIES_MAX]:
        builder.heading(2, _without_markup(entry.get("title", "")))
        for content in [each.get("value", "") for each in entry.get("content", ())] or [entry.get("summary", "")]:
            builder.prose(_without_markup(content))
    return True


def _without_markup(value: str) -> str:
    return " ".join(lxml.html.fromstring(f"<div>{value}</div>").text_content().split()) if value.strip() else ""


def read_xml(text: str, builder: TextBuilder) -> None:
    """Append the text of an XML document: a feed's entries, else one block per element that holds text."""
    if _FEED.search(text[:4096]) and read_feed(text, builder):
        return
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, load_dtd=False, huge_tree=False)
    tree = etree.fromstring(text.encode("utf-8", "replace"), parser)
    if tree is None:
        return
    for element in tree.iter(etree.Element):
        name = etree.QName(element).localname
        value = (element.text or "").strip()
        if not value or name in ("link", "guid", "id"):
            continue
        plain = " ".join(re.sub(r"<[^>]+>", " ", value).split())
        if name == "title":
            builder.heading(1 if not builder.headings else 2, plain)
        else:
            builder.prose(plain)


def _main_text(text: str, builder: TextBuilder) -> Any:
    found = bare_extraction(
        text,
        include_comments=False,
        include_tables=True,
        include_formatting=True,
        favor_recall=True,
        deduplicate=False,
        with_metadata=True,
        date_extraction_params=dict(_DATE_PARAMS),
    )
    if found is None or isinstance(found, dict):
        return None
    if found.title:
        builder.metadata.title = found.title.rstrip("¶# ")
    builder.metadata.author = found.author or None
    builder.metadata.published_at = read_date(found.date or "")
    return found.body


def _own_main(tree: Any) -> Any:
    for xpath in _MAIN_XPATHS:
        candidates = tree.xpath(xpath)
        if candidates:
            best = max(candidates, key=_length)
            if _length(best) >= 200:
                return best
    body = tree.find("body")
    return tree if body is None else body


def _length(element: Any) -> int:
    """Count the characters of text that a reader would see."""
    if element is None or _is_chrome(element):
        return 0
    count = len((element.text or "").strip())
    for child in element:
        count += _length(child) + len((child.tail or "").strip())
    return count


def _code_blocks(element: Any) -> int:
    return sum(1 for code in element.iter("pre", "code") if _is_block_code(code) and code.getparent().tag != "pre")


def _is_chrome(element: Any) -> bool:
    """Tell whether an element is furniture of the site rather than content."""
    if not isinstance(element.tag, str) or element.tag in _DROPPED:
        return True
    marks = f"{element.get('class', '')} {element.get('id', '')} {element.get('role', '')}".lower()
    return element.tag not in ("body", "main", "article") and bool(_CHROME.search(marks)) and element.tag != "p"


class _Walker:
    """Walks a tree of HTML or of trafilatura's elements, and appends its blocks."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._inline: list[str] = []
        self._in_list = 0
        self._follows = False
        """The next inline text continues a list or table: on a line of its own, not as a new paragraph."""

    def block(self, element: Any) -> None:
        """Append an element's content."""
        self._inline.append(element.text or "")
        for child in element:
            if not _is_chrome(child):
                self._child(child)
            self._inline.append(child.tail or "")
        self._flush()

    def _child(self, child: Any) -> None:
        tag = child.tag
        level = _heading_level(child)
        if level:
            self._flush()
            self._follows = False
            self._builder.heading(level, _text_of(child).rstrip("¶# "))
        elif tag == "pre" or (tag == "code" and (_is_block_code(child))):
            self._flush()
            self._follows = False
            self._builder.code(_raw_text(child))
        elif tag in _ROWS:
            self._flush()
            cells = [" ".join(_text_of(cell).split()) for cell in child if cell.tag in _CELLS]
            self._inline.append(" | ".join(cells))
            self._flush()
            self._follows = True
        elif tag in _BLOCKS:
            self._flush()
            if tag not in _ITEMS and tag not in ("ul", "ol", "list", "p", "div", "tbody", "thead"):
                self._follows = False
            self.block(child)
            self._follows = tag in _ITEMS
        elif tag in ("br", "lb"):
            self._inline.append("\n")
        else:
            self._nested_inline(child)

    def _nested_inline(self, child: Any) -> None:
        self._inline.append(child.text or "")
        for inner in child:
            if not _is_chrome(inner):
                self._child(inner)
            self._inline.append(inner.tail or "")

    def _flush(self) -> None:
        text = re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", "".join(_spaced(part) for part in self._inline))
        self._inline = []
        if text.strip():
            (self._builder.line if self._follows else self._builder.prose)(text)


def _spaced(part: str) -> str:
    # A line break in the source is a space; only `<br>` breaks a line.
    return part if part == "\n" else re.sub(r"\s+", " ", part)


def _heading_level(element: Any) -> int:
    if element.tag == "head":
        return _HEADINGS.get(element.get("rend", ""), 2)
    return _HEADINGS.get(element.tag, 0)


def _is_block_code(element: Any) -> bool:
    return "\n" in _raw_text(element).strip() or any(child.tag == "code" for child in element)


def _text_of(element: Any) -> str:
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str) and "headerlink" not in child.get("class", ""):
            parts.append("\n" if child.tag in ("br", "lb") else _text_of(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _raw_text(element: Any) -> str:
    parts = [element.text or ""]
    for child in element:
        parts.append("\n" if child.tag in ("br", "lb") else _raw_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
