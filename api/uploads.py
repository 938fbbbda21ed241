"""Files of a multipart request: read in parts, bounded, named safely.

Starlette keeps a part in memory up to 1 MiB and on disk beyond; `api/middleware.py` bounds the whole body.
"""

import hashlib
import mimetypes
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from schema.errors import PayloadTooLarge, UnsupportedFormat, ValidationFailed
from schema.policies import NAME_LENGTH_MAX, UPLOAD_BYTES_MAX, UPLOAD_FILES_MAX

FIELD = "file"
MULTIPART: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": UPLOAD_FILES_MAX,
                            "items": {"type": "string", "format": "binary", "minLength": 1},
                        }
                    },
                    "additionalProperties": False,
                }
            }
        },
    }
}
"""The body of an upload, as the OpenAPI document describes it."""
_CHUNK_BYTES = 1024 * 1024
_ANY = "application/octet-stream"
_MIME_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")


@dataclass(frozen=True)
class Upload:
    """One file of a request; its content stays where Starlette put it."""

    name: str
    mime_type: str
    sha256: str
    size_bytes: int
    file: UploadFile

    async def content(self) -> bytes:
        """Return the whole content."""
        await self.file.seek(0)
        return await self.file.read()


@asynccontextmanager
async def uploads(request: Request, *, bytes_max: int = UPLOAD_BYTES_MAX) -> AsyncIterator[list[Upload]]:
    """Yield the request's files, all of them checked.

    Args:
        bytes_max: of one file.

    Raises:
        UnsupportedFormat: the request is not `multipart/form-data`.
        ValidationFailed: it holds no file, an empty one, or another field.
        PayloadTooLarge: a file is larger than `bytes_max`.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UnsupportedFormat(f"Send the files as `multipart/form-data`, each in a part named `{FIELD}`.")
    async with request.form(max_files=UPLOAD_FILES_MAX, max_fields=1) as form:
        parts = form.multi_items()
        unknown = sorted({name for name, part in parts if name != FIELD or not isinstance(part, UploadFile)})
        if unknown:
            raise ValidationFailed(
                f"Only files in parts named `{FIELD}` are taken, not `{unknown[0]}`.", field=unknown[0]
            )
        files = [await _upload(part, bytes_max) for _, part in parts if isinstance(part, UploadFile)]
        if not files:
            raise ValidationFailed(f"There is no file. Send at least one part named `{FIELD}`.", field=FIELD)
        yield files


async def _upload(part: UploadFile, bytes_max: int) -> Upload:
    name = safe_name(part.filename or "")
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := await part.read(_CHUNK_BYTES):
        size_bytes += len(chunk)
        if size_bytes > bytes_max:
            raise PayloadTooLarge(f"The file {name} is larger than {bytes_max} bytes.", limit=bytes_max)
        digest.update(chunk)
    if size_bytes == 0:
        raise ValidationFailed(f"The file {name} is empty.", field=FIELD)
    return Upload(name, _mime_type(part.content_type, name), digest.hexdigest(), size_bytes, part)


def safe_name(filename: str) -> str:
    """Return a name without folders and control characters, of bounded length; it names a row, never a file."""
    base = re.split(r"[\\/]", filename)[-1]
    kept = "".join(c for c in base if c.isprintable() and not "\ud800" <= c <= "\udfff").strip()
    return kept[-NAME_LENGTH_MAX:] if kept not in ("", ".", "..") else "document"


def _mime_type(claimed: str | None, name: str) -> str:
    """Return what the sender claims, or what the name suggests; the reader looks at the content anyway."""
    kind = (claimed or "").partition(";")[0].strip().lower()
    if kind and kind != _ANY and _MIME_TYPE.fullmatch(kind):
        return kind
    return mimetypes.guess_type(name)[0] or _ANY
