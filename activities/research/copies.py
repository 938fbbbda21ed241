"""Copies: texts that say the same words, and which of a run's sources repeat another. Pure.

A fingerprint is a bottom-k sketch of the text's word shingles (Broder, "On the resemblance and containment of
documents", 1997) and, beside it, of its figures within their sentences. Two texts are copies when nearly all shingles
of the smaller one are in the larger one, **and no sentence that both have carries other figures in one than in the
other**: pages made from one template with other numbers are different sources.
"""

import hashlib
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.research.addresses import canonical
from schema.contracts.research import SourceRef
from schema.policies import FINGERPRINT_CHARACTERS_MAX

SHINGLE_WORDS = 4
SKETCH_SIZE = 256
"""Standard error of the estimated resemblance: about 0.03."""
FIGURES_MAX = 512
CONTAINED_MIN = 0.85
"""Share of the smaller text's shingles that the larger one has, from which on it is a copy."""
RESEMBLANCE_MIN = 0.3
"""Below it the estimate of the share above is too coarse: a short quotation is no copy."""
SHINGLES_MIN = 12
"""A shorter text is a copy only of the very same words."""

_VERSION = 1
_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+")
_UNIT = re.compile(r"[\n.!?;。！？]+(?:\s+|$)|\n")
_FURNITURE = frozenset(
    (
        *("copyright", "rights", "reserved", "updated", "published", "posted", "modified", "edited", "accessed"),
        *("retrieved", "min", "minute", "minutes", "hour", "hours", "day", "days", "ago", "read", "reading", "views"),
        *("view", "comments", "comment", "shares", "share", "likes", "page", "last", "on", "at", "by", "the", "all"),
        *("am", "pm", "utc", "gmt", "january", "february", "march", "april", "may", "june", "july", "august"),
        *("september", "october", "november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep"),
        *("sept", "oct", "nov", "dec"),
    )
)
"""Words around figures that belong to the site and not to the text: a syndicated copy has others."""


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a text to recognise its copies."""

    shingles: int
    """How many different ones it has."""
    sketch: tuple[int, ...]
    """The smallest hashes of them, ascending."""
    figures: tuple[tuple[int, int], ...]
    """(hash of a sentence without its figures, hash of these), ascending by the first."""

    def packed(self) -> bytes:
        """Return it as bytes, for `snapshots.fingerprint`."""
        head = struct.pack(">BIHH", _VERSION, self.shingles, len(self.sketch), len(self.figures))
        flat = [value for pair in self.figures for value in pair]
        return head + struct.pack(f">{len(self.sketch)}Q{len(flat)}I", *self.sketch, *flat)

    @classmethod
    def unpacked(cls, data: bytes) -> "Fingerprint | None":
        """Read what `packed` wrote; None where another version wrote it."""
        if not data or data[0] != _VERSION:
            return None
        _, shingles, sketched, figured = struct.unpack_from(">BIHH", data)
        values = struct.unpack_from(f">{sketched}Q{2 * figured}I", data, struct.calcsize(">BIHH"))
        flat = values[sketched:]
        return cls(shingles, values[:sketched], tuple(zip(flat[::2], flat[1::2], strict=True)))


def fingerprint(text: str) -> Fingerprint:
    """Return the fingerprint of a text; its beginning, where it is long. Some 100 ms per 100,000 characters."""
    text = text[:FINGERPRINT_CHARACTERS_MAX].lower()
    words = _WORD.findall(text)
    size = min(SHINGLE_WORDS, max(len(words), 1))
    hashes = {_hash(" ".join(words[at : at + size])) for at in range(max(1, len(words) - size + 1))}
    return Fingerprint(len(hashes), tuple(sorted(hashes)[:SKETCH_SIZE]), tuple(_figures(text)))


def are_copies(left: Fingerprint, right: Fingerprint) -> bool:
    """Tell whether two texts are copies of each other, or one of a part of the other."""
    if left.sketch == right.sketch and left.shingles == right.shingles:
        return not _differ_in_figures(left, right)
    if min(left.shingles, right.shingles) < SHINGLES_MIN:
        return False
    resembles = resemblance(left, right)
    if resembles < RESEMBLANCE_MIN:
        return False
    shared = resembles * (left.shingles + right.shingles) / (1 + resembles)
    contained = shared / min(left.shingles, right.shingles)
    return contained >= CONTAINED_MIN and not _differ_in_figures(left, right)


def resemblance(left: Fingerprint, right: Fingerprint) -> float:
    """Estimate the Jaccard coefficient of two texts' shingles."""
    smallest = sorted({*left.sketch, *right.sketch})[:SKETCH_SIZE]
    ours, theirs = set(left.sketch), set(right.sketch)
    return sum(value in ours and value in theirs for value in smallest) / len(smallest) if smallest else 0.0


