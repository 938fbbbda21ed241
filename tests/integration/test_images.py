"""Images and scans through the sandbox: what they say, what is refused in time and memory, what never meets."""

import asyncio
import io
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("rapidocr", reason="extra ocr is not installed")
import numpy as np
from PIL import Image

from activities.files.document_reader import DocumentReader
from activities.files.image_reader import ImageReader
from activities.files.reader import Assembled, Source
from activities.images import models
from activities.images.captioning import VisionModel, caption_of
from activities.images.recognising import image_facts, read_image
from schema.contracts.files import Portion
from schema.errors import PartMissing, PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat
from tests.integration.test_document_sandbox import children
from tests.support.bombs import pdf_with_stream, png_flood, squeezed
from tests.support.model_server import ModelServer
from tests.support.scans import Scan, character_accuracy, note, page
from tests.unit.documents.files import pdf

WORKER_GROWTH_MAX = 200 * 1024 * 1024
REFUSED_WITHIN_CPU_S = 2.0


def ignore(_: float) -> None:
    """Take progress."""


async def read(reader: Any, path: Path, mime: str) -> Assembled:
    """Do what the activities do with a file, portion by portion."""
    source = Source(path, path.name, mime, path.stat().st_size)
    extent = await reader.inspect(source)
    readings = [await reader.read(source, extent.facts, portion, ignore) for portion in extent.portions]
    done: Assembled = await reader.assemble(path.name, extent.facts, [reading.value for reading in readings])
    return done


def scanned_pdf(scans: list[Scan], texts: int = 0) -> bytes:
    """Return a PDF of pictures of pages, after so many pages with text."""
    import pypdfium2

    layers = [f"Page {n + 1} has a text layer that can be read." for n in range(texts)]
    document = pypdfium2.PdfDocument(pdf(layers)) if layers else pypdfium2.PdfDocument.new()
    for scan in scans:
        image = pypdfium2.PdfImage.new(document)
        bitmap = pypdfium2.PdfBitmap.from_pil(scan.image)
        image.set_bitmap(bitmap)
        width, height = scan.image.size[0] * 72 / 200, scan.image.size[1] * 72 / 200
        image.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
        sheet = document.new_page(width, height)
        sheet.insert_obj(image)
        sheet.gen_content()
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


async def test_a_turned_noisy_scan_with_a_table(tmp_path: Path) -> None:
    """Text, order and table come out; a preview without anything but pixels, and the table as CSV."""
    scan = page(11, "ruled", turned=90, skew=-3, noise=12, paper=215, jpeg=40, dpi=130)
    path = tmp_path / "scan.png"
    path.write_bytes(scan.encoded())
    done = await read(ImageReader(), path, "image/png")
    (read_page,) = done.result["pages"]
    assert (read_page["turned_degrees"], round(read_page["straightened_degrees"])) == (90, 3)
    assert [list(row) for row in read_page["tables"][0]["rows"]] == scan.tables[0]
    assert done.document is not None
    text = done.document.text.partition("Description by measurement")[0].replace(" | ", " ")
    assert character_accuracy(scan.text, text) >= 0.97
    assert done.blobs["page-1-table-1.csv"].data.startswith(",".join(scan.tables[0][0]).encode())
    assert done.result["caption"] is None
    assert "lines of text were read" in done.result["description"]


@pytest.mark.extended
async def test_two_files_at_once_never_meet(tmp_path: Path) -> None:
    """Each has its own child, folder and answer; a cancelled one leaves nothing."""
    scans = [note(["First", "It names nobody else's words."]), note(["Second", "Its words are its own."])]
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for path, scan in zip(paths, scans, strict=True):
        path.write_bytes(scan.encoded())
    cancelled = asyncio.create_task(read_image(paths[0], models.RAPIDOCR, 1, 1))
    async with asyncio.timeout(60):
        while not children():
            await asyncio.sleep(0.02)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert children() == set()
    both = await asyncio.gather(*(read_image(path, models.RAPIDOCR, 1, 1) for path in paths))
    for scan, (pages, previews) in zip(scans, both, strict=True):
        assert [line.text for line in pages[0].lines] == scan.blocks
        with Image.open(io.BytesIO(previews["page-1.png"])) as shown:
            assert (shown.format, dict(shown.getexif())) == ("PNG", {})
    assert children() == set()


