"""Limits: requests a minute, open streams, depth of a body, and what a month may cost, raced."""

import asyncio
import random
import re
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from infra.database import Database
from infra.settings import Settings
from tests.integration.api.conftest import Caller, Running, serving
from tests.integration.api.people import close_all, join
from tests.support.ledger import assert_sound

RATE_LIMIT = re.compile(r'"key";r=(\d+);t=(\d+), "organisation";r=(\d+);t=(\d+)')


@pytest_asyncio.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close what the tests opened."""
    yield
    await close_all()


@pytest.mark.parametrize("redis", ["up", "down"])
async def test_requests_of_a_key_and_of_an_organisation(
    api_settings: Settings, caller: Caller, other: Caller, redis: str, capfd: pytest.CaptureFixture[str]
) -> None:
    update = {"requests_per_minute_key": 5, "requests_per_minute_organisation": 8}
    if redis == "down":
        update["redis_url"] = type(api_settings.redis_url)("redis://127.0.0.1:9/0")
    async with serving(api_settings.model_copy(update=update)) as running:
        async with Caller(running.url, caller.org, caller.key) as client:
            answers = [await client.get("/api/v1/runs") for _ in range(7)]
            assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
            assert answers[0].headers["ratelimit-policy"] == '"key";q=5;w=60, "organisation";q=8;w=60'
            left = [RATE_LIMIT.fullmatch(answer.headers["ratelimit"]) for answer in answers]
            assert [int(each[1]) for each in left if each] == [4, 3, 2, 1, 0, 0, 0]
            refused = answers[-1]
            assert (refused.json()["code"], refused.json()["limit_of"]) == ("rate_limited", "key")
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert refused.headers["content-type"] == "application/problem+json"
            second = (await caller.post("/api/v1/api-keys", json={"name": "b", "scopes": ["runs:read"]})).json()["key"]
            async with Caller(running.url, caller.org, second) as sibling:
                codes = [(await sibling.get("/api/v1/runs")).status_code for _ in range(3)]
                assert codes[-1] == 429  # the organisation's own limit
        async with Caller(running.url, other.org, other.key) as stranger:
            assert (await stranger.get("/api/v1/runs")).status_code == 200
            ready = await stranger.get("/readyz")
            assert ready.json()["status"] == ("ok" if redis == "up" else "degraded")
    assert capfd.readouterr().err.count("request_limits.degraded") == (redis == "down")


async def test_who_has_no_key_is_limited_by_address(api_settings: Settings) -> None:
    async with serving(api_settings.model_copy(update={"requests_per_minute_address": 3})) as running:
        body = {"email": "a@nobody.example", "password": "x"}
        async with Caller(running.url, None, None) as client:  # type: ignore[arg-type]
            codes = [(await client.post("/api/v1/auth/sign-in", json={**body, "y": 1})).status_code for _ in range(5)]
    assert codes == [422, 422, 422, 429, 429]


async def test_an_organisation_keeps_only_so_many_streams(
    api: Running, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(api.app.state.services.stream_slots._limits, "organisation", 1)
    path = f"/api/v1/runs/{(await caller.create())['id']}/logs?stream=true"
    member = await join(api, caller, "viewer")
    async with caller.stream("GET", path) as first:
        lines = first.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        async with asyncio.timeout(30):
            refused = await member.client.get(path)
        assert (refused.status_code, refused.json()["limit_of"]) == (429, "organisation")


@pytest.mark.parametrize("depth", [70, 100_000])
async def test_a_body_that_is_nested_to_hurt(caller: Caller, depth: int) -> None:
    body = '{"task":"t","context":' + "[" * depth + "]" * depth + "}"
    answer = await caller.post("/api/v1/runs", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), answer.text
    assert "nested" in answer.text


@pytest.mark.parametrize("whose", ["organisation", "member"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.extended)])
async def test_a_limit_for_five_lets_five_of_twenty_through(
    api: Running, caller: Caller, owner_db: Database, worker: None, whose: str, seed: int
) -> None:
    """Created and started at once, in an order that the seed shuffles, by everybody who may."""
    first = await caller.create(max_credits=10)
    quote = float(first["credits_reserved"])
    limit = {"monthly_limit": round(quote * 5.5, 6)}
    person = await join(api, caller, "member")
    path = "/api/v1/organisation" if whose == "organisation" else f"/api/v1/members/{person.user_id}"
    assert (await caller.patch(path, json=limit)).status_code == 200
    creator = person.client
    starters = [creator, caller]
    order = random.Random(seed)

    async def one() -> int:
        await asyncio.sleep(order.random() / 20)
        run = await creator.create(max_credits=10)
        answer = await order.choice(starters).post(f"/api/v1/runs/{run['id']}/start", idem=uuid.uuid4().hex)
        if answer.status_code != 200:
            said = answer.json()
            assert (answer.status_code, said["code"], said["limit_of"]) == (402, "spending_limit_reached", whose)
            assert "limit" in said["detail"]
        return answer.status_code

    codes = await asyncio.gather(*(one() for _ in range(20)))
    assert (codes.count(200), codes.count(402)) == (5, 15), f"seed {seed}: {codes}"
    limits = (await person.client.get("/api/v1/billing/limits")).json()
    assert limits[whose]["spent"] <= limit["monthly_limit"]
    assert limits[whose]["left"] < quote
    async with owner_db.transaction(caller.org.id) as session:
        held = await session.execute(
            text("select count(*) from credit_holds where org_id = :id"), {"id": caller.org.id}
        )
        assert held.scalar_one() == 5
    await assert_sound(owner_db)
    assert (await caller.patch(path, json={"monthly_limit": None})).json()["monthly_limit"] is None
    assert (await caller.post(f"/api/v1/runs/{first['id']}/start")).status_code == 200
