"""Money: every movement of credits, in one transaction with its ledger entry, under the organisation's row lock.

Life of an amount: `purchase` posts credits; `place_hold` sets some aside for one attempt of a run; `meter` counts use
against the hold; `settle` turns the metered part into a charge and releases the rest, once. `refund` gives back part
of a posted charge. A release is no refund: it never adds to the balance.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import (
    Conflict,
    HoldClosed,
    IdempotencyMismatch,
    InsufficientCredits,
    LedgerImbalance,
    NotFound,
    SpendingLimitReached,
    ValidationFailed,
)
from schema.ids import HOLD, LEDGER_ENTRY, USAGE, derived_id, hold_key, new_id, settle_key
from schema.money import HOLD_CREDITS_MAX, PCR_PER_UCR, UCR_PER_CREDIT, capture_ucr, ucr_to_credits
from schema.policies import HOLD_LIFETIME
from schema.prices import PRICE_VERSION
from schema.store import audit, clock, spending
from schema.store.audit import Actor
from schema.tables.billing import CreditBalance, CreditHold, LedgerEntry, Usage

_AUDITED = {"purchase": "credits.purchased", "refund": "credits.refunded", "adjustment": "credits.adjusted"}
"""Movements that somebody asks for by themselves, and how the audit log calls them."""


@dataclass(frozen=True)
class UsageItem:
    """One metered effect, not yet written."""

    operation_key: str
    """Idempotency key: the effect is metered once under it."""
    kind: str
    item: str
    amount_pcr: int
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Settlement:
    """What a settlement moved."""

    charged_ucr: int
    released_ucr: int


@dataclass(frozen=True)
class _Movement:
    """One ledger entry to post."""

    type: str
    key: str
    posted_ucr: int = 0
    held_ucr: int = 0
    run_id: str | None = None
    attempt: int | None = None
    hold_id: str | None = None
    reverses_id: str | None = None
    description: str = ""
    created_by: str | None = None

    def fingerprint(self) -> str:
        facts = [self.type, self.posted_ucr, self.held_ucr, self.run_id, self.attempt, self.reverses_id]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


async def open_account(session: AsyncSession, org_id: str) -> None:
    """Create the organisation's balance at zero; harmless when it exists."""
    await session.execute(upsert(CreditBalance).values(org_id=org_id).on_conflict_do_nothing())


async def get_balance(session: AsyncSession, org_id: str) -> CreditBalance:
    """Return the organisation's balance.

    Raises:
        NotFound: the organisation has no account.
    """
    row = (await session.execute(select(CreditBalance).where(CreditBalance.org_id == org_id))).scalar_one_or_none()
    if row is None:
        raise NotFound("this organisation has no credit account")
    return row


