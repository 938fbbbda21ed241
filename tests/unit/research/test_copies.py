"""Copies: syndicated texts are one source, pages of one template with other figures are not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.research.copies import Fingerprint, are_copies, copy_groups, fingerprint
from schema.contracts.research import Score, SourceKind, SourceRef
from tests.support.corpus import sha256_of

STORY = """The city council of Harbourton voted on Tuesday to rebuild the old swing bridge over the river Alde.
The work will cost 42.5 million crowns and take until 2029, said the mayor, who called it long overdue.
Engineers had warned for years that the piers were scoured by the tide. Fishermen fear that their moorings will be lost.
The council promised to find other berths for the 63 boats that lie there now, and to hear the harbour guild in spring.
An earlier plan for a tunnel was dropped in 2017 because the ground below the river bed proved too soft for it."""

QUARTER = """{name} reported its results for the third quarter. Revenue was {revenue} million crowns.
The operating margin came to {margin} per cent. The company employs {staff} people in Harbourton and elsewhere.
Its shares are listed at the exchange of the capital. The board proposes a dividend of {dividend} crowns a share.
These figures were not audited. The full report is published on the site of the company, where it can be ordered."""


def made(text: str, uri: str, day: int | None = None, trust: float = 0.5) -> SourceRef:
    """Return a page as a source."""
    return SourceRef(
        snapshot_sha256=sha256_of(text),
        kind=SourceKind.WEB,
        title="",
        uri=uri,
        published_at=datetime(2026, 1, day, tzinfo=UTC) if day else None,
        score=Score(relevance=0.5, trust=trust, recency=0.5),
    )


def copies(left: str, right: str) -> bool:
    """Tell whether two texts are copies, whichever comes first."""
    one, other = fingerprint(left), fingerprint(right)
    assert are_copies(one, other) is are_copies(other, one)
    return are_copies(one, other)


@pytest.mark.parametrize(
    "other",
    [
        STORY,
        STORY.upper(),
        STORY.replace("\n", " ").replace(", ", " , "),
        "HARBOURTON (Agency)\n" + STORY + "\nCopyright 2026 The Daily Alde. All rights reserved. 17 comments",
        "Updated 5 hours ago\n3 min read\n" + STORY + "\nMore from this section: What the tide tables say today",
        STORY.rsplit("\n", 1)[0],
    ],
    ids=["same", "case", "white space", "agency", "furniture", "shortened"],
)
def test_syndicated_copies(other: str) -> None:
    assert copies(STORY, other)


@pytest.mark.parametrize(
    "other",
    [
        STORY.replace("42.5", "45.2"),
        STORY.replace("2029", "2031"),
        STORY.replace("63 boats", "36 boats"),
        "The council met. " + STORY.splitlines()[0],
        "Something else is said here, about the price of barley and the weather in the hills above the town.",
    ],
    ids=["sum", "year", "count", "quoted only", "other"],
)
def test_not_copies(other: str) -> None:
    assert not copies(STORY, other)


def test_one_template_with_other_figures() -> None:
    """Quarterly reports, weather pages, product pages: nearly all words are the same, and nothing that matters."""
    one = QUARTER.format(name="Acme", revenue=812, margin=11.2, staff=4_100, dividend=2.5)
    other = QUARTER.format(name="Acme", revenue=846, margin=11.2, staff=4_100, dividend=2.5)
    third = QUARTER.format(name="Acme", revenue=812, margin=9.8, staff=4_120, dividend=2.5)
    assert not copies(one, other)
    assert not copies(one, third)
    assert copies(one, one + " All rights reserved.")


def test_a_group_has_one_leader_whatever_the_order() -> None:
    """The first to publish stands for the rest; one address is one source."""
    agency = made(STORY, "https://agency.example/alde", day=2)
    daily = made("By our reporter\n" + STORY, "https://daily.example/a", day=3)
    undated = made(STORY + "\nCopyright 2026", "https://blog.example/x")
    altered = made(STORY.replace("42.5", "45.2"), "https://other.example/alde", day=1)
    address = "https://www.daily.example/a?utm_source=feed"
    again = made("Now with a picture. " + STORY.replace("63", "64"), address, day=5)
    sources = [agency, daily, undated, altered, again]
    texts = [
        STORY,
        "By our reporter\n" + STORY,
        STORY + "\nCopyright 2026",
        STORY.replace("42.5", "45.2"),
        "Now with a picture. " + STORY.replace("63", "64"),
    ]
    prints = {source.snapshot_sha256: fingerprint(text).packed() for source, text in zip(sources, texts, strict=True)}
    expected = {
        daily.snapshot_sha256: agency.snapshot_sha256,
        undated.snapshot_sha256: agency.snapshot_sha256,
    }
    for order in (sources, sources[::-1], sources[2:] + sources[:2]):
        found = copy_groups(order, prints)
        assert {key: found.get(key) for key in expected} == expected
        assert altered.snapshot_sha256 not in found
        assert agency.snapshot_sha256 not in found
    assert copy_groups(sources, {})[again.snapshot_sha256] == daily.snapshot_sha256


@given(st.text(max_size=400))
def test_packed_and_unpacked(text: str) -> None:
    """Whatever the text; and every text is a copy of itself."""
    made_of = fingerprint(text)
    assert Fingerprint.unpacked(made_of.packed()) == made_of
    assert are_copies(made_of, made_of)


def test_another_version_is_unknown() -> None:
    assert Fingerprint.unpacked(b"") is None
    assert Fingerprint.unpacked(b"\xff" + fingerprint(STORY).packed()[1:]) is None
