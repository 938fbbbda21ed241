"""A look with pictures, and what tests of every document ask for."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from activities.deliverables.look import Look, Picture
from activities.deliverables.pdf import require_pdf
from schema.contracts.deliverables import RunRecord, Theme
from schema.errors import PartMissing
from tests.support.records import SCRIPTS, Shape

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="80" height="40"/></svg>'
EVERY_SCRIPT = Shape(subtasks=2, findings=6, grids=1, sources=8, figures=2, scripts=tuple(SCRIPTS))


def picture(colour: str = "#2f6f9f", size: tuple[int, int] = (80, 40)) -> bytes:
    """Return a PNG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def look_of(record: RunRecord) -> Look:
    """Return a look with a logo, a footer and a picture of every figure."""
    pictures = {figure.name: Picture(png=picture(), svg=SVG) for figure in record.figures}
    return Look(theme=Theme(footer="Norrvik Energi AB"), logo=picture("#c8553d"), pictures=pictures)


def needs_pango() -> pytest.MarkDecorator:
    """Skip where no PDF can be made, and say what would bring it."""
    try:
        require_pdf()
    except PartMissing as missing:
        return pytest.mark.skipif(True, reason=str(missing.detail))
    return pytest.mark.skipif(False, reason="")


def digest_elsewhere(module: str, function: str) -> str:
    """Return the SHA-256 of a record's file as another process makes it, with other hashes of strings."""
    program = (
        "import hashlib\n"
        "from tests.support.records import made_record\n"
        "from tests.unit.deliverables.looks import EVERY_SCRIPT, look_of\n"
        f"from activities.deliverables.{module} import {function}\n"
        "record = made_record(11, EVERY_SCRIPT)\n"
        f"print(hashlib.sha256({function}(record, look_of(record))).hexdigest())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    return ran.stdout.strip()
