"""People, members, sessions, invitations, limits: what is asked for, and how it is shown."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from api.serialisation import Credits, Instant
from api.views.base import Ask, FilledText, Listing, Text, View, no_truth_value, storable
from api.views.runs import PositiveCredits
from schema.money import credits_to_ucr, ucr_to_credits
from schema.permissions import Role
from schema.policies import INVITATION_DEFAULT, INVITATION_MAX
from schema.store.members import Member, Place
from schema.store.spending import Spent
from schema.tables.identity import Invitation, Session
from schema.tables.organisations import User

_LOCAL = r"[^@\s\x00-\x20\x7f-\xa0\ufeff]+"
"""`\\s` is something else in Python, in JavaScript and in Rust; what they disagree about stands here too."""
Email = Annotated[str, Field(min_length=3, max_length=254, pattern=f"^{_LOCAL}@{_LOCAL}$"), AfterValidator(storable)]
Password = Annotated[Text, Field(min_length=1, max_length=1_000, description="At least 12 characters; any of them.")]
Name = Annotated[FilledText, Field(max_length=200)]
OrgId = Annotated[str, Field(pattern=r"^org_[0-9a-f]{32}$")]
RoleName = Annotated[Role, Field(strict=False)]
Transport = Literal["cookie", "bearer"]
Limit = Annotated[PositiveCredits | Literal[0] | None, BeforeValidator(no_truth_value)]
"""Credits a month: an amount, 0 for none at all, null for no limit."""


class SignIn(Ask):
    """An address and its password."""

    email: Email
    password: Password
    org_id: OrgId | None = Field(default=None, description="Default: the organisation of the oldest membership.")
    transport: Transport = Field(
        default="cookie",
        description="How the session travels: `cookie` sets one that no script reads; `bearer` answers its token once, "
        "for `Authorization: Bearer`.",
    )


class ChangePassword(Ask):
    """Another password for one's own account."""

    current_password: Password | None = Field(default=None, description="May be left out where there is none yet.")
    new_password: Password


class SwitchOrganisation(Ask):
    """The organisation that the session works in from now on."""

    org_id: OrgId


class AcceptInvitation(Ask):
    """An invitation's token; and who comes, unless the request is of a session."""

    token: Text = Field(min_length=1, max_length=300)
    email: Email | None = None
    name: Name | None = None
    password: Password | None = None
    transport: Transport = "cookie"


class StartOidc(Ask):
    """A sign-in at the OpenID provider."""

    return_to: Text = Field(default="/", max_length=500, description="Path of this host to come back to.")
    invitation: Text | None = Field(default=None, max_length=300, description="Token of an invitation to accept.")
    link: bool = Field(default=False, description="Add this way of signing in to the session's account.")


class Invite(Ask):
    """An invitation to make."""

    role: RoleName = Field(description="Not above one's own.")
    email: Email | None = Field(default=None, description="Only this address may accept it; default: whoever has it.")
    expires_in_s: int = Field(
        default=int(INVITATION_DEFAULT.total_seconds()), ge=60, le=int(INVITATION_MAX.total_seconds())
    )


class UpdateMember(Ask):
    """What to change of a member; what is left out stays."""

    role: RoleName | None = None
    monthly_limit: Limit = Field(
        default=None,
        description="Most credits that the member's runs may take in a calendar month (UTC); null: no limit.",
    )

    @property
    def limit_ucr(self) -> int | None:
        """Return the limit in micro-credits."""
        return None if self.monthly_limit is None else credits_to_ucr(Decimal(self.monthly_limit))


class CreateServiceAccount(Ask):
    """A principal that owns keys and cannot sign in."""

    name: Name
    role: RoleName = Field(default=Role.MEMBER, description="Not `owner`, and not above one's own.")


class UpdateOrganisation(Ask):
    """What to change of the organisation; what is left out stays."""

    name: Name | None = None
    monthly_limit: Limit = Field(
        default=None, description="Most credits that all runs may take in a calendar month (UTC); null: no limit."
    )

    @property
    def limit_ucr(self) -> int | None:
        """Return the limit in micro-credits."""
        return None if self.monthly_limit is None else credits_to_ucr(Decimal(self.monthly_limit))


class UserView(View):
    """A person or service account."""

    id: str
    kind: Literal["person", "service"]
    email: str | None
    name: str


class PlaceView(View):
    """An organisation, and one's role in it."""

    id: str
    name: str
    role: str


class SessionView(View):
    """One sign-in."""

    id: str
    method: Literal["password", "oidc"]
    current: bool
    """Whether it is the one that asks."""
    ip_address: str | None
    user_agent: str | None
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant
    """At the latest; one that is not used ends earlier."""


