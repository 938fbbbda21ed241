"""Links to objects: short-lived, made for each answer, never stored (`defects.md` D20)."""

from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.policies import PRESIGNED_FOR
from schema.tables.runs import Artifact


async def presigned(objects: ObjectStore, artifact: Artifact) -> str:
    """Return a link that downloads the artifact under its name."""
    return await objects.presign_get(
        artifact.object_key, filename=artifact.name, content_type=artifact.mime_type, expires=PRESIGNED_FOR
    )


async def presigned_file(objects: ObjectStore, ref: ObjectRef, *, filename: str, mime_type: str) -> str:
    """Return a link that downloads an archive or an export."""
    return await objects.presign_get(ref.key, filename=filename, content_type=mime_type, expires=PRESIGNED_FOR)
