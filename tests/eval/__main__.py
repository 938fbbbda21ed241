"""`make eval`: measure the quality of the research, print tables, and fail where a floor is missed.

Deterministic, offline, no judge model. Bounded: about fifteen minutes for all parts on two cores; `PART=` runs one.
"""

import argparse
import importlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import get_args

from tests.eval.asking import QUESTIONS, Bench
from tests.eval.metrics import Table
from tests.eval.planting import WORLDS, Split

PARTS = {
    "planted": "tests.eval.planted",
    "real": "tests.eval.real",
    "manuals": "tests.eval.manuals",
    "retrieval": "tests.eval.retrieval",
    "mutations": "tests.eval.mutated",
    "tables": "tests.eval.tables",
    "data": "tests.eval.insights",
    "ocr": "tests.eval.ocr",
    "kills": "tests.eval.kills",
    "agents": "tests.eval.agents",
    "model": "tests.eval.local_model",
}
"""Part -> the module whose `run(bench, seed=, split=)` returns its tables."""
OF_WORDINGS = ("real", "tables", "model")
"""The parts that need more of a split than planted facts."""


def main() -> int:
    """Run the chosen parts; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.eval", description=__doc__)
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--templates", "--split", dest="split", choices=get_args(Split), default="plain")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", action="store_true", help="without the stack: quick, for work on the reasoner")
    parser.add_argument("--words", action="store_true", help="with --memory: search by full text alone, no vectors")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="of each kind, for the part `model`")
    parser.add_argument("--notes", action="store_true", help="show what was missed")
    arguments = parser.parse_args()
    left_out = {"model", *(OF_WORDINGS if arguments.split in WORLDS else ())}
    if arguments.split in WORLDS and arguments.part in OF_WORDINGS:
        parser.error(f"--part {arguments.part} has nothing of the split {arguments.split}: planted facts only")
    bench = Bench(memory=arguments.memory, questions=arguments.questions, vectors=not arguments.words)
    ok = True
    for name in [part for part in PARTS if part not in left_out] if arguments.part == "all" else [arguments.part]:
        try:
            module = importlib.import_module(PARTS[name])
        except ModuleNotFoundError as missing:
            if arguments.part != "all" or not (missing.name or "").startswith("tests."):
                raise
            print(f"part {name}: skipped, {missing.name} is not there\n", flush=True)
            continue
        began = time.monotonic()
        run: Callable[..., list[Table]] | None = getattr(module, "run", None)
        if run is None:  # A part with a program of its own prints its own tables.
            ok &= subprocess.run([sys.executable, "-m", PARTS[name]], check=False).returncode == 0
            continue
        for table in run(bench, seed=arguments.seed, split=arguments.split):
            ok &= table.ok
            if not arguments.notes:
                table.notes = [note for note in table.notes if note.startswith("skipped")]
            print(table.markdown(), flush=True)
        print(f"part {name}: {time.monotonic() - began:.0f} s\n", flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
