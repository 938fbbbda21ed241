"""How the Python client sends a request: one key, one exception for errors, repetitions where they are safe.

Reads are repeated after a broken connection; a POST carries an Idempotency-Key and is repeated with the same one, so
neither is done twice.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import httpx

API = "/api/v1"
TIMEOUT_S = 60.0
ATTEMPTS = 4
RETRY_AFTER_MAX_S = 10.0
_AGAIN = frozenset({429, 503})
_IN_FLIGHT = "idempotency_in_flight"

Json = dict[str, Any]


class ApiError(Exception):
    """The API answered with a problem (RFC 9457), or did not answer."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """Keep the problem; `status` 0 means that nobody answered."""
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.code = str(problem.get("code", "unreachable" if status == 0 else "unknown"))
        self.problem = dict(problem)


class Transport(AbstractContextManager["Transport"]):
    """Calls one API with one key. Use it as a context manager, or `close` it."""

    def __init__(
        self, api_url: str, api_key: str, *, timeout_s: float = TIMEOUT_S, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            api_url: for example `http://127.0.0.1:8000`.
            transport: another way to the API, for tests.
        """
        self.timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=api_url.rstrip("/"),
            headers={"authorization": f"Bearer {api_key}", "accept": "application/json"},
            timeout=timeout_s,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def new_key(self) -> str:
        """Make an Idempotency-Key."""
        return uuid.uuid4().hex

    def fetch(self, url: str) -> bytes:
        """Download from a link that the API gave; the key is not sent there."""
        try:
            answer = httpx.get(url, timeout=self.timeout_s)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        if not answer.is_success:
            raise error_of(answer)
        return answer.content

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        found: Json = self._request("GET", path, params=params).json()
        return found

    def _post(self, path: str, body: Json, idempotency_key: str | None) -> Json:
        headers = {"idempotency-key": idempotency_key or uuid.uuid4().hex}
        made: Json = self._request("POST", path, json=body, headers=headers).json()
        return made

    def _pages(self, path: str, name: str, limit: int, params: Mapping[str, Any]) -> Iterator[Json]:
        """Yield up to `limit` items of a list."""
        asked = {key: value for key, value in params.items() if value is not None}
        cursor: str | None = None
        while limit > 0:
            page = self._get(path, {**asked, "limit": min(limit, 200), **({"cursor": cursor} if cursor else {})})
            yield from page[name]
            limit, cursor = limit - len(page[name]), page["next_cursor"]
            if cursor is None:
                return

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request; repeat it where that is safe (its key is the same one) and promises something."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._http.request(method, path, **more)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise unreachable(error) from error
                time.sleep(0.2 * 2**attempt)
                continue
            if answer.is_success:
                return answer
            failure = error_of(answer)
            again = answer.status_code in _AGAIN or failure.code == _IN_FLIGHT
            wait_s = float(answer.headers.get("retry-after", 1))
            if not again or attempt == ATTEMPTS or wait_s > RETRY_AFTER_MAX_S:
                raise failure
            time.sleep(wait_s)
        raise AssertionError("unreachable")


def error_of(answer: httpx.Response) -> ApiError:
    """Return an answer that is no success as an exception."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": f"HTTP {answer.status_code} without a problem document"}
    return ApiError(answer.status_code, problem if isinstance(problem, dict) else {})


def unreachable(error: httpx.TransportError) -> ApiError:
    """Return that nobody answered."""
    return ApiError(0, {"code": "unreachable", "detail": f"The API does not answer ({type(error).__name__})."})
