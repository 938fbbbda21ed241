"""Sign-in by an OpenID provider, against one on a real socket: the flow, and every way in which it must fail."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from infra.settings import Settings
from tests.integration.api.conftest import Caller, Running, serving
from tests.integration.api.people import close_all, invite, join
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcServer

START, CALLBACK = "/api/v1/auth/oidc/start", "/api/v1/auth/oidc/callback"


@pytest_asyncio.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close what the tests opened."""
    yield
    await close_all()


@dataclass
class Desk:
    """An API with a provider."""

    provider: OidcServer
    running: Running

    def browser(self) -> httpx.AsyncClient:
        """Return a browser with a cookie jar of its own."""
        return httpx.AsyncClient(base_url=self.running.url, timeout=60)

    async def begin(self, browser: httpx.AsyncClient, **asked: Any) -> str:
        """Start a sign-in in a browser; return where the provider sends it back to."""
        if asked:
            answer = await browser.post(START, json=asked, headers={"sec-fetch-site": "same-origin"})
            assert answer.status_code == 200, answer.text
            return await self.provider.authorise(answer.json()["location"])
        answer = await browser.get(START, params={"return_to": "/runs?new=1"})
        assert answer.status_code == 303, answer.text
        return await self.provider.authorise(answer.headers["location"])

    async def invited(self, caller: Caller, subject: str, **more: Any) -> httpx.Response:
        """Come in with an invitation as `subject`."""
        self.provider.user = {"sub": subject, "email": f"{subject}@example.com", "email_verified": True, **more}
        async with self.browser() as browser:
            return await browser.get(await self.begin(browser, invitation=await invite(caller, "member")))


@pytest_asyncio.fixture
async def desk(api_settings: Settings) -> AsyncIterator[Desk]:
    """An API whose provider is a local one, named by configuration only."""
    async with OidcServer() as provider:
        settings = api_settings.model_copy(
            update={
                "oidc_issuer": provider.issuer,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret": SecretStr(CLIENT_SECRET),
                "requests_per_minute_address": 0,
            }
        )
        async with serving(settings) as running:
            yield Desk(provider, running)


async def test_a_person_comes_in_with_an_invitation_and_then_without(desk: Desk, caller: Caller) -> None:
    subject = f"s-{caller.org.id}"
    came = await desk.invited(caller, subject, name="Ada Example")
    assert (came.status_code, came.headers.get("location")) == (303, "/"), came.text
    async with desk.browser() as browser:
        sent = (await browser.get(START)).headers["location"]
        asked = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
        assert asked["redirect_uri"] == f"{desk.running.url}{CALLBACK}"
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        back = await desk.begin(browser)
        answer = await browser.get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs?new=1")
        who = (await browser.get("/api/v1/session")).json()
        assert (who["user"]["email"], who["user"]["name"]) == (f"{subject}@example.com", "Ada Example")
        assert (who["organisation"]["id"], who["session"]["method"]) == (caller.org.id, "oidc")
        # The same answer again, even in the same browser, is used.
        replayed = await browser.get(back)
        assert replayed.status_code == 401
    desk.provider.algorithm = "ES256"
    desk.provider.rotate()  # a key that was not there when keys were read last
    desk.running.app.state.services.oidc._keys_asked_at = float("-inf")
    async with desk.browser() as browser:
        assert (await browser.get(await desk.begin(browser))).status_code == 303


async def test_answers_that_are_not_this_browsers(desk: Desk, caller: Caller) -> None:
    assert (await desk.invited(caller, f"s-{caller.org.id}")).status_code == 303
    async with desk.browser() as victim, desk.browser() as attacker:
        back = await desk.begin(attacker)
        assert (await victim.get(back)).status_code == 401  # no cookie
        await desk.begin(victim)
        assert (await victim.get(back)).status_code == 401  # the cookie of another sign-in
        assert (await attacker.get(back)).status_code == 303  # and nothing of it was used up
        # Two at once with one state: one comes in.
        back = await desk.begin(attacker)
        jar = {"cookie": f"swissbrain_oidc={attacker.cookies['swissbrain_oidc']}"}
        async with desk.browser() as plain:
            both = await asyncio.gather(*(plain.get(back, headers=jar) for _ in (1, 2)))
        assert sorted(answer.status_code for answer in both) == [303, 401]
    async with desk.browser() as browser:
        state = parse_qs(urlsplit(await desk.begin(browser)).query)["state"][0]
        for query in (
            f"state={state}x&code=1",
            "code=1",
            f"state={state}&error=access_denied",
            f"state={state}&code=1",
        ):
            assert (await browser.get(f"{CALLBACK}?{query}")).status_code == 401, query
        for return_to in ("https://evil.example", "//evil.example", "/\\evil.example", "runs", "/a b"):
            answer = await browser.get(START, params={"return_to": return_to})
            assert answer.status_code == 422, return_to