def copy_groups(sources: Sequence[SourceRef], prints: Mapping[str, bytes]) -> dict[str, str]:
    """Return which sources are copies: snapshot of a copy -> snapshot of the source that stands for its group.

    The earliest published stands for a group, then the more trusted, then the one with the shorter address: the same
    sources give the same answer in any order.

    Args:
        sources: of one run.
        prints: packed fingerprint by snapshot; a source without one is a copy only by its address.
    """
    order = sorted({source.snapshot_sha256: source for source in sources}.values(), key=_precedence)
    known = {sha256: read for sha256, data in prints.items() if (read := Fingerprint.unpacked(data)) is not None}
    leaders: list[SourceRef] = []
    by_shingle: dict[int, set[int]] = defaultdict(set)
    by_address: dict[str, int] = {}
    copies: dict[str, str] = {}
    for source in order:
        own = known.get(source.snapshot_sha256)
        leader = _leader(source, own, leaders, known, by_shingle, by_address)
        if leader is not None:
            copies[source.snapshot_sha256] = leaders[leader].snapshot_sha256
            continue
        by_address.setdefault(_address(source), len(leaders))
        for value in own.sketch if own else ():
            by_shingle[value].add(len(leaders))
        leaders.append(source)
    return copies


def _leader(
    source: SourceRef,
    own: Fingerprint | None,
    leaders: Sequence[SourceRef],
    known: Mapping[str, Fingerprint],
    by_shingle: Mapping[int, set[int]],
    by_address: Mapping[str, int],
) -> int | None:
    """Return which leader a source is a copy of. The same page, read twice, is one source whatever changed in it."""
    if (same := by_address.get(_address(source))) is not None:
        return same
    if own is None:
        return None
    candidates = {number for value in own.sketch for number in by_shingle.get(value, ())}
    for number in sorted(candidates):
        other = known.get(leaders[number].snapshot_sha256)
        if other is not None and are_copies(own, other):
            return number
    return None


def _address(source: SourceRef) -> str:
    return canonical(source.uri) or source.snapshot_sha256


def _precedence(source: SourceRef) -> tuple[float, float, int, str, str]:
    published: datetime | None = source.published_at
    at = published.timestamp() if published else float("inf")
    return at, -source.score.trust, len(source.uri), source.uri, source.snapshot_sha256


def _figures(text: str) -> Iterable[tuple[int, int]]:
    pairs = set()
    for unit in _UNIT.split(text):
        words = _WORD.findall(unit)
        figures = [word for word in words if word[0].isdigit()]
        rest = [word for word in words if not word[0].isdigit()]
        if figures and not _FURNITURE.issuperset(rest):
            pairs.add((_hash(" ".join(rest)) >> 32, _hash(" ".join(figures)) >> 32))
    return sorted(pairs)[:FIGURES_MAX]


def _differ_in_figures(left: Fingerprint, right: Fingerprint) -> bool:
    """Tell whether a sentence of both has figures in each that it has not in the other."""
    ours, theirs = _by_sentence(left), _by_sentence(right)
    return any(ours[each] - theirs[each] and theirs[each] - ours[each] for each in ours.keys() & theirs.keys())


def _by_sentence(one: Fingerprint) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for sentence, figures in one.figures:
        found[sentence].add(figures)
    return found


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
