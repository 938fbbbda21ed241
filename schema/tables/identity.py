"""How people come in: sessions, identities at an OpenID provider, invitations, counted sign-ins."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, created_at_field, timestamp_field


class Session(Table, table=True):
    """One sign-in of one person. It belongs to the person, and works in one organisation at a time."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("method in ('password','oidc')", name="method"),
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        Index("ix_sessions_user_id", "user_id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(sa_type=Text)
    current_org_id: str = Field(sa_type=Text)
    """The organisation that its requests are for; the membership is proven with every request."""
    token_sha256: bytes = Field(sa_type=LargeBinary)
    method: str = Field(sa_type=Text)
    ip_address: str | None = Field(default=None, sa_type=Text)
    user_agent: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
    last_seen_at: Timestamp = created_at_field()
    expires_at: Timestamp = timestamp_field(nullable=False)
    """The absolute end; the idle end moves with `last_seen_at`."""
    revoked_at: Timestamp | None = timestamp_field()


class UserIdentity(Table, table=True):
    """Who a person is at an OpenID provider: the pair that it never gives to another (OpenID Connect Core, 5.7)."""

    __tablename__ = "user_identities"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        Index("ix_user_identities_user_id", "user_id"),
    )

    issuer: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(sa_type=Text)
    created_at: Timestamp = created_at_field()


class OidcRequest(Table, table=True):
    """A sign-in that was sent to the OpenID provider and has not come back; taken once."""

    __tablename__ = "oidc_requests"
    __table_args__ = (Index("ix_oidc_requests_expires_at", "expires_at"),)

    state_sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    browser_sha256: bytes = Field(sa_type=LargeBinary)
    """Of the cookie that binds the answer to the browser that asked."""
    nonce: str = Field(sa_type=Text)
    code_verifier: str = Field(sa_type=Text)
    return_to: str = Field(sa_type=Text)
    invitation: str | None = Field(default=None, sa_type=Text)
    """Id of the invitation that whoever comes back accepts."""
    link_user_id: str | None = Field(default=None, sa_type=Text)
    """The signed-in person who adds this way of signing in."""
    created_at: Timestamp = created_at_field()
    expires_at: Timestamp = timestamp_field(nullable=False)


class SignInAttempts(Table, table=True):
    """Failed sign-ins in a row, of an account or of an address; both as hashes."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index("ix_sign_in_attempts_last_at", "last_at"),)

    subject_sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    failures: int = Field(default=0)
    last_at: Timestamp = created_at_field()
    blocked_until: Timestamp | None = timestamp_field()


class Invitation(Table, table=True):
    """A way into an organisation, once: only the SHA-256 of its secret is kept."""

    __tablename__ = "invitations"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("role in ('owner','admin','member','viewer')", name="role"),
        CheckConstraint("(accepted_at is null) = (accepted_by is null)", name="accepted"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        ForeignKeyConstraint(["org_id", "invited_by"], ["memberships.org_id", "memberships.user_id"]),
        Index("ix_invitations_org_id_created_at", "org_id", "created_at"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    """Where given, only this address may accept."""
    token_sha256: bytes = Field(sa_type=LargeBinary)
    invited_by: str = Field(sa_type=Text)
    created_at: Timestamp = created_at_field()
    expires_at: Timestamp = timestamp_field(nullable=False)
    revoked_at: Timestamp | None = timestamp_field()
    accepted_at: Timestamp | None = timestamp_field()
    accepted_by: str | None = Field(default=None, sa_type=Text)
