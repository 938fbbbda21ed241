"""Artifacts: rows for objects that are already stored; created exactly once per run and name."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.errors import Gone, NotFound
from schema.ids import ARTIFACT, derived_id
from schema.store import retention
from schema.tables.runs import Artifact


@dataclass(frozen=True)
class NewArtifact:
    """A stored object that becomes an artifact."""

    name: str
    mime_type: str
    object: ObjectRef
    description: str = ""
    kept_like: str | None = None
    """An artifact that it is made of, and not kept longer than; None: as long as the organisation keeps files."""


async def put_artifact(session: AsyncSession, org_id: str, run_id: str, new: NewArtifact) -> str:
    """Record an artifact; a later one of the same name (a retry of the run) replaces it. Returns its id.

    Idempotency key: run and name. The object of a replaced one is asked to be deleted.
    """
    kept_for = await retention.artifacts_kept_for(session, org_id)
    artifact_id = derived_id(ARTIFACT, run_id, new.name)
    before = select(col(Artifact.object_key)).where(Artifact.org_id == org_id, Artifact.id == artifact_id)
    replaced = (await session.execute(before.with_for_update())).scalar_one_or_none()
    values = {
        "description": new.description,
        "mime_type": new.mime_type,
        "object_key": new.object.key,
        "content_sha256": new.object.sha256,
        "size_bytes": new.object.size_bytes,
        "expires_at": func.least(func.clock_timestamp() + kept_for, _end_of(org_id, new.kept_like)),
        "deleted_at": None,
    }
    statement = upsert(Artifact).values(id=artifact_id, org_id=org_id, run_id=run_id, name=new.name, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id", "run_id", "name"], set_=values))
    if replaced is not None and replaced != new.object.key:
        await retention.ask_for_deletion(session, org_id, [replaced])
    return artifact_id


def _end_of(org_id: str, artifact_id: str | None) -> ScalarSelect[Any]:
    """Return when an artifact ends; null, which `least` passes over, where there is none."""
    query = select(col(Artifact.expires_at)).where(Artifact.org_id == org_id, Artifact.id == artifact_id)
    return query.scalar_subquery()


async def list_artifacts(session: AsyncSession, org_id: str, run_id: str) -> list[Artifact]:
    """Return the run's artifacts, oldest first, without the ones that retention deleted."""
    query = select(Artifact).where(
        Artifact.org_id == org_id, Artifact.run_id == run_id, col(Artifact.deleted_at).is_(None)
    )
    return list((await session.execute(query.order_by(col(Artifact.created_at), col(Artifact.id)))).scalars())


async def get_artifact(session: AsyncSession, org_id: str, artifact_id: str) -> Artifact:
    """Return one artifact.

    Raises:
        NotFound: the organisation has no such artifact.
        Gone: it expired.
    """
    query = select(Artifact, col(Artifact.expires_at) <= func.clock_timestamp()).where(
        Artifact.org_id == org_id, Artifact.id == artifact_id
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no artifact {artifact_id}")
    artifact, expired = row
    if artifact.deleted_at is not None or expired:
        raise Gone("this artifact has expired; retry or export the run to make it again")
    return artifact
