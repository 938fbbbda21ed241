"""Dating: what rests on old sources alone is said with their date, and never as if it held today. Pure.

Whether an old statement still holds can often be told (`conflicts.py`, `outlived.py`), by words that both sides use.
Where it cannot, because nothing newer was read or nobody knows its words, the date remains, which takes no
understanding. Decision 0029.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from schema.contracts.research import SourceRef

NEWER_BY = timedelta(days=90)
"""So much newer a source is to be preferred."""
OLD_AFTER = timedelta(days=2 * 365)
"""After so long, what a source says may well have changed."""
_FORM = re.compile(r"As of (?P<stated>\d{4}-\d{2}-\d{2}): (?P<text>.+)", re.DOTALL)


def newest(sources: Iterable[SourceRef]) -> datetime | None:
    """Return when the newest of `sources` was published; None where there is none, or one has no date."""
    dates = [source.published_at for source in sources]
    return (
        max((at if at.tzinfo else at.replace(tzinfo=UTC) for at in dates if at), default=None) if all(dates) else None
    )


def old_since(sources: Iterable[SourceRef], asked_at: datetime | None) -> str | None:
    """Return the ISO date of the newest of `sources` where all of them are old; None where one is not, or has no date.

    Args:
        asked_at: when the run was created; None: nobody knows, and nothing counts as old.
    """
    published = newest(sources)
    return f"{published:%Y-%m-%d}" if asked_at and published and asked_at - published >= OLD_AFTER else None


def dated(text: str, since: str | None) -> str:
    """Return a statement as a report says it: with the date, where its sources are old."""
    return f"As of {since}: {text}" if since else text


def undated(text: str) -> tuple[str, str | None]:
    """Return what `dated` was given."""
    match = _FORM.fullmatch(text)
    return (match["text"], match["stated"]) if match else (text, None)
