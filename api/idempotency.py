"""`Idempotency-Key` on the way in and out; the claim itself is in `schema/store/idempotency.py`.

Required on every POST that creates or moves something. What is refused before the work (401, 403, 422, 409 ...) is not
stored: the claim is rolled back with the transaction.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.serialisation import JsonAnswer, encode
from infra.database import Database
from schema.errors import InvalidRequest, MissingIdempotencyKey
from schema.policies import IDEMPOTENCY_KEY_LENGTH_MAX
from schema.store import idempotency as store
from schema.store.idempotency import Asked, StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_FORM = re.compile(rf"[\x20-\x7e]{{1,{IDEMPOTENCY_KEY_LENGTH_MAX}}}")


async def _asked(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="Chosen by the caller, one per intended effect: 1 to 255 printable ASCII characters, for "
            "example a "
            "UUID. Kept for 24 hours at least; a repetition gets the stored answer.",
        ),
    ] = None,
) -> Asked:
    if key is None:
        raise MissingIdempotencyKey(
            f"This request needs the header {HEADER}: 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters, "
            "for example a UUID."
        )
    if not _FORM.fullmatch(key):
        raise InvalidRequest(
            f"{HEADER} must have 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters; this one does not.",
            header=HEADER,
        )
    route = f"{request.method} {request.scope['path'].rstrip('/')}"
    if request.headers.get("content-type", "").startswith("multipart/"):
        return Asked(route, key, "")  # The route itself says what was asked: a boundary changes with each repetition.
    return Asked(route, key, fingerprint(await request.body()))


Idempotent = Annotated[Asked, Depends(_asked)]
"""The request as its idempotency sees it: route, key, and the hash of its body."""


def fingerprint(body: bytes) -> str:
    """Return the SHA-256 of what a JSON body says: the same for another order of keys or other white space."""
    try:
        said = json.dumps(json.loads(body or b"{}"), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):  # No JSON, or nested to hurt: refused elsewhere, if it is read at all.
        said = body
    return hashlib.sha256(said).hexdigest()


def with_fingerprint(asked: Asked, said: Any) -> Asked:
    """Return `asked` with the hash of `said` (JSON), for bodies whose bytes change with each repetition."""
    return replace(asked, fingerprint=fingerprint(json.dumps(said).encode()))


@dataclass(frozen=True)
class Outcome:
    """What a request came to: a status, a body, and headers that are sent the first time only."""

    status_code: int
    content: Any
    location: str | None = None
    kept: Any = None
    """What repetitions get, where the answer holds a secret that is shown once and kept nowhere."""

    def sent(self) -> StoredAnswer:
        """Return the answer's bytes."""
        return self._rendered(self.content)

    def stored(self) -> StoredAnswer:
        """Return the answer's bytes, as they are kept."""
        return self._rendered(self.content if self.kept is None else self.kept)

    def _rendered(self, content: Any) -> StoredAnswer:
        return StoredAnswer(self.status_code, JsonAnswer.media_type, encode(content).encode())


async def once(
    database: Database, org_id: str, asked: Asked, work: Callable[[AsyncSession], Awaitable[Outcome]]
) -> tuple[Response, bool]:
    """Do `work` once per key, in one transaction with the key's claim and its answer.

    Returns:
        The answer, and whether the work was done by this call.
    """
    async with database.transaction(org_id) as session:
        if (given := await store.look_up(session, org_id, asked)) is not None:
            return replay(given), False
        outcome = await work(session)
        await store.store(session, org_id, asked, outcome.stored())
    return fresh(outcome.sent(), outcome.location), True


def fresh(answer: StoredAnswer, location: str | None = None) -> Response:
    """Send an answer for the first time."""
    headers = {"Location": location} if location else None
    return Response(answer.body, status_code=answer.status_code, media_type=answer.content_type, headers=headers)


def replay(answer: StoredAnswer) -> Response:
    """Send a stored answer again, byte for byte; what was created then is only returned now, so 201 becomes 200."""
    status = 200 if answer.status_code == 201 else answer.status_code
    return Response(answer.body, status_code=status, media_type=answer.content_type, headers={REPLAYED: "true"})


def effect_id(org_id: str, asked: Asked, claimed_at: datetime) -> str:
    """Derive the id under which the outside world deduplicates the work of this key, for example an Update's.

    Made of the claim and not of the key alone: a key that was forgotten after its time names a new request, and a run
    may be older than that.
    """
    facts = (org_id, asked.route, asked.key, claimed_at.astimezone(UTC).isoformat())
    return hashlib.sha256("|".join(facts).encode()).hexdigest()