class SessionList(View):
    """A person's sessions that are in force, newest first."""

    sessions: list[SessionView]


class WhoView(View):
    """Who asks, and what they may do."""

    user: UserView
    organisation: PlaceView
    permissions: list[str]
    session: SessionView | None
    """Null for an API key."""
    organisations: list[PlaceView]
    """All that the person is a member of; of a key, its own."""


class SignedInView(WhoView):
    """The session that begins."""

    token: str | None = None
    """With `transport: bearer`, shown this once."""


class Redirect(View):
    """Where the browser goes on."""

    location: str


class MemberView(View):
    """A member of the organisation."""

    user_id: str
    kind: Literal["person", "service"]
    email: str | None
    name: str
    role: str
    monthly_limit: Credits | None
    created_at: Instant


class MemberList(Listing):
    """A page of members."""

    members: list[MemberView]


class ServiceAccountList(Listing):
    """A page of service accounts."""

    service_accounts: list[MemberView]


class InvitationView(View):
    """An invitation, without its secret, which is kept nowhere."""

    id: str
    role: str
    email: str | None
    status: Literal["open", "accepted", "revoked", "expired"]
    invited_by: str
    accepted_by: str | None
    created_at: Instant
    expires_at: Instant


class NewInvitationView(InvitationView):
    """An invitation that was just made."""

    token: str | None
    """Shown this once, to be handed on; null in the answer to a repetition with the same Idempotency-Key."""


class InvitationList(Listing):
    """A page of invitations, newest first."""

    invitations: list[InvitationView]


class OrganisationView(View):
    """The caller's organisation."""

    id: str
    name: str
    monthly_limit: Credits | None
    runs_live_max: int
    created_at: Instant


class SpendingView(View):
    """A limit of the month, and what was taken of it."""

    monthly_limit: Credits | None
    spent: Credits
    """Held plus charged: what the limit is compared with."""
    held: Credits
    charged: Credits
    left: Credits | None
    """Null where there is no limit."""


class LimitsView(View):
    """What may be spent this month."""

    period_start: Instant
    """The calendar month, UTC."""
    organisation: SpendingView
    member: SpendingView
    """The caller's own."""


def user_view(user: User) -> UserView:
    """Show a user."""
    return UserView(id=user.id, kind=user.kind, email=user.email, name=user.name)


def place_view(place: Place) -> PlaceView:
    """Show an organisation of a person's."""
    return PlaceView(id=place.org_id, name=place.name, role=place.role.value)


def session_view(session: Session, *, current: str | None) -> SessionView:
    """Show a session."""
    names = ("id", "method", "ip_address", "user_agent", "created_at", "last_seen_at", "expires_at")
    return SessionView(**{name: getattr(session, name) for name in names}, current=session.id == current)


def member_view(member: Member) -> MemberView:
    """Show a member."""
    user, membership = member.user, member.membership
    return MemberView(
        user_id=user.id,
        kind=user.kind,
        email=user.email,
        name=user.name,
        role=membership.role,
        monthly_limit=_credits(membership.monthly_limit_ucr),
        created_at=membership.created_at,
    )


def invitation_view(invitation: Invitation, *, now: datetime) -> InvitationView:
    """Show an invitation."""
    return InvitationView(**_invitation(invitation, now))


def new_invitation_view(invitation: Invitation, token: str) -> NewInvitationView:
    """Show an invitation with its token, this once."""
    return NewInvitationView(**_invitation(invitation, invitation.created_at), token=token)


def spending_view(limit_ucr: int | None, spent: Spent) -> SpendingView:
    """Show a limit of the month."""
    taken = spent.held_ucr + spent.captured_ucr
    return SpendingView(
        monthly_limit=_credits(limit_ucr),
        spent=ucr_to_credits(taken),
        held=ucr_to_credits(spent.held_ucr),
        charged=ucr_to_credits(spent.captured_ucr),
        left=None if limit_ucr is None else ucr_to_credits(max(0, limit_ucr - taken)),
    )


def _invitation(invitation: Invitation, now: datetime) -> dict[str, Any]:
    names = ("id", "role", "email", "invited_by", "accepted_by", "created_at", "expires_at")
    if invitation.accepted_at is not None:
        status = "accepted"
    elif invitation.revoked_at is not None:
        status = "revoked"
    else:
        status = "open" if invitation.expires_at > now else "expired"
    return {**{name: getattr(invitation, name) for name in names}, "status": status}


def _credits(amount_ucr: int | None) -> Decimal | None:
    return None if amount_ucr is None else ucr_to_credits(amount_ucr)
