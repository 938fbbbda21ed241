"""Workspaces, mail and connectors: tables of the contract whose behaviour later issues bring."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class Workspace(Table, table=True):
    """A shared workspace. Of a share link only the SHA-256 is kept, it always expires, and never grants admin (D24)."""

    __tablename__ = "workspaces"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        UniqueConstraint("shared_link_sha256"),
        CheckConstraint("default_permission in ('viewer','editor')", name="default_permission"),
        CheckConstraint("(shared_link_sha256 is null) = (shared_link_expires_at is null)", name="link_expires"),
        ForeignKeyConstraint(["org_id", "owner_id"], ["memberships.org_id", "memberships.user_id"]),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)
    owner_id: str = Field(sa_type=Text)
    default_permission: str = Field(default="viewer", sa_type=Text)
    shared_link_sha256: bytes | None = Field(default=None, sa_type=LargeBinary)
    shared_link_expires_at: Timestamp | None = timestamp_field()
    version: int = bigint_field()
    created_at: Timestamp = created_at_field()
    updated_at: Timestamp = created_at_field()


class WorkspaceMember(Table, table=True):
    """A user's role in a workspace."""

    __tablename__ = "workspace_members"
    __table_args__ = (
        CheckConstraint("role in ('viewer','editor','admin')", name="role"),
        ForeignKeyConstraint(["org_id", "workspace_id"], ["workspaces.org_id", "workspaces.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["org_id", "user_id"], ["memberships.org_id", "memberships.user_id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    workspace_id: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(primary_key=True, sa_type=Text)
    role: str = Field(sa_type=Text)
    added_at: Timestamp = created_at_field()


class EmailIngestion(Table, table=True):
    """A mail that asks for work; claimed by its hash before anything is done (D21, D22, D84)."""

    __tablename__ = "email_ingestions"
    __table_args__ = (
        UniqueConstraint("org_id", "message_id_sha256"),
        CheckConstraint("status in ('pending','processing','completed','failed','quarantined')", name="status"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="SET NULL (run_id)"),
        Index("ix_email_ingestions_org_id_thread_id", "org_id", "thread_id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    user_id: str | None = Field(default=None, sa_type=Text)
    from_address: str = Field(sa_type=Text)
    to_address: str = Field(sa_type=Text)
    subject: str = Field(default="", sa_type=Text)
    body: str = Field(default="", sa_type=Text)
    message_id: str = Field(sa_type=Text)
    message_id_sha256: bytes = Field(sa_type=LargeBinary)
    in_reply_to: str | None = Field(default=None, sa_type=Text)
    thread_id: str | None = Field(default=None, sa_type=Text)
    attachment_keys: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    status: str = Field(default="pending", sa_type=Text)
    run_id: str | None = Field(default=None, sa_type=Text)
    received_at: Timestamp = created_at_field()
    processed_at: Timestamp | None = timestamp_field()


class OauthConnector(Table, table=True):
    """A connected account. Tokens are ciphertext of the application, with the key that encrypted them (D3, D23).

    Only `schema/store/vault.py` writes and reads the tokens.
    """

    __tablename__ = "oauth_connectors"
    __table_args__ = (
        UniqueConstraint("org_id", "user_id", "provider", "provider_user_id"),
        ForeignKeyConstraint(["org_id", "user_id"], ["memberships.org_id", "memberships.user_id"]),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    user_id: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    provider_user_id: str = Field(sa_type=Text)
    access_token: bytes = Field(sa_type=LargeBinary)
    refresh_token: bytes | None = Field(default=None, sa_type=LargeBinary)
    key_id: str = Field(sa_type=Text)
    algorithm: str = Field(sa_type=Text)
    token_expires_at: Timestamp | None = timestamp_field()
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    details: dict[str, Any] | None = json_field()
    created_at: Timestamp = created_at_field()
    updated_at: Timestamp = created_at_field()
    last_used_at: Timestamp | None = timestamp_field()
    revoked_at: Timestamp | None = timestamp_field()
