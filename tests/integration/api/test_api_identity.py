"""People: invited, signed in and out, throttled; members and their roles; sessions end at once."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from sqlalchemy import text

from infra.database import Database
from infra.settings import Settings
from schema.permissions import ROLES, Role, Scope
from schema.store import sign_in as throttle
from tests.integration.api.conftest import Caller, Running, make_key, serving
from tests.integration.api.people import PASSWORD, accept, client_of, close_all, invite, join, sign_in
from tests.integration.conftest import make_org

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""The cost is for attackers; one test takes the product's own."""


@pytest_asyncio.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close what the tests opened."""
    yield
    await close_all()


@pytest.fixture(autouse=True)
def roomy(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of these come from one address: leave its limits to the tests that are about them."""
    roomy = api.app.state.services.settings.model_copy(update={"requests_per_minute_address": 0})
    monkeypatch.setattr(throttle, "SIGN_IN_FREE_FAILURES_OF_ADDRESS", 10_000)
    monkeypatch.setattr(api.app.state.services.passwords, "_hasher", CHEAP)
    object.__setattr__(api.app.state.services, "settings", roomy)


async def audited(owner_db: Database, org_id: str) -> list[str]:
    async with owner_db.transaction(org_id) as session:
        rows = await session.execute(
            text("select action from audit_logs where org_id = :id order by seq"), {"id": org_id}
        )
        return [row[0] for row in rows]


async def test_an_invitation_makes_one_member(api: Running, caller: Caller, other: Caller, owner_db: Database) -> None:
    body = {"role": "member", "email": "Ada@Example.com"}
    made = await caller.post("/api/v1/invitations", json=body, idem="i")
    token, invitation_id = made.json()["token"], made.json()["id"]
    again = await caller.post("/api/v1/invitations", json=body, idem="i")
    assert (again.status_code, again.json()["token"], again.json()["id"]) == (200, None, invitation_id)
    assert token not in (await caller.get("/api/v1/invitations")).text
    async with owner_db.transaction(caller.org.id) as session:
        kept = (await session.execute(text("select i::text, k.body from invitations i, idempotency_keys k"))).all()
        assert all(token.split("_")[3] not in str(row) for row in kept)
    address = f"{uuid.uuid4().hex}@example.com"
    assert (await accept(api, token, email=address)).status_code == 409  # for another address
    answers = await asyncio.gather(*(accept(api, token, email="ada@example.com") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404, 404, 404], [a.text for a in answers]
    who = next(answer.json() for answer in answers if answer.status_code == 201)
    assert (who["organisation"]["id"], who["organisation"]["role"]) == (caller.org.id, "member")
    assert who["permissions"] == sorted(ROLES[Role.MEMBER])
    listed = (await caller.get("/api/v1/invitations")).json()["invitations"]
    assert [(each["status"], each["accepted_by"]) for each in listed] == [("accepted", who["user"]["id"])]
    assert {"invitation.created", "member.added", "invitation.accepted", "user.signed_in"} <= set(
        await audited(owner_db, caller.org.id)
    )
    # The same person, in a second organisation, by the same account.
    mine = client_of(api, caller, who["token"])
    second = await mine.post("/api/v1/auth/invitations/accept", json={"token": await invite(other, "viewer")})
    assert second.status_code == 201, second.text
    assert {place["id"]: place["role"] for place in second.json()["organisations"]} == {
        caller.org.id: "member", other.org.id: "viewer",
    }  # fmt: skip
    assert (await mine.get("/api/v1/session")).json()["organisation"]["id"] == other.org.id
    back = await mine.put("/api/v1/session/organisation", json={"org_id": caller.org.id})
    assert back.json()["organisation"]["role"] == "member"
    foreign = await make_org(owner_db)
    assert (await mine.put("/api/v1/session/organisation", json={"org_id": foreign.id})).status_code == 404


async def test_invitations_that_are_refused(api: Running, caller: Caller, owner_db: Database) -> None:
    admin = await join(api, caller, "admin")
    assert (await admin.client.post("/api/v1/invitations", json={"role": "owner"})).status_code == 403
    revoked = await caller.post("/api/v1/invitations", json={"role": "viewer"})
    gone = await caller.delete(f"/api/v1/invitations/{revoked.json()['id']}")
    assert gone.json()["status"] == "revoked"
    late, orphaned, token = [await invite(each, "viewer") for each in (caller, admin.client, caller)]
    async with owner_db.transaction(caller.org.id) as session:
        late_id = "inv_" + late.split("_")[2]
        statement = "update invitations set expires_at = clock_timestamp() where id = :id"
        await session.execute(text(statement), {"id": late_id})
    assert (await caller.patch(f"/api/v1/members/{admin.user_id}", json={"role": "member"})).status_code == 200
    assert (await accept(api, orphaned)).status_code == 201  # a member may not invite, but gives no more than its own
    orphaned = await invite(caller, "viewer")
    forged = token[:-7] + ("A" if token[-7] != "A" else "B") + token[-6:]
    for bad in (revoked.json()["token"], late, forged, "inv_x", token[:-1]):
        answer = await accept(api, bad)
        assert answer.status_code == 404, (bad, answer.text)
    for password in ("short", "aaaaaaaaaaaaaaaaaa", "swissbrain12"):
        answer = await accept(api, token, password=password)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), password
    assert (await accept(api, token, email=admin.email)).status_code == 409
    assert (await accept(api, token)).status_code == 201


