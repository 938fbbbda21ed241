"""Idempotency keys."""

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, Text
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, created_at_field


class IdempotencyKey(Table, table=True):
    """The stored answer of a POST; claimed and stored in the transaction of its work."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    route: str = Field(primary_key=True, sa_type=Text)
    """Method and path with its ids, so that a key is scoped to organisation and endpoint."""
    key: str = Field(primary_key=True, sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    """SHA-256 of the request's body."""
    status_code: int
    content_type: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    """The rendered answer, byte for byte."""
    created_at: Timestamp = created_at_field()
