"""An organisation's trust in domains: the only SQL about it."""

from collections.abc import Sequence

from sqlalchemy import delete, func, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, NotFound
from schema.policies import DOMAIN_REPUTATIONS_MAX
from schema.store import audit
from schema.store.audit import Actor
from schema.tables.domains import DomainReputation


async def get_domain(session: AsyncSession, org_id: str, domain: str) -> DomainReputation:
    """Return what the organisation set for exactly this domain.

    Raises:
        NotFound: it set nothing.
    """
    query = select(DomainReputation).where(DomainReputation.org_id == org_id, DomainReputation.domain == domain)
    found = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"The organisation set no trust for {domain}.")
    return found


async def list_domains(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[DomainReputation], str | None]:
    """Return a page of domains in alphabetical order, and the cursor of the next page."""
    query = select(DomainReputation).where(DomainReputation.org_id == org_id)
    if cursor is not None:
        query = query.where(DomainReputation.domain > cursor)
    rows = list((await session.execute(query.order_by(col(DomainReputation.domain)).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].domain if len(rows) > limit else None


async def put_domain(
    session: AsyncSession,
    org_id: str,
    domain: str,
    *,
    trust: float,
    note: str,
    set_by: str | None,
    actor: Actor,
) -> tuple[DomainReputation, bool]:
    """Set the trust in a domain and all that is below it; return it, and whether it is new.

    Setting what is set already changes nothing, and is not recorded again.

    Raises:
        Conflict: the organisation has as many domains as it may have.
    """
    # Two that set the last free one at once must not both find room; the lock ends with the transaction.
    lock = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
    await session.execute(lock, {"key": f"domains/{org_id}"})
    query = select(DomainReputation).where(DomainReputation.org_id == org_id, DomainReputation.domain == domain)
    before = (await session.execute(query)).scalar_one_or_none()
    if before is not None and (before.trust, before.note) == (trust, note):
        return before, False
    earlier = before.trust if before is not None else None
    if before is None:
        count = select(func.count()).select_from(DomainReputation).where(DomainReputation.org_id == org_id)
        if int((await session.execute(count)).scalar_one()) >= DOMAIN_REPUTATIONS_MAX:
            raise Conflict(f"The organisation has {DOMAIN_REPUTATIONS_MAX} domains already. Delete some first.")
    statement = postgresql.insert(DomainReputation).values(
        org_id=org_id, domain=domain, trust=trust, note=note, set_by=set_by
    )
    changed = {"trust": trust, "note": note, "set_by": set_by, "updated_at": func.clock_timestamp()}
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id", "domain"], set_=changed))
    made = await get_domain(session, org_id, domain)
    details = {"trust": trust, "note": note, "before": earlier}
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="domain.trusted",
        resource_type="domain",
        resource_id=domain,
        details=details,
    )
    return made, before is None


async def delete_domain(session: AsyncSession, org_id: str, domain: str, *, actor: Actor) -> None:
    """Forget what the organisation set: the shipped trust counts again.

    Raises:
        NotFound: it set nothing, or no longer.
    """
    removed = await session.execute(
        delete(DomainReputation)
        .where(col(DomainReputation.org_id) == org_id, col(DomainReputation.domain) == domain)
        .returning(col(DomainReputation.domain))
    )
    if removed.scalar_one_or_none() is None:
        raise NotFound(f"The organisation set no trust for {domain}.")
    await audit.record(
        session, org_id, actor=actor, action="domain.forgotten", resource_type="domain", resource_id=domain
    )


async def reputations(session: AsyncSession, org_id: str, domains: Sequence[str]) -> dict[str, tuple[float, str]]:
    """Return what the organisation set for any of these domains: domain -> (trust, note)."""
    if not domains:
        return {}
    query = select(DomainReputation).where(
        DomainReputation.org_id == org_id, col(DomainReputation.domain).in_(sorted(set(domains)))
    )
    return {row.domain: (row.trust, row.note) for row in (await session.execute(query)).scalars()}
