"""Markdown: foreign text made harmless, and read back.

What a source wrote must come out as the same characters, and never as a link, an image, HTML, a heading, a table or
something that looks like a citation. Backslashes also keep renderers from turning bare addresses into links.
"""

import html
import re
from urllib.parse import quote, urlsplit

_INLINE = re.compile(r"[\\`*_\[\]{}|~@$^!]|(?<=\w):(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_BLOCK_START = re.compile(r"^(?:[#+=:-]|(\d{1,9})(?=[.)]))")
_BLOCK_END = re.compile(r"(?<= )(?=#+$)")
"""Before the hashes that would close a heading and be shown by none."""
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|&(?:amp|lt|gt);")


def escape(text: str) -> str:
    """Return `text` on one line such that Markdown shows exactly it."""
    text = " ".join(text.split())
    text = _INLINE.sub(lambda match: "\\" + match.group(), text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _BLOCK_END.sub(r"\\", text)
    start = _BLOCK_START.match(text)
    if not start:
        return text
    if digits := start.group(1):
        return f"{digits}\\{text[len(digits) :]}"
    return "\\" + text


def unescape(text: str) -> str:
    """Undo `escape`."""
    return _ESCAPED.sub(lambda match: match.group(1) or html.unescape(match.group()), text)


def autolink(uri: str) -> str:
    """Return a web address as a link that shows itself; anything else as harmless text."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.netloc or re.search(r"[\s<>\"`\\]", parts.netloc):
        return escape(uri)
    return f"<{quote(uri, safe=_URI_CHARACTERS)}>"


_URI_CHARACTERS = "%/:=&?~#+!$,;'@()*[]-._"
