"""Cursor paging: an opaque token that a caller hands back unchanged."""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from schema.errors import InvalidRequest
from schema.policies import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

_PREFIX = b"c1:"
_CURSOR_LENGTH_MAX = 500
_NOT_OURS = "The cursor is not one that this API gave for this list. Pass on `next_cursor` unchanged, or leave it out."

Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="Largest number of items.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=_CURSOR_LENGTH_MAX,
        description="`next_cursor` of the page before, unchanged.",
        json_schema_extra={"pattern": "^YzE6[A-Za-z0-9_-]+$"},  # _PREFIX in Base64
    ),
]


class Page(BaseModel):
    """Which part of a list a caller asks for."""

    limit: int
    cursor: str | None
    """What the store gave as the next page's cursor."""


def seal(cursor: str | None) -> str | None:
    """Turn a store's cursor into the token of an answer."""
    return None if cursor is None else base64.urlsafe_b64encode(_PREFIX + cursor.encode()).decode().rstrip("=")


def unseal(token: str, form: str = r"[\x20-\x7e]+") -> str:
    """Turn the token of a request into a store's cursor of the form `form`.

    Raises:
        InvalidRequest: it is not a token that this API gave.
    """
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        text = raw.removeprefix(_PREFIX).decode("ascii") if raw.startswith(_PREFIX) else ""
    except (UnicodeError, binascii.Error, ValueError):
        text = ""
    if not re.fullmatch(form, text):
        raise InvalidRequest(_NOT_OURS, field="cursor")
    return text


class PageOf:
    """The dependency of a list whose cursors look like `form`."""

    def __init__(self, form: str) -> None:
        self._form = form

    def __call__(
        self,
        limit: Limit = PAGE_SIZE_DEFAULT,
        cursor: Cursor = None,
    ) -> Page:
        """Return what was asked for."""
        return Page(limit=limit, cursor=None if cursor is None else unseal(cursor, self._form))


class PageSince(PageOf):
    """The dependency of a list whose cursors are a time, `|`, and an id of the form `form`."""

    def __init__(self, form: str) -> None:
        super().__init__(rf"[0-9T:.+-]{{1,40}}\|{form}")

    def __call__(
        self,
        limit: Limit = PAGE_SIZE_DEFAULT,
        cursor: Cursor = None,
    ) -> Page:
        """Return what was asked for.

        Raises:
            InvalidRequest: the cursor's time is none.
        """
        page = super().__call__(limit, cursor)
        if page.cursor is not None and not _is_instant(page.cursor.partition("|")[0]):
            raise InvalidRequest(_NOT_OURS, field="cursor")
        return page


def _is_instant(text: str) -> bool:
    """Tell whether a text is a point in time that this API may have written."""
    try:
        at = datetime.fromisoformat(text)
        return at.tzinfo is not None and 2000 <= at.astimezone(UTC).year < 3000
    except (ValueError, OverflowError):
        return False
