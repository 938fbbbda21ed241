"""What a file of a million rows does to everybody else's requests: the API's latency before and while it is analysed.

`make bench-data` runs it after the analysis alone. One stack, one caller, files of different content one after the
other, idle time before each: medians and 95th percentiles of the same requests, and their ratios. The embedded object
store shares the processors with everything else here, so taking the file in (the store sends it, the worker writes it
to its disk and looks at its head) is told apart from its analysis.
"""

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.load.data import million
from tests.support.stack import FULL_TEXT_ALONE, Stack

FILES = 4
CALLS = 150
PAUSE_S = 0.02
PAGES = ("/api/v1/runs?limit=20", "/api/v1/billing/balance", "/api/v1/files?limit=1")
"""What a page asks for, in turns; the newest file comes first."""


def timed(stack: Stack, path: str) -> tuple[float, Any]:
    """Return the seconds of a request, and its answer."""
    started = time.perf_counter()
    answer = stack.get(path)
    return time.perf_counter() - started, answer


def idle(stack: Stack) -> list[float]:
    """Return seconds of requests beside which nothing happens."""
    taken = []
    for number in range(CALLS):
        taken.append(timed(stack, PAGES[number % len(PAGES)])[0])
        time.sleep(PAUSE_S)
    return taken


def beside(stack: Stack, path: Path) -> dict[str, list[float]]:
    """Upload a file, and return seconds of requests by what happens to it meanwhile, until it is read."""
    started = time.perf_counter()
    answer = stack.call("POST", "/api/v1/files", files=[("file", (path.name, path.read_bytes()))])
    assert answer.status_code == 201, answer.text
    uploaded = time.perf_counter() - started
    taken, file, number = defaultdict(list), answer.json()["files"][0], 0
    while file["status"] == "processing":
        phase = "while it is analysed" if file["kind"] else "while it is taken in"
        seconds, got = timed(stack, PAGES[number % len(PAGES)])
        taken[phase].append(seconds)
        if "files" in got:
            file = got["files"][0]
        number += 1
        time.sleep(PAUSE_S)
    took = time.perf_counter() - started
    print(f"{file['status']}: upload {uploaded:.1f} s, all {took:.1f} s, {file['credits_charged']} credits")
    assert file["status"] == "ready", file["error"]
    return taken


def main() -> int:
    """Measure, and print."""
    taken: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder, "data"), env=FULL_TEXT_ALONE).up()
        try:
            stack.http.timeout = 120
            idle(stack)
            for number in range(FILES):
                path = Path(folder, f"million-{number}.csv")
                million(path, seed=number)
                taken["idle"] += idle(stack)
                for phase, seconds in beside(stack, path).items():
                    taken[phase] += seconds
        finally:
            stack.down()
    before = 0.0, 0.0
    for phase in ("idle", "while it is taken in", "while it is analysed"):
        median = statistics.median(taken[phase]) * 1000
        tail = statistics.quantiles(taken[phase], n=20)[-1] * 1000
        before = before if before[0] else (median, tail)
        print(
            f"{phase}: {len(taken[phase])} requests, median {median:.1f} ms ({median / before[0]:.2f}x),"
            f" 95th percentile {tail:.1f} ms ({tail / before[1]:.2f}x)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
