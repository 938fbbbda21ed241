"""Downloads: an artifact's content, checked against its hash on the way out."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header
from starlette.responses import Response, StreamingResponse

from api.services import Services
from infra.objects import content_disposition
from schema.contracts.common import ObjectRef
from schema.tables.runs import Artifact

IfNoneMatch = Annotated[str | None, Header(description="`ETag` of the copy that the caller has.")]

DOWNLOAD: dict[int | str, dict[str, Any]] = {
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
"""What a route that downloads documents."""


async def download(api: Services, artifact: Artifact, if_none_match: str | None) -> Response:
    """Return an artifact's content as an attachment; 304 where the caller has it.

    Raises:
        StorageUnavailable: the object store does not answer.
        InvariantViolated: what is stored does not have the artifact's hash or size; nothing of it was sent.
    """
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
