"""Text out of files: what it is by its content, clean sentences, marked code, refusals that say what to do."""

import codecs
import unicodedata
from datetime import UTC, datetime
from importlib.metadata import distributions
from pydoc_data.topics import topics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.documents.builder import page_at
from activities.documents.extract import ExtractedDocument, extract
from activities.documents.passages import is_code, split_passages
from schema.errors import PayloadTooLarge, SwissbrainError, UnsupportedFormat
from schema.policies import UPLOAD_BYTES_MAX
from tests.unit.documents.files import HTML_PAGE, pdf


def read(text: str | bytes, name: str = "a.txt", mime: str = "text/plain") -> ExtractedDocument:
    """Extract, and check what holds for every document."""
    document = extract(text.encode() if isinstance(text, str) else text, name, mime)
    assert unicodedata.is_normalized("NFC", document.text)
    assert "\x00" not in document.text
    for heading in document.headings:
        assert document.text[heading.start : heading.end].strip()
    for line in document.text.split("\n"):
        assert not line.startswith(" ") or is_code(line)
    return document


def headings(document: ExtractedDocument) -> list[str]:
    """Return the headings' texts."""
    return [document.text[heading.start : heading.end] for heading in document.headings]


def test_markdown() -> None:
    """Headings are understood, markup goes, code is set apart, front matter is metadata."""
    document = read(
        "---\ntitle: The *Book*\nauthor: Jane Doe\ndate: 2024-03-05\n---\n"
        "# Title\n\nSome **bold** [link](http://x.test) with `code` and ![alt](i.png) text\nover two lines.\n\n"
        "```python\ndef __init__(self):\n    return 1\n```\n\n## Part\n\n- one\n- two\n\n"
        "| A | B |\n|---|---|\n| 1 | 2 |\n"
        "\n<div align='center'><b>html</b></div>\n<!-- gone -->\n\nTail with `__exit__` and __strong__.\n",
        "a.md",
        "text/markdown",
    )
    assert document.text.split("\n\n") == [
        "Title",
        "Some bold link with code and text over two lines.",
        "    def __init__(self):\n        return 1",
        "Part",
        "one\ntwo",
        "A | B\n1 | 2",
        "html",
        "Tail with __exit__ and strong.",
    ]
    assert headings(document) == ["Title", "Part"]
    assert (document.title, document.author) == ("The *Book*", "Jane Doe")
    assert document.published_at == datetime(2024, 3, 5, tzinfo=UTC)
    assert document.mime == "text/markdown"


def test_markdown_is_recognised_without_its_suffix() -> None:
    """By what it looks like."""
    assert read("# A\n\n- x\n- y\n\n[z](http://z.test)\n").mime == "text/markdown"
    assert read("# a comment\nls\n").mime == "text/plain"


def test_restructured_text() -> None:
    """Roles, links, directives and literal blocks come out as text, or as code."""
    document = read(
        "Title\n=====\n\nUse :class:`~a.B` and ``code`` and `a link <http://x.test>`_, **bold**, *it* [1]_.\n\n"
        ".. image:: x.png\n   :alt: gone\n\n.. note:: Mind this\n   well.\n\n.. code-block:: python\n   :linenos:\n\n"
        "   x = 1\n\n   y = 2\n\nExample::\n\n    ls -l\n\nBack to prose that is wrapped at a width of about seventy\n"
        "characters, as people do.\n\n.. _target: http://x.test\n\nPart\n----\n\n* one item that is long enough to be\n"
        "  continued\n* two\n",
        "a.rst",
        "text/x-rst",
    )
    assert document.text.split("\n\n") == [
        "Title",
        "Use a.B and code and a link, bold, it.",
        "Mind this\nwell.",
        "    x = 1",
        "    y = 2",
        "Example:",
        "    ls -l",
        "Back to prose that is wrapped at a width of about seventy characters, as people do.",
        "Part",
        "one item that is long enough to be continued\ntwo",
    ]
    assert headings(document) == ["Title", "Part"]


def test_plain_text_keeps_its_lines() -> None:
    """Only lines that were broken for width are joined."""
    document = read("Shopping\n\nApples\nPears\nBananas\n\nDear all,\nthis is short.\n")
    assert document.text == "Shopping\n\nApples\nPears\nBananas\n\nDear all,\nthis is short."
    assert document.title == "a"


def test_a_number_that_a_line_break_brings_to_the_start_of_a_line_is_no_list_item() -> None:
    wrapped = (
        "The reading room of the harbour library was enlarged and now has seats for\n"
        "50. The old one had far fewer of them, and visitors had to wait in the long\n"
        "corridor until somebody had left."
    )
    assert "seats for 50. The old one" in read(wrapped).text
    listed = "Do this:\n1. Open the valve\n2. Wait\n3. Close it"
    assert read(listed).text == "Do this:\nOpen the valve\nWait\nClose it"


