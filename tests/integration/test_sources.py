"""The providers of sources against world that speak their documented formats, and what becomes of one that fails."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.sources.asking import Searched, Sources
from activities.sources.catalogue import INFOS, SourceConfig, build_sources
from activities.sources.provider import Query
from activities.sources.robots import Robots
from infra.http import SafeHttpClient
from infra.settings import Settings
from infra.shared import Rate, Shared
from schema.contracts.research import SourceKind
from schema.errors import BlockedAddress, SourceTemporarilyUnavailable, SourceUnavailable
from tests.support.provider_servers import KEY, KEYED, NAMES, ProviderServers, Work

EVERYWHERE = frozenset(("web", "academic", "news"))
WORKS = [
    Work(
        f"Gallium report {number:02d}",
        f"Gallium sample {number} melts at 29.{number:02d} degrees Celsius & stays liquid in a warm hand.",
        EVERYWHERE,
        authors=("Ada Example", "Bo Sample"),
        host=number,
    )
    for number in range(12)
]
QUERY = Query("gallium melts degrees", limit=4)


@pytest_asyncio.fixture(scope="module")
async def world() -> AsyncIterator[ProviderServers]:
    """All providers and pages."""
    async with ProviderServers(WORKS) as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(world: ProviderServers) -> None:
    """Nothing fails, and nothing was asked, when a test begins."""
    world.script.faults.clear()
    world.script.asked.clear()


def sources(world: ProviderServers, *names: str, shared: Shared | None = None, key: str = KEY) -> Sources:
    """Turn providers on; without `shared` nobody else knows of them."""
    config = SourceConfig(
        enabled=names,
        urls={name: world.base(name) for name in NAMES if name != "feeds"},
        keys={name: SecretStr(key) for name in KEYED},
        feeds=[world.base("feeds")],
        contact="ops@example.org",
        user_agent="Swissbrain/1 (ops@example.org)",
    )
    return build_sources(config, shared or Shared())


async def ask(found: Sources, kind: SourceKind, query: Query = QUERY) -> Searched:
    """Search once."""
    return await found.search(kind, query)


@pytest.mark.parametrize("name", NAMES)
async def test_every_provider_is_understood(world: ProviderServers, name: str) -> None:
    """Title, address, date and text arrive clean, as many as were asked for."""
    searched = await ask(sources(world, name), INFOS[name].kind)
    assert searched.provider == name
    assert searched.notes == ()
    assert len(searched.found) == 4
    assert len({each.url for each in searched.found}) == 4
    for each in searched.found:
        assert each.title.startswith("Gallium report")
        assert "<" not in each.title + each.snippet
        assert "&amp;" not in each.snippet
        assert name == "gdelt" or "melts at 29." in each.snippet
        if name not in ("tavily", "marginalia"):
            assert each.published_at is not None
            assert each.published_at.year == 2026
        if INFOS[name].kind is SourceKind.ACADEMIC:
            assert each.url.startswith("https://doi.org/10.5555/gallium-report-")
            assert each.abstract.endswith("& stays liquid in a warm hand.")
            assert each.abstract.startswith("Gallium sample")
            assert each.authors == ("Ada Example", "Bo Sample")
    assert world.asked(name)[0]["user_agent"] == "Swissbrain/1 (ops@example.org)"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("tavily", "searxng")])
async def test_pages_do_not_overlap(world: ProviderServers, name: str) -> None:
    """Three pages of four are the twelve works, each once; the fourth is empty."""
    provider = sources(world, name).providers[0]
    http = SafeHttpClient([f"127.0.0.1:{world.port}"])
    pages = [await provider.search(http, Query(QUERY.text, limit=4, page=page)) for page in (1, 2, 3, 4)]
    urls = [each.url for page in pages for each in page]
    # NewsAPI's page holds an article that was taken down besides.
    assert len(urls) == len(set(urls)) == 12
    assert pages[3] == []


async def test_searxng_is_asked_for_more_pages_until_there_is_enough(world: ProviderServers) -> None:
    searched = await ask(sources(world, "searxng"), SourceKind.WEB, Query(QUERY.text, limit=11))
    assert len(searched.found) == 11
    assert [given["pageno"] for given in world.asked("searxng")] == ["1", "2", "3"]


FAULTS = {
    "rate_limited": "used up (429)",
    "server_error": "answered 500",
    "broken_json": "not JSON",
    "html": "not JSON",
    "odd_form": "form that it does not document",
    "unauthorized": "refuses the key",
    "forbidden": "refuses the key",
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("arxiv", "feeds")])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failure_is_named_and_asked_no_more(world: ProviderServers, name: str, fault: str) -> None:
    world.fail(name, fault)
    found = sources(world, name)
    with pytest.raises(SourceUnavailable) as failed:
        await ask(found, INFOS[name].kind)
    [note] = failed.value.facts["notes"]
    assert note["provider"] == name
    refused = "refused the search" if name == "gdelt" else None
    assert FAULTS[fault] in note["reason"] or (refused and refused in note["reason"]), note
    with pytest.raises(SourceUnavailable):
        await ask(found, INFOS[name].kind)
    assert len(world.asked(name)) == 1, "it is left alone"


@pytest.mark.parametrize("name", ["arxiv", "feeds"])
@pytest.mark.parametrize("fault", ["server_error", "html", "unauthorized"])
async def test_feeds_fail_too(world: ProviderServers, name: str, fault: str) -> None:
    world.fail(name, fault)
    with pytest.raises(SourceUnavailable) as failed:
        await ask(sources(world, name), INFOS[name].kind)
    assert failed.value.facts["notes"][0]["provider"] == name


async def test_one_that_hangs_is_given_up(world: ProviderServers) -> None:
    world.fail("wikipedia", "hang")
    found = sources(world, "wikipedia", "searxng")
    slow = found.providers[0]
    object.__setattr__(slow, "info", type(slow.info)(**{**vars(slow.info), "timeout_s": 0.2}))
    searched = await ask(found, SourceKind.WEB)
    assert searched.provider == "searxng"
    assert [(note.provider, note.reason) for note in searched.notes] == [
        ("wikipedia", "it did not answer within 0.2 s")
    ]


async def test_an_expired_key_leads_to_the_next_provider(world: ProviderServers) -> None:
    searched = await ask(sources(world, "brave", "tavily", "wikipedia", key="expired"), SourceKind.WEB)
    assert searched.provider == "wikipedia"
    assert [note.provider for note in searched.notes] == ["brave", "tavily"]
    assert all("401" in note.reason for note in searched.notes)


async def test_nothing_found_is_no_failure(world: ProviderServers) -> None:
    searched = await ask(sources(world, "searxng", "wikipedia"), SourceKind.WEB, Query("xylophone"))
    assert (searched.found, searched.provider, searched.notes) == ([], None, ())
    assert len(world.asked("wikipedia")) == 1, "the next one was asked"


@pytest.mark.parametrize("name", NAMES)
async def test_an_empty_document_is_no_result(world: ProviderServers, name: str) -> None:
    if name in ("arxiv", "feeds"):
        pytest.skip("a feed cannot be an empty object")
    world.fail(name, "empty")
    assert (await ask(sources(world, name), INFOS[name].kind)).found == []


async def test_gdelt_says_in_plain_text_that_it_limits(world: ProviderServers) -> None:
    world.fail("gdelt", "plain")
    searched = await ask(sources(world, "gdelt", "newsapi"), SourceKind.NEWS)
    assert searched.provider == "newsapi"
    assert "limit requests" in searched.notes[0].reason


async def test_arxiv_says_in_an_entry_what_is_wrong(world: ProviderServers) -> None:
    provider = sources(world, "arxiv").providers[0]
    with pytest.raises(SourceUnavailable, match="incorrect query"):
        await provider.search(SafeHttpClient([f"127.0.0.1:{world.port}"]), Query("?"))


@pytest.mark.parametrize(("fault", "wait_s"), [("rate_limited", 77.0), ("quota", 500.0)])
async def test_how_long_to_wait_is_read(world: ProviderServers, fault: str, wait_s: float) -> None:
    """Retry-After, and of Brave's windows the one that is used up."""
    world.fail("brave", fault)
    provider = sources(world, "brave").providers[0]
    with pytest.raises(SourceTemporarilyUnavailable) as limited:
        await provider.search(SafeHttpClient([f"127.0.0.1:{world.port}"]), QUERY)
    assert limited.value.retry_after_s == wait_s


