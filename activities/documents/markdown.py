"""Markdown: headings, code and tables are understood; markup is removed so that sentences are clean text. Pure."""

import html
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from activities.documents.builder import Metadata, TextBuilder
from activities.documents.dates import read_date

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^(title|author|date|published|lang|language):\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)


def read_markdown(text: str, builder: TextBuilder) -> None:
    """Append a Markdown document."""
    if front := _FRONT_MATTER.match(text):
        _read_front_matter(front[1], builder.metadata)
        text = text[front.end() :]
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    _Walker(builder).walk(parser.parse(text))


class _Walker:
    """Turns the token stream into blocks."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._lists = 0
        self._items = 0
        self._row: list[str] = []
        self._rows = 0

    def walk(self, tokens: Sequence[Token]) -> None:
        """Append every block."""
        heading = 0
        for token in tokens:
            kind = token.type
            if kind == "heading_open":
                heading = int(token.tag[1:])
            elif kind == "inline":
                self._inline(token, heading)
                heading = 0
            elif kind in ("fence", "code_block"):
                self._builder.code(token.content)
            elif kind == "html_block":
                self._builder.prose(html.unescape(_TAG.sub("", token.content)))
            else:
                self._structure(kind)

    def _inline(self, token: Token, heading: int) -> None:
        text = _inline_text(token.children or [])
        if self._rows:
            self._row.append(" ".join(text.split()))
        elif heading:
            self._builder.heading(heading, text)
        elif self._lists and self._items:
            self._builder.line(text)
        else:
            self._builder.prose(text)
            self._items += 1 if self._lists else 0

    def _structure(self, kind: str) -> None:
        if kind in ("bullet_list_open", "ordered_list_open"):
            self._lists += 1
            self._items = self._items if self._lists > 1 else 0
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists -= 1
        elif kind == "tr_open":
            self._rows += 1
            self._row = []
        elif kind == "tr_close":
            emit = self._builder.prose if self._rows == 1 else self._builder.line
            emit(" | ".join(self._row))
        elif kind == "table_close":
            self._rows = 0


def _inline_text(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            parts.append(token.content)
        elif token.type == "softbreak":
            parts.append(" ")
        elif token.type == "hardbreak" or (token.type == "html_inline" and token.content.lower().startswith("<br")):
            parts.append("\n")
    return "".join(parts)


def _read_front_matter(text: str, metadata: Metadata) -> None:
    fields = {name.lower(): value.strip().strip("\"'") for name, value in _FIELD.findall(text)}
    metadata.title = fields.get("title", "")
    metadata.author = fields.get("author")
    metadata.language = fields.get("lang") or fields.get("language")
    metadata.published_at = read_date(fields.get("date") or fields.get("published") or "")
