"""What a file of a million rows does to everybody else's requests: the API's latency before and while it is analysed.

`make bench-data` runs it after the analysis alone. One stack, one caller after the other; medians and 95th percentiles
of the same requests, and their ratio. The whole way of the file is measured with it: upload, hash, analysis, charts.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.load.data import million
from tests.support.stack import FULL_TEXT_ALONE, Stack

CALLS = 150
PAUSE_S = 0.02


def latency(stack: Stack, calls: int, until: Any = None) -> list[float]:
    """Return seconds of requests that a page would make, in turns; ends early when `until` comes true."""
    taken = []
    for number in range(calls):
        path = ("/api/v1/runs?limit=20", "/api/v1/billing/balance", "/api/v1/files?limit=20")[number % 3]
        started = time.perf_counter()
        stack.get(path)
        taken.append(time.perf_counter() - started)
        if until is not None and number % 10 == 0 and until():
            break
        time.sleep(PAUSE_S)
    return taken


def shown(name: str, taken: list[float]) -> tuple[float, float]:
    """Print and return median and 95th percentile, in milliseconds."""
    median = statistics.median(taken) * 1000
    tail = statistics.quantiles(taken, n=20)[-1] * 1000
    print(f"{name}: {len(taken)} requests, median {median:.1f} ms, 95th percentile {tail:.1f} ms")
    return median, tail


def main() -> int:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "million.csv")
        million(path)
        stack = Stack(Path(folder, "data"), env=FULL_TEXT_ALONE).up()
        try:
            latency(stack, 30)
            before = shown("idle", latency(stack, CALLS))
            started = time.perf_counter()
            stack.http.timeout = 120
            answer = stack.call("POST", "/api/v1/files", files=[("file", ("million.csv", path.read_bytes()))])
            assert answer.status_code == 201, answer.text
            uploaded = time.perf_counter() - started
            file_id = answer.json()["files"][0]["id"]

            def ready() -> bool:
                return bool(stack.get(f"/api/v1/files/{file_id}")["status"] != "processing")

            during = shown("while it is analysed", latency(stack, 100_000, ready))
            took = time.perf_counter() - started
            file = stack.get(f"/api/v1/files/{file_id}")
            print(f"{file['status']}: upload {uploaded:.1f} s, all {took:.1f} s, {file['credits_charged']} credits")
            print(f"ratio: median {during[0] / before[0]:.2f}, 95th percentile {during[1] / before[1]:.2f}")
            return 0 if file["status"] == "ready" else 1
        finally:
            stack.down()


if __name__ == "__main__":
    sys.exit(main())
