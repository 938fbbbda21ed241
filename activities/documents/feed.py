"""Feeds: the one place that calls `feedparser`, which opens what looks like an address or a file name."""

import io
from typing import Any


def parse_feed(data: bytes, **options: Any) -> Any:
    """Parse the bytes of a feed, and nothing but these bytes.

    `feedparser.parse` takes a string for an address or a path, and bytes for a path as well: an answer that consists of
    `/dev/zero` would be opened. A stream is only read.

    Args:
        options: further arguments of `feedparser.parse`.
    """
    import feedparser

    return feedparser.parse(io.BytesIO(data), **options)
