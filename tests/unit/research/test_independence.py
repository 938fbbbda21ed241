"""Who counts as a source of its own, and what agreement is worth."""

import pytest

from activities.research.addresses import canonical, declared_canonical, registrable, suffixes_of
from activities.research.corroboration import corroborated, corroborated_trust, marked, with_trust
from activities.research.independence import independent, origin_of
from schema.contracts.research import Claim, Finding, Score, SourceKind, SourceRef
from tests.support.corpus import sha256_of


def page(uri: str, text: str = "", copy_of: str | None = None) -> SourceRef:
    """Return a source."""
    kind = SourceKind.CORPUS if uri.startswith("document:") else SourceKind.WEB
    return SourceRef(
        snapshot_sha256=sha256_of(text or uri),
        kind=kind,
        title=uri,
        uri=uri,
        copy_of=copy_of,
        score=Score(relevance=0.5, trust=0.5, recency=0.5, reasons={"trust": "It is a page of the open web: 0.50."}),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://www.Example.org/a/?utm_source=x&b=2&a=1#part", "//example.org/a?a=1&b=2"),
        ("http://example.org:80/a?b=2&a=1", "//example.org/a?a=1&b=2"),
        ("https://example.org/index.html", "//example.org"),
        ("https://example.org:8443/a", "//example.org:8443/a"),
        ("document:doc_1", "document:doc_1"),
        ("http://[::1/", "http://[::1/"),
    ],
)
def test_one_spelling(given: str, expected: str) -> None:
    assert canonical(given) == expected


def test_a_page_declares_its_own_address_only() -> None:
    """Nobody makes another domain's page a copy of his own."""
    here = "https://news.example.co.uk/story?session=1"
    assert declared_canonical(here, "/story") == "https://news.example.co.uk/story"
    assert declared_canonical(here, "https://example.co.uk/story") == "https://example.co.uk/story"
    assert declared_canonical(here, "https://other.co.uk/story") is None
    assert declared_canonical(here, "javascript:alert(1)") is None
    assert declared_canonical(here, None) is None


def test_registered_domains() -> None:
    assert registrable("a.b.example.co.uk") == "example.co.uk"
    assert registrable("someone.github.io") == "someone.github.io"
    assert origin_of(page("https://a.example.org/x")) == origin_of(page("https://b.example.org/y"))
    assert suffixes_of("a.b.org") == ("a.b.org", "b.org", "org")


def test_copies_and_sister_pages_count_once() -> None:
    original = page("https://agency.example/1", "story")
    copy = page("https://daily.example/2", "copy", copy_of=original.snapshot_sha256)
    sister = page("https://sport.daily.example/3", "sister")
    mine, other = page("document:doc_1"), page("document:doc_2")
    groups = independent([original, copy, mine, other])
    assert [len(group) for group in groups] == [2, 1, 1]
    # The daily prints the agency's words: what it says besides is not proven to be its own.
    assert len(independent([original, copy, sister])) == 1
    assert len(independent([original, sister])) == 2
    assert independent([]) == []
    # A copy stands for its original even where the original is not among them.
    assert len(independent([copy, page("https://third.example/4", "third", copy_of=original.snapshot_sha256)])) == 1


def claim(name: str, source: SourceRef) -> Claim:
    """Return a claim."""
    return Claim(id=name, agent_number=1, text="It is so.", source=source, start=0, end=9, quote="It is so.")


def finding(*names: str) -> Finding:
    """Return a finding of claims."""
    return Finding(id="fnd", text="It is so.", subtask_number=1, claim_ids=names, weight=0.5)


def test_agreement_raises_trust_and_copies_do_not() -> None:
    first, second = page("https://a.example/1"), page("https://b.example/2")
    copied = page("https://c.example/3", copy_of=first.snapshot_sha256)
    claims = {name: claim(name, source) for name, source in (("x", first), ("y", second), ("z", copied))}
    alone = corroborated_trust([finding("x", "z")], claims)
    assert alone == {}
    raised = corroborated_trust([finding("x", "y", "z"), finding("x")], claims)
    assert raised[first.snapshot_sha256][0] == pytest.approx(0.625)
    assert raised[first.snapshot_sha256][1].endswith("1 independent source says the same: 0.62.")
    changed = with_trust(claims["x"], raised)
    assert changed.source.score.trust == pytest.approx(0.625)
    assert changed.source.score.relevance == 0.5
    assert with_trust(claims["x"], {}) is claims["x"]


def test_agreement_is_never_certainty() -> None:
    values = [corroborated(0.5, others) for others in (0, 1, 2, 50)]
    assert values == sorted(values)
    assert values[0] == 0.5
    assert values[-1] == pytest.approx(0.8)
    assert corroborated(1.0, 3) == 1.0


def test_marked() -> None:
    first = page("https://a.example/1")
    assert marked([claim("x", first)], {first.snapshot_sha256: "ab"})[0].source.copy_of == "ab"
    assert marked([claim("x", first)], {})[0].source.copy_of is None
