"""The process in which a file is parsed: limits itself first, then reads, parses, and answers on its output.

Input: one line of JSON (`filename`, `mime`), then the file. Output: JSON; exit status 0 with the document, 3 with
`code` and `detail` of a refusal, anything else: it died.
"""

import json
import resource
import signal
import sys

MEMORY_BYTES_MAX = 1024 * 1024 * 1024
CPU_S_MAX = 30
WALL_S_MAX = 90
"""Ends an orphan: the parent's own limit is shorter."""
FILES_MAX = 64
REFUSED = 3


def limit_self() -> None:
    """Give up what a parser does not need, before the first byte of input is read."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_S_MAX),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, FILES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (ceiling, ceiling))
    signal.alarm(WALL_S_MAX)


def main() -> int:
    """Parse what comes on the input."""
    limit_self()
    from activities.documents.extract import extract
    from activities.documents.passages import split_passages
    from schema.errors import SwissbrainError

    header = json.loads(sys.stdin.buffer.readline())
    try:
        document = extract(sys.stdin.buffer.read(), header["filename"], header["mime"])
        passages = split_passages(document.text, document.headings, document.pages, title=document.title)
    except SwissbrainError as error:
        _answer({"code": error.code, "detail": error.detail})
        return REFUSED
    except RecursionError:
        _answer({"code": "unsupported_format", "detail": "The file is nested too deeply to be read."})
        return REFUSED
    _answer(
        {
            "title": document.title,
            "text": document.text,
            "mime": document.mime,
            "published_at": document.published_at.isoformat() if document.published_at else None,
            "author": document.author,
            "language": document.language,
            "canonical": document.canonical,
            "passages": [(passage.start, passage.end, passage.heading) for passage in passages],
        }
    )
    return 0


def _answer(value: object) -> None:
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