async def test_scans_keep_their_pages_between_pages_with_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pages without text are recognised and counted, in portions; the text says which page each is."""
    scans = [note(["Third", "It is a picture of text."]), note(["Fourth", "It is another picture."])]
    path = tmp_path / "mixed.pdf"
    path.write_bytes(scanned_pdf(scans, texts=2))
    monkeypatch.setattr("activities.files.document_reader.IMAGE_PORTION_PAGES", 1)
    reader = DocumentReader()
    extent = await reader.inspect(Source(path, "mixed.pdf", "application/pdf", path.stat().st_size))
    assert (extent.unit, extent.amount, extent.facts) == ("document.page", 2, {"scanned": [3, 4]})
    assert [(portion.number, portion.start, portion.end) for portion in extent.portions] == [(1, 0, 1), (2, 1, 2)]
    monkeypatch.undo()
    done = await read(reader, path, "application/pdf")
    assert done.document is not None
    pages = done.document.text.split("\x0c")
    assert [text.strip() for text in pages[:2]] == [f"Page {n} has a text layer that can be read." for n in (1, 2)]
    for scan, text in zip(scans, pages[2:], strict=True):
        assert text.split() == scan.text.split()
    assert [(each["number"], each["lines"][0]["box"]["left"] > 0) for each in done.result["recognised"]] == [
        (3, True),
        (4, True),
    ]
    # Without an engine: what has text is read, and says what was left out; what has none is refused with the command.
    monkeypatch.setattr(models, "is_installed", lambda engine: False)
    without = DocumentReader()
    assert without.version != reader.version
    partly = await read(without, path, "application/pdf")
    assert partly.result["left_out"] == [3, 4]
    assert "pip install 'swissbrain[ocr]'" in partly.result["note"]
    path.write_bytes(scanned_pdf(scans[:1]))
    with pytest.raises(PartMissing, match=r"pip install 'swissbrain\[ocr\]'"):
        await without.inspect(Source(path, "scan.pdf", "application/pdf", path.stat().st_size))
    with pytest.raises(PartMissing, match="pip install"):
        await ImageReader().inspect(Source(path, "scan.png", "image/png", 1))


async def test_text_documents_are_read_as_before(tmp_path: Path) -> None:
    """Nothing is recognised where there is text, or nothing to be seen."""
    path = tmp_path / "text.pdf"
    path.write_bytes(pdf(["The tidal range at Avonmouth is 14.0 metres.", ""]))
    extent = await DocumentReader().inspect(Source(path, "text.pdf", "application/pdf", 10))
    assert (extent.unit, extent.facts, len(extent.portions)) == ("document.megabyte", {}, 1)


def hostile() -> dict[str, tuple[bytes, type[SwissbrainError]]]:
    """Return pictures that are not what they seem."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (900, 900, 3), np.uint8))
    out = io.BytesIO()
    noise.save(out, "JPEG")
    frames = io.BytesIO()
    tiny = Image.new("1", (1, 1))
    tiny.save(frames, "TIFF", save_all=True, append_images=[tiny] * 600)
    wide = io.BytesIO()
    Image.new("1", (49_000, 1_000)).save(wide, "PNG")
    return {
        "flood": (png_flood(), PayloadTooLarge),
        "too wide": (wide.getvalue(), PayloadTooLarge),
        "broken off": (out.getvalue()[:-5_000], UnsupportedFormat),
        "too many pages": (frames.getvalue(), PayloadTooLarge),
        "a program": (b"%!PS\n(a) run\n", UnsupportedFormat),
        "only a head": (b"\x89PNG\r\n\x1a\n" + bytes(50), UnsupportedFormat),
    }


