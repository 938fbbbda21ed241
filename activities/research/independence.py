"""Independence: which sources may count as more than one when they say the same. Pure.

Copies of one text are one source, and so are the pages of one registered domain: a publisher agrees with itself.
Documents of the organisation are independent unless they are copies.
"""

from collections.abc import Iterable, Sequence

from activities.research.addresses import host_of, registrable
from schema.contracts.research import SourceRef


def independent(sources: Iterable[SourceRef]) -> list[tuple[SourceRef, ...]]:
    """Group sources: each group counts once. Groups and members are in the order of first appearance.

    A copy counts as what it is a copy of; and a domain that has a copy of another's text besides texts of its own is
    joined with the other, since nobody can tell then whose word it is.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    members: dict[str, SourceRef] = {}
    for source in sources:
        if source.snapshot_sha256 in members:
            continue
        members[source.snapshot_sha256] = source
        for key in _keys(source):
            parent[root(key)] = root(_text_of(source))
    groups: dict[str, list[SourceRef]] = {}
    for source in members.values():
        groups.setdefault(root(_text_of(source)), []).append(source)
    return [tuple(group) for group in groups.values()]


def origin_of(source: SourceRef) -> str:
    """Name who says it: the registered domain of a page, else the document."""
    host = host_of(source.uri)
    return registrable(host) if host else source.uri or source.snapshot_sha256


def others(source: SourceRef, agreeing: Sequence[SourceRef]) -> int:
    """Count the independent sources besides `source` among those that say the same."""
    groups = independent([source, *agreeing])
    return len(groups) - 1


def _text_of(source: SourceRef) -> str:
    return f"text:{source.copy_of or source.snapshot_sha256}"


def _keys(source: SourceRef) -> tuple[str, str]:
    return _text_of(source), f"origin:{origin_of(source)}"