BENT: dict[str, Any] = {
    "wrong audience": lambda claims: claims.update(aud="somebody-else"),
    "several audiences and no azp": lambda claims: claims.update(aud=[CLIENT_ID, "somebody-else"]),
    "another's azp": lambda claims: claims.update(azp="somebody-else"),
    "expired": lambda claims: claims.update(exp=claims["exp"] - 3600),
    "not yet valid": lambda claims: claims.update(nbf=claims["iat"] + 3600),
    "issued long ago": lambda claims: claims.update(iat=claims["iat"] - 3600),
    "wrong issuer": lambda claims: claims.update(iss="https://evil.example"),
    "wrong nonce": lambda claims: claims.update(nonce="another"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "no subject": lambda claims: claims.pop("sub"),
    "no end": lambda claims: claims.pop("exp"),
}


async def test_id_tokens_that_are_refused(desk: Desk, caller: Caller) -> None:
    assert (await desk.invited(caller, f"s-{caller.org.id}")).status_code == 303
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    async def tried() -> int:
        async with desk.browser() as browser:
            answer = await browser.get(await desk.begin(browser))
            assert "swissbrain_session" not in browser.cookies or answer.status_code == 303
            return answer.status_code

    for name, bend in BENT.items():
        desk.provider.bend = bend
        assert await tried() == 401, name
    desk.provider.bend = lambda _claims: None
    for algorithm, signer in (("RS256", stranger), ("none", None), ("HS256", "k" * 32), ("RS512", None)):
        desk.provider.algorithm, desk.provider.signer = algorithm, signer
        assert await tried() == 401, algorithm
    desk.provider.algorithm, desk.provider.signer = "RS256", None
    async with desk.browser() as browser:  # Mix-up (RFC 9207): the answer names another issuer, or none.
        back = await desk.begin(browser)
        assert (await browser.get(back.partition("&iss=")[0] + "&iss=https://evil.example")).status_code == 401
        back = await desk.begin(browser)
        assert (await browser.get(back.partition("&iss=")[0])).status_code == 401
    assert await tried() == 303


async def test_an_address_alone_leads_to_no_account(desk: Desk, api: Running, caller: Caller) -> None:
    """Who controls an address at the provider gets neither an account by it, nor somebody else's."""
    person = await join(desk.running, caller, "member")
    desk.provider.user = {"sub": f"x-{caller.org.id}", "email": person.email, "email_verified": True}
    async with desk.browser() as browser:
        assert (await browser.get(await desk.begin(browser))).status_code == 403
        taken = await browser.get(await desk.begin(browser, invitation=await invite(caller, "member")))
        assert taken.status_code == 409
    desk.provider.user = {"sub": f"y-{caller.org.id}", "email": "y@example.com", "email_verified": False}
    async with desk.browser() as browser:
        assert (
            await browser.get(await desk.begin(browser, invitation=await invite(caller, "member")))
        ).status_code == 403
    # By the account's own session it is added, and then leads there.
    desk.provider.user = {"sub": f"x-{caller.org.id}"}
    async with desk.browser() as browser:
        assert (await browser.post(START, json={"link": True})).status_code == 401
        browser.headers["authorization"] = f"Bearer {person.client.key}"
        assert (await browser.get(await desk.begin(browser, link=True))).status_code == 303
    async with desk.browser() as browser:
        assert (await browser.get(await desk.begin(browser))).status_code == 303
        assert (await browser.get("/api/v1/session")).json()["user"]["id"] == person.user_id
    second = await join(desk.running, caller, "member")
    async with desk.browser() as browser:
        browser.headers["authorization"] = f"Bearer {second.client.key}"
        assert (await browser.get(await desk.begin(browser, link=True))).status_code == 409
    async with httpx.AsyncClient(base_url=api.url) as client:
        assert (await client.get(START)).status_code == 404  # no provider there


@pytest.mark.parametrize(
    "replaced",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "ftp://x"}, {"jwks_uri": "http://169.254.169.254/"}],
)
async def test_discovery_that_cannot_be_used(desk: Desk, caller: Caller, replaced: dict[str, str]) -> None:
    desk.provider.discovery = replaced
    if "jwks_uri" in replaced:  # an address of the cloud's metadata: the product's client refuses it
        assert (await desk.invited(caller, f"z-{caller.org.id}")).status_code == 502
    else:
        async with desk.browser() as browser:
            assert (await browser.get(START)).status_code == 502