async def test_a_missing_key_is_noted_and_an_unknown_name_refused() -> None:
    built = build_sources(SourceConfig(enabled=("brave", "searxng", "feeds", "wikipedia")), Shared())
    assert [provider.info.name for provider in built.providers] == ["wikipedia"]
    assert [(note.provider, note.reason) for note in built.missing] == [
        ("brave", "its setting brave_api_key is missing"),
        ("searxng", "its setting searxng_url is missing"),
        ("feeds", "its setting news_feeds is missing"),
    ]
    everything = build_sources(SourceConfig(enabled=("all",)), Shared())
    assert everything.missing == []
    assert {provider.info.kind for provider in everything.providers} == {
        SourceKind.WEB,
        SourceKind.ACADEMIC,
        SourceKind.NEWS,
    }
    with pytest.raises(ValueError, match="no provider"):
        build_sources(SourceConfig(enabled=("gogle",)), Shared())


async def test_a_private_address_must_be_the_operators_own() -> None:
    """The providers' own names are not opened to private addresses; a configured address is."""
    built = build_sources(SourceConfig(enabled=("wikipedia",), urls={"searxng": "http://127.0.0.1:1/"}), Shared())
    assert built.http is not None
    with pytest.raises(BlockedAddress):
        await built.http.get("http://127.0.0.1:2/")
    with pytest.raises(SourceTemporarilyUnavailable):
        await built.http.get("http://127.0.0.1:1/")


