"""One object of every kind that a path of the API names, made for one member."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.database import Database, driver_of
from infra.objects import ObjectStore
from schema.contracts.research import ConsideredSource, Outcome, Score, SourceKind
from schema.ids import EXPORT, FILE_QUESTION, SOURCE, agent_id, derived_id, new_id
from schema.permissions import Role
from schema.store import (
    api_keys,
    approvals,
    artifacts,
    data_exports,
    dead_letters,
    documents,
    domains,
    erasures,
    files,
    invitations,
    members,
    research,
)
from schema.store.approvals import WaitingCall
from schema.store.artifacts import NewArtifact
from schema.store.audit import SYSTEM
from schema.store.files import NewFile
from schema.tables.files import FileQuestion
from schema.tables.retention import RunArchive
from schema.tables.runs import Agent, Export
from tests.integration.api.conftest import Caller

MET = "https://met.example/"
MISSING = "0" * 32
NOWHERE: dict[str, str] = {
    "run_id": f"run_{MISSING}",
    "agent_id": f"agent_{MISSING}",
    "artifact_id": f"art_{MISSING}",
    "document_id": f"doc_{MISSING}",
    "file_id": f"file_{MISSING}",
    "question_id": f"ask_{MISSING}",
    "key_id": f"key_{MISSING}",
    "letter_id": f"dead_{MISSING}",
    "user_id": f"user_{MISSING}",
    "invitation_id": f"inv_{MISSING}",
    "session_id": f"sess_{MISSING}",
    "source_id": f"src_{MISSING}",
    "approval_id": f"appr_{MISSING}",
    "erasure_id": f"erase_{MISSING}",
    "data_export_id": f"dataexport_{MISSING}",
    "export_id": f"export_{MISSING}",
    "domain": "nothing.example",
    "code": "not_found",
}
"""A well-formed id of each kind that nobody has."""
TABLE = {"columns": [{"name": "a", "type": "integer"}], "items": ["One", "Two"]}


async def belongings(caller: Caller, owner_db: Database, objects: ObjectStore, user_id: str) -> dict[str, str]:
    """Make one object of each kind in the caller's organisation; return the ids by path parameter.

    Keys are the member `user_id`'s own. `user_id` in the answer is another member, a service account.
    Sessions come with signing in: there is none.
    """
    run: dict[str, Any] = await caller.create(table=TABLE)
    org_id, run_id, domain = caller.org.id, run["id"], f"{uuid.uuid4().hex}.example"
    ref = await objects.put(f"belongings/{run_id}", run_id.encode())
    async with owner_db.transaction(org_id) as session:
        artifact = await artifacts.put_artifact(session, org_id, run_id, NewArtifact("a.md", "text/markdown", ref))
        document, _ = await documents.create_document(session, org_id, name="a.txt", mime_type="text/plain", object=ref)
        file = await files.create_file(session, org_id, files.new_file_id(), NewFile("a.csv", "text/csv", 9))
        session.add(question := FileQuestion(id=new_id(FILE_QUESTION), org_id=org_id, file_id=file.id, question="q"))
        session.add(Agent(id=agent_id(run_id, 1), org_id=org_id, run_id=run_id, number=1, subtask="s"))
        session.add(
            RunArchive(
                org_id=org_id, run_id=run_id, user_id=user_id, name="n", status="completed",
                run_created_at=datetime.now(UTC),
            )
        )  # fmt: skip
        key, _ = await api_keys.create_key(session, org_id, user_id=user_id, name="k", scopes=["runs:read"])
        invitation, _ = await invitations.create_invitation(
            session, org_id, role=Role.VIEWER, email=None, expires_in=timedelta(days=1),
            invited_by=caller.org.owner_id, acting=Role.OWNER, actor=SYSTEM,
        )  # fmt: skip
        await dead_letters.record(session, org_id, kind="run", subject_id=run_id, attempt=1, error={}, run_id=run_id)
        met = ConsideredSource(
            kind=SourceKind.WEB, title="t", uri=MET, outcome=Outcome.FAILED, detail="d",
            score=Score(relevance=0, trust=0, recency=0),
        )  # fmt: skip
        await research.put_considered(await driver_of(session), org_id, run_id, [met])
        await domains.put_domain(session, org_id, domain, trust=0.5, note="", set_by=user_id, actor=SYSTEM)
        call = WaitingCall(
            run_id, 1, 1, 0, f"{run_id}/k", "web.fetch", "2", "egress", "{}", "0" * 64, "r", "", timedelta(days=1)
        )
        approval = await approvals.request(session, org_id, call)
        letters, _ = await dead_letters.list_dead_letters(session, org_id, limit=1)
        account = await members.create_service_account(session, org_id, name="s", role=Role.VIEWER, actor=SYSTEM)
        leaver = await members.create_service_account(session, org_id, name="s", role=Role.VIEWER, actor=SYSTEM)
        erasure = await erasures.create_erasure(session, org_id, leaver.user.id, actor=SYSTEM)
        data_export = await data_exports.create_export(session, org_id, None, actor=SYSTEM)
        export = Export(id=new_id(EXPORT), org_id=org_id, run_id=run_id, format="pdf", options={})
        session.add(export)
        return {
            "run_id": run_id,
            "agent_id": agent_id(run_id, 1),
            "artifact_id": artifact,
            "document_id": document.id,
            "file_id": file.id,
            "question_id": question.id,
            "key_id": key.id,
            "user_id": account.user.id,
            "invitation_id": invitation.id,
            "letter_id": letters[0].id,
            "approval_id": approval.id,
            "erasure_id": erasure.id,
            "data_export_id": data_export.id,
            "export_id": export.id,
            "source_id": derived_id(SOURCE, run_id, "met", MET),
            "domain": domain,
            "code": "not_found",
        }
