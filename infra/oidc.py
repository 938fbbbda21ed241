"""Sign-in by an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 3.1, RFC 7636).

What the provider is asked goes through the product's one HTTP client. PyJWT checks signatures and registered claims;
what is asked of an ID token beyond them stands here. No token of the provider is kept.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
import structlog
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from infra.http import HttpResponse, SafeHttpClient
from infra.settings import Settings
from schema.errors import (
    BlockedAddress,
    ProviderRefused,
    ProviderUnavailable,
    SourceTemporarilyUnavailable,
    SourceUnavailable,
    Unauthenticated,
)

log = structlog.get_logger(__name__)

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Signatures by a key pair; never `none`, nor one by a secret that the client shares."""
METADATA_KEPT_S = 3600.0
KEYS_ASKED_EVERY_S = 30.0
"""An unknown key is looked for again, this often at most: a forged `kid` must not make us hammer the provider."""
LEEWAY_S = 60
AGE_MAX_S = 600
"""How long ago an ID token may have been issued."""
BYTES_MAX = 256 * 1024
_JSON = frozenset({"application/json", "application/jwk-set+json"})
_AGAIN = "The identity provider did not confirm the sign-in. Start it again."


@dataclass(frozen=True)
class Started:
    """A sign-in that begins; everything but the URL is kept until it comes back."""

    url: str
    state: str
    nonce: str
    code_verifier: str
    browser: str
    """For a cookie of the browser that begins."""


@dataclass(frozen=True)
class Identity:
    """Who the provider says has signed in."""

    issuer: str
    subject: str
    email: str | None
    """Only where the provider says that it was verified."""
    name: str


