"""Sign-ins under way at an OpenID provider: each is taken once, by the browser that began it, within its time."""

import hashlib
from datetime import timedelta

from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from schema.policies import SESSION_KEPT, SIGN_IN_FAILURES_FORGOTTEN
from schema.store import clock, context
from schema.tables.identity import OidcRequest

_FORGET = text("select across_forget_sign_ins(:sessions, :failures)")
KEPT = timedelta(minutes=10)
"""How long somebody may take at the provider."""


async def keep_request(
    session: AsyncSession,
    *,
    state: str,
    browser: str,
    nonce: str,
    code_verifier: str,
    return_to: str,
    invitation: str | None = None,
    link_user_id: str | None = None,
) -> None:
    """Keep what the provider's answer will be checked against; of `state` and `browser` only hashes."""
    now = await clock.now(session)
    await session.execute(_FORGET, {"sessions": SESSION_KEPT, "failures": SIGN_IN_FAILURES_FORGOTTEN})
    await context.become(session, proof=_digest(state))
    session.add(
        OidcRequest(
            state_sha256=_digest(state),
            browser_sha256=_digest(browser),
            nonce=nonce,
            code_verifier=code_verifier,
            return_to=return_to,
            invitation=invitation,
            link_user_id=link_user_id,
            expires_at=now + KEPT,
        )
    )
    await session.flush()


async def take_request(session: AsyncSession, *, state: str, browser: str) -> OidcRequest | None:
    """Return the request of a state, which is gone with this; None where it is unknown, used, late, or another's."""
    await context.become(session, proof=_digest(state))
    taken = await session.execute(
        delete(OidcRequest)
        .where(
            col(OidcRequest.state_sha256) == _digest(state),
            col(OidcRequest.browser_sha256) == _digest(browser),
            col(OidcRequest.expires_at) > func.clock_timestamp(),
        )
        .returning(OidcRequest)
        .execution_options(synchronize_session=False)
    )
    return taken.scalar_one_or_none()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