@pytest.mark.parametrize(
    ("head", "date"),
    [
        ("Published: 3 March 2022", datetime(2022, 3, 3, tzinfo=UTC)),
        ("Published on: 2022-03-03", datetime(2022, 3, 3, tzinfo=UTC)),
        ("Last updated: March 3, 2022\nPublished: 1 May 2020", datetime(2020, 5, 1, tzinfo=UTC)),
        ("Last updated: March 3, 2022", datetime(2022, 3, 3, tzinfo=UTC)),
        ("Published: Harbour Press, Oslo 1999", None),
        ("The report was published: 3 March 2022 was a Thursday.", None),
        ("Date: soon", None),
    ],
)
def test_the_date_of_a_plain_text_stands_in_a_line_of_its_head(head: str, date: datetime | None) -> None:
    assert read(f"Harbour report\n\n{head}\n\nThe harbour has 40 berths.\n").published_at == date


@pytest.mark.parametrize("topic", sorted(topics))
def test_python_topics_come_out_clean(topic: str) -> None:
    """Real text: titles are right, prose is not wrapped, code is marked, no markup is left."""
    document = read(topics[topic], f"{topic}.txt")
    assert document.headings
    assert document.title
    passages = split_passages(document.text, document.headings, title=document.title)
    for passage in passages:
        quoted = document.text[passage.start : passage.end]
        if not is_code(quoted):
            assert "****" not in quoted
            assert "\n===" not in quoted
            assert ">>> " not in quoted.split("\n")[0][:4]


def test_installed_packages_descriptions_come_out_clean() -> None:
    """Real Markdown and reStructuredText, as package authors write it."""
    read_count = 0
    for distribution in distributions():
        text = str(distribution.metadata.json.get("description", ""))
        if len(text) < 500:
            continue
        mime = distribution.metadata.get("Description-Content-Type", "text/x-rst").split(";")[0]
        document = read(text, "README", mime)
        prose = "\n".join(line for line in document.text.split("\n") if not is_code(line))
        assert "](http" not in prose, distribution.metadata["Name"]
        assert ".. image::" not in prose, distribution.metadata["Name"]
        assert "```" not in prose, distribution.metadata["Name"]
        read_count += 1
    assert read_count > 20


def test_html_page() -> None:
    """The main text with its structure, without the furniture; metadata from the head."""
    document = read(HTML_PAGE, "page", "text/html; charset=utf-8")
    assert document.mime == "text/html"
    assert (document.title, document.author, document.language) == ("Gallium", "Jane Doe", "en")
    assert document.published_at == datetime(2024, 3, 5, tzinfo=UTC)
    assert headings(document) == ["Gallium", "Melting"]
    assert "Gallium is a soft metal, written __Ga__ here & there." in document.text
    assert "    def melt(metal):\n        return metal.liquid" in document.text
    assert "element | point\nGa | 29.76" in document.text
    assert "first item\nsecond item" in document.text
    for furniture in ("Navigation", "Cookie", "alert(", "Footer", "color: red"):
        assert furniture not in document.text


def test_documentation_page_keeps_its_body() -> None:
    """A page of short definitions and code, which main-text heuristics take for furniture, is kept whole."""
    entries = "".join(
        f"<dt>option_{number}</dt><dd><p>Sets {number}.</p><pre>set option_{number} = {number}\nshow it</pre></dd>"
        for number in range(60)
    )
    page = (
        "<!doctype html><html><head><title>Options</title></head><body><div class='sidebar'>Side</div>"
        f"<div role='main'><h1>Options¶</h1><dl>{entries}</dl></div></body></html>"
    )
    document = read(page, "options.html", "text/html")
    for number in range(60):
        assert f"Sets {number}." in document.text
        assert f"    set option_{number} = {number}" in document.text
    assert "Side" not in document.text
    assert headings(document) == ["Options"]


def test_feed() -> None:
    """A feed is text too; entities are not expanded, nothing is loaded."""
    document = read(
        "<?xml version='1.0'?><!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><rss><channel><title>News</title>"
        "<item><title>One</title><description>&lt;p&gt;It &lt;b&gt;happened&lt;/b&gt;.&lt;/p&gt;</description>"
        "<link>http://x.test</link></item><item><title>Two &x;</title></item></channel></rss>",
        "feed",
        "application/rss+xml",
    )
    assert "It happened ." in document.text or "It happened." in document.text
    assert "root:" not in document.text


