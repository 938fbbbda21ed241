"""What an organisation thinks of the domains that its sources come from."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Text
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, created_at_field


class DomainReputation(Table, table=True):
    """An organisation's trust in a domain and all that is below it; the shipped one does not count then."""

    __tablename__ = "domain_reputations"
    __table_args__ = (
        CheckConstraint("trust between 0 and 1", name="trust"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    domain: str = Field(primary_key=True, sa_type=Text)
    """In lower case, without `www.`; international ones in their ASCII form."""
    trust: float
    note: str = Field(default="", sa_type=Text)
    set_by: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
    updated_at: Timestamp = created_at_field()
