"""Documents of runs, made as they are in the product: in the sandbox, at every level, to the same bytes."""

import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from activities.deliverables import building
from activities.deliverables.docx import to_docx
from activities.deliverables.html import to_html
from activities.deliverables.markdown import to_markdown
from activities.deliverables.pdf import to_pdf
from infra.sandbox.levels import Level
from infra.sandbox.probe import Sandbox
from schema.contracts.deliverables import ExportFormat
from tests.integration.test_sandbox import WALLED
from tests.support.records import SCRIPTS, Shape, made_record
from tests.unit.deliverables.hostile import hostile_record
from tests.unit.deliverables.looks import look_of, needs_pango

_BUILDERS = {
    ExportFormat.MD: to_markdown,
    ExportFormat.HTML: to_html,
    ExportFormat.DOCX: to_docx,
    ExportFormat.PDF: to_pdf,
}


@needs_pango()
@pytest.mark.parametrize("level", WALLED, ids=lambda level: level.label)
async def test_the_sandbox_makes_the_same_bytes(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_level() -> Sandbox:
        return Sandbox(level)

    monkeypatch.setattr(building, "sandbox", at_level)
    record = made_record(11, Shape(subtasks=1, figures=1, sources=3, scripts=tuple(SCRIPTS)))
    look = look_of(record)
    # What asks the system for libraries and fonts at both levels; the rest where the walls are highest.
    for format in _BUILDERS if level is Level.BUBBLEWRAP else (ExportFormat.PDF,):
        made = await building.build(format, record, look, max_slides=20)
        assert made == _BUILDERS[format](record, look), format


@needs_pango()
@pytest.mark.extended
async def test_hostile_records_are_built_within_the_limits() -> None:
    record = hostile_record()
    for format in _BUILDERS:
        assert await building.build(format, record, look_of(record), max_slides=20)


@pytest.mark.extended
@pytest.mark.skipif(which("soffice") is None, reason="LIBREOFFICE IS NOT INSTALLED: untested")
@pytest.mark.parametrize("hostile", [False, True])
def test_libreoffice_opens_what_word_would(tmp_path: Path, hostile: bool) -> None:
    record = hostile_record() if hostile else made_record(11, Shape(subtasks=3, findings=9, scripts=tuple(SCRIPTS)))
    (tmp_path / "report.docx").write_bytes(to_docx(record, look_of(record)))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", "pdf", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "report.docx")], check=True, capture_output=True, timeout=240)
    said = subprocess.run(["pdftotext", str(tmp_path / "report.pdf"), "-"], check=True, capture_output=True, text=True)
    text = re.sub(r"\s", "", said.stdout)
    for source in record.sources:
        assert f"[{source.n}]" in text
    if hostile:
        assert "<script>alert(1)</script>" in text
        return
    for sentence in SCRIPTS.values():
        assert any(word in text or word[::-1] in text for word in sentence.replace("{n}", " ").split())
    for part in record.document.parts:
        assert re.sub(r"\s", "", part.title) in text
    fonts = subprocess.run(
        ["pdffonts", str(tmp_path / "report.pdf")], check=True, capture_output=True, text=True
    ).stdout
    names = {line.split()[0].partition("+")[2] for line in fonts.splitlines()[2:]}
    assert all(name.startswith(("NotoSans", "DejaVu", "Liberation")) for name in names), names
    for family in ("NotoSansArabic", "NotoSansHebrew", "NotoSansCJK", "NotoSans-Bold"):
        assert any(name.startswith(family) for name in names), family
