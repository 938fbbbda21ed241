"""The audit log: written in the transaction of what it records."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from schema.ids import AUDIT, new_id
from schema.tables.operations import AuditLog

_NEXT = text(
    "insert into audit_heads as head (org_id, seq) values (:org_id, 1)"
    " on conflict (org_id) do update set seq = head.seq + 1 returning seq"
)


@dataclass(frozen=True)
class Actor:
    """Who acts."""

    type: str
    """`api_key`, `user`, `workflow` or `system`."""
    id: str | None = None
    request_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


SYSTEM = Actor(type="system")


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
    details: dict[str, Any] | None = None,
    result: str = "success",
) -> None:
    """Append one entry to the organisation's audit log. Takes the head's row lock: call it last in a transaction."""
    seq = (await session.execute(_NEXT, {"org_id": org_id})).scalar_one()
    await session.execute(
        insert(AuditLog).values(
            id=new_id(AUDIT),
            org_id=org_id,
            seq=seq,
            actor_type=actor.type,
            actor_id=actor.id,
            action=action,
            resource_type=resource_type,
            resource_id=resource_id,
            result=result,
            details=details,
            request_id=actor.request_id,
            ip_address=actor.ip_address,
            user_agent=actor.user_agent,
        )
    )
