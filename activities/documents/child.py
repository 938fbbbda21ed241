"""What parses a file, inside the sandbox: the target of a job of `sandbox.py`.

Input: one line of JSON (`filename`, `mime`, and `check` where only its structure is looked at), then the file. Answer:
JSON; exit status 0 with the document, 3 with `code` and `detail` of a refusal, anything else: it died.
"""

import json
import os
import sys

REFUSED = 3


def main(answer: int) -> int:
    """Parse what comes on the input."""
    from activities.documents.extract import check, extract
    from activities.documents.passages import split_passages
    from schema.errors import SwissbrainError

    header = json.loads(sys.stdin.buffer.readline())
    try:
        if header.get("check"):
            _answer(answer, {"office": check(sys.stdin.buffer.read())})
            return 0
        document = extract(sys.stdin.buffer.read(), header["filename"], header["mime"])
        passages = split_passages(document.text, document.headings, document.pages, title=document.title)
    except SwissbrainError as error:
        _answer(answer, {"code": error.code, "detail": error.detail})
        return REFUSED
    except RecursionError:
        _answer(answer, {"code": "unsupported_format", "detail": "The file is nested too deeply to be read."})
        return REFUSED
    _answer(
        answer,
        {
            "title": document.title,
            "text": document.text,
            "mime": document.mime,
            "published_at": document.published_at.isoformat() if document.published_at else None,
            "author": document.author,
            "language": document.language,
            "canonical": document.canonical,
            "passages": [(passage.start, passage.end, passage.heading) for passage in passages],
        },
    )
    return 0


def _answer(descriptor: int, value: object) -> None:
    with os.fdopen(descriptor, "wb") as out:
        out.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
