"""API keys: made, found, listed, revoked. Of a secret only its SHA-256 is kept.

A key reads `sk_<id>_<secret>_<checksum>`: the id finds the row, the secret proves it, and the checksum (CRC-32, as
GitHub's tokens have) tells a mistyped or invented key without a look into the database.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.ids import API_KEY, new_id
from schema.permissions import ALL_SCOPES, TENANT_SCOPES, Scope
from schema.store import audit
from schema.store.audit import Actor
from schema.store.tokens import SECRET_LENGTH as _SECRET_LENGTH
from schema.store.tokens import checksum as _checksum
from schema.store.tokens import digest as _digest
from schema.store.tokens import random_text as _random
from schema.tables.organisations import ApiKey

__all__ = ["ALL_SCOPES", "TENANT_SCOPES", "PresentedKey", "Scope", "create_key", "find_key", "parse_key"]

_FORM = re.compile(
    rf"sk_(?P<id>[0-9a-f]{{32}})_(?P<secret>[0-9A-Za-z]{{{_SECRET_LENGTH}}})_(?P<checksum>[0-9A-Za-z]{{6}})"
)
_USED_EVERY = timedelta(minutes=1)
"""`last_used_at` is written this often at most: it is a hint for people, not a log."""


@dataclass(frozen=True)
class PresentedKey:
    """A key that a caller showed, taken apart; well-formed, and not yet proven."""

    key_id: str
    secret: str

    def proves(self, key: ApiKey) -> bool:
        """Tell, in constant time, whether the secret is the one of `key`."""
        return hmac.compare_digest(_digest(self.secret), key.secret_sha256)


def parse_key(text: str) -> PresentedKey | None:
    """Take a presented key apart; None where it cannot be a key of ours."""
    found = _FORM.fullmatch(text)
    if found is None or _checksum(text.rpartition("_")[0]) != found["checksum"]:
        return None
    return PresentedKey(f"{API_KEY}_{found['id']}", found["secret"])


async def create_key(
    session: AsyncSession,
    org_id: str,
    *,
    user_id: str,
    name: str,
    scopes: tuple[str, ...] | list[str],
    expires_at: datetime | None = None,
    actor: Actor = audit.SYSTEM,
) -> tuple[ApiKey, str]:
    """Make a key of the member `user_id`; the text that is returned beside the row is kept nowhere."""
    key_id, secret = new_id(API_KEY), _random(_SECRET_LENGTH)
    body = f"sk_{key_id.removeprefix(API_KEY + '_')}_{secret}"
    key = ApiKey(
        id=key_id,
        org_id=org_id,
        user_id=user_id,
        name=name,
        secret_sha256=_digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    session.add(key)
    await session.flush()
    await session.refresh(key)
    await _audit(session, key, actor, "api_key.created")
    return key, f"{body}_{_checksum(body)}"


async def find_key(session: AsyncSession, presented: PresentedKey) -> ApiKey | None:
    """Find the key that is in force and has the secret, of whichever organisation: none is known yet.

    The function (migration 0005) passes row-level security, and returns a row only to who has its secret.
    """
    given = {"id": presented.key_id, "secret_sha256": _digest(presented.secret)}
    return (await session.execute(select(ApiKey).from_statement(_FIND), given)).scalar_one_or_none()


def use_is_stale(key: ApiKey) -> bool:
    """Tell whether `last_used_at` is old enough to be written again (by this process's clock: a hint, as it is)."""
    return key.last_used_at is None or datetime.now(UTC) - key.last_used_at > _USED_EVERY


async def touch_key(session: AsyncSession, org_id: str, key_id: str) -> None:
    """Note that the key was used."""
    await session.execute(
        update(ApiKey)
        .where(col(ApiKey.org_id) == org_id, col(ApiKey.id) == key_id)
        .values(last_used_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


async def set_scopes(session: AsyncSession, org_id: str, key_id: str, scopes: tuple[str, ...]) -> None:
    """Replace a key's scopes: an installation's first key gets those of a new version."""
    await session.execute(
        update(ApiKey)
        .where(col(ApiKey.org_id) == org_id, col(ApiKey.id) == key_id)
        .values(scopes=sorted(scopes))
        .execution_options(synchronize_session=False)
    )


async def get_key(session: AsyncSession, org_id: str, key_id: str) -> ApiKey:
    """Return one key, in force or not.

    Raises:
        NotFound: the organisation has no such key.
    """
    query = select(ApiKey).where(ApiKey.org_id == org_id, ApiKey.id == key_id)
    key = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if key is None:
        raise NotFound(f"There is no API key {key_id}.")
    return key


async def list_keys(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, user_id: str | None = None
) -> tuple[list[ApiKey], str | None]:
    """Return a page of keys, newest first, revoked ones included, and the cursor of the next page.

    Args:
        user_id: only keys of this member or service account.
    """
    query = select(ApiKey).where(ApiKey.org_id == org_id)
    if user_id is not None:
        query = query.where(ApiKey.user_id == user_id)
    if cursor is not None:
        query = query.where(ApiKey.id < cursor)
    rows = list((await session.execute(query.order_by(col(ApiKey.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def revoke_key(session: AsyncSession, org_id: str, key_id: str, *, actor: Actor) -> ApiKey:
    """End a key from this transaction on; revoking it again changes nothing.

    Raises:
        NotFound: the organisation has no such key.
    """
    revoked = await session.execute(
        update(ApiKey)
        .where(col(ApiKey.org_id) == org_id, col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
        .values(revoked_at=func.clock_timestamp())
        .returning(col(ApiKey.id))
        .execution_options(synchronize_session=False)
    )
    changed = revoked.scalar_one_or_none() is not None
    key = await get_key(session, org_id, key_id)
    if changed:
        await _audit(session, key, actor, "api_key.revoked")
    return key


async def revoke_keys_of(session: AsyncSession, org_id: str, user_id: str, *, actor: Actor) -> None:
    """End every key of a member, from this transaction on."""
    query = select(ApiKey.id).where(
        ApiKey.org_id == org_id, ApiKey.user_id == user_id, col(ApiKey.revoked_at).is_(None)
    )
    for key_id in list((await session.execute(query)).scalars()):
        await revoke_key(session, org_id, key_id, actor=actor)


async def expire_key(session: AsyncSession, org_id: str, key_id: str, *, within_s: int, actor: Actor) -> ApiKey:
    """Let a key end `within_s` seconds from now, unless it ends earlier already; for rotation without a gap.

    Raises:
        NotFound: the organisation has no such key.
    """
    end = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, within_s)
    await session.execute(
        update(ApiKey)
        .where(col(ApiKey.org_id) == org_id, col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
        .values(expires_at=func.least(col(ApiKey.expires_at), end))
        .execution_options(synchronize_session=False)
    )
    key = await get_key(session, org_id, key_id)
    await _audit(session, key, actor, "api_key.rotated")
    return key


_FIND = text("select * from across_api_key(:id, :secret_sha256)")


async def _audit(session: AsyncSession, key: ApiKey, actor: Actor, action: str) -> None:
    details = {"scopes": list(key.scopes), "user_id": key.user_id}
    await audit.record(
        session, key.org_id, actor=actor, action=action, resource_type="api_key", resource_id=key.id, details=details
    )
