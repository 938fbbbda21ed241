"""Whom row-level security lets a transaction see, for the few that learn it only on their way.

`Database.transaction` names the organisation at the start. A sign-in knows none yet: it goes from what it was shown
(a hash) to a person, and from the person to an organisation. Each setting ends with the transaction.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_SET = text("select set_config(:name, :value, true)")


async def become(
    session: AsyncSession, *, org_id: str | None = None, user_id: str | None = None, proof: bytes | None = None
) -> None:
    """Let the transaction see rows of this organisation, of this person, and what is found by this hash."""
    for name, value in (("org_id", org_id), ("user_id", user_id), ("proof", proof.hex() if proof else None)):
        if value is not None:
            await session.execute(_SET, {"name": f"app.{name}", "value": value})