async def test_sign_in_by_cookie_or_bearer(api: Running, caller: Caller, owner_db: Database) -> None:
    person = await join(api, caller, "member")
    answer = await sign_in(api, person.email.upper())
    assert answer.status_code == 200, answer.text
    assert "token" not in answer.text or answer.json()["token"] is None
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("swissbrain_session=ss_")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    value = answer.cookies["swissbrain_session"]
    async with owner_db.transaction(None) as session:
        assert value.split("_")[2] not in str((await session.execute(text("select * from sessions"))).all())
    async with httpx.AsyncClient(base_url=api.url, timeout=60, cookies={"swissbrain_session": value}) as browser:
        assert (await browser.get("/api/v1/runs")).status_code == 200
        body, path = {"task": "t"}, "/api/v1/runs"
        for headers, status in (
            ({}, 403),
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"sec-fetch-site": "cross-site", "origin": api.url}, 403),
            ({"sec-fetch-site": "same-site"}, 403),
            ({"sec-fetch-site": "none"}, 403),
            ({"origin": api.url}, 201),
            ({"sec-fetch-site": "same-origin"}, 201),
        ):
            made = await browser.post(path, json=body, headers={"idempotency-key": uuid.uuid4().hex, **headers})
            assert made.status_code == status, (headers, made.text)
        listed = (await browser.get("/api/v1/sessions")).json()["sessions"]
        assert [each["current"] for each in listed] == [True, False]
        out = await browser.request("DELETE", "/api/v1/session", headers={"origin": api.url})
        assert out.status_code == 204
        assert 'swissbrain_session=""' in out.headers["set-cookie"]
        assert (await browser.get("/api/v1/runs", headers={"cookie": f"swissbrain_session={value}"})).status_code == 401
    # A page of another site cannot even sign somebody in.
    async with httpx.AsyncClient(base_url=api.url, timeout=60, headers={"origin": "https://evil.example"}) as evil:
        body = {"email": person.email, "password": PASSWORD}
        assert (await evil.post("/api/v1/auth/sign-in", json=body)).status_code == 403
    assert (await person.client.get("/api/v1/runs")).status_code == 200


async def test_over_https_the_cookie_is_bound_to_the_host(api_settings: Settings, api: Running, caller: Caller) -> None:
    person = await join(api, caller, "viewer")
    settings = api_settings.model_copy(update={"api_public_url": "https://swissbrain.example"})
    async with serving(settings) as running:
        answer = await sign_in(running, person.email)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-swissbrain_session=ss_")
        assert "Secure" in cookie
        token = cookie.partition("=")[2].partition(";")[0]
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
            for name, status in (("__Host-swissbrain_session", 200), ("swissbrain_session", 401)):
                got = await client.get("/api/v1/session", headers={"cookie": f"{name}={token}"})
                assert got.status_code == status, name


async def test_sessions_end_by_either_clock_and_all_at_once(api: Running, caller: Caller, owner_db: Database) -> None:
    person = await join(api, caller, "member")
    tokens = [(await sign_in(api, person.email, transport="bearer")).json()["token"] for _ in range(4)]
    clients = [client_of(api, caller, token) for token in tokens]
    ids = [(await client.get("/api/v1/session")).json()["session"]["id"] for client in clients]
    async with owner_db.transaction(None) as session:
        for column, session_id in (("last_seen_at", ids[0]), ("expires_at", ids[1])):
            ago = "interval '25 hours'" if column == "last_seen_at" else "interval '8 days'"
            statement = f"update sessions set {column} = clock_timestamp() - {ago} where id = :id"
            await session.execute(text(statement), {"id": session_id})
    assert [(await client.get("/api/v1/session")).status_code for client in clients] == [401, 401, 200, 200]
    ended = await person.client.delete(f"/api/v1/sessions/{ids[2]}")
    assert ended.status_code == 204
    assert (await clients[2].get("/api/v1/session")).status_code == 401
    stranger = await join(api, caller, "owner")
    assert (await stranger.client.delete(f"/api/v1/sessions/{ids[3]}")).status_code == 404
    assert (await caller.get("/api/v1/sessions")).status_code == 403  # a key has no account
    changed = await clients[3].put(
        "/api/v1/session/password", json={"current_password": PASSWORD, "new_password": "another long sentence"}
    )
    assert changed.status_code == 204, changed.text
    assert (await clients[3].get("/api/v1/session")).status_code == 200
    assert (await person.client.get("/api/v1/session")).status_code == 401
    assert (await sign_in(api, person.email)).status_code == 401
    assert (await sign_in(api, person.email, "another long sentence")).status_code == 200
    assert (await clients[3].delete("/api/v1/sessions")).status_code == 204
    assert (await clients[3].get("/api/v1/session")).status_code == 401
    assert {"user.password_changed", "user.signed_out"} <= set(await audited(owner_db, caller.org.id))


