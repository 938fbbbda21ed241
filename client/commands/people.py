"""`swissbrain users ...` and `swissbrain invite ...`: who is in the organisation, and who may come in."""

import getpass
from typing import Annotated

import typer

from client.commands.common import AsJson, DataDir, connected, err, out, show_json, show_table

users = typer.Typer(help="Members and service accounts.", no_args_is_help=True)
invite = typer.Typer(help="Invitations.", no_args_is_help=True)

UserId = Annotated[str, typer.Argument(help="Id of the member or service account, `user_...`.")]
Role = Annotated[str, typer.Option(help="owner, admin, member or viewer.")]
_COLUMNS = {"id": "user_id", "kind": "kind", "role": "role", "name": "name", "address": "email"}


@users.command("list")
def list_users(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List members, then service accounts."""
    with connected(data_dir) as client:
        found = [*client.list_members(limit=1_000), *client.list_service_accounts(limit=1_000)]
    if as_json:
        show_json(found)
        return
    show_table(iter(found), {**_COLUMNS, "monthly limit": "monthly_limit"})


@users.command("role")
def change_role(
    user_id: UserId, role: Annotated[str, typer.Argument(help="The new role.")], data_dir: DataDir = None
) -> None:
    """Give a member another role."""
    with connected(data_dir) as client:
        show_json(client.update_member(user_id, role=role))


@users.command("limit")
def limit_member(
    user_id: UserId,
    credits: Annotated[str, typer.Argument(help="Most credits in a calendar month (UTC), or `none`.")],
    data_dir: DataDir = None,
) -> None:
    """Set what a member's runs may spend in a month."""
    with connected(data_dir) as client:
        show_json(client.update_member(user_id, monthly_limit=None if credits == "none" else credits))


@users.command("remove")
def remove(user_id: UserId, data_dir: DataDir = None) -> None:
    """Remove a member or service account, and end its keys."""
    with connected(data_dir) as client:
        client.remove_member(user_id)


@users.command("service")
def create_service_account(
    name: Annotated[str, typer.Argument(help="What it is for.")], role: Role = "member", data_dir: DataDir = None
) -> None:
    """Make a service account; its keys: `swissbrain keys create NAME --service-account ID ...`."""
    with connected(data_dir) as client:
        out.print(client.create_service_account(name, role=role)["user_id"], markup=False, highlight=False)


@users.command("add")
def add(
    email: Annotated[str, typer.Argument(help="The person's address.")],
    role: Role = "member",
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Make an account with a password that is asked for here: yourself, on a new installation."""
    password = getpass.getpass("Password (at least 12 characters): ")
    with connected(data_dir) as client:
        token = client.create_invitation(role, email=email)["token"]
        show_json(client.accept_invitation(token, email=email, password=password, name=name or email)["user"])


@invite.command("create")
def create_invitation(
    role: Role = "member",
    email: Annotated[str | None, typer.Option(help="Only this address may accept; default: whoever has it.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make an invitation and print its token: it is shown this once."""
    with connected(data_dir) as client:
        made = client.create_invitation(role, email=email)
    err.print(f"{made['id']}, until {made['expires_at']}")
    out.print(made["token"], markup=False, highlight=False)


@invite.command("list")
def list_invitations(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List invitations, newest first."""
    with connected(data_dir) as client:
        found = list(client.list_invitations(limit=1_000))
    if as_json:
        show_json(found)
        return
    show_table(
        iter(found), {"id": "id", "role": "role", "address": "email", "status": "status", "expires": "expires_at"}
    )


@invite.command("revoke")
def revoke_invitation(
    invitation_id: Annotated[str, typer.Argument(help="Id of the invitation, `inv_...`.")], data_dir: DataDir = None
) -> None:
    """Revoke an invitation."""
    with connected(data_dir) as client:
        show_json(client.revoke_invitation(invitation_id))