async def _lock_balance(session: AsyncSession, org_id: str) -> CreditBalance:
    row = (
        await session.execute(
            select(CreditBalance)
            .where(CreditBalance.org_id == org_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()
    if row is None:
        raise NotFound("this organisation has no credit account")
    return row


async def _posted(session: AsyncSession, org_id: str, movement: _Movement) -> LedgerEntry | None:
    """Return the entry that an earlier call posted under the same key, if it asked for the same."""
    entry = (
        await session.execute(
            select(LedgerEntry).where(LedgerEntry.org_id == org_id, LedgerEntry.idempotency_key == movement.key)
        )
    ).scalar_one_or_none()
    if entry is not None and entry.fingerprint != movement.fingerprint():
        raise IdempotencyMismatch(
            "this idempotency key already stands in the ledger for another movement; use a new key", key=movement.key
        )
    return entry


async def _post(session: AsyncSession, org_id: str, movement: _Movement) -> LedgerEntry:
    """Append one entry and move the balance with it; a repeat returns the entry of the first call."""
    balance = await _lock_balance(session, org_id)
    if (entry := await _posted(session, org_id, movement)) is not None:
        return entry
    posted = balance.balance_ucr + movement.posted_ucr
    held = balance.reserved_ucr + movement.held_ucr
    if held < 0:
        raise LedgerImbalance("a movement would release more than is held")
    if posted < held:
        raise InsufficientCredits(
            "the available credits do not cover this; buy credits or lower the run's ceiling",
            required=str(ucr_to_credits(max(movement.held_ucr, -movement.posted_ucr))),
            available=str(ucr_to_credits(balance.balance_ucr - balance.reserved_ucr)),
        )
    entry = LedgerEntry(
        org_id=org_id,
        version=balance.version + 1,
        id=new_id(LEDGER_ENTRY),
        type=movement.type,
        posted_delta_ucr=movement.posted_ucr,
        held_delta_ucr=movement.held_ucr,
        posted_after_ucr=posted,
        held_after_ucr=held,
        run_id=movement.run_id,
        attempt=movement.attempt,
        hold_id=movement.hold_id,
        reverses_id=movement.reverses_id,
        idempotency_key=movement.key,
        fingerprint=movement.fingerprint(),
        description=movement.description,
        created_by=movement.created_by,
    )
    session.add(entry)
    balance.balance_ucr, balance.reserved_ucr, balance.version = posted, held, balance.version + 1
    balance.updated_at = func.clock_timestamp()  # type: ignore[assignment]
    await session.flush()
    await session.refresh(entry)
    return entry


async def _post_audited(session: AsyncSession, org_id: str, movement: _Movement, actor: Actor) -> LedgerEntry:
    """Append an entry that somebody asked for, and say who, in the same transaction; a repeat writes neither."""
    await _lock_balance(session, org_id)
    if (entry := await _posted(session, org_id, movement)) is not None:
        return entry
    entry = await _post(session, org_id, movement)
    await audit.record(
        session,
        org_id,
        actor=actor,
        action=_AUDITED[movement.type],
        resource_type="ledger_entry",
        resource_id=entry.id,
        details={"posted_delta_ucr": entry.posted_delta_ucr, "version": entry.version},
    )
    return entry


async def purchase(
    session: AsyncSession,
    org_id: str,
    *,
    amount_ucr: int,
    idempotency_key: str,
    description: str = "purchase",
    created_by: str | None = None,
    actor: Actor = audit.SYSTEM,
) -> LedgerEntry:
    """Add bought credits to the balance; once per `idempotency_key`."""
    movement = _Movement(
        "purchase", f"purchase:{idempotency_key}", posted_ucr=amount_ucr, description=description, created_by=created_by
    )
    return await _post_audited(session, org_id, movement, actor)


async def adjust(
    session: AsyncSession,
    org_id: str,
    *,
    amount_ucr: int,
    idempotency_key: str,
    description: str,
    created_by: str | None = None,
    actor: Actor = audit.SYSTEM,
) -> LedgerEntry:
    """Correct the balance by a signed amount; once per `idempotency_key`; never below what is held."""
    movement = _Movement(
        "adjustment", f"adjust:{idempotency_key}", posted_ucr=amount_ucr, description=description, created_by=created_by
    )
    return await _post_audited(session, org_id, movement, actor)


async def refund(
    session: AsyncSession,
    org_id: str,
    *,
    charge_id: str,
    amount_ucr: int,
    idempotency_key: str,
    description: str = "refund",
    created_by: str | None = None,
    actor: Actor = audit.SYSTEM,
) -> LedgerEntry:
    """Reverse part of a posted charge; all refunds of a charge together never exceed it.

    Raises:
        NotFound: there is no such charge.
        Conflict: more than the charge would be given back.
    """
    balance = await _lock_balance(session, org_id)
    charge = (
        await session.execute(
            select(LedgerEntry).where(
                LedgerEntry.org_id == org_id, LedgerEntry.id == charge_id, LedgerEntry.type == "charge"
            )
        )
    ).scalar_one_or_none()
    if charge is None:
        raise NotFound(f"there is no charge {charge_id} in this organisation's ledger")
    movement = _Movement(
        "refund",
        f"refund:{idempotency_key}",
        posted_ucr=amount_ucr,
        run_id=charge.run_id,
        attempt=charge.attempt,
        reverses_id=charge_id,
        description=description,
        created_by=created_by,
    )
    if (entry := await _posted(session, balance.org_id, movement)) is not None:
        return entry
    refunded = (
        await session.execute(
            select(func.coalesce(func.sum(LedgerEntry.posted_delta_ucr), 0)).where(
                LedgerEntry.org_id == org_id, LedgerEntry.reverses_id == charge_id
            )
        )
    ).scalar_one()
    left_ucr = -charge.posted_delta_ucr - int(refunded)
    if amount_ucr > left_ucr:
        raise Conflict(
            f"only {ucr_to_credits(left_ucr)} credits of this charge are left to refund",
            refundable=str(ucr_to_credits(left_ucr)),
        )
    return await _post_audited(session, org_id, movement, actor)


async def hold_of(session: AsyncSession, org_id: str, run_id: str, attempt: int) -> CreditHold | None:
    """Return the hold of one attempt, open or settled."""
    return (
        await session.execute(
            select(CreditHold).where(
                CreditHold.org_id == org_id, CreditHold.run_id == run_id, CreditHold.attempt == attempt
            )
        )
    ).scalar_one_or_none()


async def _lock_hold(session: AsyncSession, org_id: str, run_id: str, attempt: int) -> CreditHold | None:
    return (
        await session.execute(
            select(CreditHold)
            .where(CreditHold.org_id == org_id, CreditHold.run_id == run_id, CreditHold.attempt == attempt)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()


async def place_hold(
    session: AsyncSession,
    org_id: str,
    *,
    run_id: str,
    attempt: int,
    amount_ucr: int,
    user_id: str | None = None,
    created_by: str | None = None,
) -> CreditHold:
    """Set credits aside for one attempt of a run; once per (run, attempt), whoever asks and how often.

    Args:
        user_id: the member whose monthly limit it counts against, beside the organisation's.

    Raises:
        InsufficientCredits: the available credits do not cover it; nothing was held.
        SpendingLimitReached: what is left of a monthly limit does not cover it; nothing was held.
    """
    balance = await _lock_balance(session, org_id)
    if (hold := await hold_of(session, org_id, run_id, attempt)) is not None:
        return hold
    placed_at = await clock.now(session)
    hold = CreditHold(
        id=derived_id(HOLD, run_id, attempt),
        org_id=org_id,
        run_id=run_id,
        attempt=attempt,
        amount_ucr=amount_ucr,
        user_id=user_id,
        created_at=placed_at,
        expires_at=placed_at + HOLD_LIFETIME,
    )
    await _require_within_limits(session, balance, hold, added_ucr=amount_ucr, hold_ucr=amount_ucr)
    movement = _Movement(
        "hold",
        hold_key(run_id, attempt),
        held_ucr=amount_ucr,
        run_id=run_id,
        attempt=attempt,
        hold_id=hold.id,
        description=f"hold for attempt {attempt}",
        created_by=created_by,
    )
    await _post(session, org_id, movement)
    await spending.take(session, hold, amount_ucr)
    session.add(hold)
    await session.flush()
    await session.refresh(hold)
    return hold


def _raising(run_id: str, attempt: int, added_ucr: int, idempotency_key: str, **facts: Any) -> _Movement:
    key, description = f"raise:{idempotency_key}", "addition to the hold"
    return _Movement("hold", key, 0, added_ucr, run_id, attempt, description=description, **facts)


async def was_raised(
    session: AsyncSession, org_id: str, *, run_id: str, attempt: int, added_ucr: int, idempotency_key: str
) -> bool:
    """Tell whether `raise_hold` was done under this key before.

    Raises:
        IdempotencyMismatch: it was, for another run, attempt or amount.
    """
    return await _posted(session, org_id, _raising(run_id, attempt, added_ucr, idempotency_key)) is not None


async def raise_hold(
    session: AsyncSession,
    org_id: str,
    *,
    run_id: str,
    attempt: int,
    added_ucr: int,
    idempotency_key: str,
    created_by: str | None = None,
) -> CreditHold:
    """Add credits to an open hold; once per `idempotency_key`.

    Raises:
        HoldClosed: the attempt is settled.
        InsufficientCredits: the available credits do not cover the addition.
        SpendingLimitReached: what is left of a monthly limit does not.
    """
    balance = await _lock_balance(session, org_id)
    hold = await _lock_hold(session, org_id, run_id, attempt)
    if hold is None or hold.state != "open":
        raise HoldClosed("this attempt's hold is settled; nothing can be added to it")
    movement = _raising(run_id, attempt, added_ucr, idempotency_key, hold_id=hold.id, created_by=created_by)
    if await _posted(session, org_id, movement) is not None:
        return hold
    raised_ucr = hold.amount_ucr + added_ucr
    await _require_within_limits(session, balance, hold, added_ucr=added_ucr, hold_ucr=raised_ucr)
    await _post(session, org_id, movement)
    await spending.take(session, hold, added_ucr)
    hold.amount_ucr = raised_ucr
    await session.flush()
    return hold


async def _require_within_limits(
    session: AsyncSession, balance: CreditBalance, hold: CreditHold, *, added_ucr: int, hold_ucr: int
) -> None:
    """Refuse a hold above the largest one, or above what the month's limits leave; before anything is written.

    The balance is locked: no other hold of the organisation comes between the look and the entry.
    """
    if hold_ucr > HOLD_CREDITS_MAX * UCR_PER_CREDIT:
        raise ValidationFailed(f"a hold is at most {HOLD_CREDITS_MAX} credits", limit=HOLD_CREDITS_MAX)
    for limit in await spending.limits_on(session, balance, hold):
        if limit.spent_ucr + added_ucr > limit.limit_ucr:
            raise SpendingLimitReached(
                f"the {limit.whose}'s spending limit of this month (UTC) does not cover the hold; have the limit "
                "raised, lower what the run may spend, or wait",
                limit_of=limit.whose,
                monthly_limit=str(ucr_to_credits(limit.limit_ucr)),
                spent=str(ucr_to_credits(limit.spent_ucr)),
                required=str(ucr_to_credits(added_ucr)),
            )


async def meter(
    session: AsyncSession,
    org_id: str,
    *,
    run_id: str,
    attempt: int,
    agent_number: int,
    items: Sequence[UsageItem],
) -> int:
    """Count use against the attempt's hold, each item once under its operation key.

    Never beyond the hold: budgets are split before work starts, and should a provider count more than was budgeted,
    the item's amount is cut to what is left (the platform bears it).

    Returns:
        What these items cost, in pico-credits, whether written now or by an earlier call.

    Raises:
        HoldClosed: the attempt is settled; nothing was written.
    """
    hold = await _lock_hold(session, org_id, run_id, attempt)
    if hold is None or hold.state != "open":
        raise HoldClosed(f"attempt {attempt} of run {run_id} is settled; this late use is not charged")
    spent_pcr = 0
    for item in items:
        amount_pcr = min(item.amount_pcr, hold.amount_ucr * PCR_PER_UCR - hold.metered_pcr)
        written = await session.execute(
            upsert(Usage)
            .values(
                id=derived_id(USAGE, item.operation_key),
                org_id=org_id,
                run_id=run_id,
                attempt=attempt,
                agent_number=agent_number,
                operation_key=item.operation_key,
                kind=item.kind,
                item=item.item,
                input_tokens=item.input_tokens,
                output_tokens=item.output_tokens,
                calls=item.calls,
                amount_pcr=amount_pcr,
                price_version=PRICE_VERSION,
            )
            .on_conflict_do_nothing(index_elements=["org_id", "operation_key"])
            .returning(col(Usage.amount_pcr))
        )
        if written.scalar_one_or_none() is not None:
            hold.metered_pcr += amount_pcr
        else:
            amount_pcr = (
                await session.execute(
                    select(Usage.amount_pcr).where(Usage.org_id == org_id, Usage.operation_key == item.operation_key)
                )
            ).scalar_one()
        spent_pcr += amount_pcr
    await session.flush()
    return spent_pcr


async def settle(
    session: AsyncSession, org_id: str, *, run_id: str, attempt: int, capture: bool, expired: bool = False
) -> Settlement:
    """Resolve the attempt's hold, once: charge the metered use out of it (if `capture`), release the rest.

    A repeat, or a racing settlement of another kind, returns what the first one moved. An attempt without a hold
    moves nothing.
    """
    await _lock_balance(session, org_id)
    hold = await _lock_hold(session, org_id, run_id, attempt)
    if hold is None:
        return Settlement(0, 0)
    if hold.state != "open":
        return Settlement(hold.captured_ucr, hold.released_ucr)
    charged_ucr = capture_ucr(hold.metered_pcr, hold.amount_ucr) if capture else 0
    released_ucr = hold.amount_ucr - charged_ucr
    common: dict[str, Any] = {"run_id": run_id, "attempt": attempt, "hold_id": hold.id}
    if charged_ucr:
        key = settle_key(run_id, attempt, "charge")
        text = f"use of attempt {attempt}"
        await _post(session, org_id, _Movement("charge", key, -charged_ucr, -charged_ucr, description=text, **common))
    if released_ucr:
        kind = "expire" if expired else "release"
        key = settle_key(run_id, attempt, "release")
        text = f"unused part of the hold of attempt {attempt}"
        await _post(session, org_id, _Movement(kind, key, 0, -released_ucr, description=text, **common))
    await spending.give_back(session, hold, charged_ucr)
    hold.captured_ucr, hold.released_ucr, hold.state = charged_ucr, released_ucr, "settled"
    hold.settled_at = func.clock_timestamp()  # type: ignore[assignment]
    await session.flush()
    return Settlement(charged_ucr, released_ucr)


async def list_ledger(
    session: AsyncSession,
    org_id: str,
    *,
    limit: int,
    cursor: str | None = None,
    run_id: str | None = None,
    type: str | None = None,
) -> tuple[list[LedgerEntry], str | None]:
    """Return a page of the ledger, newest first, and the cursor of the next page."""
    query = select(LedgerEntry).where(LedgerEntry.org_id == org_id)
    if cursor is not None:
        query = query.where(LedgerEntry.version < int(cursor))
    if run_id is not None:
        query = query.where(LedgerEntry.run_id == run_id)
    if type is not None:
        query = query.where(LedgerEntry.type == type)
    rows = list((await session.execute(query.order_by(col(LedgerEntry.version).desc()).limit(limit + 1))).scalars())
    return rows[:limit], str(rows[limit - 1].version) if len(rows) > limit else None


async def ledger_of_run(session: AsyncSession, org_id: str, run_id: str) -> list[LedgerEntry]:
    """Return every entry that is a run's, oldest first."""
    query = select(LedgerEntry).where(LedgerEntry.org_id == org_id, LedgerEntry.run_id == run_id)
    return list((await session.execute(query.order_by(col(LedgerEntry.version)))).scalars())


async def usage_of_run(session: AsyncSession, org_id: str, run_id: str) -> list[Usage]:
    """Return all metered use of a run, by its operation keys."""
    query = select(Usage).where(Usage.org_id == org_id, Usage.run_id == run_id)
    return list((await session.execute(query.order_by(col(Usage.operation_key)))).scalars())


async def list_usage(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, run_id: str | None = None
) -> tuple[list[Usage], str | None]:
    """Return a page of metered use, newest first, and the cursor of the next page."""
    query = select(Usage).where(Usage.org_id == org_id)
    if cursor is not None:
        at, _, usage_id = cursor.partition("|")
        query = query.where(func.row(Usage.created_at, Usage.id) < func.row(datetime.fromisoformat(at), usage_id))
    if run_id is not None:
        query = query.where(Usage.run_id == run_id)
    order = (col(Usage.created_at).desc(), col(Usage.id).desc())
    rows = list((await session.execute(query.order_by(*order).limit(limit + 1))).scalars())
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], f"{last.created_at.isoformat()}|{last.id}" if last is not None else None


async def usage_summary(session: AsyncSession, org_id: str, *, run_id: str | None = None) -> list[dict[str, Any]]:
    """Return use summed by kind and item: `{kind, item, calls, input_tokens, output_tokens, amount_pcr}`."""
    query = select(
        Usage.kind,
        Usage.item,
        func.sum(Usage.calls),
        func.sum(Usage.input_tokens),
        func.sum(Usage.output_tokens),
        func.sum(Usage.amount_pcr),
    ).where(Usage.org_id == org_id)  # type: ignore[call-overload]
    if run_id is not None:
        query = query.where(Usage.run_id == run_id)
    rows = await session.execute(query.group_by(Usage.kind, Usage.item).order_by(Usage.kind, Usage.item))
    names = ("kind", "item", "calls", "input_tokens", "output_tokens", "amount_pcr")
    return [dict(zip(names, (row[0], row[1], *(int(v) for v in row[2:])), strict=True)) for row in rows]
