"""The form of an archived run: `swissbrain.run-archive`, version 1. Pure; the same rows give the same bytes.

A bundle is gzip (RFC 1952) of JSON lines, canonical (sorted keys, no white space, UTF-8):

    {"format":"swissbrain.run-archive","version":1,"org_id":...,"run_id":...,"tables":{TABLE: ROWS},"files":...}
    {"table":"runs","row":{...}}                                 every row, those that others point to first
    {"end":true,"lines":N,"sha256":"..."}                        of everything above, in bytes

Files are a ZIP: `artifacts/NAME`, `sources/SHA256.txt` for each text that the report cites, and `manifest.json` with
name, size and SHA-256 of each.
"""

import gzip
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schema.errors import InvariantViolated

FORMAT = "swissbrain.run-archive"
VERSION = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Every member's time: the earliest that ZIP knows, so that the same content gives the same archive."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and found whole."""

    header: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]
    """Table -> rows, as PostgreSQL's `to_jsonb` showed them."""


def canonical(value: Any) -> bytes:
    """Return JSON with sorted keys and no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def write_bundle(
    org_id: str, run_id: str, rows: Sequence[tuple[str, Mapping[str, Any]]], files: Mapping[str, Any] | None
) -> bytes:
    """Return the bundle of a run.

    Args:
        rows: (table, row), in order.
        files: the `ObjectRef` of the ZIP of its files, if there is one.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "org_id": org_id,
        "run_id": run_id,
        "tables": dict(Counter(table for table, _ in rows)),
        "files": files,
    }
    lines = [canonical(header), *(canonical({"table": table, "row": row}) for table, row in rows)]
    body = b"".join(line + b"\n" for line in lines)
    end = canonical({"end": True, "lines": len(lines), "sha256": hashlib.sha256(body).hexdigest()})
    return gzip.compress(body + end + b"\n", mtime=0)


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle.

    Raises:
        InvariantViolated: it is cut, altered, or not one.
    """
    try:
        text = gzip.decompress(data)
        body, _, last = text.rstrip(b"\n").rpartition(b"\n")
        body += b"\n"
        end = json.loads(last)
        lines = [json.loads(line) for line in body.splitlines()]
        header, found = lines[0], lines[1:]
        whole = end.get("sha256") == hashlib.sha256(body).hexdigest() and end.get("lines") == len(lines)
    except (OSError, EOFError, ValueError, IndexError, AttributeError) as error:
        raise InvariantViolated("The archive of this run cannot be read.") from error
    if not whole or (header.get("format"), header.get("version")) != (FORMAT, VERSION):
        raise InvariantViolated("The archive of this run is not whole.")
    rows: dict[str, list[dict[str, Any]]] = {}
    for line in found:
        rows.setdefault(line["table"], []).append(line["row"])
    if {table: len(items) for table, items in rows.items()} != header["tables"]:
        raise InvariantViolated("The archive of this run lacks rows.")
    return Bundle(header, rows)


def write_zip(files: Iterable[tuple[str, bytes]], head: Mapping[str, Any] | None = None) -> bytes:
    """Return a ZIP of files, and a `manifest.json` that names size and SHA-256 of each, with `head` beside them."""
    target, manifest = io.BytesIO(), []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            _add(archive, name, data)
            manifest.append({"name": name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        _add(archive, "manifest.json", canonical({**(head or {}), "files": manifest}))
    return target.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, data)
