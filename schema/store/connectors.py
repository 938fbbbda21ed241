"""Connected accounts and their sealed tokens. Signing in and refreshing come with the connectors themselves."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.tables.collaboration import OauthConnector

ALGORITHM = "AES-256-GCM"


@dataclass(frozen=True)
class SealedTokens:
    """What `infra/vault.py` made of an account's tokens, for this connector's id."""

    access_token: bytes
    refresh_token: bytes | None = None
    expires_at: datetime | None = None


async def put_connector(
    session: AsyncSession,
    org_id: str,
    connector_id: str,
    *,
    user_id: str,
    provider: str,
    provider_user_id: str,
    scopes: list[str],
    tokens: SealedTokens,
) -> None:
    """Record a connected account. The tokens were sealed for `connector_id`, and open under no other."""
    session.add(
        OauthConnector(
            id=connector_id,
            org_id=org_id,
            user_id=user_id,
            provider=provider,
            provider_user_id=provider_user_id,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            key_id="data-key",
            algorithm=ALGORITHM,
            token_expires_at=tokens.expires_at,
            scopes=scopes,
        )
    )
    await session.flush()


async def get_connector(session: AsyncSession, org_id: str, connector_id: str, *, lock: bool = False) -> OauthConnector:
    """Return a connected account that is in force.

    Args:
        lock: for a refresh: a token that rotates dies when two workers refresh it at once (D23).

    Raises:
        NotFound: the organisation has no such connector, or it was revoked.
    """
    query = select(OauthConnector).where(
        OauthConnector.org_id == org_id, OauthConnector.id == connector_id, col(OauthConnector.revoked_at).is_(None)
    )
    query = query.with_for_update() if lock else query
    found = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no connector {connector_id}")
    return found


async def put_tokens(session: AsyncSession, org_id: str, connector_id: str, tokens: SealedTokens) -> None:
    """Keep what a refresh brought; the caller holds the row's lock."""
    await session.execute(
        update(OauthConnector)
        .where(col(OauthConnector.org_id) == org_id, col(OauthConnector.id) == connector_id)
        .values(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            token_expires_at=tokens.expires_at,
            updated_at=func.clock_timestamp(),
        )
    )
