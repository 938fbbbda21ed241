"""A call of a tool that waits for an administrator, as an agent leaves it."""

from datetime import timedelta
from typing import Any

from infra.database import Database
from schema.contracts.policy import call_digest, canonical_json
from schema.ids import operation_key
from schema.store import approvals
from schema.store.approvals import WaitingCall
from tests.integration.api.conftest import Caller

ARGUMENTS = {"url": "https://a.org/x?ä=1", "kind": "web"}


async def wait_for(db: Database, caller: Caller, run_id: str, step: int = 0) -> dict[str, Any]:
    """Let a call of a started run wait, as its agent does; returns it as the API shows it."""
    said = canonical_json(ARGUMENTS)
    key = operation_key(run_id, 1, 1, step, "act")
    call = WaitingCall(
        run_id, 1, 1, step, key, "web.fetch", "2", "egress", said, call_digest("web.fetch", "2", said), "required",
        "because", timedelta(days=1),
    )  # fmt: skip
    async with db.transaction(caller.org.id) as session:
        approval = await approvals.request(session, caller.org.id, call)
    shown: dict[str, Any] = (await caller.get(f"/api/v1/approvals/{approval.id}")).json()
    return shown
