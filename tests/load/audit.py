"""What the audit chain costs: transactions of a hold per second with its entry and without, and requests' entries.

`python -m tests.load.audit`: prints a line per measurement; the two ways alternate, so that a busy machine slows both.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from api.trail import Trail
from infra.checkpoints import Signer
from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.evidence import Evidence
from infra.locked import LockedStore
from schema.ids import RUN, new_id
from schema.store import audit, billing
from schema.store.audit import SYSTEM, Entry
from tests.integration.conftest import Org, make_org, migrate

ROUNDS = 3
EACH = 96


async def hold(db: Database, org: Org, *, audited: bool) -> None:
    """Place a hold in a transaction of its own, as the start of a run does."""
    run_id = new_id(RUN)
    async with db.transaction(org.id) as session:
        await billing.place_hold(session, org.id, run_id=run_id, attempt=1, amount_ucr=1)
        if audited:
            await audit.record(
                session, org.id, actor=SYSTEM, action="run.started", resource_type="run", resource_id=run_id
            )


async def rate(work: Callable[[int], Awaitable[None]], parallel: int) -> float:
    """Return how often `work` is done per second by so many at once."""
    numbers = iter(range(EACH))

    async def one() -> None:
        for number in numbers:
            await work(number)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(parallel)))
    return EACH / (time.perf_counter() - began)


async def measure(servers: EmbeddedServers) -> None:
    """Print the measurements."""
    owner = Database(servers.stack.owner_url, pool_size=2)
    db = Database.from_settings(servers.settings)
    store = LockedStore.from_settings(servers.settings)
    evidence = Evidence(db, store, Signer.from_settings(servers.settings))
    orgs = [await make_org(owner, credits_amount=Decimal(1_000_000)) for _ in range(16)]
    for title, parallel, among in (
        ("one writer", 1, 1),
        ("16, one organisation", 16, 1),
        ("16, 16 each its own", 16, 16),
    ):
        found: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(ROUNDS):
            for audited in (True, False):

                async def work(number: int, audited: bool = audited, among: int = among) -> None:
                    await hold(db, orgs[number % among], audited=audited)

                found[audited].append(await rate(work, parallel))
        with_it, without = (statistics.median(found[key]) for key in (True, False))
        print(f"hold per s, {title}: {with_it:.0f} audited, {without:.0f} not ({with_it / without - 1:+.0%})")
    trail = Trail(db)
    for parallel in (1, 16, 64):
        rates = [
            await rate(lambda n: trail.write(orgs[0].id, Entry(SYSTEM, "data.read", "x", str(n))), parallel)
            for _ in range(ROUNDS)
        ]
        per_s = statistics.median(rates)
        print(
            f"requests' entries per s, one organisation, {parallel} at once: {per_s:.0f} "
            f"({1000 * parallel / per_s:.1f} ms each)"
        )
    await trail.close()
    async with db.transaction(orgs[0].id) as session:
        for _ in range(10):
            entries = [Entry(SYSTEM, "data.read", "x", str(n), details={"status": 200}) for n in range(1_000)]
            await audit.record_all(session, orgs[0].id, entries)
    began = time.perf_counter()
    verified = await evidence.verify(orgs[0].id)
    took_s = time.perf_counter() - began
    total = verified.audit_entries + verified.ledger_entries
    print(f"verified {total} entries in {took_s:.1f} s ({total / took_s:.0f} per s), {verified.findings}")
    for database in (db, owner):
        await database.close()
    await store.close()


async def main() -> None:
    """Measure on servers of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            await migrate(servers)
            await measure(servers)


if __name__ == "__main__":
    asyncio.run(main())
