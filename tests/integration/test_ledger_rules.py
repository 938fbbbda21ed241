"""Each rule of the ledger once, in one transaction that is rolled back: the quick judge of `make mutants`.

Races, crashes and the invariants over all organisations are in `test_billing.py` and `test_money_model.py`.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.database import Database
from schema.errors import (
    Conflict,
    HoldClosed,
    IdempotencyMismatch,
    InsufficientCredits,
    NotFound,
    SpendingLimitReached,
    ValidationFailed,
)
from schema.ids import HOLD, ORGANISATION, RUN, derived_id, hold_key, new_id, settle_key
from schema.money import HOLD_CREDITS_MAX
from schema.policies import HOLD_LIFETIME
from schema.prices import PRICE_VERSION
from schema.store import billing, spending
from schema.store.audit import Actor
from schema.store.billing import Settlement, UsageItem
from schema.tables.billing import CreditHold, LedgerEntry
from tests.integration.conftest import Org
from tests.support.ledger import pcr, ucr

ACTOR = Actor(type="user", id="somebody")


@pytest_asyncio.fixture
async def session(db: Database, org: Org) -> AsyncIterator[AsyncSession]:
    """A transaction of the organisation (1,000 credits) that leaves nothing."""
    async with db.transaction(org.id) as opened:
        yield opened
        await opened.rollback()


async def money(session: AsyncSession, org: Org) -> tuple[int, int, int]:
    balance = await billing.get_balance(session, org.id)
    return balance.balance_ucr, balance.reserved_ucr, balance.version


async def audited(session: AsyncSession, org: Org) -> list[tuple[Any, ...]]:
    query = (
        "select action, resource_type, resource_id, details from audit_logs where actor_id = 'somebody' order by seq"
    )
    return [tuple(row) for row in await session.execute(text(query))]


async def held(session: AsyncSession, org: Org, run_id: str, credits: int = 10, **more: Any) -> CreditHold:
    facts = {"attempt": 1, "amount_ucr": ucr(credits), "user_id": org.owner_id, "created_by": "starter", **more}
    return await billing.place_hold(session, org.id, run_id=run_id, **facts)


async def metered(session: AsyncSession, org: Org, run_id: str, *items: UsageItem, attempt: int = 1) -> int:
    return await billing.meter(session, org.id, run_id=run_id, attempt=attempt, agent_number=3, items=items)


def item(key: str, credits: int, **more: Any) -> UsageItem:
    return UsageItem(operation_key=key, kind="tool", item="web.search", amount_pcr=pcr(credits), **more)


async def last(session: AsyncSession, org: Org) -> LedgerEntry:
    return (await billing.list_ledger(session, org.id, limit=1))[0][0]


async def test_a_purchase_and_an_adjustment(session: AsyncSession, org: Org) -> None:
    facts: dict[str, Any] = {"idempotency_key": "k", "created_by": "payer", "actor": ACTOR}
    entry = await billing.purchase(session, org.id, amount_ucr=ucr(5), **facts)
    shown = (entry.type, entry.idempotency_key, entry.description, entry.created_by, entry.version)
    assert shown == ("purchase", "purchase:k", "purchase", "payer", 2)
    assert (entry.posted_delta_ucr, entry.held_delta_ucr) == (ucr(5), 0)
    assert (entry.posted_after_ucr, entry.held_after_ucr) == (ucr(1_005), 0)
    assert (await billing.purchase(session, org.id, amount_ucr=ucr(5), **facts)).id == entry.id
    with pytest.raises(IdempotencyMismatch) as refused:
        await billing.purchase(session, org.id, amount_ucr=ucr(6), **facts)
    assert refused.value.facts == {"key": "purchase:k"}
    less = await billing.adjust(session, org.id, amount_ucr=-ucr(1), description="rounding", **facts)
    shown = (less.type, less.idempotency_key, less.description, less.created_by, less.posted_delta_ucr)
    assert shown == ("adjustment", "adjust:k", "rounding", "payer", -ucr(1))
    assert await money(session, org) == (ucr(1_004), 0, 3)
    assert await audited(session, org) == [
        ("credits.purchased", "ledger_entry", entry.id, {"posted_delta_ucr": ucr(5), "version": 2}),
        ("credits.adjusted", "ledger_entry", less.id, {"posted_delta_ucr": -ucr(1), "version": 3}),
    ]
    with pytest.raises(InsufficientCredits) as short:
        await billing.adjust(session, org.id, amount_ucr=-ucr(1_005), idempotency_key="b", description="")
    assert short.value.facts == {"required": "1005.00", "available": "1004.00"}
    await billing.adjust(session, org.id, amount_ucr=-ucr(1_004), idempotency_key="all", description="")
    assert await money(session, org) == (0, 0, 4)


async def test_an_account_is_opened_once(session: AsyncSession, org: Org) -> None:
    await billing.open_account(session, org.id)
    assert await money(session, org) == (ucr(1_000), 0, 1)
    for call in (billing.get_balance(session, new_id(ORGANISATION)), _limit(session, new_id(ORGANISATION))):
        with pytest.raises(NotFound):
            await call


async def _limit(session: AsyncSession, org_id: str) -> None:
    await spending.set_organisation_limit(session, org_id, limit_ucr=1, actor=ACTOR)


async def test_a_hold(session: AsyncSession, org: Org) -> None:
    run_id = new_id(RUN)
    before = await billing.get_balance(session, org.id)
    at = before.updated_at
    hold = await held(session, org, run_id)
    assert (hold.id, hold.org_id, hold.run_id, hold.attempt) == (derived_id(HOLD, run_id, 1), org.id, run_id, 1)
    assert (hold.amount_ucr, hold.user_id, hold.state) == (ucr(10), org.owner_id, "open")
    assert hold.expires_at - hold.created_at == HOLD_LIFETIME
    entry = await last(session, org)
    assert (entry.type, entry.idempotency_key, entry.hold_id) == ("hold", hold_key(run_id, 1), hold.id)
    assert (entry.run_id, entry.attempt, entry.created_by) == (run_id, 1, "starter")
    assert (entry.posted_delta_ucr, entry.held_delta_ucr) == (0, ucr(10))
    assert (entry.posted_after_ucr, entry.held_after_ucr) == (ucr(1_000), ucr(10))
    assert entry.description == "hold for attempt 1"
    assert (await held(session, org, run_id, 20)).amount_ucr == ucr(10)
    assert (await held(session, org, run_id, 20, attempt=2)).amount_ucr == ucr(20)
    assert (await held(session, org, new_id(RUN), 30)).amount_ucr == ucr(30)
    assert await money(session, org) == (ucr(1_000), ucr(60), 4)
    await session.refresh(before)
    assert before.updated_at > at
    with pytest.raises(InsufficientCredits) as short:
        await held(session, org, new_id(RUN), 941)
    assert short.value.facts == {"required": "941.00", "available": "940.00"}
    await held(session, org, new_id(RUN), 940)
    with pytest.raises(ValidationFailed) as large:
        await held(session, org, new_id(RUN), HOLD_CREDITS_MAX + 1)
    assert large.value.facts["limit"] == HOLD_CREDITS_MAX


async def test_an_addition_to_a_hold(session: AsyncSession, org: Org) -> None:
    run_id = new_id(RUN)
    hold = await held(session, org, run_id)
    facts: dict[str, Any] = {"run_id": run_id, "attempt": 1, "added_ucr": ucr(5), "idempotency_key": "k"}
    assert not await billing.was_raised(session, org.id, **facts)
    for _ in range(2):
        assert (await billing.raise_hold(session, org.id, created_by="payer", **facts)).amount_ucr == ucr(15)
    assert await billing.was_raised(session, org.id, **facts)
    with pytest.raises(IdempotencyMismatch):
        await billing.was_raised(session, org.id, **{**facts, "added_ucr": ucr(6)})
    entry = await last(session, org)
    assert (entry.type, entry.idempotency_key, entry.hold_id) == ("hold", "raise:k", hold.id)
    assert (entry.posted_delta_ucr, entry.held_delta_ucr, entry.created_by) == (0, ucr(5), "payer")
    assert (entry.run_id, entry.attempt, entry.description) == (run_id, 1, "addition to the hold")
    with pytest.raises(ValidationFailed):
        await billing.raise_hold(
            session, org.id, **{**facts, "added_ucr": ucr(HOLD_CREDITS_MAX - 14), "idempotency_key": "much"}
        )
    month = await spending.this_month(session)
    assert (await spending.spent_by_organisation(session, org.id, month)).held_ucr == ucr(15)
    assert (await spending.spent_by_member(session, org.id, org.owner_id, month)).held_ucr == ucr(15)
    await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=False)
    for changed in ({"idempotency_key": "late"}, {"attempt": 2}, {"run_id": new_id(RUN)}):
        with pytest.raises(HoldClosed):
            await billing.raise_hold(session, org.id, **{**facts, **changed})


async def test_use_is_counted_once_and_cut_to_the_hold(session: AsyncSession, org: Org) -> None:
    run_id, other = new_id(RUN), new_id(RUN)
    await held(session, org, run_id)
    await held(session, org, other)
    first = item("one", 4, input_tokens=7, output_tokens=8, calls=2)
    assert await metered(session, org, run_id, first) == pcr(4)
    assert await metered(session, org, run_id, first, item("two", 3)) == pcr(7)
    assert await metered(session, org, run_id, item("three", 9)) == pcr(3)
    assert await metered(session, org, other, item("four", 1)) == pcr(1)
    rows, cursor = await billing.list_usage(session, org.id, limit=9, run_id=run_id)
    assert cursor is None
    assert sorted((row.operation_key, row.amount_pcr) for row in rows) == [
        ("one", pcr(4)),
        ("three", pcr(3)),
        ("two", pcr(3)),
    ]
    [row] = [row for row in rows if row.operation_key == "one"]
    assert (row.org_id, row.run_id, row.attempt, row.agent_number) == (org.id, run_id, 1, 3)
    assert (row.kind, row.item, row.input_tokens, row.output_tokens, row.calls) == ("tool", "web.search", 7, 8, 2)
    assert row.price_version == PRICE_VERSION
    tokens = UsageItem(operation_key="five", kind="tokens", item="model", amount_pcr=0)
    await metered(session, org, other, tokens)
    names = ("kind", "item", "calls", "input_tokens", "output_tokens", "amount_pcr")
    assert await billing.usage_summary(session, org.id) == [
        dict(zip(names, ("tokens", "model", 0, 0, 0, 0), strict=True)),
        dict(zip(names, ("tool", "web.search", 2, 7, 8, pcr(11)), strict=True)),
    ]
    [summed] = await billing.usage_summary(session, org.id, run_id=run_id)
    assert summed["amount_pcr"] == pcr(10)
    with pytest.raises(HoldClosed):
        await metered(session, org, run_id, item("six", 1), attempt=2)
    await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=True)
    with pytest.raises(HoldClosed):
        await metered(session, org, run_id, item("six", 1))


async def test_a_settlement_charges_and_releases(session: AsyncSession, org: Org) -> None:
    run_id = new_id(RUN)
    hold = await held(session, org, run_id)
    await metered(session, org, run_id, item("one", 4))
    assert await billing.settle(session, org.id, run_id=run_id, attempt=2, capture=True) == Settlement(0, 0)
    for capture in (True, False):
        settled = await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=capture)
        assert settled == Settlement(ucr(4), ucr(6))
    assert await money(session, org) == (ucr(996), 0, 4)
    await session.refresh(hold)
    assert (hold.state, hold.captured_ucr, hold.released_ucr) == ("settled", ucr(4), ucr(6))
    assert hold.settled_at is not None
    found = (await billing.list_ledger(session, org.id, limit=2, run_id=run_id))[0]
    shown = [(e.type, e.posted_delta_ucr, e.held_delta_ucr, e.idempotency_key, e.description) for e in found]
    assert shown == [
        ("release", 0, -ucr(6), settle_key(run_id, 1, "release"), "unused part of the hold of attempt 1"),
        ("charge", -ucr(4), -ucr(4), settle_key(run_id, 1, "charge"), "use of attempt 1"),
    ]
    assert {(e.run_id, e.attempt, e.hold_id) for e in found} == {(run_id, 1, hold.id)}
    month = await spending.this_month(session)
    assert await spending.spent_by_organisation(session, org.id, month) == spending.Spent(0, ucr(4))
    assert await spending.spent_by_member(session, org.id, org.owner_id, month) == spending.Spent(0, ucr(4))


async def test_what_is_not_captured_is_not_charged(session: AsyncSession, org: Org) -> None:
    run_id, other = new_id(RUN), new_id(RUN)
    await held(session, org, run_id)
    await metered(session, org, run_id, item("one", 4))
    settled = await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=False, expired=True)
    assert settled == Settlement(0, ucr(10))
    assert (await last(session, org)).type == "expire"
    await held(session, org, other)
    await metered(session, org, other, item("two", 10))
    settled = await billing.settle(session, org.id, run_id=other, attempt=1, capture=True)
    assert settled == Settlement(ucr(10), 0)
    assert (await last(session, org)).type == "charge"


async def test_a_refund(session: AsyncSession, org: Org) -> None:
    run_id = new_id(RUN)
    await held(session, org, run_id)
    purchased = await billing.purchase(session, org.id, amount_ucr=ucr(1), idempotency_key="k")
    await metered(session, org, run_id, item("one", 10))
    await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=True)
    charge = await last(session, org)
    facts: dict[str, Any] = {"charge_id": charge.id, "created_by": "payer", "actor": ACTOR}
    entry = await billing.refund(session, org.id, amount_ucr=ucr(4), idempotency_key="k", **facts)
    assert (entry.type, entry.idempotency_key, entry.reverses_id) == ("refund", "refund:k", charge.id)
    assert (entry.run_id, entry.attempt, entry.description, entry.created_by) == (run_id, 1, "refund", "payer")
    with pytest.raises(Conflict) as refused:
        await billing.refund(session, org.id, amount_ucr=ucr(6) + 1, idempotency_key="more", **facts)
    assert refused.value.facts == {"refundable": "6.00"}
    await billing.refund(session, org.id, amount_ucr=ucr(6), idempotency_key="rest", **facts)
    assert (await billing.refund(session, org.id, amount_ucr=ucr(4), idempotency_key="k", **facts)).id == entry.id
    assert (await money(session, org))[:2] == (ucr(1_001), 0)
    assert [row[0] for row in await audited(session, org)] == ["credits.refunded"] * 2
    for nothing in (purchased.id, "no_such"):
        with pytest.raises(NotFound):
            await billing.refund(session, org.id, **{**facts, "charge_id": nothing}, amount_ucr=1, idempotency_key="n")


async def test_an_organisations_limit(session: AsyncSession, org: Org) -> None:
    await spending.set_organisation_limit(session, org.id, limit_ucr=ucr(25), actor=ACTOR)
    assert await audited(session, org) == [
        ("organisation.limited", "organisation", org.id, {"monthly_limit_ucr": ucr(25)})
    ]
    run_id = new_id(RUN)
    await held(session, org, run_id, 10, user_id=None)
    await metered(session, org, run_id, item("one", 4))
    await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=True)
    await held(session, org, new_id(RUN), 11, user_id=None)
    with pytest.raises(SpendingLimitReached) as refused:
        await held(session, org, new_id(RUN), 11, user_id=None)
    facts = {"limit_of": "organisation", "monthly_limit": "25.00", "spent": "15.00", "required": "11.00"}
    assert refused.value.facts == facts
    again = new_id(RUN)
    await held(session, org, again, 9, user_id=None)
    add: dict[str, Any] = {"run_id": again, "attempt": 1, "added_ucr": ucr(1), "idempotency_key": "k"}
    await billing.raise_hold(session, org.id, **add)
    with pytest.raises(SpendingLimitReached):
        await billing.raise_hold(session, org.id, **{**add, "added_ucr": 1, "idempotency_key": "l"})


async def test_a_members_limit(session: AsyncSession, org: Org) -> None:
    statement = text("update memberships set monthly_limit_ucr = :limit where org_id = :org_id and user_id = :user_id")
    await session.execute(statement, {"limit": ucr(15), "org_id": org.id, "user_id": org.owner_id})
    await held(session, org, new_id(RUN), 20, user_id=None)
    await held(session, org, new_id(RUN), 20, user_id="somebody_else")
    run_id = new_id(RUN)
    await held(session, org, run_id)
    await metered(session, org, run_id, item("one", 4))
    await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=True)
    await held(session, org, new_id(RUN), 5)
    with pytest.raises(SpendingLimitReached) as refused:
        await held(session, org, new_id(RUN), 7)
    facts = {"limit_of": "member", "monthly_limit": "15.00", "spent": "9.00", "required": "7.00"}
    assert refused.value.facts == facts
    await held(session, org, new_id(RUN), 6)
    month = await spending.this_month(session)
    assert await spending.spent_by_organisation(session, org.id, month) == spending.Spent(ucr(51), ucr(4))
    assert await spending.spent_by_member(session, org.id, org.owner_id, month) == spending.Spent(ucr(11), ucr(4))
    earlier = spending.month_of(month - timedelta(days=1))
    assert await spending.spent_by_organisation(session, org.id, earlier) == spending.Spent(0, 0)
    assert await spending.spent_by_member(session, org.id, org.owner_id, earlier) == spending.Spent(0, 0)


async def test_pages(session: AsyncSession, org: Org) -> None:
    run_id = new_id(RUN)
    await held(session, org, run_id)
    await metered(session, org, run_id, item("one", 1), item("two", 1))
    await metered(session, org, run_id, item("three", 1))
    newest, cursor = await billing.list_ledger(session, org.id, limit=1)
    oldest, end = await billing.list_ledger(session, org.id, limit=1, cursor=cursor)
    assert ([e.type for e in newest], cursor, [e.type for e in oldest], end) == (["hold"], "2", ["purchase"], None)
    assert [e.type for e in (await billing.list_ledger(session, org.id, limit=9, type="purchase"))[0]] == ["purchase"]
    pages, cursor = [], None
    for _ in range(3):
        rows, cursor = await billing.list_usage(session, org.id, limit=1, cursor=cursor)
        pages += [(row.created_at, row.id) for row in rows]
    assert cursor is None
    assert pages == sorted(set(pages), reverse=True)
    assert len(pages) == 3
    assert (await billing.list_usage(session, org.id, limit=9, run_id=new_id(RUN)))[0] == []


def test_a_month_begins_in_utc() -> None:
    at = datetime(2026, 3, 1, 1, 2, 3, 4, timezone(timedelta(hours=2)))
    assert spending.month_of(at) == datetime(2026, 2, 1, tzinfo=UTC)
    assert spending.month_of(datetime(2026, 3, 31, 23, 59, 59, 9, UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
