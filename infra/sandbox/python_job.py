"""Code in the sandbox: the target of a job that runs a Python program over files, and hands back what it made."""

import io
import json
import os
import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType


def main(answer: int) -> int:
    """Run the program on the standard input: a line of JSON (`code`, `files` as [name, size], `keep`), then the files.

    The answer is a line of JSON, the kept files as [name, size] and the names of all that were made, then the kept
    files. A program that ends the process itself, or closes the answer, keeps nothing.
    """
    header = json.loads(sys.stdin.buffer.readline())
    for name, size in header["files"]:
        Path(name).write_bytes(sys.stdin.buffer.read(size))
    given = set(os.listdir("."))
    sys.stdin = io.TextIOWrapper(io.BytesIO())
    try:
        status = _run(header["code"])
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    made = sorted(str(path) for path in Path(".").rglob("*") if path.is_file() and str(path) not in given)
    kept = [(name, Path(name).read_bytes()) for name in header["keep"] if Path(name).is_file()]
    with open(answer, "wb", closefd=False) as out:
        told = {"kept": [(name, len(content)) for name, content in kept], "made": made[: header["made_max"]]}
        out.write(json.dumps(told).encode() + b"\n")
        for _, content in kept:
            out.write(content)
    return status


def _run(code: str) -> int:
    """Run a program as `python FILE` would, and return its exit status."""
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.path.insert(0, os.getcwd())
    try:
        compiled: CodeType = compile(code, "<code>", "exec")
        exec(compiled, module.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException as error:
        # From the program's own first frame on: ours would only confuse.
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, frames)
        return 1
    return 0