@pytest.fixture(params=["redis", "alone", "redis is away"])
async def shared(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Shared]:
    """What workers share: through Redis, without it, and with one that does not answer."""
    urls = {"redis": settings.redis_url.get_secret_value(), "alone": None, "redis is away": "redis://127.0.0.1:1/0"}
    found = Shared(urls[request.param])
    yield found
    await found.close()


async def test_rates_and_facts(shared: Shared) -> None:
    name = uuid.uuid4().hex
    assert [await shared.admit(name, Rate(2, 60)) for _ in range(2)] == [0.0, 0.0]
    assert 0 < await shared.admit(name, Rate(2, 60)) <= 60
    assert await shared.recall(name) is None
    await shared.remember(name, "fact", 60)
    assert await shared.recall(name) == "fact"


async def test_workers_share_a_rate(settings: Settings, world: ProviderServers) -> None:
    """A second worker waits for what the first one used up, and learns what failed."""
    url, name = settings.redis_url.get_secret_value(), uuid.uuid4().hex
    first, second = Shared(url), Shared(url)
    assert await first.admit(name, Rate(1, 60)) == 0.0
    assert await second.admit(name, Rate(1, 60)) > 0
    world.fail("marginalia", "server_error")
    with pytest.raises(SourceUnavailable):
        await ask(sources(world, "marginalia", shared=first), SourceKind.WEB)
    with pytest.raises(SourceUnavailable):
        await ask(sources(world, "marginalia", shared=second), SourceKind.WEB)
    assert len(world.asked("marginalia")) == 1
    await first.close()
    await second.close()


async def test_a_rate_that_is_used_up_for_a_moment_is_worth_another_try(world: ProviderServers) -> None:
    found = sources(world, "arxiv")
    await ask(found, SourceKind.ACADEMIC)
    with pytest.raises(SourceTemporarilyUnavailable) as limited:
        await ask(found, SourceKind.ACADEMIC)
    assert limited.value.retry_after_s is not None
    assert 0 < limited.value.retry_after_s <= 3
    both = sources(world, "arxiv", "openalex", shared=found.shared)
    assert (await ask(both, SourceKind.ACADEMIC)).provider == "openalex"


async def test_robots_are_asked(world: ProviderServers) -> None:
    closed = Work("Closed", "x", EVERYWHERE, host=1, robots="User-agent: Swissbrain\nDisallow: /pages/closed\n")
    world.script.works.append(closed)
    try:
        http = SafeHttpClient(world.page_hosts)
        robots = Robots(Shared())
        with pytest.raises(SourceUnavailable, match=r"robots.txt forbids") as refused:
            await robots.check(http, world.script.url(closed))
        assert refused.value.facts["rule"] == "robots"
        await robots.check(http, world.script.url(WORKS[1]))
        await robots.check(http, world.script.url(WORKS[0]))
        named = SafeHttpClient(world.page_hosts, user_agent="Otherbot/2")
        await robots.check(named, world.script.url(closed))
    finally:
        world.script.works.remove(closed)
