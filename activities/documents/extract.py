"""Text out of a file: what it is by its content, then the reader of that format. Pure: bytes in, document out.

It parses hostile bytes: in the product it runs only in the child process of `activities/documents/sandbox.py`. The
heavy readers are imported when they are needed, which keeps the start of that process short.
"""

import codecs
import re
from pathlib import PurePosixPath

from activities.documents.builder import ExtractedDocument, TextBuilder
from activities.documents.language import language_of
from activities.documents.plain import read_plain
from activities.documents.structure import OLD_OFFICE, check_pdf_streams, check_single, check_text, is_zip
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DOCUMENT_CHARACTERS_MAX, UPLOAD_BYTES_MAX

__all__ = ["ExtractedDocument", "extract"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{2,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w:.-]{2,40})", re.IGNORECASE)
_HTML = re.compile(r"\A\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_XML = re.compile(r"\A\s*<\?xml\b|\A\s*<(?:rss|feed)\b", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w:.-]{2,40})", re.IGNORECASE)
_ATX = re.compile(r"^#{1,6} \S", re.MULTILINE)
_MARKS = re.compile(r"^(?:```|~~~)|\]\(\S+\)|^[-*] \S|\*\*\S|^\|.*\|$", re.MULTILINE)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
_MARKDOWN_TYPES = frozenset(("text/markdown", "text/x-markdown"))
_MARKDOWN_SUFFIXES = frozenset((".md", ".markdown", ".mdown", ".mkd"))
_CONTROL_SHARE_MAX = 0.001
_TITLE_LENGTH_MAX = 300
READ = "Text, Markdown, HTML, PDF, Word (.docx) and PowerPoint (.pptx)"


def extract(data: bytes, filename: str, claimed_mime: str) -> ExtractedDocument:
    """Read a file, whatever its name and its sender claim it to be.

    Args:
        claimed_mime: media type as sent; only chooses among kinds of text, and its `charset` is honoured.

    Raises:
        UnsupportedFormat: it is none of `READ`, is encrypted or damaged, or holds no text.
        PayloadTooLarge: it is larger, or holds more text, than is read.
    """
    if len(data) > UPLOAD_BYTES_MAX:
        raise PayloadTooLarge(f"The file is larger than {UPLOAD_BYTES_MAX} bytes.")
    if not data.strip():
        raise UnsupportedFormat("The file is empty.")
    media_type, charset = _parsed_mime(claimed_mime)
    builder = TextBuilder()
    office = check(data)
    if office is not None:
        mime = office
        _read_office(data, office, builder)
    elif b"%PDF-" in data[:1024]:
        from activities.documents.pdf import read_pdf

        mime = "application/pdf"
        read_pdf(data, builder)
    else:
        text = _decoded(data, charset)
        check_single(data, "text")
        mime = _read_text(text, media_type, PurePosixPath(filename).suffix.lower(), builder)
    return _finished(builder, filename, mime)


def check(data: bytes) -> str | None:
    """Refuse what is built to do harm, before any reader of its format opens it; return which office file it is.

    Raises:
        UnsupportedFormat: an archive, encrypted, with macros, damaged, or two formats at once.
        PayloadTooLarge: it would burst.
    """
    if is_zip(data):
        from activities.documents.office import check_office

        return check_office(data)
    if data.startswith(OLD_OFFICE):
        from activities.documents.office import refuse_old

        refuse_old(data)
    if b"%PDF-" in data[:1024]:
        check_single(data, "pdf")
        check_pdf_streams(data)
    return None


def _read_office(data: bytes, kind: str, builder: TextBuilder) -> None:
    from activities.documents.office import WORD

    if kind == WORD:
        from activities.documents.word import read_word

        read_word(data, builder)
    else:
        from activities.documents.presentation import read_slides

        read_slides(data, builder)


