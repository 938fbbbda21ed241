"""What an agent without a model does with the results of searches outside the corpus."""

from typing import Any

import pytest

from activities.research.acting import next_action, search_query
from schema.contracts.research import AgentView, Finish, FoundItem, Score, SourceKind, StepRecord, ToolCall
from schema.policies import FETCHES_IN_VAIN_MAX, FETCHES_PER_HOST_MAX
from tests.support.making import claim_of, view_of

QUESTION = "What engine drives Zephyr trains?"
TOOLS = ("web.search", "news.search", "web.fetch")


def item(url: str, relevance: float = 0.5, **fields: Any) -> FoundItem:
    """Make a result."""
    score = Score(relevance=relevance, trust=0.5, recency=0.5)
    return FoundItem(**{"title": url, "url": url, "kind": SourceKind.WEB, "provider": "test", "score": score} | fields)


def searched(*results: FoundItem, tool: str = "web.search", query: str = "engine drives zephyr trains") -> StepRecord:
    """Make a search that found something."""
    return StepRecord(step=0, tool=tool, arguments={"query": query}, ok=True, results=results)


def acts(view: AgentView, count: int = 8, brings: str | None = None) -> list[ToolCall | Finish]:
    """Let an agent act; each fetch brings a snapshot of its own, and a claim where `brings` is in its address."""
    done: list[ToolCall | Finish] = []
    for number in range(len(view.steps), len(view.steps) + count):
        action = next_action(view.model_copy(update={"steps_left": count - len(done)}))
        done.append(action)
        if isinstance(action, Finish):
            break
        url = str(action.arguments.get("url", ""))
        claims = view.claims
        snapshots: tuple[str, ...] = ()
        if url:
            claim = claim_of(f"The Zephyr train number {number} has an engine.", title=url, uri=url, relevance=0.3)
            snapshots = (claim.source.snapshot_sha256,)
            claims = (*claims, claim) if brings is not None and brings in url else claims
        step = StepRecord(step=number, tool=action.tool, arguments=action.arguments, ok=True, snapshots=snapshots)
        view = view.model_copy(update={"steps": (*view.steps, step), "claims": claims})
    return done


def opened(done: list[ToolCall | Finish]) -> list[str]:
    """Return the addresses that were fetched, in order."""
    return [str(act.arguments["url"]) for act in done if isinstance(act, ToolCall) and act.tool == "web.fetch"]


def test_the_best_results_of_different_hosts_are_opened() -> None:
    results = [
        item("https://a.example/1", 0.9),
        item("https://a.example/2", 0.8),
        item("https://www.a.example/3", 0.7),
        item("https://b.example/1", 0.3),
        item("https://c.example/off-topic", 0.0),
    ]
    done = acts(view_of(QUESTION, tools=TOOLS, steps=(searched(*results),)), brings="https")
    assert opened(done)[:3] == ["https://a.example/1", "https://b.example/1", "https://a.example/2"]
    assert "https://c.example/off-topic" not in opened(done)
    hosts = [url.split("/")[2].removeprefix("www.") for url in opened(done)]
    assert max(hosts.count(host) for host in hosts) <= FETCHES_PER_HOST_MAX
    assert len(set(opened(done))) == len(opened(done))


def test_opening_stops_when_nothing_new_comes() -> None:
    results = [item(f"https://h{number}.example/") for number in range(9)]
    steps = (searched(*results), searched(*results, query="zephyr"), searched(*results, query="engine"))
    done = acts(view_of(QUESTION, tools=("web.search", "web.fetch"), steps=steps), count=20)
    assert len(opened(done)) == FETCHES_IN_VAIN_MAX
    assert isinstance(done[-1], Finish)
    useful = acts(view_of(QUESTION, tools=("web.search", "web.fetch"), steps=steps), count=20, brings="https")
    assert len(opened(useful)) > FETCHES_IN_VAIN_MAX


def test_every_named_kind_is_asked_before_anything_is_opened() -> None:
    view = view_of(QUESTION, tools=TOOLS)
    view = view.model_copy(update={"brief": view.brief.model_copy(update={"context": {"sources": ["web", "news"]}})})
    done = acts(view, count=3)
    assert [act.tool for act in done[:2] if isinstance(act, ToolCall)] == ["web.search", "news.search"]


def test_a_search_that_only_fails_is_left_alone() -> None:
    failed = StepRecord(step=0, tool="web.search", arguments={"query": "engine drives zephyr trains"}, ok=False)
    done = acts(view_of(QUESTION, tools=TOOLS, steps=(failed,)))
    assert [act.tool for act in done if isinstance(act, ToolCall)][:1] == ["news.search"]
    assert not any(isinstance(act, ToolCall) and act.tool == "web.search" for act in done)


def test_an_abstract_is_read_already_and_a_full_text_is_not() -> None:
    results = [
        item("https://doi.org/1", 0.9, kind=SourceKind.ACADEMIC, has_text=True),
        item(
            "https://doi.org/2",
            0.5,
            kind=SourceKind.ACADEMIC,
            has_text=True,
            full_text_url="https://papers.example/2.pdf",
        ),
    ]
    view = view_of(
        QUESTION, tools=("academic.search", "web.fetch"), steps=(searched(*results, tool="academic.search"),)
    )
    done = acts(view)
    assert opened(done) == ["https://papers.example/2.pdf"]
    fetch = next(act for act in done if isinstance(act, ToolCall) and act.tool == "web.fetch")
    assert fetch.arguments["kind"] == "academic"


def test_results_without_any_word_of_the_question_are_taken_in_their_order() -> None:
    results = [item("https://a.example/", 0.0), item("https://b.example/", 0.0)]
    view = view_of(
        "富士山の高さは何メートルですか？",
        tools=TOOLS,
        steps=(searched(*results, query="富士山の高さは何メートルですか"),),
    )
    assert opened(acts(view))[:2] == ["https://a.example/", "https://b.example/"]


def test_a_tool_from_outside_is_asked_as_a_search_is() -> None:
    view = view_of(QUESTION, tools=("mcp.docs_find",), tool_arguments={"mcp.docs_find": "text"})
    done = acts(view)
    assert isinstance(done[0], ToolCall)
    assert done[0].arguments == {"text": "engine drives zephyr trains"}
    assert isinstance(done[-1], Finish)


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("富士山の高さは何メートルですか？", "富士山の高さは何メートルですか"),
        ("ما هو ارتفاع برج خليفة؟", "ما هو ارتفاع برج خليفة"),
    ],
)
def test_questions_in_other_scripts_are_asked_as_they_are(question: str, query: str) -> None:
    assert search_query(question) == query
