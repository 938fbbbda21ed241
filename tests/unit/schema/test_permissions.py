"""Who may do what: the whole table, and how scopes of a key meet the role of its member."""

from schema.permissions import ALL_SCOPES, ROLES, TENANT_SCOPES, Role, Scope, allowed

VIEWER = {"runs:read", "documents:read", "members:read"}
MEMBER = VIEWER | {"runs:write", "documents:write", "billing:read", "keys:own"}
ADMIN = MEMBER | {"billing:admin", "keys:admin", "members:admin", "audit:read"}
OWNER = ADMIN | {"organisation:admin", "data:admin"}


def test_the_whole_table() -> None:
    assert {role.value: set(scopes) for role, scopes in ROLES.items()} == {
        "viewer": VIEWER,
        "member": MEMBER,
        "admin": ADMIN,
        "owner": OWNER,
    }
    assert [role.rank for role in (Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER)] == [0, 1, 2, 3]


def test_scopes_have_these_names() -> None:
    assert set(ALL_SCOPES) == OWNER | {"operator"}
    assert set(TENANT_SCOPES) == OWNER
    assert len(ALL_SCOPES) == len(TENANT_SCOPES) + 1 == len(Scope)


def test_a_session_may_what_its_role_may() -> None:
    for role in Role:
        assert allowed(role) == ROLES[role]


def test_a_key_may_what_both_its_scopes_and_the_role_allow() -> None:
    assert allowed(Role.MEMBER, ["runs:read", "billing:admin"]) == {"runs:read"}
    assert allowed(Role.OWNER, []) == frozenset()
    assert allowed(Role.OWNER, ["organisation:admin", "no:such"]) == {"organisation:admin"}


def test_the_administration_of_keys_includes_ones_own() -> None:
    assert allowed(Role.ADMIN, ["keys:admin"]) == {"keys:admin", "keys:own"}
    assert allowed(Role.MEMBER, ["keys:admin"]) == {"keys:own"}
    assert allowed(Role.OWNER, ["keys:own"]) == {"keys:own"}


def test_no_role_gives_operator_and_no_role_takes_it() -> None:
    for role in Role:
        assert "operator" not in allowed(role)
        assert allowed(role, ["operator"]) == {"operator"}
