"""Decks in LibreOffice: opened without repair, a page for every slide, and every word of them there (minutes)."""

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pypdfium2
import pytest
from pptx import Presentation

from activities.deliverables.deck.building import to_pptx
from activities.deliverables.look import Look
from tests.support.decks import LOOKS
from tests.support.records import Shape, made_record

CASES = {
    "common": (made_record(31, Shape()), Look(), 20),
    "tiny": (made_record(32, Shape(subtasks=1, findings=1, paragraphs=1, sources=1, grids=0, figures=0)), LOOKS[1], 5),
    "large": (made_record(33, Shape(subtasks=10, sources=200, grids=4, grid_rows=25, figures=6)), LOOKS[2], 30),
    "scripts": (made_record(34, Shape(scripts=("el", "ru", "zh", "ja", "fr"))), LOOKS[3], 20),
}


@pytest.mark.extended
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice (apt-get install libreoffice-impress)")
@pytest.mark.parametrize("name", CASES)
def test_every_slide_is_a_page_with_its_words(name: str, tmp_path: Path) -> None:
    record, look, most = CASES[name]
    made = to_pptx(record, look, most)
    path = tmp_path / "deck.pptx"
    path.write_bytes(made)
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    subprocess.run(
        ["soffice", "--headless", home, "--convert-to", "pdf", "--outdir", str(tmp_path), str(path)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    document, deck = pypdfium2.PdfDocument(tmp_path / "deck.pdf"), Presentation(str(path))
    assert len(document) == len(deck.slides)
    for number, slide in enumerate(deck.slides):
        page = _letters(document[number].get_textpage().get_text_range())
        for paragraph in slide._element.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}p"):
            said = "".join(run.text or "" for run in paragraph.iter("{*}t"))
            for word in said.split():
                assert _letters(word) in page, f"slide {number + 1}: {word}"
    document.close()


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text))
