"""What analyses a file of data, inside the sandbox: the target of a job of `analysing.py`.

Input: one line of JSON (`task`, `files` as [path, name], `options`, `question`, `query`). Answer: JSON; exit status 0
with the result, 3 with `code` and `detail` of a refusal, anything else: it died.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

REFUSED = 3


def main(answer: int) -> int:
    """Do the task that comes on the input."""
    from schema.errors import SwissbrainError

    header = json.loads(sys.stdin.buffer.readline())
    try:
        result = _do(header)
    except SwissbrainError as error:
        return _refuse(answer, error.code, error.detail)
    except RecursionError:
        return _refuse(answer, "unsupported_format", "The file is nested too deeply to be read.")
    except MemoryError:
        return _refuse(answer, "payload_too_large", "The table needs more memory than one may take. Split it.")
    with os.fdopen(answer, "wb") as out:
        out.write(result)
    return 0


def _do(header: dict[str, Any]) -> bytes:
    from schema.contracts.insights import AnalysisOptions

    options = AnalysisOptions.model_validate(header["options"])
    files = [(Path(path), str(name)) for path, name in header["files"]]
    if header["task"] == "analyse":
        from activities.insights.examine import examine

        return examine(*files[0], options).model_dump_json().encode()
    if header["task"] == "ask":
        from activities.insights.answering import answer, answer_query
        from activities.insights.examine import read_tables

        _, tables = read_tables(*files[0], options)
        if header.get("query"):
            return answer_query(header["question"], header["query"], tables).model_dump_json().encode()
        return answer(header["question"], tables).model_dump_json().encode()
    if header["task"] == "relate":
        from activities.insights.examine import read_several
        from activities.insights.relations import relations_of

        return relations_of(read_several(files, options)).model_dump_json().encode()
    raise ValueError(header["task"])


def _refuse(answer: int, code: str, detail: str) -> int:
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps({"code": code, "detail": detail}).encode("utf-8", "replace"))
    return REFUSED
