"""An operator's command finds the database that it is to look into, or says how to name it."""

import argparse
import json
from pathlib import Path

import pytest

from infra import check, ledger
from infra.owner import VARIABLE, add_options, database_url


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)


def found(*arguments: str) -> str:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return database_url(parser.parse_args(arguments))


def running(folder: Path, url: str) -> None:
    folder.mkdir()
    (folder / "endpoint.json").write_text(json.dumps({"database_url": url}))


def test_what_is_named_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running(tmp_path / ".swissbrain", "postgresql://here")
    running(tmp_path / "other", "postgresql://other")
    assert found() == "postgresql://here"
    monkeypatch.setenv(VARIABLE, "postgresql://environment")
    assert found() == "postgresql://environment"
    assert found("--data-dir", "other") == "postgresql://other"
    assert found("--data-dir", "other", "--database-url", "postgresql://named") == "postgresql://named"


@pytest.mark.parametrize("command", [check.main, ledger.main])
def test_where_nothing_runs_the_commands_say_what_to_do(command: object) -> None:
    assert callable(command)
    with pytest.raises(SystemExit, match=r"swissbrain up.*--data-dir.*--database-url"):
        command([])
