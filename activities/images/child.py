"""What opens images and scans, inside the sandbox: the target of the jobs of `recognising.py`.

Input: one line of JSON (`task` and what it needs). Answer: a line of JSON, then the files that it names with their
sizes; exit status 0 with the result, 3 with `code` and `detail` of a refusal, anything else: it died.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activities.images.engines import Pixels
from schema.errors import SwissbrainError

REFUSED = 3
Made = dict[str, bytes]
"""Files that were made, by name."""


def main(answer: int) -> int:
    """Do what the input asks for."""
    header = json.loads(sys.stdin.buffer.readline())
    try:
        value, made = _TASKS[header["task"]](header)
    except SwissbrainError as error:
        _answer(answer, {"code": error.code, "detail": error.detail}, {})
        return REFUSED
    except MemoryError:
        _answer(answer, {"code": "payload_too_large", "detail": "The file takes more memory than a file may."}, {})
        return REFUSED
    _answer(answer, value, made)
    return 0


def _image_facts(header: dict[str, Any]) -> tuple[Any, Made]:
    from activities.images.decoding import read_facts

    return read_facts(Path(header["path"])).model_dump(mode="json"), {}


def _image_pages(header: dict[str, Any]) -> tuple[Any, Made]:
    from activities.images.decoding import read_frames
    from activities.images.engines import load_engine
    from activities.images.page import read_page

    engine = load_engine(header["engine"], header["models"])
    pages, made = [], {}
    for number, pixels in read_frames(Path(header["path"]), header["first"], header["last"]):
        page, upright = read_page(pixels, engine, number)
        pages.append(page.model_dump(mode="json"))
        made[f"page-{number}.png"] = preview(upright)
    return pages, made


def _pictures(header: dict[str, Any]) -> tuple[Any, Made]:
    from activities.images.decoding import read_frames
    from activities.images.engines import load_engine
    from activities.images.page import read_page

    engine = load_engine(header["engine"], header["models"])
    pages = []
    for number, size_bytes in enumerate(header["sizes"], 1):
        picture = io.BytesIO(sys.stdin.buffer.read(size_bytes))
        for _, pixels in read_frames(picture, 1, 1):
            pages.append(read_page(pixels, engine, number)[0].model_dump(mode="json"))
    return pages, {}


def _pdf_scanned(header: dict[str, Any]) -> tuple[Any, Made]:
    from activities.images.scans import find_scanned

    return find_scanned(Path(header["path"]).read_bytes()).model_dump(mode="json"), {}


def _pdf_pages(header: dict[str, Any]) -> tuple[Any, Made]:
    from activities.images.engines import load_engine
    from activities.images.page import read_page
    from activities.images.scans import draw_pages

    engine = load_engine(header["engine"], header["models"])
    drawn = draw_pages(Path(header["path"]).read_bytes(), header["numbers"])
    return [read_page(pixels, engine, number)[0].model_dump(mode="json") for number, pixels in drawn], {}


def _pdf_text(header: dict[str, Any]) -> tuple[Any, Made]:
    from activities.images.scans import read_text

    return read_text(Path(header["path"]).read_bytes(), frozenset(header["scanned"])), {}


_TASKS: dict[str, Callable[[dict[str, Any]], tuple[Any, Made]]] = {
    "image.facts": _image_facts,
    "image.pages": _image_pages,
    "pictures": _pictures,
    "pdf.scanned": _pdf_scanned,
    "pdf.pages": _pdf_pages,
    "pdf.text": _pdf_text,
}


def preview(pixels: Pixels) -> bytes:
    """Return a picture as a small PNG that holds pixels and nothing else."""
    from PIL import Image

    from schema.policies import IMAGE_PREVIEW_SIDE_PX

    image = Image.fromarray(pixels)
    image.thumbnail((IMAGE_PREVIEW_SIDE_PX, IMAGE_PREVIEW_SIDE_PX))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)
    return out.getvalue()


def _answer(descriptor: int, value: object, made: Made) -> None:
    with os.fdopen(descriptor, "wb") as out:
        told = {"value": value, "made": [(name, len(data)) for name, data in made.items()]}
        out.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        for data in made.values():
            out.write(data)