async def test_failed_sign_ins_wait_longer_each_time(
    api: Running, caller: Caller, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty guesses at once are twenty failures; a stranger's address is throttled as a member's is."""
    person = await join(api, caller, "member")
    async with owner_db.transaction(None) as session:  # Tests before this one failed from the same address.
        await session.execute(text("delete from sign_in_attempts"))
    waits = [throttle.delay_after(failures, 5).total_seconds() for failures in (4, 5, 6, 7, 10, 100)]
    assert waits == [0, 1, 2, 4, 32, 900]
    real = throttle.delay_after  # A minute in place of a second: a slow machine must not wait it out.
    monkeypatch.setattr(throttle, "delay_after", lambda failures, free: 60 * real(failures, free))
    for email in (person.email, f"{uuid.uuid4().hex}@nobody.example"):
        answers = await asyncio.gather(*(sign_in(api, email, "wrong password") for _ in range(20)))
        codes = [answer.status_code for answer in answers]
        assert (codes.count(401), codes.count(429)) == (5, 15), Counter(
            (answer.status_code, answer.json()["detail"], answer.json().get("retry_after")) for answer in answers
        )
        details = {answer.json()["detail"] for answer in answers}
        assert details == {"The address or the password is wrong.", "Too many sign-ins failed. Wait, then try again."}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
    right = await sign_in(api, person.email)
    assert right.status_code == 429
    async with owner_db.transaction(None) as session:
        await session.execute(text("update sign_in_attempts set blocked_until = null"))
    assert (await sign_in(api, person.email)).status_code == 200
    assert (await sign_in(api, person.email, "wrong password")).status_code == 401  # counted from the start again
    monkeypatch.setattr(throttle, "SIGN_IN_FREE_FAILURES_OF_ADDRESS", 1)
    tried = [(await sign_in(api, f"{n}@nobody.example", "wrong password")).status_code for n in range(2)]
    assert 429 in tried
    async with owner_db.transaction(None) as session:
        await session.execute(text("delete from sign_in_attempts"))


async def test_an_unknown_address_costs_what_a_known_one_costs(
    api: Running, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many proofs of a password and as many transactions: what one could measure from outside comes of these."""
    person = await join(api, caller, "member")
    services = api.app.state.services
    verify, transaction = services.passwords._verify, services.database.transaction
    done: list[str] = []

    def verified(kept: str, password: str) -> bool:
        done.append("proof")
        assert kept.startswith("$argon2id$")
        return bool(verify(kept, password))

    def begun(org_id: str | None) -> Any:
        done.append("transaction")
        return transaction(org_id)

    monkeypatch.setattr(services.passwords, "_verify", verified)
    monkeypatch.setattr(services.database, "transaction", begun)

    async def cost_of(email: str) -> list[str]:
        done.clear()
        answer = await sign_in(api, email, "wrong password")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        return list(done)

    # The audit log of strangers is written aside, now and then within a request: the least of some is what one costs.
    unknown = min([await cost_of(f"{uuid.uuid4().hex}@nobody.example") for _ in range(4)], key=len)
    known = min([await cost_of(person.email) for _ in range(4)], key=len)
    assert known == unknown
    assert known.count("proof") == 1


async def test_roles_reach_no_higher_than_themselves(api: Running, caller: Caller) -> None:
    owner, admin, member, viewer = [await join(api, caller, role) for role in ("owner", "admin", "member", "viewer")]
    path = "/api/v1/members/{}"

    async def change(who: Any, whom: Any, role: str) -> int:
        return (await who.client.patch(path.format(whom.user_id), json={"role": role})).status_code

    assert await change(admin, owner, "viewer") == 403
    assert await change(admin, member, "owner") == 403
    assert await change(admin, admin, "owner") == 403
    assert await change(member, viewer, "viewer") == 403
    assert await change(admin, member, "admin") == 200
    assert await change(member, viewer, "member") == 200  # at once: no role is remembered
    assert (await admin.client.delete(path.format(owner.user_id))).status_code == 403
    assert (await viewer.client.get("/api/v1/billing/balance")).status_code == 200
    assert (await admin.client.patch("/api/v1/organisation", json={"name": "n"})).status_code == 403
    assert (await owner.client.patch("/api/v1/organisation", json={"name": "New"})).json()["name"] == "New"
    # A key made in better days does no more than its member may now; a removed member's keys and sessions end.
    key = await member.client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["runs:write", "billing:admin"]})
    assert key.status_code == 201, key.text
    program = client_of(api, caller, key.json()["key"])
    assert await change(owner, member, "viewer") == 200
    refused = await program.post("/api/v1/runs", json={"task": "t"})
    assert (refused.status_code, refused.json()["missing_scopes"]) == (403, ["runs:write"])
    assert (await admin.client.delete(path.format(member.user_id))).status_code == 204
    assert (await program.get("/api/v1/session")).status_code == 401
    assert (await member.client.get("/api/v1/session")).status_code == 401
    assert (await admin.client.get(path.format(member.user_id))).status_code == 404


