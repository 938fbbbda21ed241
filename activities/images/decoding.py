"""Pictures out of hostile files: what they claim is checked before a pixel is decoded. Runs inside the sandbox."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from activities.images.engines import Pixels
from schema.contracts.images import ImageFacts
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import IMAGE_PAGES_MAX, IMAGE_PIXELS_MAX, IMAGE_READ_SIDE_PX, IMAGE_SIDE_PX_MAX

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Nothing else is even looked at: among Pillow's formats are PostScript and others that run programs."""
MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "RGBX")


def read_facts(path: Path) -> ImageFacts:
    """Read what a picture claims to be, and refuse what is not read.

    Raises:
        UnsupportedFormat: it is no picture of these formats, or a damaged one.
        PayloadTooLarge: it has too many pixels or pages.
    """
    with _opened(path) as image:
        width, height = image.size
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        if pages > IMAGE_PAGES_MAX:
            raise PayloadTooLarge(f"The picture has {pages} pages; at most {IMAGE_PAGES_MAX} are read. Split it.")
        for number in range(pages):
            if number:
                image.seek(number)
            _check_size(*image.size)
        image.seek(0)
        if not pages > 1:
            # To the end: a file that breaks off is refused before it costs anything.
            image.load()
        # A phone's JPEG that carries a second picture for depth calls itself MPO.
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        return ImageFacts(format=kind, width_px=width, height_px=height, pages=pages)


def read_frames(path: Path | IO[bytes], first: int, last: int) -> Iterator[tuple[int, Pixels]]:
    """Decode pages, upright as their camera says and without anything that it says besides.

    Raises:
        UnsupportedFormat, PayloadTooLarge: as `read_facts`.
    """
    with _opened(path) as image:
        for number in range(first, last + 1):
            if number > 1:
                _seek(image, number)
            _check_size(*image.size)
            yield number, _pixels(image)


def _opened(path: Path | IO[bytes]) -> Any:
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS_MAX
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    return _Guarded(path, Image)


class _Guarded:
    """A picture whose every failure is a refusal; its decoders are many, and each has exceptions of its own."""

    def __init__(self, path: Path | IO[bytes], image_module: Any) -> None:
        self._path, self._module = path, image_module
        self._image: Any = None

    def __enter__(self) -> Any:
        try:
            self._image = self._module.open(self._path, formats=FORMATS)
        except Exception as error:
            raise self._refusal(error) from error
        return self._image

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._image is not None:
            self._image.close()
        if isinstance(error, Exception) and not isinstance(error, UnsupportedFormat | PayloadTooLarge):
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> Exception:
        bombs = self._module.DecompressionBombError, self._module.DecompressionBombWarning
        if isinstance(error, bombs):
            return PayloadTooLarge(f"The picture has more than {IMAGE_PIXELS_MAX:,} pixels. Scale it down.")
        if isinstance(error, self._module.UnidentifiedImageError):
            return UnsupportedFormat("The picture is damaged, or no PNG, JPEG, WebP, TIFF, BMP or GIF.")
        if isinstance(error, MemoryError):
            return PayloadTooLarge("The picture takes more memory than a picture may. Save it in a plainer form.")
        return UnsupportedFormat("The picture is damaged or breaks off. Export it again.")


def _seek(image: Any, number: int) -> None:
    if image.tell() != number - 1:
        image.seek(number - 1)


def _check_size(width: int, height: int) -> None:
    if width * height > IMAGE_PIXELS_MAX or max(width, height) > IMAGE_SIDE_PX_MAX:
        raise PayloadTooLarge(
            f"The picture has {width} by {height} pixels; at most {IMAGE_PIXELS_MAX:,} in all, and "
            f"{IMAGE_SIDE_PX_MAX:,} on a side, are read. Scale it down."
        )
    if min(width, height) < 1:
        raise UnsupportedFormat("The picture has no pixels.")


def _pixels(image: Any) -> Pixels:
    import numpy as np
    from PIL import Image, ImageOps

    if image.mode not in MODES:
        raise UnsupportedFormat(f"Pictures of the mode {image.mode[:20]} are not read. Save it in RGB.")
    if image.format in ("JPEG", "MPO"):
        image.draft("RGB", (IMAGE_READ_SIDE_PX, IMAGE_READ_SIDE_PX))
    image.load()
    frame = ImageOps.exif_transpose(image)
    if frame.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        levels = np.asarray(frame, np.float32)
        low, high = float(np.nanmin(levels)), float(np.nanmax(levels))
        levels = np.nan_to_num((levels - low) / max(high - low, 1e-9) * 255)
        frame = Image.fromarray(levels.astype(np.uint8))
    if frame.mode in ("P", "PA", "LA", "RGBA", "RGBX") or "transparency" in frame.info:
        # What is transparent shows the paper.
        layer = frame.convert("RGBA")
        frame = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        frame.alpha_composite(layer)
    frame = frame.convert("RGB")
    if max(frame.size) > IMAGE_READ_SIDE_PX:
        frame.thumbnail((IMAGE_READ_SIDE_PX, IMAGE_READ_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(frame)
