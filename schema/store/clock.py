"""The database's clock: the only one that rows are dated by."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def now(session: AsyncSession) -> datetime:
    """Return the database's current time, with time zone."""
    return (await session.execute(select(func.clock_timestamp()))).scalar_one()  # type: ignore[no-any-return]
