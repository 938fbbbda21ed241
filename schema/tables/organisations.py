"""Organisations, their users, memberships and API keys."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class Organisation(Table, table=True):
    """A tenant."""

    __tablename__ = "organisations"

    id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    fairness_weight: int = Field(default=1)
    """Share of the workers under load (Temporal fairness weight)."""
    runs_live_max: int = Field(default=100)
    """Admission: more live runs than this are refused with 429."""
    paused_max_s: int = bigint_field(30 * 24 * 3600)
    """A run paused longer than this is cancelled, seconds."""
    tool_policy: dict[str, Any] | None = json_field()
    """What agents may do by default (`schema/contracts/policy.py`); None: the product's defaults."""
    theme: dict[str, Any] | None = json_field()
    """How its documents and decks look (`schema/contracts/deliverables.py: Theme`); None: the product's own look."""
    created_at: Timestamp = created_at_field()


class User(Table, table=True):
    """A person or a service account; names and addresses stand only here, so that they can be erased."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("kind in ('person','service')", name="kind"),
        CheckConstraint("(kind = 'person') = (email is not null)", name="address"),
        CheckConstraint("kind = 'person' or password_hash is null", name="password"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(default="person", sa_type=Text, sa_column_kwargs={"server_default": "person"})
    email: str | None = Field(default=None, sa_type=Text)
    """In lower case; a service account has none."""
    name: str = Field(default="", sa_type=Text)
    password_hash: str | None = Field(default=None, sa_type=Text)
    """Argon2id in the PHC string format; null: no sign-in by password."""
    password_changed_at: Timestamp | None = timestamp_field()
    created_at: Timestamp = created_at_field()


class Membership(Table, table=True):
    """A user's role in an organisation."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role in ('owner','admin','member','viewer')", name="role"),
        CheckConstraint("monthly_limit_ucr >= 0", name="monthly_limit"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        ForeignKeyConstraint(["user_id"], ["users.id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(primary_key=True, sa_type=Text)
    role: str = Field(sa_type=Text)
    monthly_limit_ucr: int | None = bigint_field(None, nullable=True)
    """Most that the member's runs may hold and be charged in a calendar month (UTC); null: no limit of their own."""
    created_at: Timestamp = created_at_field()
    removed_at: Timestamp | None = timestamp_field()
    """Set where the membership has ended; the row stays for the keys and runs that name it."""


class ApiKey(Table, table=True):
    """A key of an organisation: only the SHA-256 of its secret is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        ForeignKeyConstraint(["org_id", "user_id"], ["memberships.org_id", "memberships.user_id"]),
        Index("ix_api_keys_org_id_created_at", "org_id", "created_at"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    user_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    secret_sha256: bytes = Field(sa_type=LargeBinary)
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    created_at: Timestamp = created_at_field()
    expires_at: Timestamp | None = timestamp_field()
    revoked_at: Timestamp | None = timestamp_field()
    last_used_at: Timestamp | None = timestamp_field()