async def test_the_last_owner_stays(api: Running, caller: Caller, owner_db: Database) -> None:
    owner = await join(api, caller, "owner")
    first = f"/api/v1/members/{caller.org.owner_id}"
    second = f"/api/v1/members/{owner.user_id}"
    # Each demotes the other, at once: one of them wins.
    answers = await asyncio.gather(
        owner.client.patch(first, json={"role": "admin"}), caller.patch(second, json={"role": "admin"})
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409]), [a.text for a in answers]
    async with owner_db.transaction(caller.org.id) as session:
        query = "select user_id from memberships where org_id = :id and role = 'owner' and removed_at is null"
        left = list((await session.execute(text(query), {"id": caller.org.id})).scalars())
    assert len(left) == 1
    last = caller if left == [caller.org.owner_id] else owner.client
    for method, body in (("PATCH", {"role": "member"}), ("DELETE", None)):
        answer = await last.request(method, f"/api/v1/members/{left[0]}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), answer.text


async def test_service_accounts_own_keys(api: Running, caller: Caller) -> None:
    admin, member = await join(api, caller, "admin"), await join(api, caller, "member")
    assert (await caller.post("/api/v1/service-accounts", json={"name": "ci", "role": "owner"})).status_code == 403
    made = await admin.client.post("/api/v1/service-accounts", json={"name": "ci", "role": "member"})
    assert (made.status_code, made.json()["kind"], made.json()["email"]) == (201, "service", None), made.text
    account = made.json()["user_id"]
    body = {"name": "k", "scopes": ["runs:read", "runs:write"], "service_account_id": account}
    assert (await member.client.post("/api/v1/api-keys", json=body)).status_code == 403
    assert (
        await admin.client.post("/api/v1/api-keys", json={**body, "service_account_id": member.user_id})
    ).status_code == 403
    key = (await admin.client.post("/api/v1/api-keys", json=body)).json()
    program = client_of(api, caller, key["key"])
    assert (await program.get("/api/v1/session")).json()["user"]["id"] == account
    rotated = await admin.client.post(f"/api/v1/api-keys/{key['id']}/rotate", json={"overlap_s": 60})
    assert rotated.status_code == 201
    assert (await program.get("/api/v1/runs")).status_code == 200
    # Keys of others: a member does not see them, an administrator revokes but never takes over a person's.
    own = (await member.client.post("/api/v1/api-keys", json={"name": "o", "scopes": ["runs:read"]})).json()
    assert [each["id"] for each in (await member.client.get("/api/v1/api-keys")).json()["api_keys"]] == [own["id"]]
    assert (await member.client.get(f"/api/v1/api-keys/{key['id']}")).status_code == 404
    assert (await member.client.delete(f"/api/v1/api-keys/{key['id']}")).status_code == 404
    assert (await admin.client.post(f"/api/v1/api-keys/{own['id']}/rotate")).status_code == 403
    assert (await admin.client.delete(f"/api/v1/api-keys/{own['id']}")).status_code == 200
    assert (await caller.delete(f"/api/v1/members/{account}")).status_code == 204
    assert (await program.get("/api/v1/runs")).status_code == 401


def test_every_permission_has_a_lowest_role_and_the_platforms_has_none() -> None:
    assert ROLES[Role.OWNER] == set(Scope) - {Scope.OPERATOR}
    assert ROLES[Role.VIEWER] < ROLES[Role.MEMBER] < ROLES[Role.ADMIN] < ROLES[Role.OWNER]


async def test_keys_of_the_owner_keep_working_with_old_scopes(api: Running, caller: Caller, owner_db: Database) -> None:
    key = await make_key(owner_db, caller.org, ("keys:admin", "operator"))
    async with Caller(api.url, caller.org, key) as client:
        who = (await client.get("/api/v1/session")).json()
        assert who["permissions"] == ["keys:admin", "keys:own", "operator"]
        assert who["session"] is None
