"""People for tests of the API: invited, signed in, with a session of their own."""

import uuid
from dataclasses import dataclass

import httpx

from tests.integration.api.conftest import Caller, Running

PASSWORD = "tides in the Bristol Channel"


_OPEN: list[Caller] = []


def client_of(api: Running, caller: Caller, token: str) -> Caller:
    """Return a client with this key or session; `close_all` closes it."""
    client = Caller(api.url, caller.org, token)
    _OPEN.append(client)
    return client


async def close_all() -> None:
    """Close every client that was made here."""
    while _OPEN:
        await _OPEN.pop().aclose()


@dataclass
class Person:
    """A member with a session."""

    client: Caller
    user_id: str
    email: str


async def invite(caller: Caller, role: str, **more: object) -> str:
    """Make an invitation; return its token."""
    made = await caller.post("/api/v1/invitations", json={"role": role, **more})
    assert made.status_code == 201, made.text
    token: str = made.json()["token"]
    return token


async def accept(api: Running, token: str, *, email: str | None = None, **more: object) -> httpx.Response:
    """Accept an invitation as a new person."""
    body = {"token": token, "email": email or f"{uuid.uuid4().hex}@example.com", "name": "Ada", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        return await client.post("/api/v1/auth/invitations/accept", json={**body, "transport": "bearer", **more})


async def join(api: Running, caller: Caller, role: str) -> Person:
    """Make a new member of the caller's organisation, with a session as bearer."""
    answer = await accept(api, await invite(caller, role))
    assert answer.status_code == 201, answer.text
    said = answer.json()
    return Person(client_of(api, caller, said["token"]), said["user"]["id"], said["user"]["email"])


async def sign_in(api: Running, email: str, password: str = PASSWORD, **more: object) -> httpx.Response:
    """Sign in by password."""
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        return await client.post("/api/v1/auth/sign-in", json={"email": email, "password": password, **more})
