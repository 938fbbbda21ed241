"""What one may do in an organisation: the permissions, and the one table of who has which by role.

Pure data. A key carries permissions as its scopes; a session has those of its member's role. Either way a request may
do no more than the role of its member allows at that moment (`allowed`).
"""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """One permission. Every route of the API names the one that it needs (`api/auth.py`)."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    DOCUMENTS_READ = "documents:read"
    DOCUMENTS_WRITE = "documents:write"
    BILLING_READ = "billing:read"
    BILLING_ADMIN = "billing:admin"
    KEYS_OWN = "keys:own"
    """Make, see, rotate and revoke one's own API keys."""
    KEYS_ADMIN = "keys:admin"
    """The same for everybody's, those of service accounts included."""
    MEMBERS_READ = "members:read"
    MEMBERS_ADMIN = "members:admin"
    """Invite, change roles and spending limits of members, remove them; never above one's own role."""
    ORGANISATION_ADMIN = "organisation:admin"
    """Rename the organisation and set its spending limit."""
    AUDIT_READ = "audit:read"
    """Read and verify the organisation's audit log."""
    DATA_ADMIN = "data:admin"
    """Say how long what is kept; have a person's data exported or erased."""
    OPERATOR = "operator"
    """Read payloads of every organisation through the codec endpoint: for those who run it. No role has it."""


class Role(StrEnum):
    """A member's role; each has everything that the roles below it have."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """Return the role's height: a viewer's is 0."""
        return list(Role).index(self)


_LEAST: dict[Scope, Role] = {
    Scope.RUNS_READ: Role.VIEWER,
    Scope.RUNS_WRITE: Role.MEMBER,
    Scope.DOCUMENTS_READ: Role.VIEWER,
    Scope.DOCUMENTS_WRITE: Role.MEMBER,
    Scope.BILLING_READ: Role.MEMBER,
    Scope.BILLING_ADMIN: Role.ADMIN,
    Scope.KEYS_OWN: Role.MEMBER,
    Scope.KEYS_ADMIN: Role.ADMIN,
    Scope.MEMBERS_READ: Role.VIEWER,
    Scope.MEMBERS_ADMIN: Role.ADMIN,
    Scope.ORGANISATION_ADMIN: Role.OWNER,
    Scope.AUDIT_READ: Role.ADMIN,
    Scope.DATA_ADMIN: Role.OWNER,
}
"""The table: the lowest role that has a permission."""

ROLES: dict[Role, frozenset[Scope]] = {
    role: frozenset(scope for scope, least in _LEAST.items() if role.rank >= least.rank) for role in Role
}
"""The same table, by role."""

ALL_SCOPES: tuple[str, ...] = tuple(scope.value for scope in Scope)
"""What the first owner of an installation gets."""
TENANT_SCOPES: tuple[str, ...] = tuple(scope for scope in ALL_SCOPES if scope != Scope.OPERATOR.value)
"""Everything within one organisation."""

_IMPLIED = {Scope.KEYS_ADMIN.value: Scope.KEYS_OWN.value}


def allowed(role: Role, scopes: Iterable[str] | None = None) -> frozenset[str]:
    """Return what a member of `role` may do, with a key of these scopes or (None) with a session.

    The scope `operator` is of the platform and not of a role: a key that was given it keeps it.
    """
    granted = frozenset(scope.value for scope in ROLES[role])
    if scopes is None:
        return granted
    held = set(scopes)
    held |= {implied for scope, implied in _IMPLIED.items() if scope in held}
    return frozenset(held & (granted | {Scope.OPERATOR.value}))
