"""A backup taken under load, restored beside its origin: every invariant holds, and runs in flight come to their end.

Boots two stacks, so it is `extended`: `make backup-test`. Pass threshold: every invariant holds before and after the
runs went on; log and ledger agree with their signed checkpoints; every run that was in flight in the snapshot
completes, or is closed by the reconciler with its hold settled and completes when it is retried; the ledger alone says
the balance.
"""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.servers import postgres_program
from tests.support.stack import TERMINAL, Stack
from tests.support.texts import PLANTED, python_topics

pytestmark = [pytest.mark.extended, pytest.mark.timeout(900)]
TOPICS = ("try statement", "with statement", "import system", "yield expression")
RUNS_LIVE = 6
RECONCILED_WITHIN_S = 240.0
SECRET = {"SWISSBRAIN_BACKUP_PASSPHRASE": "a passphrase of this test"}


def swissbrain(*arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "client.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **SECRET},
    )
    assert done.returncode == int(fails), done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def load(stack: Stack, runs: list[str]) -> Iterator[None]:
    """Keep some runs live, and add the id of each to `runs`: some have just begun, some just end."""
    enough, problems = threading.Event(), list[BaseException]()

    def keep_going() -> None:
        try:
            while not enough.is_set():
                live = [run_id for run_id in runs if stack.run(run_id)["status"] not in TERMINAL]
                for _ in range(RUNS_LIVE - len(live)):
                    runs.append(stack.create(f"How does the {TOPICS[len(runs) % 4]} work? ({len(runs)})", max_agents=2))
                    stack.start(runs[-1])
                enough.wait(0.2)
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=keep_going)
    thread.start()
    try:
        while len(runs) < RUNS_LIVE:
            assert thread.is_alive(), problems
            time.sleep(0.05)
        yield
    finally:
        enough.set()
        thread.join()
    assert not problems, problems


def runs_of(dump: Path) -> dict[str, str]:
    """Return the status of every run as the dump has it."""
    done = subprocess.run(
        [postgres_program("pg_restore"), "--data-only", "--table=runs", "--file=-", str(dump)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = io.StringIO(done.stdout)
    columns = next(line for line in lines if line.startswith("COPY ")).partition("(")[2].partition(")")[0].split(", ")
    rows = (dict(zip(columns, line.rstrip("\n").split("\t"), strict=True)) for line in iter(lines.readline, "\\.\n"))
    return {row["id"]: row["status"] for row in rows}


def retention_is_paused(stack: Stack) -> bool:
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("temporal"), "schedule", "describe", "--schedule-id", "retention"),
            *("--address", stack.endpoint["temporal_address"], "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    described: dict[str, Any] = json.loads(done.stdout)
    return bool(described["schedule"]["state"].get("paused", False))


def test_a_backup_taken_under_load_is_restored(tmp_path: Path) -> None:
    topics = python_topics()
    backup = tmp_path / "backup"
    # Checkpoints every three seconds: some are signed while the backup is made.
    origin = Stack(tmp_path / "origin", env={"SWISSBRAIN_AUDIT_CHECKPOINT_MINUTES": "0.05"})
    runs: list[str] = []
    try:
        origin.up()
        origin.upload({name: topics[name] for name in sorted(topics)[:20]} | PLANTED)
        first = origin.create("What power does the Zephyr-9 engine produce?", max_agents=2)
        origin.start(first)
        assert origin.finished(first)["status"] == "completed"
        report = origin.report(first)
        with load(origin, runs):
            began = time.monotonic()
            print(swissbrain("backup", str(backup), "--data-dir", str(origin.data_dir), "--with-keys"))
            print(f"the backup took {time.monotonic() - began:.1f} s while {len(runs)} runs began")
        assert not retention_is_paused(origin)
        for run_id in runs:
            assert origin.finished(run_id)["status"] == "completed"
        origin.check()
    finally:
        origin.down()
    keys = (backup / "keys.json").read_text()
    secrets = json.loads((origin.data_dir / "secrets.json").read_text())
    assert not [name for name, secret in secrets.items() if name.endswith(("_keys", "_key")) and secret in keys]
    snapshot = {run_id: status for run_id, status in runs_of(backup / "postgres.dump").items() if run_id in runs}
    in_flight = [run_id for run_id, status in snapshot.items() if status not in (*TERMINAL, "created")]
    print(f"in the snapshot: {dict(Counter(snapshot.values()))}")
    assert in_flight, "nothing was in flight: no proof"

    began = time.monotonic()
    restored = Stack(tmp_path / "restored")
    swissbrain("restore", str(backup), "--data-dir", str(restored.data_dir))
    print(f"the restore took {time.monotonic() - began:.1f} s")
    try:
        restored.up()
        restored.check()
        print(swissbrain("audit", "verify", "--data-dir", str(restored.data_dir)))
        assert restored.report(first) == report
        ended = {run_id: restored.finished(run_id, RECONCILED_WITHIN_S) for run_id in in_flight}
        print(f"runs in flight: {dict(Counter(run['status'] for run in ended.values()))}")
        assert restored.get("/api/v1/billing/balance")["reserved"] == 0
        for run_id, run in ended.items():
            if run["status"] == "failed":
                # Its workflow began after the histories were copied.
                assert run["last_error"]["code"] == "orchestrator_unavailable", run
                restored.post(f"/api/v1/runs/{run_id}/retry")
                assert restored.finished(run_id)["status"] == "completed"
            assert restored.report(run_id)
        for run_id, status in snapshot.items():
            assert status not in TERMINAL or restored.run(run_id)["status"] == status
        assert not retention_is_paused(restored)
        restored.check()
        said = swissbrain("ledger", "rebuild", "--check", "--data-dir", str(restored.data_dir))
        print(said)
        assert swissbrain("audit", "verify", "--data-dir", str(restored.data_dir)).startswith("ok")
        again = swissbrain("restore", str(backup), "--data-dir", str(restored.data_dir), fails=True)
        assert "not empty" in again
    finally:
        restored.down()
