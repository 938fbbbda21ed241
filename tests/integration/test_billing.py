"""Money under concurrency, on real PostgreSQL: every movement once, never below zero (D7 to D13, D30 to D38)."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from infra.database import Database
from schema.errors import (
    Conflict,
    HoldClosed,
    IdempotencyMismatch,
    IllegalTransition,
    InsufficientCredits,
    NotFound,
    ValidationFailed,
)
from schema.ids import ORGANISATION, RUN, new_id
from schema.money import HOLD_CREDITS_MAX, ucr_to_credits
from schema.states import RunStatus
from schema.store import billing, reconcile, runs
from schema.store.audit import SYSTEM, Actor
from schema.store.billing import Settlement
from schema.tables.billing import CreditHold, LedgerEntry
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound, at_once, end, new_run, pcr, rows_of, run_in, seed, step, ucr, use

AT_ONCE = 20


@pytest_asyncio.fixture(autouse=True)
async def _sound(owner_db: Database) -> AsyncIterator[None]:
    """Every test leaves every invariant at zero."""
    yield
    await assert_sound(owner_db)


async def balance_of(db: Database, org: Org) -> tuple[Decimal, Decimal]:
    async with db.transaction(org.id) as session:
        balance = await billing.get_balance(session, org.id)
        assert balance.available_ucr == balance.balance_ucr - balance.reserved_ucr
        return ucr_to_credits(balance.balance_ucr), ucr_to_credits(balance.reserved_ucr)


async def ledger_of(db: Database, org: Org) -> list[LedgerEntry]:
    async with db.transaction(org.id) as session:
        entries, cursor = await billing.list_ledger(session, org.id, limit=1_000)
        assert cursor is None
        return entries[::-1]


async def running(db: Database, org: Org, *, ceiling: str | int = 10) -> str:
    async with db.transaction(org.id) as session:
        return await run_in(session, org, RunStatus.RUNNING, ceiling=ceiling)


async def charged(db: Database, org: Org, credits: str | int) -> LedgerEntry:
    """Return the charge of a run that used so much and completed."""
    run_id = await running(db, org, ceiling=100)
    async with db.transaction(org.id) as session:
        items = [use(run_id, amount_pcr=pcr(credits))]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        await end(session, org.id, run_id, RunStatus.COMPLETED)
    [charge] = [entry for entry in await ledger_of(db, org) if entry.run_id == run_id and entry.type == "charge"]
    return charge


# Purchases.


async def test_twenty_identical_purchases_are_one(db: Database, org: Org) -> None:
    async def buy() -> str:
        async with db.transaction(org.id) as session:
            return (await billing.purchase(session, org.id, amount_ucr=ucr(100), idempotency_key="one")).id

    ids, _ = await at_once([buy() for _ in range(AT_ONCE)])
    assert len(set(ids)) == 1
    assert await balance_of(db, org) == (Decimal(1_100), 0)
    assert [entry.version for entry in await ledger_of(db, org)] == [1, 2]


async def test_twenty_different_purchases_lose_no_update(db: Database, org: Org) -> None:
    """D31: a balance written absolutely left 98 of 80."""

    async def buy(number: int) -> None:
        async with db.transaction(org.id) as session:
            await billing.purchase(session, org.id, amount_ucr=ucr(1), idempotency_key=str(number))

    await at_once([buy(number) for number in range(AT_ONCE)])
    entries = await ledger_of(db, org)
    assert [entry.version for entry in entries] == list(range(1, AT_ONCE + 2))
    assert [entry.posted_after_ucr for entry in entries] == [ucr(1_000 + number) for number in range(AT_ONCE + 1)]


async def test_a_key_names_one_movement(db: Database, org: Org) -> None:
    charge = await charged(db, org, 5)
    async with db.transaction(org.id) as session:
        await billing.purchase(session, org.id, amount_ucr=1, idempotency_key="key")
        await billing.adjust(session, org.id, amount_ucr=-1, idempotency_key="key", description="another kind")
        await billing.refund(session, org.id, charge_id=charge.id, amount_ucr=1, idempotency_key="key")
        before = (await billing.get_balance(session, org.id)).version
        for again in (
            billing.purchase(session, org.id, amount_ucr=2, idempotency_key="key"),
            billing.adjust(session, org.id, amount_ucr=1, idempotency_key="key", description="another kind"),
            billing.refund(session, org.id, charge_id=charge.id, amount_ucr=2, idempotency_key="key"),
        ):
            with pytest.raises(IdempotencyMismatch):
                await again
        assert (await billing.get_balance(session, org.id)).version == before


async def test_a_key_belongs_to_its_organisation(db: Database, owner_db: Database, org: Org) -> None:
    other = await make_org(owner_db)
    for each in (org, other):
        async with db.transaction(each.id) as session:
            await billing.purchase(session, each.id, amount_ucr=ucr(7), idempotency_key="shared")
    assert await balance_of(db, org) == await balance_of(db, other) == (Decimal(1_007), 0)


@pytest.mark.parametrize("amount_ucr", [0, -1])
async def test_the_database_refuses_a_movement_of_the_wrong_sign(db: Database, org: Org, amount_ucr: int) -> None:
    """D9: a negative charge was accepted."""
    charge, run_id = await charged(db, org, 5), await running(db, org)
    calls = (
        lambda session: billing.purchase(session, org.id, amount_ucr=amount_ucr, idempotency_key="sign"),
        lambda session: billing.refund(
            session, org.id, charge_id=charge.id, amount_ucr=amount_ucr, idempotency_key="sign"
        ),
        lambda session: billing.place_hold(session, org.id, run_id=new_id(RUN), attempt=1, amount_ucr=amount_ucr),
        lambda session: billing.raise_hold(
            session, org.id, run_id=run_id, attempt=1, added_ucr=amount_ucr, idempotency_key="sign"
        ),
    )
    for call in calls:
        with pytest.raises((IntegrityError, InsufficientCredits)):
            async with db.transaction(org.id) as session:
                await call(session)


async def test_an_adjustment_never_takes_what_is_held(db: Database, org: Org) -> None:
    await running(db, org, ceiling=990)
    with pytest.raises(InsufficientCredits) as refused:
        async with db.transaction(org.id) as session:
            await billing.adjust(session, org.id, amount_ucr=-ucr(11), idempotency_key="a", description="correction")
    assert refused.value.facts == {"required": "11.00", "available": "10.00"}
    async with db.transaction(org.id) as session:
        await billing.adjust(session, org.id, amount_ucr=-ucr(10), idempotency_key="a", description="correction")
    assert await balance_of(db, org) == (Decimal(990), Decimal(990))


async def test_an_organisation_without_an_account_moves_nothing(db: Database) -> None:
    nobody = new_id(ORGANISATION)
    async with db.transaction(nobody) as session:
        for call in (
            billing.get_balance(session, nobody),
            billing.purchase(session, nobody, amount_ucr=1, idempotency_key="a"),
            billing.place_hold(session, nobody, run_id=new_id(RUN), attempt=1, amount_ucr=1),
            billing.settle(session, nobody, run_id=new_id(RUN), attempt=1, capture=True),
        ):
            with pytest.raises(NotFound):
                await call


# Holds.


async def test_twenty_holds_for_one_attempt_are_one(db: Database, org: Org) -> None:
    run_id = await running(db, org)

    async def hold() -> str:
        async with db.transaction(org.id) as session:
            return (await billing.place_hold(session, org.id, run_id=run_id, attempt=1, amount_ucr=ucr(10))).id

    ids, _ = await at_once([hold() for _ in range(AT_ONCE)])
    assert len(set(ids)) == 1
    assert await balance_of(db, org) == (Decimal(1_000), Decimal(10))
    assert [entry.type for entry in await ledger_of(db, org)] == ["purchase", "hold"]


async def test_twenty_starts_of_one_run_are_one(db: Database, org: Org) -> None:
    async with db.transaction(org.id) as session:
        run_id = await new_run(session, org)

    async def start() -> str:
        async with db.transaction(org.id) as session:
            return (await runs.start_run(session, org.id, run_id, SYSTEM)).status

    started, refused = await at_once([start() for _ in range(AT_ONCE)], IllegalTransition)
    assert started == ["pending"]
    assert {error.facts["status"] for error in refused} == {"pending"}
    assert await balance_of(db, org) == (Decimal(1_000), Decimal(10))


async def test_seventy_five_credits_hold_seven_runs_of_ten(db: Database, owner_db: Database) -> None:
    """D32: check and write apart let 20 through."""
    org = await make_org(owner_db, credits_amount=Decimal(75))
    async with db.transaction(org.id) as session:
        run_ids = [await new_run(session, org) for _ in range(AT_ONCE)]

    async def start(run_id: str) -> str:
        async with db.transaction(org.id) as session:
            return (await runs.start_run(session, org.id, run_id, SYSTEM)).id

    started, refused = await at_once([start(run_id) for run_id in run_ids], InsufficientCredits)
    assert (len(started), len(refused)) == (7, 13)
    assert {(error.facts["required"], error.facts["available"]) for error in refused} == {("10.00", "5.00")}
    assert await balance_of(db, org) == (Decimal(75), Decimal(70))
    async with db.transaction(org.id) as session:
        statuses = Counter([(await runs.get_run(session, org.id, run_id)).status for run_id in run_ids])
        assert statuses == {"pending": 7, "created": 13}
        for run_id in set(run_ids) - set(started):
            assert await billing.hold_of(session, org.id, run_id, 1) is None


async def test_a_refused_hold_leaves_nothing_even_if_its_transaction_commits(db: Database, owner_db: Database) -> None:
    """The answer 402 is stored under its idempotency key in the same transaction."""
    org = await make_org(owner_db, credits_amount=Decimal(9))
    async with db.transaction(org.id) as session:
        run_id = await new_run(session, org)
        with pytest.raises(InsufficientCredits):
            await runs.start_run(session, org.id, run_id, SYSTEM)
    async with db.transaction(org.id) as session:
        assert (await runs.get_run(session, org.id, run_id)).status == "created"
        assert await billing.hold_of(session, org.id, run_id, 1) is None
    assert await balance_of(db, org) == (Decimal(9), 0)
    assert [entry.type for entry in await ledger_of(db, org)] == ["purchase"]


async def test_a_hold_has_a_largest_size(db: Database, owner_db: Database) -> None:
    """Its use in pico-credits must fit the column."""
    org = await make_org(owner_db, credits_amount=Decimal(2 * HOLD_CREDITS_MAX))
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, RunStatus.PAUSED)
        most = {"run_id": run_id, "idempotency_key": "most", "added_ucr": ucr(HOLD_CREDITS_MAX - 10)}
        await runs.raise_hold(session, org.id, **most, actor=SYSTEM)
        with pytest.raises(ValidationFailed):
            await runs.raise_hold(session, org.id, run_id=run_id, added_ucr=1, idempotency_key="more", actor=SYSTEM)
        await step(session, org.id, run_id, RunStatus.RESUMING)
        await step(session, org.id, run_id, RunStatus.RUNNING)
        items = [use(run_id, amount_pcr=2**63 - 1)]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        assert await end(session, org.id, run_id, RunStatus.COMPLETED) == Settlement(ucr(HOLD_CREDITS_MAX), 0)


# The month's limit.


async def limit(owner_db: Database, org: Org, credits: int) -> None:
    async with owner_db.transaction(org.id) as session:
        statement = text("update credit_balances set monthly_limit_ucr = :limit where org_id = :org_id")
        await session.execute(statement, {"limit": ucr(credits), "org_id": org.id})


async def test_holds_stay_within_the_months_limit(db: Database, owner_db: Database, org: Org) -> None:
    """D13. What is released is given back to the month, what is captured is not."""
    await limit(owner_db, org, 25)
    async with db.transaction(org.id) as session:
        run_ids = [await new_run(session, org) for _ in range(AT_ONCE)]

    async def start(run_id: str) -> str:
        async with db.transaction(org.id) as session:
            return (await runs.start_run(session, org.id, run_id, SYSTEM)).id

    started, refused = await at_once([start(run_id) for run_id in run_ids], InsufficientCredits)
    assert (len(started), len(refused)) == (2, 18)
    facts = {"limit_of": "organisation", "monthly_limit": "25.00", "spent": "20.00", "required": "10.00"}
    assert refused[0].facts == facts
    waiting = [run_id for run_id in run_ids if run_id not in started]
    async with db.transaction(org.id) as session:
        items = [use(started[0], amount_pcr=pcr(6))]
        await billing.meter(session, org.id, run_id=started[0], attempt=1, agent_number=1, items=items)
        await end(session, org.id, started[0], RunStatus.CANCELLED)
        with pytest.raises(InsufficientCredits):  # 10 held, 6 captured
            await runs.start_run(session, org.id, waiting[0], SYSTEM)
        await end(session, org.id, started[1], RunStatus.CANCELLED)
        await runs.start_run(session, org.id, waiting[0], SYSTEM)


async def test_a_hold_belongs_to_the_month_in_which_it_was_placed(db: Database, owner_db: Database, org: Org) -> None:
    """Raised and settled in a later month, it still takes from, and gives back to, its own."""
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, RunStatus.PAUSED)
    async with owner_db.transaction(org.id) as session:
        for statement in (
            "update credit_holds set created_at = created_at - interval '2 months' where org_id = :org_id",
            "update usage_windows set period_start = date_trunc('month', period_start - interval '2 months', 'UTC')"
            " where org_id = :org_id",
            "update member_usage_windows set period_start ="
            " date_trunc('month', period_start - interval '2 months', 'UTC') where org_id = :org_id",
        ):
            await session.execute(text(statement), {"org_id": org.id})
    async with db.transaction(org.id) as session:
        await runs.raise_hold(session, org.id, run_id, added_ucr=ucr(5), idempotency_key="later", actor=SYSTEM)
    await assert_sound(owner_db)
    async with db.transaction(org.id) as session:
        assert await end(session, org.id, run_id, RunStatus.CANCELLED) == Settlement(0, ucr(15))
    await assert_sound(owner_db)
    async with owner_db.transaction(org.id) as session:
        rows = await session.execute(
            text("select held_ucr, captured_ucr from usage_windows where org_id = :org_id"), {"org_id": org.id}
        )
        assert [tuple(row) for row in rows] == [(0, 0)]


# Metering.


async def test_one_operation_is_metered_once(db: Database, org: Org) -> None:
    run_id = await running(db, org)

    async def meter(amount: str) -> int:
        async with db.transaction(org.id) as session:
            items = [use(run_id, amount_pcr=pcr(amount))]
            return await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)

    spent, _ = await at_once([meter("1.5") for _ in range(AT_ONCE)])
    assert set(spent) == {pcr("1.5")}
    assert await meter("9") == pcr("1.5")  # the first count stands, whatever a later attempt counts
    async with db.transaction(org.id) as session:
        used, _ = await billing.list_usage(session, org.id, limit=10, run_id=run_id)
        assert [row.amount_pcr for row in used] == [pcr("1.5")]
        assert await end(session, org.id, run_id, RunStatus.COMPLETED) == Settlement(ucr("1.5"), ucr("8.5"))


async def test_use_never_exceeds_the_hold(db: Database, org: Org) -> None:
    run_id = await running(db, org)

    async def meter(number: int) -> int:
        async with db.transaction(org.id) as session:
            items = [use(run_id, number, agent=number, amount_pcr=pcr("0.7"))]
            return await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=number, items=items)

    spent, _ = await at_once([meter(number) for number in range(AT_ONCE)])
    assert Counter(spent) == {pcr("0.7"): 14, pcr("0.2"): 1, 0: 5}
    async with db.transaction(org.id) as session:
        assert (await billing.usage_summary(session, org.id, run_id=run_id))[0]["amount_pcr"] == pcr(10)
        assert await end(session, org.id, run_id, RunStatus.CANCELLED) == Settlement(ucr(10), 0)
    assert await balance_of(db, org) == (Decimal(990), 0)


async def test_a_thousand_uses_of_four_thousandths_are_four_credits(db: Database, org: Org) -> None:
    """D11, all the way through the ledger."""
    run_id = await running(db, org)
    async with db.transaction(org.id) as session:
        items = [use(run_id, number, amount_pcr=pcr("0.004")) for number in range(1_000)]
        spent = await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        assert spent == pcr(4)
        assert await end(session, org.id, run_id, RunStatus.COMPLETED) == Settlement(ucr(4), ucr(6))
    assert await balance_of(db, org) == (Decimal(996), 0)


async def test_a_late_attempt_charges_nothing(db: Database, org: Org) -> None:
    """The worker was thought dead; its run is settled before it reports."""
    run_id = await running(db, org)
    async with db.transaction(org.id) as session:
        moved = await end(session, org.id, run_id, RunStatus.FAILED)
    before = await ledger_of(db, org)
    items = [use(run_id, amount_pcr=pcr(1))]
    for attempt in (1, 2):
        with pytest.raises(HoldClosed):
            async with db.transaction(org.id) as session:
                await billing.meter(session, org.id, run_id=run_id, attempt=attempt, agent_number=1, items=items)
    async with db.transaction(org.id) as session:
        assert await billing.list_usage(session, org.id, limit=10) == ([], None)
        assert await end(session, org.id, run_id, RunStatus.COMPLETED) == moved
    assert await ledger_of(db, org) == before


async def test_a_late_attempt_cannot_spend_the_next_ones_hold(db: Database, org: Org) -> None:
    """D38: each attempt pays for itself."""
    run_id = await running(db, org)
    async with db.transaction(org.id) as session:
        items = [use(run_id, amount_pcr=pcr(3))]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        assert await end(session, org.id, run_id, RunStatus.FAILED) == Settlement(0, ucr(10))
        await runs.retry_run(session, org.id, run_id, SYSTEM)
        with pytest.raises(HoldClosed):
            await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        items = [use(run_id, attempt=2, amount_pcr=pcr(2))]
        await billing.meter(session, org.id, run_id=run_id, attempt=2, agent_number=1, items=items)
        assert await end(session, org.id, run_id, RunStatus.CANCELLED, attempt=2) == Settlement(ucr(2), ucr(8))
    assert await balance_of(db, org) == (Decimal(998), 0)


# Settling.


@pytest.mark.parametrize("round_number", range(3))
async def test_one_of_twenty_racing_settlements_wins(db: Database, org: Org, round_number: int) -> None:
    """D35, D36, D58: complete, cancel and expire race on one hold of 50 that has used 25."""
    dice = random.Random(seed() + round_number)
    run_id = await running(db, org, ceiling=50)
    async with db.transaction(org.id) as session:
        items = [use(run_id, amount_pcr=pcr(25))]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)

    async def finish(status: RunStatus) -> Settlement:
        async with db.transaction(org.id) as session:
            return await end(session, org.id, run_id, status)

    async def expire() -> Settlement:
        async with db.transaction(org.id) as session:
            await runs.lock_run(session, org.id, run_id)
            return await billing.settle(session, org.id, run_id=run_id, attempt=1, capture=False, expired=True)

    racing = [finish(RunStatus.COMPLETED) for _ in range(10)] + [finish(RunStatus.CANCELLED) for _ in range(5)]
    racing += [expire() for _ in range(5)] if dice.random() < 0.5 else [finish(RunStatus.FAILED) for _ in range(5)]
    dice.shuffle(racing)
    moved, _ = await at_once(racing)
    assert len(set(moved)) == 1
    assert moved[0] in (Settlement(ucr(25), ucr(25)), Settlement(0, ucr(50)))
    assert await balance_of(db, org) == (Decimal(1_000) - ucr_to_credits(moved[0].charged_ucr), 0)
    types = Counter(entry.type for entry in await ledger_of(db, org))
    assert types["charge"] == (1 if moved[0].charged_ucr else 0)
    assert types["release"] + types["expire"] == 1


async def test_a_run_pays_with_its_own_hold(db: Database, owner_db: Database) -> None:
    """D34: with 50 of 50 reserved, a charge of 25 was refused."""
    org = await make_org(owner_db, credits_amount=Decimal(50))
    run_id = await running(db, org, ceiling=50)
    assert await balance_of(db, org) == (Decimal(50), Decimal(50))
    async with db.transaction(org.id) as session:
        items = [use(run_id, amount_pcr=pcr(25))]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        assert await end(session, org.id, run_id, RunStatus.COMPLETED) == Settlement(ucr(25), ucr(25))
    assert await balance_of(db, org) == (Decimal(25), 0)


async def test_cancelling_twice_mints_nothing(db: Database, org: Org) -> None:
    """D36, D37: two cancels of a run that was never charged turned 100 into 200."""
    run_id = await running(db, org)
    for _ in range(2):
        async with db.transaction(org.id) as session:
            assert await end(session, org.id, run_id, RunStatus.CANCELLED) == Settlement(0, ucr(10))
    assert await balance_of(db, org) == (Decimal(1_000), 0)


@pytest.mark.parametrize(
    ("metered_pcr", "moved"),
    [
        (0, Settlement(0, 10_000_000)),
        (499_999, Settlement(0, 10_000_000)),
        (500_000, Settlement(1, 9_999_999)),
        (pcr(10) - 500_001, Settlement(9_999_999, 1)),
        (pcr(10) - 500_000, Settlement(10_000_000, 0)),
        (pcr(10), Settlement(10_000_000, 0)),
    ],
)
async def test_charge_and_release_add_up_to_the_hold(
    db: Database, org: Org, metered_pcr: int, moved: Settlement
) -> None:
    run_id = await running(db, org)
    async with db.transaction(org.id) as session:
        items = [use(run_id, amount_pcr=metered_pcr)]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
        assert await end(session, org.id, run_id, RunStatus.COMPLETED) == moved
    types = [entry.type for entry in await ledger_of(db, org)][2:]
    assert types == [kind for kind, amount in zip(("charge", "release"), vars(moved).values(), strict=True) if amount]


async def test_a_settlement_without_a_hold_moves_nothing(db: Database, org: Org) -> None:
    async with db.transaction(org.id) as session:
        settled = await billing.settle(session, org.id, run_id=new_id(RUN), attempt=1, capture=True)
    assert settled == Settlement(0, 0)
    assert len(await ledger_of(db, org)) == 1


async def test_only_open_holds_past_their_deadline_expire(db: Database, org: Org) -> None:
    late, early, settled = [await running(db, org) for _ in range(3)]
    async with db.transaction(org.id) as session:
        await end(session, org.id, settled, RunStatus.CANCELLED)
        query = text("update credit_holds set expires_at = clock_timestamp() - interval '1 hour' where run_id = :id")
        await session.execute(query, {"id": late})
    async with db.transaction(None) as session:
        found = await reconcile.expired_holds(session, limit=100, grace=timedelta(minutes=1))
        assert [hold.run_id for hold in found if hold.org_id == org.id] == [late]
        patient = await reconcile.expired_holds(session, limit=100, grace=timedelta(hours=2))
        assert not [hold for hold in patient if hold.org_id == org.id]
    async with db.transaction(org.id) as session:
        moved = await billing.settle(session, org.id, run_id=late, attempt=1, capture=False, expired=True)
        assert moved == Settlement(0, ucr(10))
        await end(session, org.id, late, RunStatus.FAILED)
        assert (await billing.hold_of(session, org.id, early, 1)).state == "open"  # type: ignore[union-attr]
    assert (await ledger_of(db, org))[-1].type == "expire"


# Raising a hold.


async def test_twenty_raises_under_one_key_are_one(db: Database, org: Org) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, RunStatus.PAUSED)

    async def add(amount: int = 5) -> str:
        async with db.transaction(org.id) as session:
            run = await runs.raise_hold(
                session, org.id, run_id, added_ucr=ucr(amount), idempotency_key="raise", actor=SYSTEM
            )
            return run.status

    await at_once([add() for _ in range(AT_ONCE)])
    assert await balance_of(db, org) == (Decimal(1_000), Decimal(15))
    async with db.transaction(org.id) as session:
        await step(session, org.id, run_id, RunStatus.RESUMING)
        await step(session, org.id, run_id, RunStatus.RUNNING)
    # The answer was lost, and the run went on meanwhile: the repeat is still the same raise.
    assert await add() == "running"
    with pytest.raises(IdempotencyMismatch):
        await add(6)
    assert await balance_of(db, org) == (Decimal(1_000), Decimal(15))
    async with db.transaction(org.id) as session:
        said = await session.execute(
            text(
                "select (select count(*) from run_events where run_id = :id and type = 'credits.held'),"
                " (select count(*) from audit_logs where resource_id = :id and action = 'run.hold_raised')"
            ),
            {"id": run_id},
        )
        assert tuple(said.one()) == (2, 1)


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.PAUSED])
async def test_only_a_paused_run_is_topped_up(db: Database, org: Org, status: RunStatus) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, status)
        before = await balance_of(db, org)
        with pytest.raises(IllegalTransition):
            await runs.raise_hold(session, org.id, run_id, added_ucr=1, idempotency_key="a", actor=SYSTEM)
    assert before == (Decimal(1_000), 0)


async def test_a_raise_is_refused_whole(db: Database, owner_db: Database) -> None:
    org = await make_org(owner_db, credits_amount=Decimal(12))
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, RunStatus.PAUSED)
        with pytest.raises(InsufficientCredits):
            await runs.raise_hold(session, org.id, run_id, added_ucr=ucr(3), idempotency_key="a", actor=SYSTEM)
    assert await balance_of(db, org) == (Decimal(12), Decimal(10))
    async with db.transaction(org.id) as session:
        await runs.raise_hold(session, org.id, run_id, added_ucr=ucr(2), idempotency_key="a", actor=SYSTEM)
        await end(session, org.id, run_id, RunStatus.CANCELLED)
        with pytest.raises(HoldClosed):
            await billing.raise_hold(session, org.id, run_id=run_id, attempt=1, added_ucr=1, idempotency_key="b")
    assert await balance_of(db, org) == (Decimal(12), 0)


async def test_raise_and_settle_race_without_a_deadlock(db: Database, org: Org) -> None:
    run_ids = []
    for _ in range(5):
        async with db.transaction(org.id) as session:
            run_ids.append(await run_in(session, org, RunStatus.PAUSED))

    async def add(run_id: str, number: int) -> None:
        async with db.transaction(org.id) as session:
            key = f"{run_id} {number}"
            await runs.raise_hold(session, org.id, run_id, added_ucr=ucr(1), idempotency_key=key, actor=SYSTEM)

    async def cancel(run_id: str) -> None:
        async with db.transaction(org.id) as session:
            await end(session, org.id, run_id, RunStatus.CANCELLED)

    racing = [add(run_id, number) for run_id in run_ids for number in range(3)] + [cancel(run_id) for run_id in run_ids]
    random.Random(seed()).shuffle(racing)
    await at_once(racing, IllegalTransition)
    assert await balance_of(db, org) == (Decimal(1_000), 0)


# Refunds.


async def test_refunds_never_exceed_their_charge(db: Database, org: Org) -> None:
    charge = await charged(db, org, 20)

    async def refund(key: str, amount: int = 3) -> str:
        async with db.transaction(org.id) as session:
            entry = await billing.refund(
                session, org.id, charge_id=charge.id, amount_ucr=ucr(amount), idempotency_key=key
            )
            return entry.id

    paid, refused = await at_once([refund(str(number)) for number in range(AT_ONCE)], Conflict)
    assert (len(set(paid)), len(refused)) == (6, 14)
    assert {error.facts["refundable"] for error in refused} == {"2.00"}
    assert await balance_of(db, org) == (Decimal(998), 0)
    again, _ = await at_once([refund("last", 2) for _ in range(AT_ONCE)])
    assert len(set(again)) == 1
    assert await balance_of(db, org) == (Decimal(1_000), 0)


async def test_only_a_charge_can_be_refunded(db: Database, owner_db: Database, org: Org) -> None:
    await charged(db, org, 20)
    other = await make_org(owner_db)
    foreign = await charged(db, other, 20)
    no_charges = [entry.id for entry in await ledger_of(db, org) if entry.type != "charge"]
    for charge_id in (*no_charges, foreign.id, "txn_unknown"):
        with pytest.raises(NotFound):
            async with db.transaction(org.id) as session:
                await billing.refund(session, org.id, charge_id=charge_id, amount_ucr=1, idempotency_key="a")


# The database itself.


TAMPERING = (
    "update billing_ledger set posted_delta_ucr = posted_delta_ucr + 1 where org_id = :org_id",
    "update billing_ledger set description = 'x' where org_id = :org_id",
    "delete from billing_ledger where org_id = :org_id",
    "truncate billing_ledger",
    "truncate billing_ledger cascade",
    "update audit_logs set actor_id = 'somebody else' where org_id = :org_id",
    "delete from audit_logs where org_id = :org_id",
    "truncate audit_logs",
    "update usage set amount_pcr = 0 where org_id = :org_id",
    "delete from usage where org_id = :org_id",
    "truncate usage",
    "update run_status_changes set to_status = 'completed' where org_id = :org_id",
    "delete from run_status_changes where org_id = :org_id",
    "truncate run_status_changes",
    "update credit_balances set balance_ucr = -1 where org_id = :org_id",
    "update credit_balances set reserved_ucr = -1 where org_id = :org_id",
    "update credit_balances set reserved_ucr = balance_ucr + 1 where org_id = :org_id",
    "update credit_balances set available_ucr = 1 where org_id = :org_id",
    "update credit_holds set captured_ucr = 0, released_ucr = amount_ucr where org_id = :org_id",
    "update credit_holds set state = 'open', captured_ucr = 0, released_ucr = 0 where org_id = :org_id",
    "update credit_holds set metered_pcr = 0 where org_id = :org_id",
    """insert into billing_ledger (org_id, version, id, type, posted_delta_ucr, posted_after_ucr, idempotency_key,
             fingerprint, description) values (:org_id, 9, 'txn_gap', 'purchase', 1, 2, 'gap', '', '')""",
    """insert into billing_ledger (org_id, version, id, type, posted_delta_ucr, posted_after_ucr, idempotency_key,
             fingerprint, description) values (:org_id, 5, 'txn_sum', 'purchase', 1, 5000000000, 'sum', '', '')""",
    """insert into billing_ledger (org_id, version, id, type, posted_delta_ucr, posted_after_ucr, idempotency_key,
             fingerprint, description) values (:org_id, 5, 'txn_key', 'purchase', 1, 995000001, :hold_key, '', '')""",
    """insert into billing_ledger (org_id, version, id, type, posted_delta_ucr, posted_after_ucr, idempotency_key,
             fingerprint, description, reverses_id)
             values (:org_id, 5, 'txn_ref', 'refund', 5000001, 1000000001, 'ref', '', '', :charge_id)""",
    """insert into billing_ledger (org_id, version, id, type, posted_delta_ucr, posted_after_ucr, idempotency_key,
             fingerprint, description) values (:org_id, 5, 'txn_low', 'charge', 1, 995000001, 'low', '', '')""",
    """insert into usage (id, org_id, run_id, attempt, agent_number, operation_key, kind, item, calls, amount_pcr,
             price_version) select 'use_again', org_id, run_id, attempt, agent_number, operation_key, kind, item, calls,
             amount_pcr, price_version from usage where org_id = :org_id""",
)


@pytest.mark.parametrize("role", ["application", "owner"])
async def test_tampering_is_refused(db: Database, owner_db: Database, org: Org, role: str) -> None:
    """D7 to D10: what the code does not do, SQL cannot either."""
    charge = await charged(db, org, 5)
    values = {"org_id": org.id, "charge_id": charge.id, "hold_key": f"{charge.run_id}:1:hold"}
    assert [entry.version for entry in await ledger_of(db, org)] == [1, 2, 3, 4]
    async with owner_db.transaction(org.id) as session:
        before = await rows_of(session, org.id)
    for statement in TAMPERING:
        given = {name: values[name] for name in values if f":{name}" in statement}
        with pytest.raises(DBAPIError) as refused:
            async with (db if role == "application" else owner_db).transaction(org.id) as session:
                await session.execute(text(statement), given)
        # insufficient_privilege, generated_always, or a violated constraint
        assert getattr(refused.value.orig, "sqlstate", "")[:2] in ("42", "23"), (statement, refused.value)
    async with owner_db.transaction(org.id) as session:
        assert await rows_of(session, org.id) == before


# Reading.


async def test_pages_of_the_ledger_and_of_use_join_without_gaps(db: Database, org: Org) -> None:
    run_id = await running(db, org)
    async with db.transaction(org.id) as session:
        items = [use(run_id, number, amount_pcr=number) for number in range(7)]
        await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
    for number in range(5):
        async with db.transaction(org.id) as session:
            await billing.purchase(session, org.id, amount_ucr=1 + number, idempotency_key=str(number))
    async with db.transaction(org.id) as session:
        versions, use_ids = [], []
        cursor: str | None = None
        while True:
            entries, cursor = await billing.list_ledger(session, org.id, limit=3, cursor=cursor)
            versions += [entry.version for entry in entries]
            if cursor is None:
                break
        while True:
            used, cursor = await billing.list_usage(session, org.id, limit=3, cursor=cursor)
            use_ids += [row.id for row in used]
            if cursor is None:
                break
        assert versions == [7, 6, 5, 4, 3, 2, 1]
        assert len(use_ids) == len(set(use_ids)) == 7
        assert [entry.type for entry in (await billing.list_ledger(session, org.id, limit=9, run_id=run_id))[0]] == [
            "hold"
        ]
        assert len((await billing.list_ledger(session, org.id, limit=9, type="purchase"))[0]) == 6
        hold = await billing.hold_of(session, org.id, run_id, 1)
        assert isinstance(hold, CreditHold)
        assert hold.metered_pcr == sum(range(7))


async def test_who_gives_credits_is_audited_with_the_movement(db: Database, owner_db: Database, org: Org) -> None:
    """The route wrote the audit entry: whoever called the store otherwise moved money without a trace."""
    charge = await charged(db, org, 20)
    actor = Actor(type="user", id="somebody")
    for _ in range(2):  # A repeat moves nothing, and says nothing.
        async with db.transaction(org.id) as session:
            await billing.purchase(session, org.id, amount_ucr=ucr(1), idempotency_key="a", actor=actor)
            await billing.refund(
                session, org.id, charge_id=charge.id, amount_ucr=ucr(1), idempotency_key="a", actor=actor
            )
            await billing.adjust(
                session, org.id, amount_ucr=-1, idempotency_key="a", description="rounding", actor=actor
            )
    async with db.transaction(org.id) as session:
        query = text("select action from audit_logs where org_id = :org_id and actor_id = 'somebody' order by seq")
        found = (await session.execute(query, {"org_id": org.id})).scalars().all()
    await assert_sound(owner_db)
    assert found == ["credits.purchased", "credits.refunded", "credits.adjusted"]
