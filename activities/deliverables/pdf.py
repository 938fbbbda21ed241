"""The report as a PDF: the HTML of `html.py`, paged by WeasyPrint, which asks the system for Pango and fonts."""

import contextlib
import ctypes
import io
import mimetypes
import os
import shutil
import tempfile
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from activities.deliverables.contents import contents
from activities.deliverables.html import data_uri, logo_uri, render
from activities.deliverables.look import Look
from schema.contracts.deliverables import RunRecord
from schema.errors import PartMissing

if TYPE_CHECKING:
    from weasyprint.urls import URLFetcher

INSTALL = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-core fonts-noto-cjk"
SHEETS = ("document.css", "paged.css")
_LIBRARIES = ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset", "fontconfig")


def to_pdf(record: RunRecord, look: Look) -> bytes:
    """Return the report as a PDF; the same record and look give the same bytes where the same fonts are installed.

    Raises:
        PartMissing: what sets the text is not installed.
    """
    require_pdf()
    _settle()
    from weasyprint import HTML

    pictures = {name: data_uri(picture.svg, "image/svg+xml") for name, picture in look.pictures.items()}
    page = render(contents(record, look.theme.footer), look, pictures, SHEETS)
    own = frozenset([*pictures.values(), logo_uri(look) or ""])
    out = io.BytesIO()
    HTML(string=page, base_url=None, url_fetcher=_fetcher(own)).write_pdf(
        out,
        pdf_identifier=sha256(page.encode()).hexdigest()[:32].encode(),
        # For who reads with ears: headings, lists, tables and the descriptions of pictures are marked as such.
        pdf_tags=True,
    )
    return out.getvalue()


def _settle() -> None:
    """Make what the libraries read of the system the same everywhere; in the sandbox little of it is there."""
    mimetypes.knownfiles.clear()
    fonts = Path(str(files("activities.deliverables").joinpath("templates", "fonts.conf")))
    if not os.access(fonts, os.R_OK):
        # Fontconfig asks that of the real user, who in the sandbox may be one that cannot reach our packages.
        with contextlib.suppress(OSError):
            fonts = Path(shutil.copyfile(fonts, Path(tempfile.gettempdir(), fonts.name)))
    os.environ["FONTCONFIG_FILE"] = str(fonts)


@lru_cache
def require_pdf() -> None:
    """Return if PDFs can be made here; call it before anything is held.

    Raises:
        PartMissing: with the command that brings what is missing.
    """
    if find_spec("weasyprint") is None:
        raise PartMissing("PDFs need WeasyPrint: make setup")
    if missing := [name for name in _LIBRARIES if not _is_here(name)]:
        raise PartMissing(f"PDFs need {', '.join(missing)}: {INSTALL}")


def _is_here(name: str) -> bool:
    """Tell whether the loader finds a library by one of the names that WeasyPrint tries."""
    for number in ("0", "1"):
        for file in (f"lib{name}.so.{number}", f"lib{name}.{number}.dylib", f"lib{name}.dylib"):
            try:
                ctypes.CDLL(file)
            except OSError:
                continue
            return True
    return False


def _fetcher(own: frozenset[str]) -> "URLFetcher":
    """Return what serves the document's own pictures, and refuses every other address: no network, no file."""
    from weasyprint.urls import URLFetcher

    class OwnPictures(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> object:
            if url not in own:
                raise ValueError("A document holds its own pictures only.")
            return super().fetch(url, headers)

    return OwnPictures(allowed_protocols=("data",), allow_redirects=False)