class OidcProvider:
    """One provider, known by its discovery document."""

    def __init__(self, settings: Settings, http: SafeHttpClient | None = None) -> None:
        """Prepare; nothing is asked yet.

        Args:
            settings: `oidc_issuer` and `oidc_client_id` are set.
        """
        self.issuer = settings.oidc_issuer or ""
        self._client_id = settings.oidc_client_id or ""
        secret = settings.oidc_client_secret
        self._secret = secret.get_secret_value() if secret is not None else None
        self._scopes = settings.oidc_scopes
        parts = urlsplit(self.issuer)
        self._plain = parts.scheme == "http"
        port = parts.port or (80 if self._plain else 443)
        # The operator named the issuer: it may stand on a private address, as a self-hosted provider does.
        private = (*settings.fetch_allowed_private_hosts, f"{parts.hostname}:{port}")
        self._http = http or SafeHttpClient(private, user_agent=settings.http_user_agent)
        self._metadata: dict[str, Any] = {}
        self._metadata_until = 0.0
        self._keys: PyJWKSet | None = None
        self._keys_asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def start(self, redirect_uri: str) -> Started:
        """Make up a sign-in: where to send the browser, and what to keep.

        Raises:
            ProviderUnavailable: the provider does not answer.
            ProviderRefused: what it answers cannot be used.
        """
        endpoint = str((await self._discovered())["authorization_endpoint"])
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": self._scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked, quote_via=quote)}"
        return Started(url, state, nonce, verifier, browser)

    async def finish(
        self, *, code: str, issuer: str | None, redirect_uri: str, nonce: str, code_verifier: str
    ) -> Identity:
        """Exchange a code for an ID token, check it, and return whose it is.

        Args:
            issuer: parameter `iss` of the answer (RFC 9207).

        Raises:
            Unauthenticated: the provider refused the code, or a check of the token failed; the log says which.
            ProviderUnavailable: the provider does not answer.
            ProviderRefused: what it answers cannot be used.
        """
        metadata = await self._discovered()
        if issuer != self.issuer and (
            issuer is not None or metadata.get("authorization_response_iss_parameter_supported") is True
        ):
            raise _refused("issuer of the answer")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._secret is None:
            form["client_id"] = self._client_id
        elif "client_secret_basic" in methods:
            pair = f"{quote(self._client_id, safe='')}:{quote(self._secret, safe='')}"  # RFC 6749, 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._secret}
        try:
            answer = await self._ask("POST", metadata["token_endpoint"], headers, urlencode(form).encode())
        except ProviderRefused as error:
            raise _refused("token endpoint") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _refused("no id_token")
        return self._identity(await self._proven(token, metadata), nonce)

    async def _proven(self, token: str, metadata: dict[str, Any]) -> dict[str, Any]:
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = sorted(ALGORITHMS & set(map(str, offered)))
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in algorithms:
                raise _refused("algorithm")
            key = await self._key(header.get("kid"), str(header["alg"]), metadata)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=algorithms,
                audience=self._client_id,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except PyJWTError as error:
            raise _refused(type(error).__name__) from error
        return claims

    def _identity(self, claims: dict[str, Any], nonce: str) -> Identity:
        said = claims.get("nonce")
        if not isinstance(said, str) or not secrets.compare_digest(said.encode(), nonce.encode()):
            raise _refused("nonce")
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several and "azp" not in claims) or claims.get("azp", self._client_id) != self._client_id:
            raise _refused("azp")
        if time.time() - float(claims["iat"]) > AGE_MAX_S + LEEWAY_S:
            raise _refused("iat")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or "\x00" in subject:
            raise _refused("sub")
        email = claims.get("email")
        verified = claims.get("email_verified") is True and isinstance(email, str) and 3 <= len(email) <= 254
        name = claims.get("name")
        shown = name.replace("\x00", "")[:200] if isinstance(name, str) else ""
        return Identity(self.issuer, subject, str(email) if verified else None, shown)

    async def _key(self, kid: str | None, algorithm: str, metadata: dict[str, Any]) -> PyJWK:
        for ask in (False, True):
            async with self._asking:
                now = time.monotonic()
                if self._keys is None or (ask and now - self._keys_asked_at > KEYS_ASKED_EVERY_S):
                    self._keys_asked_at = now
                    self._keys = PyJWKSet.from_dict(await self._ask("GET", metadata["jwks_uri"]))
            fitting = [
                key
                for key in self._keys.keys
                if (kid is None or key.key_id == kid) and key.public_key_use in (None, "sig") and _fits(key, algorithm)
            ]
            if len(fitting) == 1 or (fitting and kid is not None):
                return fitting[0]
        raise _refused("key")

    async def _discovered(self) -> dict[str, Any]:
        async with self._asking:
            if time.monotonic() < self._metadata_until:
                return self._metadata
            found = await self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise ProviderRefused("The identity provider names another issuer than SWISSBRAIN_OIDC_ISSUER does.")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not str(found.get(name, "")).startswith(("https://", "http://") if self._plain else "https://"):
                    raise ProviderRefused(f"The identity provider's discovery document has no usable {name}.")
            self._metadata, self._metadata_until = found, time.monotonic() + METADATA_KEPT_S
            return found

    async def _ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> dict[str, Any]:
        """Send a request; return the object that it answers."""
        try:
            answer: HttpResponse = await self._http.request(
                method, url, headers=headers, content=content, content_types=_JSON, bytes_max=BYTES_MAX
            )
            found = json.loads(answer.body)
        except SourceTemporarilyUnavailable as error:
            raise ProviderUnavailable("The identity provider does not answer.", retry_after_s=5) from error
        except (SourceUnavailable, BlockedAddress, ValueError, RecursionError) as error:
            log.warning("oidc.refused", url=url, error=type(error).__name__, detail=str(error))
            raise ProviderRefused("The identity provider answers with an error.") from error
        if not isinstance(found, dict):
            raise ProviderRefused("The identity provider answers with something else than an object.")
        return found


def _fits(key: PyJWK, algorithm: str) -> bool:
    kinds = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
    return key.key_type == kinds[algorithm[:2]]


def _refused(check: str) -> Unauthenticated:
    log.warning("oidc.sign_in_refused", check=check)
    return Unauthenticated(_AGAIN)
