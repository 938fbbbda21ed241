"""Spending limits of a calendar month (UTC): of an organisation, and of each of its members.

What counts as spent is what holds of the month hold, plus what was charged out of those that are settled; a hold
belongs to the month in which it was placed, for good. The windows change in the hold's own transaction, under the lock
of the organisation's balance (`billing.py`), so runs that start at the same moment never exceed a limit together.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.store import audit, clock
from schema.store.audit import Actor
from schema.tables.billing import CreditBalance, CreditHold, MemberUsageWindow, UsageWindow
from schema.tables.organisations import Membership


@dataclass(frozen=True)
class Spent:
    """What a month has taken, micro-credits."""

    held_ucr: int = 0
    captured_ucr: int = 0


@dataclass(frozen=True)
class Limit:
    """A limit that binds a hold, and what its month has taken of it."""

    whose: str
    """`organisation` or `member`."""
    limit_ucr: int
    spent_ucr: int


def month_of(at: datetime) -> datetime:
    """Return the beginning of the month (UTC)."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def limits_on(session: AsyncSession, balance: CreditBalance, hold: CreditHold) -> list[Limit]:
    """Return the limits that the hold must stay within, the organisation's first; the caller has locked the balance."""
    month, found = month_of(hold.created_at), []
    if balance.monthly_limit_ucr is not None:
        spent = await spent_by_organisation(session, balance.org_id, month)
        found.append(Limit("organisation", balance.monthly_limit_ucr, spent.held_ucr + spent.captured_ucr))
    if hold.user_id is not None:
        query = select(Membership.monthly_limit_ucr).where(
            Membership.org_id == balance.org_id, Membership.user_id == hold.user_id
        )
        limit_ucr = (await session.execute(query)).scalar_one_or_none()
        if limit_ucr is not None:
            spent = await spent_by_member(session, balance.org_id, hold.user_id, month)
            found.append(Limit("member", limit_ucr, spent.held_ucr + spent.captured_ucr))
    return found


async def spent_by_organisation(session: AsyncSession, org_id: str, month: datetime) -> Spent:
    """Return what the organisation's holds took from a month (its beginning, UTC)."""
    query = select(UsageWindow.held_ucr, UsageWindow.captured_ucr).where(
        UsageWindow.org_id == org_id, UsageWindow.period_start == month
    )
    row = (await session.execute(query)).one_or_none()
    return Spent() if row is None else Spent(*row)


async def spent_by_member(session: AsyncSession, org_id: str, user_id: str, month: datetime) -> Spent:
    """Return what the holds of a member's runs took from a month."""
    query = select(MemberUsageWindow.held_ucr, MemberUsageWindow.captured_ucr).where(
        MemberUsageWindow.org_id == org_id,
        MemberUsageWindow.user_id == user_id,
        MemberUsageWindow.period_start == month,
    )
    row = (await session.execute(query)).one_or_none()
    return Spent() if row is None else Spent(*row)


async def this_month(session: AsyncSession) -> datetime:
    """Return the beginning of the current month, by the database's clock."""
    return month_of(await clock.now(session))


async def set_organisation_limit(
    session: AsyncSession, org_id: str, *, limit_ucr: int | None, actor: Actor
) -> CreditBalance:
    """Set what the organisation may spend in a month; None: as much as it has. Holds that stand are not touched.

    Raises:
        NotFound: the organisation has no account.
    """
    query = select(CreditBalance).where(CreditBalance.org_id == org_id).with_for_update()
    balance = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if balance is None:
        raise NotFound("This organisation has no credit account.")
    balance.monthly_limit_ucr = limit_ucr
    await session.flush()
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="organisation.limited",
        resource_type="organisation",
        resource_id=org_id,
        details={"monthly_limit_ucr": limit_ucr},
    )
    return balance


async def take(session: AsyncSession, hold: CreditHold, amount_ucr: int) -> None:
    """Count an amount against the month in which the hold was placed; an addition counts there too."""
    month = month_of(hold.created_at)
    statement = upsert(UsageWindow).values(org_id=hold.org_id, period_start=month, held_ucr=amount_ucr)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "period_start"],
            set_={"held_ucr": col(UsageWindow.held_ucr) + statement.excluded.held_ucr},
        )
    )
    if hold.user_id is None:
        return
    statement = upsert(MemberUsageWindow).values(
        org_id=hold.org_id, user_id=hold.user_id, period_start=month, held_ucr=amount_ucr
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "user_id", "period_start"],
            set_={"held_ucr": col(MemberUsageWindow.held_ucr) + statement.excluded.held_ucr},
        )
    )


async def give_back(session: AsyncSession, hold: CreditHold, captured_ucr: int) -> None:
    """Turn what the hold took from its month into what was captured."""
    month = month_of(hold.created_at)
    await session.execute(
        update(UsageWindow)
        .where(col(UsageWindow.org_id) == hold.org_id, col(UsageWindow.period_start) == month)
        .values(
            held_ucr=func.greatest(col(UsageWindow.held_ucr) - hold.amount_ucr, 0),
            captured_ucr=col(UsageWindow.captured_ucr) + captured_ucr,
        )
        .execution_options(synchronize_session=False)
    )
    if hold.user_id is None:
        return
    await session.execute(
        update(MemberUsageWindow)
        .where(
            col(MemberUsageWindow.org_id) == hold.org_id,
            col(MemberUsageWindow.user_id) == hold.user_id,
            col(MemberUsageWindow.period_start) == month,
        )
        .values(
            held_ucr=func.greatest(col(MemberUsageWindow.held_ucr) - hold.amount_ucr, 0),
            captured_ucr=col(MemberUsageWindow.captured_ucr) + captured_ucr,
        )
        .execution_options(synchronize_session=False)
    )
