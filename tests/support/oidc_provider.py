"""An OpenID provider on a real loopback socket: discovery, keys, authorization code with PKCE, ID tokens.

`async with OidcServer() as provider`: `provider.issuer` is its address. `authorise` plays the browser at the
authorization endpoint and returns where it is sent back. What the next ID token says or how it is signed can be bent:
`provider.bend`. Nothing here is used by the product.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "swissbrain-tests"
CLIENT_SECRET = "a secret: with/odd %characters"

Claims = dict[str, Any]


class OidcServer:
    """A provider whose one user signs in at once, as whom the test says."""

    def __init__(self) -> None:
        self.issuer = ""
        self.user: Claims = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True, "name": "Ada Example"}
        self.bend: Callable[[Claims], None] = lambda _claims: None
        """Changes the claims of the ID tokens that follow."""
        self.algorithm = "RS256"
        self.signer: Any = None
        """Another key than the published one."""
        self.discovery: Claims = {}
        """Replaces members of the discovery document."""
        self.requests: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish it in place of the old one."""
        self._kid = secrets.token_hex(4)
        self._rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._ec = ec.generate_private_key(ec.SECP256R1())

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        routes = [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/keys", self._keys),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            await asyncio.sleep(0.02)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        await self._task

    async def authorise(self, url: str) -> str:
        """Go where the product sent the browser; return where the provider sends it back to."""
        async with httpx.AsyncClient() as browser:
            answer = await browser.get(url)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def _discovery(self, _request: Request) -> Response:
        self.requests.append("discovery")
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                **self.discovery,
            }
        )

    async def _keys(self, _request: Request) -> Response:
        self.requests.append("keys")
        keys = (RSAAlgorithm.to_jwk(self._rsa.public_key()), ECAlgorithm.to_jwk(self._ec.public_key()))
        named = [json.loads(key) | {"kid": f"{self._kid}-{at}", "use": "sig"} for at, key in enumerate(keys)]
        return JSONResponse({"keys": named})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != CLIENT_ID or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", status_code=302)

    async def _token(self, request: Request) -> Response:
        self.requests.append("token")
        form = dict(await request.form())
        pair = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        asked = self._codes.pop(str(form.get("code")), None)
        verifier = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        if (
            asked is None
            or pair != "swissbrain-tests:a%20secret%3A%20with%2Fodd%20%25characters"
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or base64.urlsafe_b64encode(verifier).decode().rstrip("=") != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        claims: Claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.user
        self.bend(claims)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self._signed(claims)})

    def _signed(self, claims: Claims) -> str:
        at = 1 if self.algorithm.startswith("ES") else 0
        signer = self.signer or (self._ec if at else self._rsa)
        headers = {"kid": f"{self._kid}-{at}"}
        if self.algorithm == "none":
            return jwt.encode(claims, None, algorithm="none", headers=headers)
        return jwt.encode(claims, signer, algorithm=self.algorithm, headers=headers)
