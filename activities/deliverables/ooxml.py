"""Packages of Office Open XML: ZIP files whose bytes depend on nothing but their content."""

import io
import zipfile
from collections.abc import Mapping

_FIRST = ("[Content_Types].xml", "_rels/.rels")
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that ZIP can hold: it says nothing."""


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return a package of parts by name; the same parts give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        for name in [*(name for name in _FIRST if name in members), *sorted(members.keys() - set(_FIRST))]:
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            package.writestr(info, members[name])
    return out.getvalue()


def repacked(content: bytes) -> bytes:
    """Return a package with its dates and its order made the same every time."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return packed({name: package.read(name) for name in package.namelist()})
