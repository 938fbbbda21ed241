"""People: found by address or by their identity at an OpenID provider, made, and given a password. No organisation."""

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, NotFound
from schema.ids import USER, new_id
from schema.tables.identity import UserIdentity
from schema.tables.organisations import User


async def get_user(session: AsyncSession, user_id: str) -> User:
    """Return a user.

    Raises:
        NotFound: there is none of this id.
    """
    user = (await session.execute(select(User).where(User.id == user_id))).scalar_one_or_none()
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    return user


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    """Return the person of an address, whatever its case."""
    query = select(User).where(User.email == email.lower(), User.kind == "person")
    return (await session.execute(query)).scalar_one_or_none()


async def find_by_identity(session: AsyncSession, issuer: str, subject: str) -> User | None:
    """Return the person whom an OpenID provider knows by `subject`."""
    query = (
        select(User)
        .join(UserIdentity, col(UserIdentity.user_id) == col(User.id))
        .where(UserIdentity.issuer == issuer, UserIdentity.subject == subject)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def create_person(session: AsyncSession, *, email: str, name: str, password_hash: str | None = None) -> User:
    """Make a person.

    Raises:
        Conflict: somebody has the address already.
    """
    values = {"id": new_id(USER), "email": email.lower(), "name": name, "password_hash": password_hash}
    if password_hash is not None:
        values["password_changed_at"] = func.clock_timestamp()  # type: ignore[assignment]
    made = await session.execute(
        upsert(User).values(**values).on_conflict_do_nothing(index_elements=["email"]).returning(col(User.id))
    )
    user_id = made.scalar_one_or_none()
    if user_id is None:
        raise Conflict("Somebody has an account under this address. Sign in to it first, then accept the invitation.")
    return await get_user(session, user_id)


async def set_password(session: AsyncSession, user_id: str, password_hash: str, *, is_new: bool = True) -> None:
    """Keep the hash of a password; `is_new` False where the same password was only hashed anew."""
    values: dict[str, object] = {"password_hash": password_hash}
    if is_new:
        values["password_changed_at"] = func.clock_timestamp()
    await session.execute(
        update(User).where(col(User.id) == user_id).values(**values).execution_options(synchronize_session=False)
    )


async def link_identity(session: AsyncSession, user_id: str, *, issuer: str, subject: str) -> None:
    """Let a person sign in by an OpenID provider; harmless when it is so already.

    Raises:
        Conflict: the identity is another person's.
    """
    await session.execute(
        upsert(UserIdentity).values(issuer=issuer, subject=subject, user_id=user_id).on_conflict_do_nothing()
    )
    found = await find_by_identity(session, issuer, subject)
    if found is None or found.id != user_id:
        raise Conflict("This identity belongs to another account.")
