"""Builds a file of an export, inside the sandbox: the target of a job of `building.py`.

Input: one line of JSON (`format`, `max_slides`, `outline`, `theme`, sizes of the `record`, the `logo`, the `cover` and
every picture), then their bytes. Answer: the file; exit status 0, or 3 with `code` and `detail` of a refusal as JSON.
"""

import json
import os
import sys
from typing import Any

REFUSED = 3


def main(answer: int) -> int:
    """Build what comes on the input."""
    from schema.errors import SwissbrainError

    header = json.loads(sys.stdin.buffer.readline())
    try:
        built = _build(header)
    except SwissbrainError as error:
        return _refuse(answer, error.code, error.detail)
    except (MemoryError, RecursionError):
        return _refuse(
            answer, "payload_too_large", "The report is too large for this format; export it as json or zip."
        )
    with os.fdopen(answer, "wb") as out:
        out.write(built)
    return 0


def _build(header: dict[str, Any]) -> bytes:
    from activities.deliverables.look import Look, Picture
    from schema.contracts.deliverables import ExportFormat, RunRecord, Theme

    read = sys.stdin.buffer.read
    record = RunRecord.model_validate_json(read(header["record"]))
    logo = read(header["logo"]) if header["logo"] else None
    cover = read(header["cover"]) if header["cover"] else None
    pictures = {name: Picture(png=read(png), svg=read(svg)) for name, png, svg in header["pictures"]}
    look = Look(theme=Theme.model_validate(header["theme"]), logo=logo, cover=cover, pictures=pictures)
    # Each format brings libraries of its own: only one of them is loaded.
    match ExportFormat(header["format"]):
        case ExportFormat.HTML:
            from activities.deliverables.html import to_html

            return to_html(record, look)
        case ExportFormat.PDF:
            from activities.deliverables.pdf import to_pdf

            return to_pdf(record, look)
        case ExportFormat.DOCX:
            from activities.deliverables.docx import to_docx

            return to_docx(record, look)
        case ExportFormat.PPTX:
            from activities.deliverables.deck.building import to_pptx
            from schema.contracts.slides import Outline

            outline = Outline.model_validate(header["outline"]) if header["outline"] is not None else None
            return to_pptx(record, look, header["max_slides"], outline)
        case other:
            raise ValueError(f"{other} is not built here")


def _refuse(answer: int, code: str, detail: str) -> int:
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps({"code": code, "detail": detail}).encode())
    return REFUSED
