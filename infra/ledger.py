"""`swissbrain ledger rebuild [--check]`: balances, holds and monthly windows, computed from the ledger alone.

The ledger is the truth; these rows are sums of it that are kept for speed. After a restore, or a doubt, they can be
compared with it and written anew. What the ledger cannot say is left: a settled hold never changes, so one that
disagrees is reported and needs a person.
"""

# ruff: noqa: S608 - constants of this file, put together.

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.database import Database
from infra.owner import add_options, database_url
from schema.store.invariants import SEE_ALL

BALANCES = """
    select l.org_id, sum(l.posted_delta_ucr)::bigint as balance_ucr, sum(l.held_delta_ucr)::bigint as reserved_ucr,
      max(l.version) as version
    from billing_ledger l group by l.org_id
"""
HOLDS = """
    select org_id, run_id, attempt,
      coalesce(sum(held_delta_ucr) filter (where type = 'hold'), 0)::bigint as amount_ucr,
      coalesce(-sum(posted_delta_ucr) filter (where type = 'charge'), 0)::bigint as captured_ucr,
      coalesce(-sum(held_delta_ucr) filter (where type in ('release', 'expire')), 0)::bigint as released_ucr,
      case when sum(held_delta_ucr) = 0 then 'settled' else 'open' end as state
    from billing_ledger where type in ('hold', 'charge', 'release', 'expire') group by org_id, run_id, attempt
"""
WINDOWS = """
    select h.org_id, date_trunc('month', h.created_at, 'UTC') as period_start,
      coalesce(sum(l.amount_ucr) filter (where l.state = 'open'), 0)::bigint as held_ucr,
      sum(l.captured_ucr)::bigint as captured_ucr
    from credit_holds h join ({holds}) l using (org_id, run_id, attempt) group by 1, 2
"""

WRONG = {
    "balance": f"""
        select coalesce(b.org_id, l.org_id) as org_id, b.balance_ucr, b.reserved_ucr, b.version,
          coalesce(l.balance_ucr, 0) as ledger_balance_ucr, coalesce(l.reserved_ucr, 0) as ledger_reserved_ucr,
          coalesce(l.version, 0) as ledger_version
        from credit_balances b full join ({BALANCES}) l using (org_id)
        where (b.balance_ucr, b.reserved_ucr, b.version)
          is distinct from (coalesce(l.balance_ucr, 0), coalesce(l.reserved_ucr, 0), coalesce(l.version, 0))""",
    "hold": f"""
        select coalesce(h.org_id, l.org_id) as org_id, run_id, attempt, h.state, h.amount_ucr, h.captured_ucr,
          h.released_ucr, l.state as ledger_state, l.amount_ucr as ledger_amount_ucr,
          l.captured_ucr as ledger_captured_ucr, l.released_ucr as ledger_released_ucr
        from credit_holds h full join ({HOLDS}) l using (org_id, run_id, attempt)
        where (h.state, h.amount_ucr, h.captured_ucr, h.released_ucr)
          is distinct from (l.state, l.amount_ucr, l.captured_ucr, l.released_ucr)""",
    "window": f"""
        select w.org_id, w.period_start::text, w.held_ucr, w.captured_ucr, l.held_ucr as ledger_held_ucr,
          l.captured_ucr as ledger_captured_ucr
        from usage_windows w left join ({WINDOWS.format(holds=HOLDS)}) l using (org_id, period_start)
        where (w.held_ucr, w.captured_ucr) is distinct from (coalesce(l.held_ucr, 0), coalesce(l.captured_ucr, 0))""",
}
REPAIR = (
    f"""update credit_holds h set state = l.state, amount_ucr = l.amount_ucr, captured_ucr = l.captured_ucr,
          released_ucr = l.released_ucr, settled_at = case when l.state = 'settled' then clock_timestamp() end
        from ({HOLDS}) l where (l.org_id, l.run_id, l.attempt) = (h.org_id, h.run_id, h.attempt) and h.state = 'open'
          and (h.state, h.amount_ucr, h.captured_ucr, h.released_ucr)
            is distinct from (l.state, l.amount_ucr, l.captured_ucr, l.released_ucr)""",
    f"""update credit_balances b set balance_ucr = l.balance_ucr, reserved_ucr = l.reserved_ucr, version = l.version
        from ({BALANCES}) l where l.org_id = b.org_id
          and (b.balance_ucr, b.reserved_ucr, b.version)
            is distinct from (l.balance_ucr, l.reserved_ucr, l.version)""",
    f"""update usage_windows w set held_ucr = l.held_ucr, captured_ucr = l.captured_ucr
        from ({WINDOWS.format(holds=HOLDS)}) l where (l.org_id, l.period_start) = (w.org_id, w.period_start)
          and (w.held_ucr, w.captured_ucr) is distinct from (l.held_ucr, l.captured_ucr)""",
)


async def differences(session: AsyncSession) -> list[dict[str, Any]]:
    """Return every balance, hold and window that is not what the ledger says, with both; empty when all agree."""
    await session.execute(SEE_ALL)
    found: list[dict[str, Any]] = []
    for kind, query in WRONG.items():
        rows = await session.execute(text(query))
        found += [{"kind": kind, **row} for row in rows.mappings()]
    return found


async def rebuild(session: AsyncSession) -> list[dict[str, Any]]:
    """Write balances, open holds and windows anew from the ledger; return what still differs."""
    await session.execute(SEE_ALL)
    await session.execute(text("lock table credit_balances, credit_holds, usage_windows in share row exclusive mode"))
    for statement in REPAIR:
        await session.execute(text(statement))
    return await differences(session)


async def _run(url: str, *, check: bool) -> tuple[int, list[dict[str, Any]]]:
    owner = Database(url, pool_size=1, application_name="swissbrain-ledger")
    try:
        async with owner.transaction(None) as session:
            entries = int((await session.execute(text("select count(*) from billing_ledger"))).scalar_one())
            return entries, await (differences(session) if check else rebuild(session))
    finally:
        await owner.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what differs as JSON lines; return 1 if anything does."""
    parser = argparse.ArgumentParser(prog="swissbrain ledger rebuild", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    add_options(parser)
    options = parser.parse_args(arguments)
    entries, found = asyncio.run(_run(database_url(options), check=options.check))
    lines = [json.dumps(row) for row in found]
    verdict = "agree with the ledger" if not found else f"do not agree with the ledger in {len(found)} rows"
    sys.stdout.write("\n".join([*lines, f"{entries} entries: balances, holds and windows {verdict}"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
