"""What every table shares: naming of constraints, tenant key, timestamps of the database's clock."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, MetaData, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)
SQLModel.metadata = metadata


class Table(SQLModel):
    """Base of every table."""

    metadata = metadata


def created_at_field() -> Any:
    """Make a `created_at` column: the database's clock at insert, with time zone."""
    return Field(
        default=None,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("clock_timestamp()"), "nullable": False},
    )


def timestamp_field(*, nullable: bool = True) -> Any:
    """Make a TIMESTAMPTZ column without a default."""
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=nullable)


def bigint_field(default: int | None = 0, *, nullable: bool = False) -> Any:
    """Make a BIGINT column."""
    if default is None:
        return Field(default=None, sa_type=BigInteger, nullable=nullable)
    kwargs = {"server_default": str(default)}
    return Field(default=default, sa_type=BigInteger, nullable=nullable, sa_column_kwargs=kwargs)


def json_field(*, nullable: bool = True) -> Any:
    """Make a JSONB column."""
    return Field(default=None, sa_type=JSONB, nullable=nullable)


Timestamp = datetime
