"""Pictures out of files: what is refused, and that nothing but pixels comes out."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from schema.errors import PayloadTooLarge, UnsupportedFormat

pytest.importorskip("PIL", reason="extra ocr is not installed")
from PIL import Image

from activities.images.child import preview
from activities.images.decoding import read_facts, read_frames


def saved(folder: Path, image: Any, kind: str, **options: Any) -> Path:
    path = folder / f"picture.{kind.lower()}"
    image.save(path, kind, **options)
    return path


def corners() -> Any:
    """Return a picture of which the left upper corner is red."""
    image = Image.new("RGB", (60, 40), "white")
    image.paste((255, 0, 0), (0, 0, 20, 20))
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_formats(tmp_path: Path, kind: str) -> None:
    """Each becomes three channels of its size."""
    path = saved(tmp_path, corners(), kind)
    facts = read_facts(path)
    assert (facts.format, facts.width_px, facts.height_px, facts.pages) == (kind, 60, 40, 1)
    ((number, pixels),) = read_frames(path, 1, 1)
    assert (number, pixels.shape) == (1, (40, 60, 3))
    assert tuple(pixels[5, 5] // 128) == (1, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_modes(tmp_path: Path, mode: str) -> None:
    """Greys of any depth, palettes and transparency come out as what one would see."""
    image = corners().convert("L").convert(mode) if mode in ("I;16", "F") else corners().convert(mode)
    path = saved(tmp_path, image, "TIFF" if mode in ("CMYK", "F") else "PNG")
    ((_, pixels),) = read_frames(path, 1, 1)
    assert pixels.shape == (40, 60, 3)
    assert pixels[30, 50].min() > 200


def test_transparent_shows_the_paper(tmp_path: Path) -> None:
    """What is transparent is white, whatever colour hides there."""
    path = saved(tmp_path, Image.new("RGBA", (30, 30), (0, 0, 0, 0)), "PNG")
    assert next(read_frames(path, 1, 1))[1].min() == 255


def test_exif_turns_the_picture_and_goes(tmp_path: Path) -> None:
    """The camera's orientation is applied; where it was taken leaves with nothing that is handed on."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    path = saved(tmp_path, corners(), "JPEG", exif=exif, comment=b"SECRETCOMMENT")
    assert b"SECRETCAMERA" in path.read_bytes()
    ((_, pixels),) = read_frames(path, 1, 1)
    assert pixels.shape == (60, 40, 3)
    assert tuple(pixels[5, 35] // 128) == (1, 0, 0)
    shown = preview(pixels)
    with Image.open(io.BytesIO(shown)) as image:
        assert (image.format, dict(image.getexif()), image.info) == ("PNG", {}, {})
    assert b"SECRET" not in shown


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    """Each is read; of what moves, the first."""
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    path = saved(tmp_path, frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert read_facts(path).pages == 3
    assert [(number, int(pixels[0, 0].argmax())) for number, pixels in read_frames(path, 2, 3)] == [(2, 1), (3, 2)]
    moving = saved(tmp_path, frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_facts(moving).pages == 1


def png_of(width: int, height: int) -> bytes:
    """Return a PNG of a size, whose pixels are hardly there."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("flood", png_of(40_000, 40_000), PayloadTooLarge, "pixels"),
        ("wide", png_of(60_000, 2), PayloadTooLarge, "side"),
        ("just too large", png_of(7_500, 7_500), PayloadTooLarge, "50,000,000 pixels"),
        ("no pixels behind it", png_of(500, 500), UnsupportedFormat, "breaks off"),
        ("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", UnsupportedFormat, "no PNG"),
        ("nothing", b"", UnsupportedFormat, "no PNG"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormat, "no PNG"),
    ],
)
def test_refused(tmp_path: Path, name: str, data: bytes, error: type[Exception], says: str) -> None:
    """Before it is decoded, with the reason."""
    path = tmp_path / "hostile"
    path.write_bytes(data)
    with pytest.raises(error, match=says):
        read_facts(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_truncated(tmp_path: Path, kind: str) -> None:
    """A file that breaks off is refused, not half shown."""
    path = saved(tmp_path, Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UnsupportedFormat):
        read_facts(path)
