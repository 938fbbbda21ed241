"""Run the mutants of modules against the tests that judge them: `make mutants`, `make mutants MODULE=schema/money.py`.

Each mutant lives in a forked process, where the import system gives the changed module in place of the file; nothing is
written to the tree. The libraries are imported once, before the forks. Killed means that a test failed, or that the
tests did not end in time. A mutant that cannot even be imported is counted apart and not in the score.
"""

import argparse
import importlib
import importlib.machinery
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import settings

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.servers import SUPERUSER, FreshDatabase

ROOT = Path(__file__).parents[2]
OURS = ("schema", "workflows", "activities", "api", "infra", "client", "worker", "tests")
LEAST = 0.8
"""Below this share of killed mutants the command fails."""
TIMES_BASELINE, TIMEOUT_LEAST_S = 4, 20.0
SURVIVED, KILLED, STILLBORN, TIMED_OUT = "survived", "killed", "stillborn", "timed out"
_PRELOADED = "ignore::pytest.PytestAssertRewriteWarning"
_STILLBORN_CODE, _BROKEN_CODE = 77, 78


@dataclass(frozen=True)
class Target:
    """A module and its judges."""

    path: str
    tests: Sequence[str]
    database: bool = False

    @property
    def name(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".")


class _Changed(importlib.machinery.SourceFileLoader):
    """Loads a module from a text in place of its file, and finds it first."""

    def __init__(self, target: Target, source: str) -> None:
        super().__init__(target.name, str(ROOT / target.path))
        self._source = source

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


def main() -> int:
    """Run and print; return 1 where a module's score is too low."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="paths as in modules.toml; default: all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sample", type=int, help="judge only so many of each module, drawn by chance (seed 1)")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    targets = [
        Target(**entry) for entry in tomllib.loads((Path(__file__).parent / "modules.toml").read_text())["module"]
    ]
    if unknown := set(arguments.modules) - {target.path for target in targets}:
        parser.error(f"not in modules.toml: {', '.join(sorted(unknown))}")
    low = False
    for target in targets:
        if (arguments.modules and target.path not in arguments.modules) or not (ROOT / target.path).exists():
            continue
        with _environment(target) as environment:
            low |= _judge(target, environment, arguments) < LEAST
    return int(low)


@contextmanager
def _environment(target: Target) -> Iterator[dict[str, str] | None]:
    if not target.database:
        yield None
        return
    command = [sys.executable, "-m", "tests.mutation.servers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        lines = (line for line in servers.stdout if line.startswith(f'{{"{SUPERUSER}"'))
        yield json.loads(next(lines))
        servers.communicate()


def _judge(target: Target, environment: dict[str, str] | None, arguments: argparse.Namespace) -> float:
    source = (ROOT / target.path).read_text()
    began = time.monotonic()
    _preload(target, source, environment)
    baseline_s = time.monotonic() - began
    began = time.monotonic()
    timeout_s = max(TIMEOUT_LEAST_S, TIMES_BASELINE * baseline_s)
    outcomes: Counter[str] = Counter()
    mutants = list(mutants_of(source))
    chosen = random.Random(1).sample(mutants, min(arguments.sample or len(mutants), len(mutants)))
    waiting, running = iter(chosen), dict[int, tuple[Mutant, float]]()
    exhausted = False
    while running or not exhausted:
        while len(running) < arguments.jobs and not exhausted:
            if (mutant := next(waiting, None)) is None:
                exhausted = True
            else:
                running[_fork(target, mutant.source, environment)] = (mutant, time.monotonic() + timeout_s)
        for pid, (mutant, deadline) in list(running.items()):
            if (outcome := _outcome(pid, deadline)) is not None:
                del running[pid]
                outcomes[outcome] += 1
                if outcome == SURVIVED:
                    print(f"{target.path}:{mutant.line} survived {mutant.operator}\n{mutant.change}", flush=True)
        time.sleep(0.02)
    killed = outcomes[KILLED] + outcomes[TIMED_OUT]
    score = killed / (total := killed + outcomes[SURVIVED])
    print(
        f"{target.path}: killed {killed} of {total} ({score:.1%}), {len(chosen)} of {len(mutants)} tried; "
        f"{outcomes[TIMED_OUT]} of them by time, {outcomes[STILLBORN]} could not be imported; "
        f"{time.monotonic() - began:.0f} s",
        flush=True,
    )
    return score


def _preload(target: Target, source: str, environment: dict[str, str] | None) -> None:
    """Let the tests pass on the module as it is, and import the libraries that they used, for all forks."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names"
        if code := os.waitstatus_to_exitcode(os.waitpid(_fork(target, source, environment, names=names), 0)[1]):
            raise SystemExit(
                f"{target.path}: its tests fail without any change (code {code}): {' '.join(target.tests)}"
            )
        for name in names.read_text().split():
            try:
                importlib.import_module(name)
            except Exception:  # A library's optional part: what needs it imports it itself.
                continue


def _fork(target: Target, source: str, environment: dict[str, str] | None, *, names: Path | None = None) -> int:
    if pid := os.fork():
        return pid
    code = _BROKEN_CODE
    try:
        os.setpgid(0, 0)
        code = _child(target, source, environment, names)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _child(target: Target, source: str, environment: dict[str, str] | None, names: Path | None) -> int:
    output = os.open(
        os.devnull if names is None else "/dev/stderr",
        os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    )
    os.dup2(output, 1)
    os.dup2(output, 2)
    database = FreshDatabase(environment) if environment is not None else None
    sys.meta_path.insert(0, _Changed(target, source))  # type: ignore[arg-type]
    try:
        importlib.import_module(target.name)
    except Exception:
        return _STILLBORN_CODE
    # Fewer examples, always the same ones: a score that can be repeated, and that chance does not help.
    settings.register_profile("mutants", max_examples=20, derandomize=True, database=None)
    settings.load_profile("mutants")
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", _PRELOADED, *target.tests]
    code = pytest.main(options, plugins=[database] if database is not None else [])
    if names is not None:
        names.write_text("\n".join(name for name in list(sys.modules) if name.partition(".")[0] not in OURS))
    if database is not None:
        database.drop()
    return int(code)


def _outcome(pid: int, deadline: float) -> str | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        code = os.waitstatus_to_exitcode(status)
        if code in (_BROKEN_CODE, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
            raise SystemExit(f"a mutant could not be judged (code {code})")
        return {0: SURVIVED, _STILLBORN_CODE: STILLBORN}.get(code, KILLED)
    if time.monotonic() < deadline:
        return None
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return TIMED_OUT


if __name__ == "__main__":
    sys.exit(main())
