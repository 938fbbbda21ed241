"""Organisations, their users and memberships."""

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.deliverables import Theme
from schema.contracts.policy import ToolPolicy
from schema.errors import NotFound
from schema.store import audit, billing, retention
from schema.store.audit import Actor
from schema.tables.organisations import Membership, Organisation, User


async def create_organisation(
    session: AsyncSession, org_id: str, *, name: str, owner_id: str, owner_email: str, owner_name: str = ""
) -> Organisation:
    """Create an organisation with its owner and an account at zero; harmless when they exist.

    Args:
        owner_id: identifier of the user who becomes its owner; an existing user keeps name and address.
    """
    for row in (
        upsert(Organisation).values(id=org_id, name=name),
        upsert(User).values(id=owner_id, email=owner_email, name=owner_name),
        upsert(Membership).values(org_id=org_id, user_id=owner_id, role="owner"),
    ):
        await session.execute(row.on_conflict_do_nothing())
    await billing.open_account(session, org_id)
    return await get_organisation(session, org_id)


async def get_organisation(session: AsyncSession, org_id: str, *, for_admission: bool = False) -> Organisation:
    """Return an organisation.

    Args:
        for_admission: lock the row to the end of the transaction, so that two starts do not both take the last place.

    Raises:
        NotFound: there is no such organisation.
    """
    query = select(Organisation).where(Organisation.id == org_id)
    if for_admission:
        query = query.with_for_update(key_share=True)
    organisation = (await session.execute(query)).scalar_one_or_none()
    if organisation is None:
        raise NotFound(f"There is no organisation {org_id}.")
    return organisation


async def rename(session: AsyncSession, org_id: str, *, name: str, actor: Actor) -> None:
    """Give an organisation another name.

    Raises:
        NotFound: there is no such organisation.
    """
    organisation = await get_organisation(session, org_id)
    organisation.name = name
    await session.flush()
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="organisation.renamed",
        resource_type="organisation",
        resource_id=org_id,
        details={"name": name},
    )


async def get_role(session: AsyncSession, org_id: str, user_id: str) -> str:
    """Return a member's role.

    Raises:
        NotFound: the user is no member of the organisation.
    """
    query = select(col(Membership.role)).where(Membership.org_id == org_id, Membership.user_id == user_id)
    role = (await session.execute(query)).scalar_one_or_none()
    if role is None:
        raise NotFound(f"User {user_id} is not a member of the organisation.")
    return role


async def tool_policy(session: AsyncSession, org_id: str) -> ToolPolicy:
    """Return what the organisation's agents may do by default; an unknown organisation has the product's defaults."""
    query = select(col(Organisation.tool_policy)).where(Organisation.id == org_id)
    return ToolPolicy.model_validate((await session.execute(query)).scalar_one_or_none() or {})


async def set_tool_policy(session: AsyncSession, org_id: str, policy: ToolPolicy, *, actor: Actor) -> None:
    """Set what the organisation's agents may do by default, for runs that are created from now on.

    Raises:
        NotFound: there is no such organisation.
    """
    before = await tool_policy(session, org_id)
    changed = await session.execute(
        update(Organisation)
        .where(col(Organisation.id) == org_id)
        .values(tool_policy=policy.model_dump(mode="json"))
        .returning(col(Organisation.id))
        .execution_options(synchronize_session=False)
    )
    if changed.scalar_one_or_none() is None:
        raise NotFound(f"There is no organisation {org_id}.")
    # Canaries are secrets: the log says how many.
    hidden = {"canaries"}
    details = {
        "before": before.model_dump(mode="json", exclude=hidden) | {"canaries": len(before.canaries)},
        "after": policy.model_dump(mode="json", exclude=hidden) | {"canaries": len(policy.canaries)},
    }
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="tool_policy.changed",
        resource_type="organisation",
        resource_id=org_id,
        details=details,
    )


async def theme(session: AsyncSession, org_id: str, *, lock: bool = False) -> Theme:
    """Return how the organisation's documents look; with `lock`, nobody else changes it in this transaction."""
    query = select(col(Organisation.theme)).where(Organisation.id == org_id)
    if lock:
        query = query.with_for_update()
    return Theme.model_validate((await session.execute(query)).scalar_one_or_none() or {})


async def set_theme(session: AsyncSession, org_id: str, wanted: Theme, *, actor: Actor) -> None:
    """Set how the organisation's documents look from now on; the logo of before is asked to be deleted.

    Raises:
        NotFound: there is no such organisation.
    """
    before = await theme(session, org_id)
    changed = (
        update(Organisation)
        .where(col(Organisation.id) == org_id)
        .values(theme=wanted.model_dump(mode="json"))
        .returning(col(Organisation.id))
    )
    if (await session.execute(changed)).scalar_one_or_none() is None:
        raise NotFound(f"There is no organisation {org_id}.")
    if before.logo is not None and (wanted.logo is None or wanted.logo.key != before.logo.key):
        await retention.ask_for_deletion(session, org_id, [before.logo.key])
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="organisation.theme_changed",
        resource_type="organisation",
        resource_id=org_id,
        details={name: True for name, value in wanted.model_dump(mode="json").items() if value is not None},
    )
