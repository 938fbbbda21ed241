"""Artifacts: what a run made, and its download."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse

from api.auth import RunsReader, SecuredRoute
from api.deps import ArtifactId, RunId
from api.links import presigned
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import runs as views
from infra.objects import content_disposition
from schema.contracts.common import ObjectRef
from schema.store import artifacts, runs

router = APIRouter(tags=["artifacts"], route_class=SecuredRoute)

_DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "ETag": {"schema": {"type": "string"}, "description": "SHA-256 of the content, in quotes."},
            "Content-Disposition": {"schema": {"type": "string"}, "description": "Always an attachment (RFC 6266)."},
        },
    },
    304: {"description": "Unchanged since the `ETag` of `If-None-Match`."},
}


@router.get("/runs/{run_id}/artifacts", response_model=views.ArtifactList)
async def list_artifacts(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """List what a run made; each `s3_url` ends after some minutes."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        found = await artifacts.list_artifacts(session, caller.org_id, run_id)
    shown = [views.artifact_view(artifact, await presigned(api.objects, artifact)) for artifact in found]
    return JsonAnswer(views.ArtifactList(artifacts=shown))


@router.get("/artifacts/{artifact_id}", response_model=views.ArtifactView)
async def get_artifact(artifact_id: ArtifactId, caller: RunsReader, api: Api) -> Response:
    """Read what is known of an artifact."""
    async with api.database.transaction(caller.org_id) as session:
        artifact = await artifacts.get_artifact(session, caller.org_id, artifact_id)
    return JsonAnswer(views.artifact_view(artifact, await presigned(api.objects, artifact)))


@router.get("/artifacts/{artifact_id}/download", response_class=Response, responses=_DOWNLOAD)
async def download_artifact(
    artifact_id: ArtifactId,
    caller: RunsReader,
    api: Api,
    if_none_match: Annotated[str | None, Header(description="`ETag` of the copy that the caller has.")] = None,
) -> Response:
    """Download an artifact, checked against its hash on the way."""
    async with api.database.transaction(caller.org_id) as session:
        artifact = await artifacts.get_artifact(session, caller.org_id, artifact_id)
    etag = f'"{artifact.content_sha256}"'
    if if_none_match is not None and {etag, "*"} & {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers={"ETag": etag})
    content = api.objects.stream(
        ObjectRef(key=artifact.object_key, sha256=artifact.content_sha256, size_bytes=artifact.size_bytes)
    )
    # The first part is read before the answer begins, so that a missing object is a problem and not a broken download.
    first = await anext(content, b"")
    return StreamingResponse(
        _following(first, content),
        media_type=artifact.mime_type,
        headers={
            "Content-Disposition": content_disposition(artifact.name),
            "Content-Length": str(artifact.size_bytes),
            "ETag": etag,
            "Cache-Control": "private, no-cache",
        },
    )


async def _following(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
