"""Members of an organisation: who is in it, in which role, and the rules that keep it governed.

Nobody acts on, or gives, a role above their own; the last owner can neither leave nor be demoted. Service accounts are
members too: they own keys and cannot sign in.
"""

from dataclasses import dataclass

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, Forbidden, NotFound
from schema.permissions import Role
from schema.store import api_keys, audit, context, users
from schema.store.audit import Actor
from schema.store.users import SERVICE
from schema.tables.organisations import Membership, Organisation, User

_ORGANISATIONS_OF = text("select * from across_organisations_of(:user_id)")


@dataclass(frozen=True)
class Place:
    """An organisation, and a person's role in it."""

    org_id: str
    name: str
    role: Role


@dataclass(frozen=True)
class Member:
    """A user in an organisation."""

    user: User
    membership: Membership

    @property
    def role(self) -> Role:
        """Return the member's role."""
        return Role(self.membership.role)


async def enter(session: AsyncSession, org_id: str) -> None:
    """Make the transaction the organisation's, for the few that learn only on their way whose they are."""
    await context.become(session, org_id=org_id)


async def find_role(session: AsyncSession, org_id: str, user_id: str) -> Role | None:
    """Return a member's role; None where the user is no member, or no longer."""
    query = select(Membership.role).where(
        Membership.org_id == org_id, Membership.user_id == user_id, col(Membership.removed_at).is_(None)
    )
    role = (await session.execute(query)).scalar_one_or_none()
    return None if role is None else Role(role)


async def get_member(session: AsyncSession, org_id: str, user_id: str, *, kind: str | None = None) -> Member:
    """Return a member.

    Args:
        kind: `person` or `service`; None: either.

    Raises:
        NotFound: the organisation has no such member, or no longer.
    """
    query = (
        select(User, Membership)
        .join(Membership, col(Membership.user_id) == col(User.id))
        .where(Membership.org_id == org_id, Membership.user_id == user_id, col(Membership.removed_at).is_(None))
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None or (kind is not None and row[0].kind != kind):
        raise NotFound(f"The organisation has no member {user_id}.")
    return Member(*row)


async def list_members(
    session: AsyncSession, org_id: str, *, kind: str, limit: int, cursor: str | None = None
) -> tuple[list[Member], str | None]:
    """Return a page of members (`person`) or service accounts (`service`) by id, and the cursor of the next page."""
    query = (
        select(User, Membership)
        .join(Membership, col(Membership.user_id) == col(User.id))
        .where(Membership.org_id == org_id, col(Membership.removed_at).is_(None), User.kind == kind)
    )
    if cursor is not None:
        query = query.where(Membership.user_id > cursor)
    rows = [Member(*row) for row in await session.execute(query.order_by(col(Membership.user_id)).limit(limit + 1))]
    return rows[:limit], rows[limit - 1].user.id if len(rows) > limit else None


async def organisations_of(session: AsyncSession, user_id: str) -> list[Place]:
    """Return every organisation that a person is a member of, oldest membership first: a look across tenants."""
    rows = await session.execute(_ORGANISATIONS_OF, {"user_id": user_id})
    return [Place(org_id, name, Role(role)) for org_id, name, role in rows]


def require_rank(acting: Role, role: Role) -> None:
    """Refuse what reaches above one's own role.

    Raises:
        Forbidden: `role` is higher than the acting one.
    """
    if role.rank > acting.rank:
        raise Forbidden(f"Only a member of the role {role} or above may do this; yours is {acting}.", role=role.value)


async def add_member(session: AsyncSession, org_id: str, user_id: str, *, role: Role, actor: Actor) -> None:
    """Make a user a member, or bring one who left back in this role.

    Raises:
        Conflict: the user is a member already.
    """
    statement = upsert(Membership).values(org_id=org_id, user_id=user_id, role=role.value)
    added = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "user_id"],
            set_={"role": role.value, "removed_at": None, "monthly_limit_ucr": None},
            where=col(Membership.removed_at).is_not(None),
        ).returning(col(Membership.user_id))
    )
    if added.scalar_one_or_none() is None:
        raise Conflict("The user is a member of the organisation already.")
    await _audit(session, org_id, user_id, actor, "member.added", role=role.value)


