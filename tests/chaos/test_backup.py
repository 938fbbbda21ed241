"""A backup taken under load, restored beside its origin: every invariant holds, and runs in flight go on to their end.

Boots two stacks, so it is `extended`: `make backup-test`. Pass threshold: every invariant holds before and after the
runs went on, every run of the snapshot ends with its report, and money is what the ledger alone says.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.stack import TERMINAL, Stack
from tests.support.texts import PLANTED, python_topics

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]
RUNS = 12


def swissbrain(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "client.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_backup_taken_under_load_is_restored(tmp_path: Path) -> None:
    topics = python_topics()
    origin = Stack(tmp_path / "origin")
    secret = {"SWISSBRAIN_BACKUP_PASSPHRASE": "a passphrase of this test"}
    try:
        origin.up()
        origin.upload({name: topics[name] for name in sorted(topics)[:20]} | PLANTED)
        first = origin.create("What power does the Zephyr-9 engine produce?", max_agents=2)
        origin.start(first)
        assert origin.finished(first)["status"] == "completed"
        report = origin.report(first)
        runs = [
            origin.create(f"How does the {name} work? ({number})", max_agents=3)
            for number, name in enumerate(
                ["try statement", "with statement", "import system", "yield expression"] * (RUNS // 4)
            )
        ]
        for run_id in runs:
            origin.start(run_id)
        before = {run_id: origin.run(run_id)["status"] for run_id in runs}
        assert any(status not in TERMINAL for status in before.values()), before
        began = time.monotonic()
        print(
            swissbrain("backup", str(tmp_path / "backup"), "--data-dir", str(origin.data_dir), "--with-keys", **secret)
        )
        print(f"backup took {time.monotonic() - began:.1f} s with {len(runs)} runs in flight")
        for run_id in runs:
            origin.finished(run_id)
        origin.check()
    finally:
        origin.down()
    keys = (tmp_path / "backup" / "keys.json").read_text()
    assert json.loads((origin.data_dir / "secrets.json").read_text())["payload_keys"] not in keys

    began = time.monotonic()
    restored = Stack(tmp_path / "restored")
    swissbrain("restore", str(tmp_path / "backup"), "--data-dir", str(restored.data_dir), **secret)
    print(f"restore took {time.monotonic() - began:.1f} s")
    try:
        restored.up()
        restored.check()
        print(swissbrain("ledger", "rebuild", "--check", "--data-dir", str(restored.data_dir)))
        assert restored.report(first) == report
        snapshot = {run_id: restored.run(run_id)["status"] for run_id in runs}
        print(f"of the snapshot: {sorted(snapshot.values())}")
        assert any(status not in TERMINAL for status in snapshot.values()), "nothing was in flight: no proof"
        ended = {run_id: restored.finished(run_id)["status"] for run_id in runs if snapshot[run_id] != "created"}
        assert set(ended.values()) <= {"completed"}, ended
        for run_id in ended:
            assert restored.report(run_id)
        restored.check()
        swissbrain("ledger", "rebuild", "--check", "--data-dir", str(restored.data_dir))
        # Twice into the same place is refused.
        again = subprocess.run(
            [
                sys.executable,
                "-m",
                "client.cli",
                "restore",
                str(tmp_path / "backup"),
                "--data-dir",
                str(restored.data_dir),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, **secret},
            timeout=60,
        )
        assert again.returncode == 1
        assert "not empty" in again.stderr
    finally:
        restored.down()
