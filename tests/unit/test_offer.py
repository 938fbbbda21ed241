"""Which tools a run is offered: by the kinds of source it names, and by what the deployment has."""

from typing import Any

import pytest

from activities.runs.planning import Offer, tools_of, wanted_kinds
from schema.contracts.research import SourceKind
from schema.ids import RUN, new_id
from schema.tables.runs import Run

WEB, ACADEMIC, NEWS, CORPUS = SourceKind.WEB, SourceKind.ACADEMIC, SourceKind.NEWS, SourceKind.CORPUS
ALL = Offer(kinds=frozenset((WEB, ACADEMIC, NEWS)))


def run_with(sources: Any) -> Run:
    """Make a run that names its sources."""
    context = {} if sources is None else {"sources": sources}
    return Run(id=new_id(RUN), org_id="org_x", user_id="user_x", name="n", task="t", context=context)


@pytest.mark.parametrize(
    ("sources", "offer", "tools"),
    [
        (None, Offer(), ("corpus.search", "document.read", "web.fetch")),
        (
            None,
            ALL,
            ("corpus.search", "document.read", "web.search", "web.fetch", "academic.search", "news.search"),
        ),
        (["corpus"], ALL, ("corpus.search", "document.read")),
        (["news"], ALL, ("news.search", "web.fetch")),
        (["news"], Offer(kinds=frozenset((WEB,))), ()),
        (["web"], Offer(), ("web.fetch",)),
        (["academic", "web"], Offer(kinds=frozenset((ACADEMIC,))), ("web.fetch", "academic.search")),
        (["web"], Offer(extra={WEB: ("mcp.a_b",)}), ("web.fetch", "mcp.a_b")),
        (["corpus"], Offer(extra={WEB: ("mcp.a_b",)}), ("corpus.search", "document.read")),
        (["gopher"], ALL, ()),
    ],
)
def test_tools(sources: Any, offer: Offer, tools: tuple[str, ...]) -> None:
    assert tools_of(run_with(sources), offer) == tools


def test_kinds_are_in_a_fixed_order() -> None:
    assert wanted_kinds(run_with(["news", "web", "corpus"])) == (CORPUS, WEB, NEWS)
    assert wanted_kinds(run_with(None)) == (CORPUS, WEB, ACADEMIC, NEWS)
