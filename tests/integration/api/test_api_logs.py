"""A run's log: JSON pages and the stream; gap-free, resumable, of any length."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from api import streams
from infra.database import Database
from infra.live import Live
from infra.settings import Settings
from schema.events import EventType
from schema.policies import STREAM_BATCH
from schema.store import events
from schema.store.events import NewEvent
from tests.integration.api.conftest import Caller, Running, eventually, make_key

Event = tuple[int | None, str, dict[str, object]]


async def read(caller: Caller, run_id: str, last: int | str | None = None, limit: int = 10**9) -> AsyncIterator[Event]:
    headers = {} if last is None else {"last-event-id": str(last)}
    path = f"/api/v1/runs/{run_id}/logs?stream=true"
    async with caller.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        number: int | None = None
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                yield number, kind, json.loads(line[6:])
                limit -= 1
                if limit == 0:
                    return


async def whole(caller: Caller, run_id: str, last: int | str | None = None) -> list[Event]:
    async with asyncio.timeout(30):
        return [event async for event in read(caller, run_id, last)]


async def add(db: Database, caller: Caller, run_id: str, count: int) -> None:
    lines = [NewEvent(EventType.AGENT_THOUGHT, f"line {n}\nwith a break", agent_number=1) for n in range(count)]
    async with db.transaction(caller.org.id) as session:
        await events.append(session, caller.org.id, run_id, *lines)


async def test_the_stream_of_a_run_that_has_ended(caller: Caller) -> None:
    run = await caller.create()
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    found = await whole(caller, run["id"])
    assert [(number, kind) for number, kind, _ in found] == [
        (1, "run.created"),
        (2, "run.cancelled"),
        (2, "end"),
    ]
    assert found[0][2].keys() == {"seq", "timestamp", "level", "message", "type", "agent", "data"}
    assert found[-1][2] == {"status": "cancelled", "last_seq": 2}
    assert [kind for _, kind, _ in await whole(caller, run["id"], last=1)] == ["run.cancelled", "end"]
    assert [kind for _, kind, _ in await whole(caller, run["id"], last=2)] == ["end"]


async def test_a_long_history_streams_without_loss(caller: Caller, db: Database) -> None:
    run = await caller.create()
    for _ in range(5):
        await add(db, caller, run["id"], 1_000)
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    found = await whole(caller, run["id"])
    assert len(found) > STREAM_BATCH * 5
    assert [number for number, _, _ in found[:-1]] == list(range(1, 5_003))


async def test_a_stream_that_is_cut_again_and_again_loses_nothing(caller: Caller, db: Database) -> None:
    run = await caller.create()
    await add(db, caller, run["id"], 40)
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    seen: list[int] = []
    ended = False
    while not ended:
        async for number, kind, _ in read(caller, run["id"], seen[-1] if seen else None, limit=7):
            if kind == "end":
                ended = True
                break
            assert number is not None
            seen.append(number)
    assert seen == list(range(1, 43))


async def test_new_lines_come_at_once(caller: Caller, db: Database, settings: Settings) -> None:
    run = await caller.create()
    live = Live(settings.redis_url.get_secret_value())
    got: list[Event] = []

    async def follow() -> None:
        async for event in read(caller, run["id"]):
            got.append(event)

    reader = asyncio.create_task(follow())
    await eventually(lambda: asyncio.sleep(0, len(got) == 1))
    await add(db, caller, run["id"], 3)
    await live.publish(run["id"])
    await eventually(lambda: asyncio.sleep(0, len(got) == 4))
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    async with asyncio.timeout(10):
        await reader
    assert [kind for _, kind, _ in got[-2:]] == ["run.cancelled", "end"]
    await live.close()


async def test_a_stream_holds_no_connection_and_pings(
    api: Running, caller: Caller, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    monkeypatch.setattr(streams, "STREAM_PING", timedelta(seconds=0.2))
    run = await caller.create()
    key = await make_key(owner_db, caller.org, ("runs:read",))
    async with Caller(api.url, caller.org, key) as reader:
        path = f"/api/v1/runs/{run['id']}/logs?stream=true"
        async with reader.stream("GET", path) as answer:
            lines = answer.aiter_lines()
            async with asyncio.timeout(10):
                while (line := await anext(lines)) != ": ping":
                    assert line is not None
            async with owner_db.transaction(None) as session:
                idle = await session.execute(
                    text("select count(*) from pg_stat_activity where state like 'idle in transaction%'")
                )
                assert idle.scalar_one() == 0
            # A key that is revoked ends its streams with the next ping.
            listed = (await caller.get("/api/v1/api-keys")).json()["api_keys"]
            await caller.delete(f"/api/v1/api-keys/{listed[0]['id']}")
            async with asyncio.timeout(10):
                assert "event: end" not in [line async for line in lines]


async def test_a_key_may_keep_only_so_many_streams(
    api: Running, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(api.app.state.services.stream_slots._limits, "key", 2)
    run = await caller.create()
    path = f"/api/v1/runs/{run['id']}/logs?stream=true"
    async with caller.stream("GET", path) as first, caller.stream("GET", path) as second:
        assert (first.status_code, second.status_code) == (200, 200)
        lines = first.aiter_lines(), second.aiter_lines()
        assert [await anext(each) for each in lines] == ["retry: 1000"] * 2
        async with asyncio.timeout(10):
            third = await caller.get(path)
        assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
        assert third.headers["retry-after"]

    async def free() -> bool:
        return not api.app.state.services.stream_slots._open

    await eventually(free)


async def test_json_pages(caller: Caller, db: Database) -> None:
    run = await caller.create()
    await add(db, caller, run["id"], 10)
    path = f"/api/v1/runs/{run['id']}/logs"
    first = (await caller.get(path, params={"limit": 4})).json()
    assert ([line["seq"] for line in first["logs"]], first["has_more"], first["last_seq"]) == ([1, 2, 3, 4], True, 4)
    rest = (await caller.get(path, params={"after_seq": 4})).json()
    assert ([line["seq"] for line in rest["logs"]], rest["has_more"]) == (list(range(5, 12)), False)
    for params in ({"after_seq": -1}, {"limit": 0}, {"after_seq": 2**63}):
        assert (await caller.get(path, params=params)).status_code == 422
    assert (await caller.get(f"{path}?last_event_id=x")).status_code == 422  # Also where no stream begins.
    bad = await caller.get(f"{path}?stream=true", headers={"last-event-id": "x; drop"})
    assert (bad.status_code, bad.json()["code"]) == (422, "validation_failed")
