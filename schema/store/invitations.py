"""Invitations: made with a role up to the inviter's, accepted once, ended by time or by hand.

The token names the organisation and the invitation, so that it is found within its tenant, and proves itself by a
secret of which only the SHA-256 is kept.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, NotFound
from schema.ids import INVITATION, ORGANISATION, new_id
from schema.permissions import Role
from schema.store import audit, clock, members, tokens
from schema.store.audit import Actor
from schema.store.tokens import Token
from schema.tables.identity import Invitation

_FORM = re.compile(r"(inv)_([0-9a-f]{32})_(.+)", re.ASCII)


@dataclass(frozen=True)
class PresentedInvitation:
    """An invitation's token, taken apart; well-formed, and not yet proven."""

    org_id: str
    token: Token


def parse_token(text: str) -> PresentedInvitation | None:
    """Take a presented token apart; None where it cannot be one of an invitation."""
    found = _FORM.fullmatch(text)
    token = tokens.parse("inv", f"inv_{found[3]}") if found is not None else None
    return PresentedInvitation(f"{ORGANISATION}_{found[2]}", token) if found is not None and token is not None else None


async def create_invitation(
    session: AsyncSession,
    org_id: str,
    *,
    role: Role,
    email: str | None,
    expires_in: timedelta,
    invited_by: str,
    acting: Role,
    actor: Actor,
) -> tuple[Invitation, str]:
    """Make an invitation; the token's text, which is returned beside the row, is kept nowhere.

    Raises:
        Forbidden: the role is above the inviter's.
    """
    members.require_rank(acting, role)
    invitation_id = new_id(INVITATION)
    token, digest = tokens.make("inv", invitation_id)
    made = Invitation(
        id=invitation_id,
        org_id=org_id,
        role=role.value,
        email=None if email is None else email.lower(),
        token_sha256=digest,
        invited_by=invited_by,
        expires_at=await clock.now(session) + expires_in,
    )
    session.add(made)
    await session.flush()
    await session.refresh(made)
    await _audit(session, made, actor, "invitation.created")
    return made, f"inv_{org_id.removeprefix(ORGANISATION + '_')}_{token.removeprefix('inv_')}"


async def open_invitation(session: AsyncSession, presented: PresentedInvitation) -> Invitation:
    """Return the invitation that a token proves, locked, if it can be accepted now.

    Its inviter must still be a member, of a role that may give this one.

    Raises:
        NotFound: unknown, expired, revoked or accepted; the answer does not say which.
    """
    return await _open(session, presented.org_id, f"{INVITATION}_{presented.token.id}", presented.token.digest)


async def reopen_invitation(session: AsyncSession, org_id: str, invitation_id: str) -> Invitation:
    """The same for an invitation whose token was proven before, when its sign-in was sent to the OpenID provider."""
    return await _open(session, org_id, invitation_id, None)


async def _open(session: AsyncSession, org_id: str, invitation_id: str, digest: bytes | None) -> Invitation:
    query = select(Invitation).where(
        Invitation.org_id == org_id,
        Invitation.id == invitation_id,
        col(Invitation.accepted_at).is_(None),
        col(Invitation.revoked_at).is_(None),
        col(Invitation.expires_at) > func.clock_timestamp(),
    )
    found = (
        await session.execute(query.with_for_update().execution_options(populate_existing=True))
    ).scalar_one_or_none()
    refusal = NotFound("The invitation is unknown, expired, revoked or used. Ask for a new one.")
    if found is None or (digest is not None and not hmac.compare_digest(found.token_sha256, digest)):
        raise refusal
    inviter = await members.find_role(session, org_id, found.invited_by)
    if inviter is None or Role(found.role).rank > inviter.rank:
        raise refusal
    return found


async def accept(session: AsyncSession, invitation: Invitation, *, user_id: str, email: str, actor: Actor) -> None:
    """Make the user a member in the invitation's role; the caller holds the invitation from `open_invitation`.

    Raises:
        Conflict: the invitation is for another address, or the user is a member already.
    """
    if invitation.email is not None and invitation.email != email.lower():
        raise Conflict("The invitation is for another address. Accept it with that one, or ask for a new one.")
    await members.add_member(session, invitation.org_id, user_id, role=Role(invitation.role), actor=actor)
    invitation.accepted_at = func.clock_timestamp()  # type: ignore[assignment]
    invitation.accepted_by = user_id
    await session.flush()
    await _audit(session, invitation, actor, "invitation.accepted")


async def get_invitation(session: AsyncSession, org_id: str, invitation_id: str) -> Invitation:
    """Return an invitation, open or not.

    Raises:
        NotFound: the organisation has no such invitation.
    """
    query = select(Invitation).where(Invitation.org_id == org_id, Invitation.id == invitation_id)
    found = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no invitation {invitation_id}.")
    return found


async def list_invitations(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[Invitation], str | None]:
    """Return a page of invitations, newest first, and the cursor of the next page."""
    query = select(Invitation).where(Invitation.org_id == org_id)
    if cursor is not None:
        query = query.where(Invitation.id < cursor)
    rows = list((await session.execute(query.order_by(col(Invitation.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def revoke_invitation(session: AsyncSession, org_id: str, invitation_id: str, *, actor: Actor) -> Invitation:
    """End an invitation; one that is ended or used stays as it is.

    Raises:
        NotFound: the organisation has no such invitation.
    """
    revoked = await session.execute(
        update(Invitation)
        .where(
            col(Invitation.org_id) == org_id,
            col(Invitation.id) == invitation_id,
            col(Invitation.revoked_at).is_(None),
            col(Invitation.accepted_at).is_(None),
        )
        .values(revoked_at=func.clock_timestamp())
        .returning(col(Invitation.id))
        .execution_options(synchronize_session=False)
    )
    changed = revoked.scalar_one_or_none() is not None
    found = await get_invitation(session, org_id, invitation_id)
    if changed:
        await _audit(session, found, actor, "invitation.revoked")
    return found


async def _audit(session: AsyncSession, invitation: Invitation, actor: Actor, action: str) -> None:
    # The address is a person's: it stays in a table from which it can be erased.
    await audit.record(
        session,
        invitation.org_id,
        actor=actor,
        action=action,
        resource_type="invitation",
        resource_id=invitation.id,
        details={"role": invitation.role},
    )