def _read_text(text: str, media_type: str, suffix: str, builder: TextBuilder) -> str:
    """Read a decoded text by its kind; return the kind."""
    if len(text) > 4 * DOCUMENT_CHARACTERS_MAX:
        raise PayloadTooLarge(f"The file holds more than {DOCUMENT_CHARACTERS_MAX} characters.")
    if _HTML.search(text[:4096]) or (media_type in _HTML_TYPES and re.search(r"<[a-zA-Z/!][^>]*>", text)):
        from activities.documents.web import read_html

        read_html(text, builder)
        return "text/html"
    if _XML.search(text[:4096]):
        from activities.documents.web import read_xml

        check_text(text, json=False, xml=True)
        read_xml(text, builder)
        return "application/xml"
    check_text(text, json=suffix == ".json" or media_type.endswith("json"), xml=False)
    named = media_type in _MARKDOWN_TYPES or suffix in _MARKDOWN_SUFFIXES
    if named or (suffix != ".rst" and media_type != "text/x-rst" and _is_markdown(text)):
        from activities.documents.markdown import read_markdown

        read_markdown(text, builder)
        return "text/markdown"
    read_plain(text, builder)
    return "text/plain"


def _is_markdown(text: str) -> bool:
    """Tell whether a text looks like Markdown: headings with `#`, and other marks beside them."""
    return bool(_ATX.search(text)) and len(_MARKS.findall(text)) >= 2


def _finished(builder: TextBuilder, filename: str, mime: str) -> ExtractedDocument:
    text = builder.text()
    if not text.strip():
        raise UnsupportedFormat("The file holds no text that can be read.")
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise PayloadTooLarge(f"The file holds more than {DOCUMENT_CHARACTERS_MAX} characters of text. Split it.")
    metadata = builder.metadata
    first = next((text[h.start : h.end] for h in builder.headings if h.level <= 2), "")
    title = metadata.title or first or _name_as_title(filename)
    return ExtractedDocument(
        title=_cleaned_title(title),
        text=text,
        mime=mime,
        headings=tuple(builder.headings),
        pages=tuple(builder.pages),
        published_at=metadata.published_at,
        author=_cleaned_title(metadata.author) or None if metadata.author else None,
        # What the text is written in, rather than what its page declares: templates declare for all their pages.
        language=language_of(text) or (metadata.language or "").partition("-")[0].lower() or None,
        canonical=metadata.canonical,
    )


def _parsed_mime(claimed: str) -> tuple[str, str | None]:
    charset = _CHARSET.search(claimed)
    return claimed.partition(";")[0].strip().lower(), charset[1] if charset else None


def _decoded(data: bytes, charset: str | None) -> str:
    """Decode by byte order mark, by what the content or the sender declares, as UTF-8, and last as Windows-1252."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            text = _try(data, encoding)
            if text is None:
                raise UnsupportedFormat("The file begins like Unicode text, and is not.")
            return _checked(text, data)
    declared = _META_CHARSET.search(data[:4096]) or _XML_CHARSET.search(data[:1024])
    names = [charset, declared[1].decode("ascii", "ignore") if declared else None, "utf-8"]
    for name in names:
        if name and (text := _try(data, name)) is not None:
            return _checked(text, data)
    # What is not UTF-8 and not declared is Windows-1252 in practice (WHATWG Encoding); its holes fall to Latin-1.
    text = _try(data, "cp1252")
    return _checked(data.decode("latin-1") if text is None else text, data)


def _try(data: bytes, encoding: str) -> str | None:
    try:
        # Never a codec that is no character encoding (zip, hex, rot13), or one that runs anything.
        if not codecs.lookup(encoding)._is_text_encoding:
            return None
        return data.decode(encoding)
    except (LookupError, UnicodeError, ValueError):
        return None


def _checked(text: str, data: bytes) -> str:
    """Refuse what only decodes by accident: binary formats are full of controls."""
    controls = len(_CONTROLS.findall(text[:200_000]))
    if "\x00" in text or controls > max(2, _CONTROL_SHARE_MAX * min(len(text), 200_000)):
        import filetype

        kind = filetype.guess(data[:8192])
        name = f"a {kind.extension.upper()} file" if kind else "a binary file"
        raise UnsupportedFormat(f"This is {name}. {READ} can be read.")
    if text.startswith("{\\rtf"):
        raise UnsupportedFormat(f"This is an RTF file. {READ} can be read.")
    return text


def _name_as_title(filename: str) -> str:
    return PurePosixPath(filename.replace("\\", "/")).stem.replace("_", " ") or "Untitled"


def _cleaned_title(title: str) -> str:
    cleaner = TextBuilder()
    cleaner.heading(1, title)
    return cleaner.text()[:_TITLE_LENGTH_MAX].strip()
