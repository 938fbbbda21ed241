"""What a page, a feed and a text say of themselves: publishers' metas, entries, languages."""

from datetime import UTC, datetime

import pytest

from activities.documents.extract import extract
from activities.documents.language import language_of
from activities.documents.passages import split_passages
from tests.unit.documents.files import pdf

PAPER = """<!doctype html><html lang="de"><head><title>Journal of Metals: view article</title>
<meta name="citation_title" content="Supercooling of gallium">
<meta name="citation_author" content="Example, Ada"><meta name="citation_author" content="Sample, Bo">
<meta name="citation_publication_date" content="2023/05/17"><meta name="author" content="webmaster">
</head><body><main><h1>Supercooling of gallium</h1><p>Liquid gallium was supercooled to 150 kelvin in small drops, which
is far below the melting point of the metal. We describe how the drops were made and how they were kept.</p>
<p>The drops were twenty nanometres wide and stayed liquid for hours, which had not been seen before.</p></main></body>
</html>"""

RSS = """<?xml version="1.0" encoding="ISO-8859-1"?><rss version="2.0"><channel><title>The Daily M\u00e9tal</title>
<language>en</language><link>https://example.org</link>
<item><title>Gallium gets dearer</title><link>https://example.org/1</link>
<pubDate>Sun, 04 Oct 2026 10:00:00 GMT</pubDate>
<description>&lt;p&gt;The price &lt;b&gt;rose&lt;/b&gt; by 12 percent in April.&lt;/p&gt;</description></item>
<item><title>Indium does not</title><pubDate>Sat, 03 Oct 2026 10:00:00 GMT</pubDate>
<description>It fell.</description></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Metals</title><updated>2026-10-04T00:00:00Z</updated>
<entry><title>Gallium</title><id>urn:1</id><updated>2026-10-01T00:00:00Z</updated>
<content type="html">&lt;p&gt;It melts in the hand.&lt;/p&gt;</content><summary>Short.</summary></entry></feed>"""


def test_publishers_metas_come_first() -> None:
    document = extract(PAPER.encode(), "a.html", "text/html")
    assert document.title == "Supercooling of gallium"
    assert document.author == "Example, Ada; Sample, Bo"
    assert document.published_at == datetime(2023, 5, 17, tzinfo=UTC)
    assert document.language == "en", "what it is written in, not what its template declares"


def test_a_feed_is_its_entries() -> None:
    document = extract(RSS.encode("latin-1"), "news.xml", "application/rss+xml")
    assert document.title == "The Daily Métal"
    assert document.published_at == datetime(2026, 10, 4, 10, tzinfo=UTC)
    assert "The price rose by 12 percent in April." in document.text
    passages = split_passages(document.text, document.headings, document.pages, title=document.title)
    assert "Gallium gets dearer" in passages[0].heading
    assert "Indium does not" in passages[1].heading


def test_an_atom_feed_too() -> None:
    document = extract(ATOM.encode(), "feed", "application/atom+xml")
    assert document.title == "Metals"
    assert "It melts in the hand." in document.text
    assert document.published_at == datetime(2026, 10, 1, tzinfo=UTC)


def test_other_xml_is_no_feed() -> None:
    document = extract(b"<?xml version='1.0'?><metals><metal>Gallium melts.</metal></metals>", "a.xml", "text/xml")
    assert document.text == "Gallium melts."


def test_a_passage_knows_its_page() -> None:
    document = extract(pdf([f"Page {number} says something." for number in range(1, 14)]), "a.pdf", "application/pdf")
    passages = split_passages(document.text, document.headings, document.pages, title=document.title)
    assert passages[0].heading.endswith("> p. 1")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The melting point of gallium is low, so that it melts in the hand.", "en"),
        ("Der Schmelzpunkt von Gallium liegt knapp über der Raumtemperatur.", "de"),
        ("富士山の高さは何メートルですか", "ja"),
        ("كم يبلغ ارتفاع برج خليفة؟", "ar"),
        ("Какова высота Эльбруса?", "ru"),
        ("서울의 인구는 얼마입니까?", "ko"),
        ("", None),
        ("12345 !!", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert language_of(text) == language
