"""People: found by address or by their identity at an OpenID provider, made, and given a password.

Row-level security shows a user to the organisations that it is a member of. Who signs in has shown none yet, and who is
new has none: the functions of migration 0006 look past it, and return no more than an id and a password's hash.
"""

from dataclasses import dataclass

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, NotFound
from schema.ids import USER, new_id
from schema.store import context
from schema.tables.identity import UserIdentity
from schema.tables.organisations import User

PERSON, SERVICE = "person", "service"

_BY_EMAIL = text("select * from across_person_by_email(:email)")
_BY_IDENTITY = text("select * from across_person_by_identity(:issuer, :subject)")
_CREATE = text("select across_create_user(:id, :kind, :email, :name, :password_hash)")


@dataclass(frozen=True)
class Found:
    """A person who was looked up."""

    id: str
    password_hash: str | None = None


async def get_user(session: AsyncSession, user_id: str) -> User:
    """Return a user.

    Raises:
        NotFound: there is none of this id.
    """
    user = (await session.execute(select(User).where(User.id == user_id))).scalar_one_or_none()
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    return user


async def find_by_email(session: AsyncSession, email: str) -> Found | None:
    """Return the person of an address, whatever its case."""
    row = (await session.execute(_BY_EMAIL, {"email": email.lower()})).one_or_none()
    return None if row is None else Found(*row)


async def find_by_identity(session: AsyncSession, issuer: str, subject: str) -> Found | None:
    """Return the person whom an OpenID provider knows by `subject`."""
    row = (await session.execute(_BY_IDENTITY, {"issuer": issuer, "subject": subject})).one_or_none()
    return None if row is None else Found(*row)


async def create_user(
    session: AsyncSession,
    *,
    name: str,
    email: str | None = None,
    kind: str = PERSON,
    password_hash: str | None = None,
) -> str:
    """Make a person, or a service account, which has no address; return its id.

    Raises:
        Conflict: somebody has the address already.
    """
    user_id = new_id(USER)
    values = {
        "id": user_id,
        "kind": kind,
        "email": None if email is None else email.lower(),
        "name": name,
        "password_hash": password_hash,
    }
    if not (await session.execute(_CREATE, values)).scalar_one():
        raise Conflict("Somebody has an account under this address. Sign in to it first, then accept the invitation.")
    return user_id


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
    await context.become(session, user_id=user_id)
    await session.execute(
        upsert(UserIdentity).values(issuer=issuer, subject=subject, user_id=user_id).on_conflict_do_nothing()
    )
    found = await find_by_identity(session, issuer, subject)
    if found is None or found.id != user_id:
        raise Conflict("This identity belongs to another account.")