def test_pdf_pages() -> None:
    """The text of every page, with the pages' places and the file's metadata."""
    document = read(pdf(["Gallium melts at 29.76 degrees.", "Indium melts at 156.6 degrees."]), "a.pdf", "text/html")
    assert document.mime == "application/pdf"
    assert document.text == "Gallium melts at 29.76 degrees.\n\x0c\nIndium melts at 156.6 degrees."
    assert [page_at(document.text, page) for page in document.pages] == [1, 2]
    gaps = read(pdf(["", "Second page.", "", "", "Fifth page."]), "a.pdf", "application/pdf")
    assert gaps.pages == (3, 3, 20, 20, 20)
    assert page_at(gaps.text, gaps.text.index("Second")) == 2
    assert page_at(gaps.text, gaps.text.index("Fifth")) == 5
    assert page_at("No pages at all.", 3) is None
    assert [document.text[page : page + 6] for page in document.pages] == ["Galliu", "Indium"]
    assert document.title == "A test"
    assert document.published_at == datetime(2024, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße".encode(), "Grüße"),
        (codecs.BOM_UTF8 + "Grüße".encode(), "Grüße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        (codecs.BOM_UTF16_BE + "Grüße".encode("utf-16-be"), "Grüße"),
        ("Grüße".encode("utf-32"), "Grüße"),
        ("Grüße – “so”".encode("cp1252"), "Grüße – “so”"),
        (b"Gr\x81\xfc\xdfe", "Grüße"),
        ("Gru\u0308ße".encode(), "Grüße"),
        (b"a\x1bb\x07 \xe2\x80\x8bc\xc2\xad", "ab c"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
        (b"BM25 is a ranking function, and this is no bitmap.", "BM25 is a ranking function, and this is no bitmap."),
        (b"%!PS is how PostScript begins.", "%!PS is how PostScript begins."),
    ],
)
def test_encodings(data: bytes, text: str) -> None:
    """By mark, as UTF-8, and last as Windows-1252; controls and invisible characters go."""
    assert read(data).text == text


def test_declared_encodings() -> None:
    """The sender's and the page's own word."""
    assert read("Привет".encode("koi8-r"), mime="text/plain; charset=koi8-r").text == "Привет"
    page = "<html><head><meta charset=koi8-r></head><body><p>Привет, это страница о галлии.</p></body></html>"
    assert "галлии" in read(page.encode("koi8-r"), "a.html", "text/html").text
    assert read(b"abc", mime="text/plain; charset=zip").text == "abc"
    assert read(b"abc", mime="text/plain; charset=nonsense").text == "abc"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        (b"\x7fELF" + bytes(100), "binary|ELF"),
        (b"GIF89a" + bytes(range(256)), "GIF"),
        (bytes(range(256)) * 10, "binary"),
        (b"text with a \x00 in it", "binary"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00", "Unicode"),
        (b"{\\rtf1 text}", "RTF"),
        (b"%PDF-1.7 nothing", "damaged"),
        (b"junk %PDF-1.4\n%%EOF", "damaged"),
        (b"<html><body><script>x()</script></body></html>", "no text"),
        ("\u200b\u200b".encode(), "no text"),
    ],
)
def test_refusals_say_why(data: bytes, complaint: str) -> None:
    """What cannot be read is refused by name, whatever its own name claims."""
    with pytest.raises(UnsupportedFormat, match=complaint):
        extract(data, "a.txt", "text/plain")


def test_limits() -> None:
    """Size in bytes, and in characters."""
    with pytest.raises(PayloadTooLarge):
        extract(b"x" * (UPLOAD_BYTES_MAX + 1), "a.txt", "text/plain")
    with pytest.raises(PayloadTooLarge):
        extract(b"word " * 1_200_000, "a.txt", "text/plain")


def test_encrypted_and_scanned_pdf() -> None:
    """Each says what to do."""
    with pytest.raises(UnsupportedFormat, match="no text"):
        extract(pdf([""]), "a.pdf", "application/pdf")
    with pytest.raises(UnsupportedFormat, match="password"):
        extract(pdf(["x"], encrypted=True), "a.pdf", "application/pdf")


@settings(max_examples=150)
@given(st.binary(max_size=400), st.sampled_from(["", "%PDF-1.4\n", "<html><body>", "---\n", "<?xml version='1.0'?>"]))
def test_any_bytes(data: bytes, prefix: str) -> None:
    """Whatever comes, the answer is a document or a refusal of ours."""
    for name, mime in (("a.md", "text/markdown"), ("a.rst", "text/x-rst"), ("a", "text/html")):
        try:
            document = extract(prefix.encode() + data, name, mime)
        except SwissbrainError:
            continue
        split_passages(document.text, document.headings, document.pages, title=document.title)


@settings(max_examples=150)
@given(st.text(st.sampled_from("ab. \n\t-=*`:_>#|[]()<>.1"), max_size=300))
def test_any_markup(text: str) -> None:
    """Markup that means nothing is no reason to fail, and no word is lost in plain text."""
    for name in ("a.md", "a.rst", "a.txt", "a.html"):
        try:
            read(text, name, "")
        except UnsupportedFormat:
            continue
