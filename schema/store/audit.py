"""The audit log: written in the transaction of what it records, numbered and chained by the database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.chain import Finding, canonical_json
from schema.ids import AUDIT, new_id
from schema.tables.audit import AuditLog, AuditVerification
from schema.tables.organisations import ApiKey, User

PLATFORM = "platform"
"""Stands for an organisation where an entry has none: a caller whom nobody knows."""

_APPEND = text("select within_append_audit(:org_id, cast(:entries as jsonb))")
_TEXT_LENGTH_MAX = 500


@dataclass(frozen=True)
class Actor:
    """Who acts."""

    type: str
    """`api_key`, `user`, `workflow`, `system` or `anonymous`."""
    id: str | None = None
    request_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


SYSTEM = Actor(type="system")


@dataclass(frozen=True)
class Entry:
    """One entry to write. Of content it carries nothing: no bodies, no names of people, no secrets."""

    actor: Actor
    action: str
    """`noun.past`."""
    resource_type: str
    resource_id: str | None = None
    run_id: str | None = None
    details: dict[str, Any] | None = None
    result: str = "success"
    """`success`, `failure` or `denied`."""

    def as_json(self) -> dict[str, Any]:
        """Return the entry as `within_append_audit` takes it."""
        return {
            "id": new_id(AUDIT),
            "actor_type": self.actor.type,
            "actor_id": _clean(self.actor.id),
            "action": self.action,
            "resource_type": self.resource_type,
            "resource_id": _clean(self.resource_id),
            "run_id": self.resource_id if self.resource_type == "run" else _clean(self.run_id),
            "result": self.result,
            # Text within JSON: what is hashed is what is stored, to the letter.
            "details": None if self.details is None else canonical_json(self.details),
            "request_id": _clean(self.actor.request_id),
            "ip_address": self.actor.ip_address,
            "user_agent": _clean(self.actor.user_agent),
        }


@dataclass(frozen=True)
class Filter:
    """Which entries a reader asks for; None lets everything through."""

    actor_id: str | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    run_id: str | None = None
    result: str | None = None
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""


def workflow_actor(workflow_id: str) -> Actor:
    """Return the actor that stands for a workflow."""
    return Actor(type="workflow", id=workflow_id)


async def record(
    session: AsyncSession,
    org_id: str,
    *,
    actor: Actor,
    action: str,
    resource_type: str,
    resource_id: str | None,
    run_id: str | None = None,
    details: dict[str, Any] | None = None,
    result: str = "success",
) -> None:
    """Append one entry to the organisation's audit log. Takes the head's row lock: call it last in a transaction."""
    await record_all(session, org_id, [Entry(actor, action, resource_type, resource_id, run_id, details, result)])


async def record_all(session: AsyncSession, org_id: str, entries: Sequence[Entry]) -> int:
    """Append entries in their order, in one round trip; returns the number of the last one."""
    made = json.dumps([entry.as_json() for entry in entries], ensure_ascii=False)
    return int((await session.execute(_APPEND, {"org_id": org_id, "entries": made})).scalar_one())


async def list_entries(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, asked: Filter
) -> tuple[list[tuple[AuditLog, str | None]], str | None]:
    """Return a page of the log, newest first, each entry with its actor's name, and the cursor of the next page.

    A name is None where it was erased, or where the actor never had one.
    """
    query = (
        select(AuditLog, func.coalesce(func.nullif(col(User.name), ""), col(User.email), col(ApiKey.name)))
        .outerjoin(ApiKey, (col(ApiKey.org_id) == AuditLog.org_id) & (col(ApiKey.id) == AuditLog.actor_id))
        .outerjoin(User, (col(User.id) == AuditLog.actor_id) & (col(AuditLog.actor_type) == "user"))
        .where(AuditLog.org_id == org_id)
    )
    if cursor is not None:
        query = query.where(AuditLog.seq < int(cursor))
    for name in ("actor_id", "action", "resource_type", "resource_id", "run_id", "result"):
        if (value := getattr(asked, name)) is not None:
            query = query.where(getattr(AuditLog, name) == value)
    if asked.since is not None:
        query = query.where(col(AuditLog.created_at) >= asked.since)
    if asked.until is not None:
        query = query.where(col(AuditLog.created_at) < asked.until)
    found = await session.execute(query.order_by(col(AuditLog.seq).desc()).limit(limit + 1))
    rows = [(entry, name) for entry, name in found]
    return rows[:limit], str(rows[limit - 1][0].seq) if len(rows) > limit else None


async def put_verification(
    session: AsyncSession, org_id: str, *, counts: dict[str, int], findings: list[Finding]
) -> None:
    """Keep what a verification found, in place of what the one before did."""
    values: dict[str, Any] = {**counts, "findings": [finding.as_json() for finding in findings]}
    statement = upsert(AuditVerification).values(org_id=org_id, **values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id"], set_={**values, "checked_at": func.clock_timestamp()}
        )
    )


async def last_verification(session: AsyncSession, org_id: str) -> AuditVerification | None:
    """Return what the last scheduled verification found; None before the first."""
    query = select(AuditVerification).where(AuditVerification.org_id == org_id)
    return (await session.execute(query)).scalar_one_or_none()


def _clean(value: str | None) -> str | None:
    """Return text as a column can hold it: without NUL and lone surrogates, and of a bounded length."""
    if value is None:
        return None
    return value.replace("\x00", "").encode("utf-8", "replace").decode()[:_TEXT_LENGTH_MAX]