async def create_service_account(session: AsyncSession, org_id: str, *, name: str, role: Role, actor: Actor) -> Member:
    """Make a principal that owns keys and cannot sign in."""
    user_id = await users.create_user(session, name=name, kind=SERVICE)
    await add_member(session, org_id, user_id, role=role, actor=actor)
    return await get_member(session, org_id, user_id)


async def change_role(
    session: AsyncSession, org_id: str, user_id: str, *, role: Role, acting: Role, actor: Actor
) -> None:
    """Give a member another role.

    Raises:
        NotFound: the organisation has no such member.
        Forbidden: the member's role, or the new one, is above the acting one; a service account would be owner.
        Conflict: the last owner would be demoted.
    """
    member = await _lock(session, org_id, user_id)
    require_rank(acting, member.role)
    require_rank(acting, role)
    if member.user.kind == SERVICE and role is Role.OWNER:
        raise Forbidden("A service account cannot own an organisation; give it another role.")
    if role is not Role.OWNER:
        await _require_other_owner(session, org_id, member)
    member.membership.role = role.value
    await session.flush()
    await _audit(session, org_id, user_id, actor, "member.role_changed", role=role.value)


async def limit_member(
    session: AsyncSession, org_id: str, user_id: str, *, limit_ucr: int | None, acting: Role, actor: Actor
) -> None:
    """Set what a member's runs may spend in a month; None: no limit of their own.

    Raises:
        NotFound: the organisation has no such member.
        Forbidden: the member's role is above the acting one.
    """
    member = await _lock(session, org_id, user_id)
    require_rank(acting, member.role)
    member.membership.monthly_limit_ucr = limit_ucr
    await session.flush()
    await _audit(session, org_id, user_id, actor, "member.limited", monthly_limit_ucr=limit_ucr)


async def remove_member(session: AsyncSession, org_id: str, user_id: str, *, acting: Role, actor: Actor) -> None:
    """End a membership and every key of it, from this transaction on; sessions of the user lose the organisation.

    Raises:
        NotFound: the organisation has no such member.
        Forbidden: the member's role is above the acting one.
        Conflict: the last owner would go.
    """
    member = await _lock(session, org_id, user_id)
    require_rank(acting, member.role)
    await _require_other_owner(session, org_id, member)
    await session.execute(
        update(Membership)
        .where(col(Membership.org_id) == org_id, col(Membership.user_id) == user_id)
        .values(removed_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    await api_keys.revoke_keys_of(session, org_id, user_id, actor=actor)
    await _audit(session, org_id, user_id, actor, "member.removed")


async def _lock(session: AsyncSession, org_id: str, user_id: str) -> Member:
    """Lock the organisation's memberships as a whole: two owners who demote each other at once come one by one."""
    query = select(Organisation.id).where(Organisation.id == org_id).with_for_update(key_share=True)
    await session.execute(query)
    return await get_member(session, org_id, user_id)


async def _require_other_owner(session: AsyncSession, org_id: str, member: Member) -> None:
    if member.role is not Role.OWNER:
        return
    query = select(func.count()).where(
        Membership.org_id == org_id,
        Membership.role == Role.OWNER.value,
        Membership.user_id != member.user.id,
        col(Membership.removed_at).is_(None),
    )
    if not (await session.execute(query)).scalar_one():
        raise Conflict("This is the organisation's last owner. Make another member owner first.")


async def _audit(
    session: AsyncSession, org_id: str, user_id: str, actor: Actor, action: str, **details: object
) -> None:
    await audit.record(
        session, org_id, actor=actor, action=action, resource_type="member", resource_id=user_id, details=details
    )
