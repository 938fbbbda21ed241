"""Measures the analysis of a million rows against a plain pandas implementation of the specification's pipeline.

`make bench-data`. Both read the same CSV, each in a process of its own, in turns; times are of the work, without
imports.
The full analysis runs as in the product: in the sandbox, with its charts.
"""

import asyncio
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from activities.insights.analysing import analyse
from infra.sandbox.launch import environment
from schema.contracts.insights import AnalysisOptions

ROWS = 1_000_000
RUNS = 5
FULL_S_MAX = 10.0
FULL_BYTES_MAX = 1_500 * 1024 * 1024
FASTER_MIN = 1.5

PANDAS = """
import json, resource, sys, time
import pandas as pd
started = time.perf_counter()
df = pd.read_csv(sys.argv[1])
df = df.dropna(how="all").drop_duplicates()
found = {"shape": df.shape, "dtypes": df.dtypes.astype(str).to_dict(), "missing": df.isnull().sum().to_dict(),
         "statistics": df.describe().to_dict(), "correlations": df.corr(numeric_only=True).to_dict()}
outliers = []
for column in df.select_dtypes(include=["number"]).columns:
    q1, q3 = df[column].quantile(0.25), df[column].quantile(0.75)
    beyond = df[(df[column] < q1 - 1.5 * (q3 - q1)) | (df[column] > q3 + 1.5 * (q3 - q1))]
    outliers.append({"column": column, "count": len(beyond)})
seconds = time.perf_counter() - started
print(json.dumps({"s": seconds, "kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""
OURS = """
import json, resource, sys, time
from pathlib import Path
import polars, numpy
from activities.insights.examine import read_tables
from activities.insights.outliers import outliers
from activities.insights.profile import measure, profile_of
from schema.contracts.insights import AnalysisOptions
started = time.perf_counter()
_, [table] = read_tables(Path(sys.argv[1]), "a.csv", AnalysisOptions(clean=True))
measured = measure(table)
profile = [profile_of(table, name, number, measured) for number, name in enumerate(table.frame.columns, 1)]
found = list(outliers(table, measured))
seconds = time.perf_counter() - started
print(json.dumps({"s": seconds, "kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def million(path: Path, seed: int = 1) -> None:
    """Write a table of a million rows and twenty columns, of several kinds, below 100 MiB."""
    random = np.random.default_rng(seed)
    days = pl.date_range(pl.date(2023, 1, 1), pl.date(2024, 11, 30), eager=True).to_numpy()
    columns: dict[str, object] = {
        "id": np.arange(ROWS),
        "date": days[np.arange(ROWS) * len(days) // ROWS],
        "region": random.choice(["North", "South", "East", "West", "Centre"], ROWS),
        "product": random.choice([f"P{number:03d}" for number in range(200)], ROWS),
        "quantity": random.integers(1, 50, ROWS),
        "status": random.choice(["ok", "fail"], ROWS),
        "paid": random.choice(["true", "false"], ROWS),
        "code": random.integers(0, 99, ROWS),
        "price": np.round(random.gamma(2, 5, ROWS) + 0.01, 2),
    }
    columns |= {f"measure_{number}": np.round(random.normal(100, 20, ROWS), 1) for number in range(6)}
    columns |= {f"count_{number}": random.integers(0, 1_000, ROWS) for number in range(5)}
    pl.DataFrame(columns).write_csv(path)


def run(code: str, path: Path) -> dict[str, float]:
    """Run a program over the file in a process of its own, with the environment that the sandbox gives."""
    given = {**os.environ, **environment(), "HOME": os.environ.get("HOME", "/")}
    program = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, env=given)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


class _Peak(threading.Thread):
    """Watches the resident memory of the children of this process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.over = threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self.over.wait(0.02):
            for child in me.children(recursive=True):
                try:
                    self.peak = max(self.peak, child.memory_info().rss)
                except psutil.Error:
                    continue


def full(path: Path) -> tuple[float, int]:
    """Analyse as the product does; return seconds and the peak of the child's memory."""
    watch = _Peak()
    watch.start()
    started = time.perf_counter()
    asyncio.run(analyse(path, "million.csv", AnalysisOptions(as_of="2026-01-01")))
    seconds = time.perf_counter() - started
    watch.over.set()
    watch.join()
    return seconds, watch.peak


def main() -> int:
    """Measure in turns; return 1 where a bound is missed."""
    if importlib.util.find_spec("pandas") is None:
        print("pandas is not installed: make bench-data installs it.")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "million.csv")
        million(path)
        print(f"{ROWS:,} rows x 20 columns, {path.stat().st_size / 2**20:.1f} MiB")
        ours, pandas, whole = [], [], []
        for _ in range(RUNS):
            pandas.append(run(PANDAS, path))
            ours.append(run(OURS, path))
            whole.append(full(path))
    seconds = sorted(each for each, _ in whole)
    peak = max(each for _, each in whole)
    print(
        f"full analysis in the sandbox: best {seconds[0]:.2f} s, median {statistics.median(seconds):.2f} s, peak "
        f"{peak / 2**20:.0f} MiB"
    )
    times = {name: sorted(each["s"] for each in runs) for name, runs in (("ours", ours), ("pandas", pandas))}
    memory = {
        name: statistics.median(each["kb"] for each in runs) / 1024
        for name, runs in (("ours", ours), ("pandas", pandas))
    }
    for name in times:
        print(
            f"the specification's pipeline, {name}: best {times[name][0]:.2f} s, median "
            f"{statistics.median(times[name]):.2f} s, {memory[name]:.0f} MiB"
        )
    best = times["pandas"][0] / times["ours"][0]
    middle = statistics.median(times["pandas"]) / statistics.median(times["ours"])
    print(f"faster: best {best:.2f}x, median {middle:.2f}x; memory {memory['ours'] / memory['pandas']:.2f}x")
    good = (
        seconds[0] < FULL_S_MAX
        and peak < FULL_BYTES_MAX
        and max(best, middle) >= FASTER_MIN
        and memory["ours"] <= memory["pandas"]
    )
    print("within all bounds" if good else "A BOUND IS MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
