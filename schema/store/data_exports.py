"""Exports of data: the request, and the rows that go into one. Secrets and their hashes do not."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.errors import NotFound
from schema.ids import DATA_EXPORT, new_id
from schema.policies import DATA_EXPORT_KEPT
from schema.store import audit, organisations, retention
from schema.store.audit import Actor
from schema.tables.retention import DataExport

_RUN = "run_id in (select id from runs where org_id = :org_id and user_id = :user_id)"
_KEYS = "(select id from api_keys where org_id = :org_id and user_id = :user_id)"
_FILES = f"(created_by = :user_id or created_by in {_KEYS})"
_PAID = f"({_RUN} or run_id in (select id from files where org_id = :org_id and {_FILES}))"  # noqa: S608 - constants.
TABLES: dict[str, str] = {
    "organisations": "false",
    "users": "id = :user_id",
    "memberships": "user_id = :user_id",
    "api_keys": "user_id = :user_id",
    "workspaces": "owner_id = :user_id",
    "workspace_members": "user_id = :user_id",
    "oauth_connectors": "user_id = :user_id",
    "email_ingestions": "user_id = :user_id",
    "documents": f"(created_by = :user_id or created_by in {_KEYS})",
    "files": _FILES,
    "file_questions": _FILES,
    "runs": "user_id = :user_id",
    "run_status_changes": _RUN,
    "run_events": _RUN,
    "tasks": _RUN,
    "agents": _RUN,
    "steps": _RUN,
    "approvals": _RUN,
    "artifacts": _RUN,
    "exports": _RUN,
    "sources": _RUN,
    "claims": _RUN,
    "run_forms": _RUN,
    "table_rows": _RUN,
    "run_archives": "user_id = :user_id",
    "domain_reputations": "false",
    "billing_ledger": f"(created_by = :user_id or created_by in {_KEYS} or {_PAID})",
    "usage": _PAID,
    "credit_balances": "false",
    "invoices": "false",
    "invitations": "(accepted_by = :user_id or invited_by = :user_id)",
    "member_usage_windows": "user_id = :user_id",
    "audit_logs": f"(actor_id = :user_id or actor_id in {_KEYS} or resource_id = :user_id)",
    "erasures": "false",
}
"""Every table that an export holds -> which rows are a person's. An organisation's are all of them."""
LEFT_OUT = {
    "api_keys": ("secret_sha256",),
    "oauth_connectors": ("access_token", "refresh_token"),
    "users": ("password_hash",),
    "workspaces": ("shared_link_sha256",),
    "invitations": ("token_sha256",),
}
"""Columns that open something."""


async def create_export(session: AsyncSession, org_id: str, user_id: str | None, *, actor: Actor) -> DataExport:
    """Ask for a copy of a person's data, or of the whole organisation's.

    Raises:
        NotFound: the organisation has no such member.
    """
    if user_id is not None:
        await organisations.get_role(session, org_id, user_id)
    made = DataExport(id=new_id(DATA_EXPORT), org_id=org_id, user_id=user_id, requested_by=actor.id or actor.type)
    session.add(made)
    await session.flush()
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="export.requested",
        resource_type="data_export",
        resource_id=made.id,
        details={"user_id": user_id},
    )
    await session.refresh(made)
    return made


async def get_export(session: AsyncSession, org_id: str, export_id: str) -> DataExport:
    """Return an export.

    Raises:
        NotFound: the organisation has no such export.
    """
    query = select(DataExport).where(DataExport.org_id == org_id, DataExport.id == export_id)
    found = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no export {export_id}")
    return found


async def complete_export(session: AsyncSession, org_id: str, export_id: str, file: ObjectRef) -> None:
    """Record where an export is; it ends after `DATA_EXPORT_KEPT`. A repeat changes nothing."""
    done = (
        update(DataExport)
        .where(
            col(DataExport.org_id) == org_id, col(DataExport.id) == export_id, col(DataExport.status) == "processing"
        )
        .values(
            status="completed",
            object_key=file.key,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            completed_at=func.clock_timestamp(),
            expires_at=func.clock_timestamp() + DATA_EXPORT_KEPT,
        )
        .returning(col(DataExport.id))
    )
    if (await session.execute(done)).scalar_one_or_none() is None:
        await retention.ask_for_deletion(session, org_id, [file.key])


async def expire_export(session: AsyncSession, org_id: str, export_id: str) -> bool:
    """Take an export's file away; False when it is gone already."""
    key = (await session.execute(_KEY, {"org_id": org_id, "id": export_id})).scalar_one_or_none()
    if key is None:
        return False
    await session.execute(
        update(DataExport)
        .where(col(DataExport.org_id) == org_id, col(DataExport.id) == export_id)
        .values(object_key=None)
    )
    await retention.ask_for_deletion(session, org_id, [key])
    return True


async def rows_of_table(
    session: AsyncSession, org_id: str, table: str, user_id: str | None
) -> AsyncIterator[dict[str, Any]]:
    """Yield a table's rows as JSON, of a person or (None) of the organisation, without what opens something.

    Args:
        table: one of `TABLES`.
    """
    conditions = ["true" if user_id is None else TABLES[table]]
    if table not in ("users", "organisations"):
        conditions.append("org_id = :org_id")
    elif table == "organisations":
        conditions.append("id = :org_id")
    # Names and conditions are the constants above.
    query = f"select to_jsonb(t) from {table} t where {' and '.join(conditions)}"  # noqa: S608
    rows = await session.stream(text(query), {"org_id": org_id, "user_id": user_id})
    async for (values,) in rows:
        yield {name: value for name, value in values.items() if name not in LEFT_OUT.get(table, ())}


_KEY = text("select object_key from data_exports where org_id = :org_id and id = :id for update")
