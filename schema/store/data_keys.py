"""Organisations' data keys, wrapped; what wraps and opens them is in `infra/vault.py`."""

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from schema.tables.retention import DataKey


async def newest_key(session: AsyncSession, org_id: str) -> DataKey | None:
    """Return the key that seals; None: the organisation has none yet."""
    query = select(DataKey).where(DataKey.org_id == org_id).order_by(col(DataKey.number).desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def get_key(session: AsyncSession, org_id: str, number: int) -> DataKey | None:
    """Return one key, as it is wrapped now; None: there is none of this number."""
    query = select(DataKey).where(DataKey.org_id == org_id, DataKey.number == number)
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


async def add_key(session: AsyncSession, org_id: str, *, wrapped: bytes, master_key_id: str) -> DataKey:
    """Add the organisation's next key; where another transaction was first, return the one that it added."""
    newest = select(func.coalesce(func.max(DataKey.number), 0) + 1).where(DataKey.org_id == org_id)
    number = (await session.execute(newest)).scalar_one()
    row = upsert(DataKey).values(org_id=org_id, number=number, wrapped=wrapped, master_key_id=master_key_id)
    await session.execute(row.on_conflict_do_nothing())
    found = await get_key(session, org_id, number)
    assert found is not None
    return found


async def keys_not_of(session: AsyncSession, org_id: str, master_key_id: str) -> list[DataKey]:
    """Return the organisation's keys that another master key wraps, locked."""
    query = select(DataKey).where(DataKey.org_id == org_id, DataKey.master_key_id != master_key_id)
    return list((await session.execute(query.order_by(col(DataKey.number)).with_for_update())).scalars())


async def put_wrapped(session: AsyncSession, org_id: str, number: int, *, wrapped: bytes, master_key_id: str) -> None:
    """Keep a key as another master key wraps it."""
    await session.execute(
        update(DataKey)
        .where(col(DataKey.org_id) == org_id, col(DataKey.number) == number)
        .values(wrapped=wrapped, master_key_id=master_key_id)
    )
