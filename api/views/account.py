"""Credits and API keys: what is asked for, and how it is shown."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from api.serialisation import Credits, Instant
from api.views.base import Ask, FilledText, Listing, Moment, Text, View
from api.views.runs import PositiveCredits, pcr_to_credits
from schema.ids import FILE
from schema.money import credits_to_ucr, ucr_to_credits
from schema.store.api_keys import Scope
from schema.tables.billing import CreditBalance, LedgerEntry, Usage
from schema.tables.organisations import ApiKey

LedgerType = Literal["purchase", "hold", "charge", "release", "refund", "adjustment", "expire"]


class BalanceView(View):
    """An organisation's credits."""

    org_id: str
    balance: Credits
    """Posted: bought, minus charged, plus refunded."""
    reserved: Credits
    """Held by runs."""
    available: Credits
    """What a new hold can take: balance minus reserved."""
    monthly_limit: Credits | None
    version: int
    """Number of the last ledger entry."""
    updated_at: Instant


class LedgerEntryView(View):
    """One movement of credits."""

    id: str
    version: int
    """Position in the ledger, from 1, without gaps."""
    type: LedgerType
    amount: Credits
    """Size of the movement, without a sign; `balance_change` and `reserved_change` have it."""
    balance_change: Credits
    reserved_change: Credits
    balance_after: Credits
    reserved_after: Credits
    run_id: str | None
    file_id: str | None
    """What it paid for: a run, or the reading of a file."""
    attempt_number: int | None
    reverses_id: str | None
    description: str
    created_by: str | None
    created_at: Instant


class LedgerPage(Listing):
    """A page of the ledger, newest first."""

    entries: list[LedgerEntryView]


class UsageView(View):
    """One metered effect."""

    id: str
    run_id: str | None
    file_id: str | None
    attempt_number: int
    agent: int
    operation_key: str
    kind: str
    item: str
    input_tokens: int
    output_tokens: int
    calls: int
    credits: Credits
    """Exact; money is rounded once, when the run is charged."""
    price_version: str
    created_at: Instant


class UsageTotal(View):
    """Use summed by kind and item."""

    kind: str
    item: str
    calls: int
    input_tokens: int
    output_tokens: int
    credits: Credits


class UsagePage(Listing):
    """A page of metered use, newest first, and the totals of all that matches."""

    usage: list[UsageView]
    totals: list[UsageTotal]


class BuyCredits(Ask):
    """Credits to add to the balance."""

    credits: PositiveCredits
    description: FilledText = Field(default="purchase", max_length=300)

    @property
    def amount_ucr(self) -> int:
        """Return the amount in micro-credits."""
        return credits_to_ucr(self.credits)


class RefundCharge(Ask):
    """Part of a posted charge to give back."""

    charge_id: Text = Field(min_length=1, max_length=100, description="Id of the ledger entry of type `charge`.")
    credits: PositiveCredits
    description: FilledText = Field(default="refund", max_length=300)

    @property
    def amount_ucr(self) -> int:
        """Return the amount in micro-credits."""
        return credits_to_ucr(self.credits)


class CreateKey(Ask):
    """An API key to make."""

    name: FilledText = Field(max_length=100)
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(
        min_length=1, max_length=len(Scope), description="What the key may do; not more than the caller's own key."
    )
    expires_at: Moment | None = Field(default=None, description="Default: never.")
    service_account_id: Text | None = Field(
        default=None, max_length=100, description="Make the key of this service account; default: the caller's own."
    )

    @field_validator("expires_at")
    @classmethod
    def _in_the_future(cls, at: datetime | None) -> datetime | None:
        if at is None:
            return None
        if at <= datetime.now(UTC):
            raise ValueError("must be in the future")
        return at


class RotateKey(Ask):
    """A key to replace."""

    overlap_s: int = Field(
        default=0, ge=0, le=7 * 24 * 3600, description="How long the old key stays in force, seconds; 0: it ends now."
    )


class KeyView(View):
    """An API key, without its secret, which is kept nowhere."""

    id: str
    name: str
    user_id: str
    scopes: list[str]
    prefix: str
    """How the key begins, to recognise it by."""
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


class NewKeyView(KeyView):
    """A key that was just made."""

    key: str | None
    """The key itself, shown this once; null in the answer to a repetition with the same Idempotency-Key."""


class KeyList(Listing):
    """A page of keys, newest first."""

    api_keys: list[KeyView]


def balance_view(balance: CreditBalance) -> BalanceView:
    """Show a balance."""
    limit = balance.monthly_limit_ucr
    return BalanceView(
        org_id=balance.org_id,
        balance=ucr_to_credits(balance.balance_ucr),
        reserved=ucr_to_credits(balance.reserved_ucr),
        available=ucr_to_credits(balance.balance_ucr - balance.reserved_ucr),
        monthly_limit=None if limit is None else ucr_to_credits(limit),
        version=balance.version,
        updated_at=balance.updated_at,
    )


def ledger_entry_view(entry: LedgerEntry) -> LedgerEntryView:
    """Show a ledger entry."""
    return LedgerEntryView(
        id=entry.id,
        version=entry.version,
        type=entry.type,
        amount=ucr_to_credits(abs(entry.posted_delta_ucr or entry.held_delta_ucr)),
        balance_change=ucr_to_credits(entry.posted_delta_ucr),
        reserved_change=ucr_to_credits(entry.held_delta_ucr),
        balance_after=ucr_to_credits(entry.posted_after_ucr),
        reserved_after=ucr_to_credits(entry.held_after_ucr),
        **_paid(entry.run_id),
        attempt_number=entry.attempt,
        reverses_id=entry.reverses_id,
        description=entry.description,
        created_by=entry.created_by,
        created_at=entry.created_at,
    )


def _paid(run_id: str | None) -> dict[str, str | None]:
    """Tell runs and files apart: in the ledger the id of either stands in one column (`schema/store/files.py`)."""
    is_file = run_id is not None and run_id.startswith(f"{FILE}_")
    return {"run_id": None if is_file else run_id, "file_id": run_id if is_file else None}


def usage_view(usage: Usage) -> UsageView:
    """Show a metered effect."""
    names = ("id", "operation_key", "kind", "item", "input_tokens", "output_tokens", "calls", "price_version")
    return UsageView(
        **{name: getattr(usage, name) for name in names},
        **_paid(usage.run_id),
        attempt_number=usage.attempt,
        agent=usage.agent_number,
        credits=pcr_to_credits(usage.amount_pcr),
        created_at=usage.created_at,
    )


def usage_total(row: dict[str, Any]) -> UsageTotal:
    """Show a sum of use."""
    rest = {name: value for name, value in row.items() if name != "amount_pcr"}
    return UsageTotal(**rest, credits=pcr_to_credits(row["amount_pcr"]))


def key_view(key: ApiKey) -> KeyView:
    """Show a key."""
    return KeyView(**_key(key))


def new_key_view(key: ApiKey, text: str) -> NewKeyView:
    """Show a key with its text, this once."""
    return NewKeyView(**_key(key), key=text)


def _key(key: ApiKey) -> dict[str, Any]:
    names = ("id", "name", "user_id", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    return {**{name: getattr(key, name) for name in names}, "prefix": f"sk_{key.id.removeprefix('key_')}"}
