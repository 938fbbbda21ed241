"""Sessions: opened at a sign-in, proven with every request, ended by time, by sign-out, or all at once.

Of the token only a SHA-256 is kept. Two clocks end a session: it was not used for `SESSION_IDLE_MAX`, or it is
older than `SESSION_MAX`.
"""

import hmac

from sqlalchemy import ColumnElement, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.ids import SESSION, new_id
from schema.policies import SESSION_IDLE_MAX, SESSION_MAX, SESSION_SEEN_EVERY
from schema.store import clock, context, tokens
from schema.store.tokens import Token
from schema.tables.identity import Session

PREFIX = "ss"
_FIND = text("select * from across_session(:id, :token_sha256)")


async def open_session(
    session: AsyncSession,
    *,
    user_id: str,
    org_id: str,
    method: str,
    ip_address: str | None = None,
    user_agent: str | None = None,
) -> tuple[Session, str]:
    """Open a session; the token's text, which is returned beside the row, is kept nowhere.

    Args:
        org_id: the organisation that it works in at first.
        method: `password` or `oidc`.
    """
    await context.become(session, user_id=user_id)
    now = await clock.now(session)
    session_id = new_id(SESSION)
    token, digest = tokens.make(PREFIX, session_id)
    opened = Session(
        id=session_id,
        user_id=user_id,
        current_org_id=org_id,
        token_sha256=digest,
        method=method,
        ip_address=ip_address,
        user_agent=user_agent,
        expires_at=now + SESSION_MAX,
    )
    session.add(opened)
    await session.flush()
    await session.refresh(opened)
    return opened, token


def parse_token(text: str) -> Token | None:
    """Take a presented token apart; None where it cannot be one of a session."""
    return tokens.parse(PREFIX, text)


async def find_session(session: AsyncSession, token: Token) -> Session | None:
    """Return the session that a token proves, if it is in force, and note at times that it was used."""
    given = {"id": f"{SESSION}_{token.id}", "token_sha256": token.digest}
    proven = (await session.execute(select(Session).from_statement(_FIND), given)).scalar_one_or_none()
    if proven is None or not hmac.compare_digest(proven.token_sha256, token.digest):
        return None
    await context.become(session, user_id=proven.user_id)
    query = select(Session).where(Session.id == proven.id, *_in_force())
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        return None
    seen_before = func.clock_timestamp() - SESSION_SEEN_EVERY
    await session.execute(
        update(Session)
        .where(col(Session.id) == found.id, col(Session.last_seen_at) < seen_before)
        .values(last_seen_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    return found


async def list_sessions(session: AsyncSession, user_id: str) -> list[Session]:
    """Return a person's sessions that are in force, newest first."""
    await context.become(session, user_id=user_id)
    query = select(Session).where(Session.user_id == user_id, *_in_force()).order_by(col(Session.id).desc())
    return list((await session.execute(query)).scalars())


async def end_session(session: AsyncSession, user_id: str, session_id: str) -> None:
    """End one session of a person, from this transaction on.

    Raises:
        NotFound: the person has no such session in force.
    """
    await context.become(session, user_id=user_id)
    if not await _end(session, Session.user_id == user_id, Session.id == session_id):
        raise NotFound("You have no such session.")


async def end_all(session: AsyncSession, user_id: str, *, but: str | None = None) -> int:
    """End every session of a person, from this transaction on, except `but`; return how many."""
    await context.become(session, user_id=user_id)
    return await _end(session, Session.user_id == user_id, *([] if but is None else [Session.id != but]))


async def switch(session: AsyncSession, user_id: str, session_id: str, org_id: str) -> None:
    """Have a person's session work in another organisation; the caller has proven the membership."""
    await context.become(session, user_id=user_id)
    await session.execute(
        update(Session)
        .where(col(Session.user_id) == user_id, col(Session.id) == session_id)
        .values(current_org_id=org_id)
        .execution_options(synchronize_session=False)
    )


async def _end(session: AsyncSession, *which: ColumnElement[bool] | bool) -> int:
    ended = await session.execute(
        update(Session)
        .where(*which, *_in_force())  # type: ignore[arg-type]
        .values(revoked_at=func.clock_timestamp())
        .returning(col(Session.id))
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def _in_force() -> tuple[ColumnElement[bool], ...]:
    return (
        col(Session.revoked_at).is_(None),
        col(Session.expires_at) > func.clock_timestamp(),
        col(Session.last_seen_at) > func.clock_timestamp() - SESSION_IDLE_MAX,
    )
