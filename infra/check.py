"""`swissbrain check`: count the violations of every invariant, against a running stack or any database.

Reads only, as a role that row-level security does not bind. Exit status 0 when every count is 0.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from infra.database import Database
from infra.owner import VARIABLE, add_options, database_url
from schema.store.invariants import INVARIANTS, SEE_ALL


async def _count(url: str) -> dict[str, int]:
    db = Database(url)
    try:
        async with db.transaction(None) as session:
            await session.execute(SEE_ALL)
            return {item.name: int((await session.execute(text(item.sql))).scalar_one()) for item in INVARIANTS}
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42501":  # insufficient_privilege
            raise
        raise SystemExit(
            f"This role does not see every row ({error.orig}). Check as the tables' owner: --database-url, or"
            f" {VARIABLE}."
        ) from error
    finally:
        await db.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per invariant; return 1 if any is broken."""
    parser = argparse.ArgumentParser(prog="swissbrain check", description=__doc__)
    add_options(parser)
    counts = asyncio.run(_count(database_url(parser.parse_args(arguments))))
    says = {item.name: item.says for item in INVARIANTS}
    lines = [f"{'ok' if not count else 'BROKEN':<7}{count:>4}  {name}: {says[name]}" for name, count in counts.items()]
    broken = sum(1 for count in counts.values() if count)
    sys.stdout.write("\n".join([*lines, f"{len(counts) - broken} of {len(counts)} invariants hold"]) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