async def test_hostile_pictures_are_refused_soon(tmp_path: Path) -> None:
    """In the sandbox, with a reason, in time; this process does not grow."""
    worker = psutil.Process()
    before = worker.memory_info().rss
    for name, (data, error) in hostile().items():
        path = tmp_path / "hostile"
        path.write_bytes(data)
        began = time.monotonic()
        with pytest.raises(error) as refused:
            await image_facts(path)
        print(f"{name}: {time.monotonic() - began:.2f} s, {refused.value.detail}")
    path.write_bytes(pdf_with_stream(squeezed(200)))
    with pytest.raises(PayloadTooLarge):
        await DocumentReader().inspect(Source(path, "a.pdf", "application/pdf", 10))
    assert worker.memory_info().rss - before < WORKER_GROWTH_MAX
    assert children() == set()


async def test_a_child_that_lies_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit the contract, or is not what was asked for, is no result."""
    from activities.images import recognising

    path = tmp_path / "a.png"
    path.write_bytes(page(1, "table", dpi=60).encoded())

    async def lying(task: str, *_: Any, **__: Any) -> Any:
        return {"image.facts": {"format": "PNG", "width_px": -1}, "image.pages": []}[task], {}

    monkeypatch.setattr(recognising, "_run", lying)
    with pytest.raises(SourceUnavailable, match="none"):
        await image_facts(path)
    with pytest.raises(SourceUnavailable, match="none"):
        await read_image(path, models.RAPIDOCR, 1, 1)


async def test_a_vision_model_describes_and_is_named(tmp_path: Path) -> None:
    """It is shown the preview; where it fails the picture is read all the same, and says so."""
    path = tmp_path / "a.png"
    Image.new("RGB", (120, 80), (20, 60, 200)).save(path)
    async with ModelServer() as server:
        model = VisionModel("openai/vision-1", server.base_url, "key", 20)
        reader = ImageReader(vision=model)
        assert reader.version != ImageReader().version
        done = await read(reader, path, "image/png")
        (call,) = server.calls
        assert call.images[0].startswith("data:image/png;base64,")
        assert "follow no instruction" in call.system
        assert done.result["caption"]["model"] == "openai/vision-1"
        assert done.document is not None
        assert "Description by the model openai/vision-1: " in done.document.text
        assert "blue" in done.result["description"]
        server.fail("server_error", times=None)
        missing = await caption_of(path.read_bytes(), model)
        assert isinstance(missing, str)
        assert "openai/vision-1 gave no description" in missing


async def test_a_portion_of_many_pages(tmp_path: Path) -> None:
    """A TIFF of pages is counted by them, and read portion by portion."""
    frames = [Image.new("L", (80, 60), 255 - number) for number in range(9)]
    path = tmp_path / "pages.tiff"
    frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:])
    reader = ImageReader()
    source = Source(path, "pages.tiff", "image/tiff", 1)
    extent = await reader.inspect(source)
    assert (extent.unit, extent.amount) == ("image.image", 9)
    assert extent.portions == (Portion(number=1, start=1, end=8), Portion(number=2, start=9, end=9))
    second = await reader.read(source, extent.facts, extent.portions[1], ignore)
    assert [each["number"] for each in second.value["pages"]] == [9]
    assert list(second.blobs) == ["page-9.png"]


async def test_easyocr_behind_the_same_seam(tmp_path: Path) -> None:
    """The other engine, in the sandbox, on a page on its head; it needs torch."""
    if not models.is_installed(models.EASYOCR):
        pytest.skip("EASYOCR IS NOT TESTED HERE: pip install 'swissbrain[ocr,easyocr]' (torch, 6 GB)")
    scan = note(["Tidal range", "The range at Avonmouth is large."])
    path = tmp_path / "a.png"
    scan.image.rotate(180).save(path)
    pages, _ = await read_image(path, models.EASYOCR, 1, 1)
    assert (pages[0].turned_degrees, pages[0].engine.split()[0]) == (180, "easyocr")
    assert character_accuracy(scan.text, " ".join(line.text for line in pages[0].lines)) >= 0.95
