"""Sign-ins that failed, counted per account and per address: the next one must wait, longer each time.

An attempt counts as failed before its password is looked at, and is taken back when it was right: a hundred guesses
at once are a hundred failures, and not one. Names of accounts and addresses stand here as hashes only, and an account
that does not exist counts as one that does.
"""

import hashlib
from datetime import timedelta

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import RateLimited
from schema.policies import (
    SESSION_KEPT,
    SIGN_IN_DELAY_MAX,
    SIGN_IN_FAILURES_FORGOTTEN,
    SIGN_IN_FREE_FAILURES_OF_ACCOUNT,
    SIGN_IN_FREE_FAILURES_OF_ADDRESS,
)
from schema.store import clock, context
from schema.tables.identity import SignInAttempts

_FORGET = text("select across_forget_sign_ins(:sessions, :failures)")


async def begin_attempt(session: AsyncSession, *, email: str, ip_address: str | None) -> None:
    """Count an attempt against its account and its address, unless either must wait.

    Raises:
        RateLimited: with `retry_after_s`; the attempt was not counted.
    """
    subjects = [(_account(email), SIGN_IN_FREE_FAILURES_OF_ACCOUNT)]
    if ip_address is not None:
        subjects.append((_address(ip_address), SIGN_IN_FREE_FAILURES_OF_ADDRESS))
    # In one order for everybody: two attempts that share both never wait for each other crosswise.
    rows: dict[bytes, SignInAttempts] = {}
    for subject, _free in sorted(subjects):
        await context.become(session, proof=subject)
        row = rows[subject] = await _locked(session, subject)
        # Read after the lock: an attempt that waited for another must not see that one's time as lying ahead.
        now = await clock.now(session)
        if row.blocked_until is not None and row.blocked_until > now:
            raise RateLimited(
                "Too many sign-ins failed. Wait, then try again.",
                retry_after_s=(row.blocked_until - now).total_seconds(),
            )
    for subject, free in sorted(subjects):
        await context.become(session, proof=subject)
        row = rows[subject]
        forgotten = now - row.last_at > SIGN_IN_FAILURES_FORGOTTEN
        row.failures = 1 if forgotten else row.failures + 1
        delay = delay_after(row.failures, free)
        row.last_at, row.blocked_until = now, now + delay if delay else None
        await session.flush()


async def _locked(session: AsyncSession, subject: bytes) -> SignInAttempts:
    """Return the count of a subject, made where there was none, and held until the transaction ends."""
    await session.execute(upsert(SignInAttempts).values(subject_sha256=subject, failures=0).on_conflict_do_nothing())
    query = select(SignInAttempts).where(SignInAttempts.subject_sha256 == subject).with_for_update()
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one()


def delay_after(failures: int, free: int) -> timedelta:
    """Return how long the next attempt waits: nothing for the first `free`, then 1, 2, 4 ... seconds, bounded."""
    if failures < free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - free, 30)), SIGN_IN_DELAY_MAX)


async def succeed(session: AsyncSession, *, email: str, ip_address: str | None) -> None:
    """Forget the failures of the account, take this attempt back from its address, and drop what is long past."""
    await session.execute(_FORGET, {"sessions": SESSION_KEPT, "failures": SIGN_IN_FAILURES_FORGOTTEN})
    await context.become(session, proof=_account(email))
    await session.execute(
        delete(SignInAttempts)
        .where(col(SignInAttempts.subject_sha256) == _account(email))
        .execution_options(synchronize_session=False)
    )
    if ip_address is None:
        return
    await context.become(session, proof=_address(ip_address))
    query = select(SignInAttempts).where(SignInAttempts.subject_sha256 == _address(ip_address)).with_for_update()
    row = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is not None:
        row.failures, row.blocked_until = max(0, row.failures - 1), None
        await session.flush()


def _account(email: str) -> bytes:
    return hashlib.sha256(f"account:{email.lower()}".encode()).digest()


def _address(ip_address: str) -> bytes:
    return hashlib.sha256(f"address:{ip_address}".encode()).digest()
