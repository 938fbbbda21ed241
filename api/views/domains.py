"""An organisation's trust in domains, as it is asked for and shown."""

import ipaddress
from typing import Annotated

import idna
from pydantic import Field

from api.serialisation import Instant
from api.views.base import Ask, Listing, Text, View
from schema.errors import ValidationFailed
from schema.tables.domains import DomainReputation

DOMAIN_LENGTH_MAX = 253
NOTE_LENGTH_MAX = 500


class TrustDomain(Ask):
    """How far sources of a domain are trusted."""

    trust: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    """0..1; the shipped default for a page of the open web is 0.5."""
    note: Annotated[Text, Field(max_length=NOTE_LENGTH_MAX)] = ""
    """Why; it is shown with every source of the domain."""


class DomainView(View):
    """What the organisation set for a domain; it counts for all that is below it."""

    domain: str
    trust: float
    note: str
    set_by: str | None
    created_at: Instant
    updated_at: Instant
    links: dict[str, str] = Field(alias="_links")


class DomainList(Listing):
    """A page of domains, in alphabetical order."""

    domains: list[DomainView]


def domain_view(row: DomainReputation) -> DomainView:
    """Show a domain."""
    return DomainView(
        domain=row.domain,
        trust=row.trust,
        note=row.note,
        set_by=row.set_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        links={"self": f"/api/v1/domains/{row.domain}"},
    )


def normal_domain(given: str) -> str:
    """Return a domain as it is kept: lower case, ASCII (IDNA 2008), without `www.` and final dot.

    Raises:
        ValidationFailed: it is none (an address, a number, a name with a port).
    """
    name = given.strip().lower().rstrip(".").removeprefix("www.")
    try:
        ascii_name = idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise ValidationFailed("This is not a domain name, such as `example.org`.", field="domain") from error
    if len(ascii_name) > DOMAIN_LENGTH_MAX or _is_address(ascii_name):
        raise ValidationFailed("This is not a domain name, such as `example.org`.", field="domain")
    return ascii_name


def _is_address(name: str) -> bool:
    if name.replace(".", "").isdigit():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
