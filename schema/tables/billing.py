"""Money: balances, holds, metered usage, the ledger, invoices, spending windows.

Ledger and usage outlive runs: they carry a run's id without a foreign key (`defects.md` D14).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    FetchedValue,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class CreditBalance(Table, table=True):
    """An organisation's credits; the cached sum of its ledger, changed only under this row's lock."""

    __tablename__ = "credit_balances"
    __table_args__ = (
        CheckConstraint("balance_ucr >= 0", name="no_overdraft"),
        CheckConstraint("reserved_ucr >= 0", name="reserved"),
        CheckConstraint("reserved_ucr <= balance_ucr", name="reserved_within_balance"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    balance_ucr: int = bigint_field()
    reserved_ucr: int = bigint_field()
    available_ucr: int = Field(
        default=None,
        sa_type=BigInteger,
        sa_column_args=[Computed("balance_ucr - reserved_ucr", persisted=True)],
    )
    monthly_limit_ucr: int | None = bigint_field(None, nullable=True)
    """Most that holds may take within a calendar month (UTC); None: no limit."""
    version: int = bigint_field()
    """Number of the organisation's last ledger entry; gap-free."""
    updated_at: Timestamp = created_at_field()


class CreditHold(Table, table=True):
    """What one attempt of a run may spend; resolves at most once."""

    __tablename__ = "credit_holds"
    __table_args__ = (
        UniqueConstraint("org_id", "run_id", "attempt"),
        CheckConstraint("state in ('open','settled')", name="state"),
        CheckConstraint(
            "amount_ucr between 1 and 1000000000000 and captured_ucr >= 0 and released_ucr >= 0", name="amounts"
        ),
        CheckConstraint("metered_pcr >= 0 and metered_pcr <= amount_ucr * 1000000", name="metered_within_hold"),
        CheckConstraint(
            "(state = 'open' and captured_ucr = 0 and released_ucr = 0)"
            " or (state = 'settled' and captured_ucr + released_ucr = amount_ucr)",
            name="resolved_once",
        ),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_credit_holds_open", "expires_at", postgresql_where=text("state = 'open'")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    attempt: int
    amount_ucr: int = bigint_field()
    metered_pcr: int = bigint_field()
    """Sum of the attempt's usage, pico-credits."""
    captured_ucr: int = bigint_field()
    released_ucr: int = bigint_field()
    state: str = Field(default="open", sa_type=Text)
    user_id: str | None = Field(default=None, sa_type=Text)
    """The member whose monthly limit it counts against: the one who made the run."""
    created_at: Timestamp = created_at_field()
    expires_at: Timestamp = timestamp_field(nullable=False)
    settled_at: Timestamp | None = timestamp_field()


class Usage(Table, table=True):
    """One metered effect: a reasoner call or a tool call; unique by its operation key."""

    __tablename__ = "usage"
    __table_args__ = (
        UniqueConstraint("org_id", "operation_key"),
        CheckConstraint("amount_pcr >= 0 and input_tokens >= 0 and output_tokens >= 0", name="amounts"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_usage_org_id_created_at", "org_id", "created_at"),
        Index("ix_usage_run_id_attempt", "run_id", "attempt"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    attempt: int
    agent_number: int
    operation_key: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    """`tokens` or `tool`."""
    item: str = Field(sa_type=Text)
    """Model, reasoner or tool."""
    input_tokens: int = bigint_field()
    output_tokens: int = bigint_field()
    calls: int = Field(default=0)
    amount_pcr: int = bigint_field()
    price_version: str = Field(sa_type=Text)
    created_at: Timestamp = created_at_field()


class LedgerEntry(Table, table=True):
    """One movement of credits; append-only, gap-free per organisation."""

    __tablename__ = "billing_ledger"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        UniqueConstraint("org_id", "idempotency_key"),
        CheckConstraint(
            "posted_after_ucr >= 0 and held_after_ucr >= 0 and held_after_ucr <= posted_after_ucr", name="after"
        ),
        CheckConstraint(
            "(type = 'purchase' and posted_delta_ucr > 0 and held_delta_ucr = 0)"
            " or (type = 'hold' and posted_delta_ucr = 0 and held_delta_ucr > 0)"
            " or (type = 'charge' and posted_delta_ucr < 0 and held_delta_ucr = posted_delta_ucr)"
            " or (type = 'release' and posted_delta_ucr = 0 and held_delta_ucr < 0)"
            " or (type = 'expire' and posted_delta_ucr = 0 and held_delta_ucr < 0)"
            " or (type = 'refund' and posted_delta_ucr > 0 and held_delta_ucr = 0 and reverses_id is not null)"
            " or (type = 'adjustment' and posted_delta_ucr <> 0 and held_delta_ucr = 0)",
            name="deltas_fit_type",
        ),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        ForeignKeyConstraint(["org_id", "reverses_id"], ["billing_ledger.org_id", "billing_ledger.id"]),
        Index("ix_billing_ledger_org_id_run_id", "org_id", "run_id"),
        Index("ix_billing_ledger_reverses_id", "reverses_id", postgresql_where=text("reverses_id is not null")),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """Position in the organisation's ledger, from 1, without gaps."""
    id: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    posted_delta_ucr: int = bigint_field()
    held_delta_ucr: int = bigint_field()
    posted_after_ucr: int = bigint_field()
    held_after_ucr: int = bigint_field()
    run_id: str | None = Field(default=None, sa_type=Text)
    attempt: int | None = Field(default=None)
    hold_id: str | None = Field(default=None, sa_type=Text)
    reverses_id: str | None = Field(default=None, sa_type=Text)
    """The charge that a refund reverses."""
    invoice_id: str | None = Field(default=None, sa_type=Text)
    idempotency_key: str = Field(sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    """SHA-256 of what was asked for; the same key with another request is refused."""
    description: str = Field(default="", sa_type=Text)
    details: dict[str, Any] | None = json_field()
    created_by: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
    form: int = Field(default=0, sa_type=SmallInteger, nullable=False, sa_column_kwargs={"server_default": "0"})
    """What is hashed, and how: 1; 0 for entries that were chained by a migration, after they had been written."""
    hash: bytes = Field(
        default=None, sa_type=LargeBinary, nullable=False, sa_column_kwargs={"server_default": FetchedValue()}
    )
    """Computed by the database from the entry and the hash of the one before (`schema/chain.py`)."""


class Invoice(Table, table=True):
    """A purchase in money; credits are another unit and stand in the ledger (`defects.md` D12)."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("amount_minor >= 0", name="amount"),
        CheckConstraint("status in ('open','paid','void')", name="status"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    amount_minor: int = bigint_field()
    """Amount in the currency's minor unit (cents)."""
    currency: str = Field(default="USD", sa_type=Text)
    credits_ucr: int = bigint_field()
    status: str = Field(default="open", sa_type=Text)
    created_at: Timestamp = created_at_field()


class UsageWindow(Table, table=True):
    """What holds took from a month's limit; changed in the hold's own transaction (`defects.md` D13)."""

    __tablename__ = "usage_windows"
    __table_args__ = (
        CheckConstraint("held_ucr >= 0 and captured_ucr >= 0", name="amounts"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    period_start: Timestamp = Field(primary_key=True, sa_type=DateTime(timezone=True))
    held_ucr: int = bigint_field()
    captured_ucr: int = bigint_field()


class MemberUsageWindow(Table, table=True):
    """The same for one member's runs."""

    __tablename__ = "member_usage_windows"
    __table_args__ = (
        CheckConstraint("held_ucr >= 0 and captured_ucr >= 0", name="amounts"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(primary_key=True, sa_type=Text)
    period_start: Timestamp = Field(primary_key=True, sa_type=DateTime(timezone=True))
    held_ucr: int = bigint_field()
    captured_ucr: int = bigint_field()
