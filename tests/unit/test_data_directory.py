"""The embedded stack's data directory: secrets and ports are made once, and files are never half written."""

import json
import os
import stat
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from infra.embedded.layout import (
    GRPC_OFFSET,
    LOG_SIZE_MAX_BYTES,
    PORT_FIRST,
    PORT_LAST,
    PORT_NAMES,
    AlreadyRunning,
    DataDirectory,
    HalfRestored,
    read_json,
    write_json,
)
from infra.embedded.root import make_root
from infra.embedded.supervisor import newest_revisions, up


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    return directory


def test_secrets_are_made_once_and_private(data: DataDirectory) -> None:
    first = data.secrets()
    assert DataDirectory(data.root).secrets() == first
    assert stat.S_IMODE((data.root / "secrets.json").stat().st_mode) == 0o600
    data.remember(api_key="k")
    assert data.secrets() == {**first, "api_key": "k"}


def test_folders_are_private(data: DataDirectory) -> None:
    for folder in (data.run, data.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(data.root.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_the_folder_is_private_whoever_makes_it_first(tmp_path: Path) -> None:
    """`swissbrain up` may make it before everything else, for compiled code; one that a user made stays as it is."""
    root = make_root(tmp_path / "a" / "data")
    (root / "run" / "bytecode").mkdir(parents=True)
    DataDirectory(root).prepare()
    assert stat.S_IMODE(root.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
    (tmp_path / "shared").mkdir(mode=0o750)
    DataDirectory(tmp_path / "shared").prepare()
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o750


def test_ports_are_distinct_and_remembered(data: DataDirectory) -> None:
    ports = data.ports(avoid=[8000])
    assert set(ports) == set(PORT_NAMES)
    assert len(set(ports.values())) == len(ports)
    assert all(PORT_FIRST <= port < PORT_LAST for port in ports.values())
    assert not {port + GRPC_OFFSET for port in ports.values()} & set(ports.values())
    assert data.ports() == ports


def test_an_avoided_and_a_fresh_port_change(data: DataDirectory) -> None:
    ports = data.ports()
    changed = data.ports(fresh=["redis"], avoid=[ports["s3"]])
    assert changed["redis"] != ports["redis"]
    assert changed["s3"] != ports["s3"]
    assert changed["postgres"] == ports["postgres"]


def test_lock_is_exclusive_and_ends(data: DataDirectory) -> None:
    data.acquire()
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"):
        DataDirectory(data.root).acquire()
    data.release()
    again = DataDirectory(data.root)
    again.acquire()
    again.release()


@pytest.mark.parametrize("torn", ["", "{", "[]", "null"])
def test_a_torn_file_reads_as_empty(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(torn)
    assert read_json(path) == {}
    assert read_json(tmp_path / "none.json") == {}


def test_write_is_atomic_and_private(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


def test_a_large_log_is_put_aside(data: DataDirectory) -> None:
    path = data.log_file("api")
    path.write_bytes(b"x" * (LOG_SIZE_MAX_BYTES + 1))
    assert data.log_file("api") == path
    assert not path.exists()
    assert (data.logs / "api.log.1").exists()


def test_newest_revisions(tmp_path: Path) -> None:
    (tmp_path / "1_a.py").write_text('revision = "a"\ndown_revision = None\n')
    (tmp_path / "2_b.py").write_text("revision: str = 'b'\ndown_revision: str | None = 'a'\n")
    assert newest_revisions(tmp_path) == {"b"}
    (tmp_path / "3_c.py").write_text('revision = "c"\ndown_revision = ("a", "b")\n')
    assert newest_revisions(tmp_path) == {"c"}
    (tmp_path / "3_d.py").write_text('revision = "d"\ndown_revision = "b"\n')
    assert newest_revisions(tmp_path) == {"c", "d"}


def test_newest_revisions_of_this_project() -> None:
    versions = Path(__file__).parents[2] / "schema" / "migrations" / "versions"
    config = Config()
    config.set_main_option("script_location", str(versions.parent))
    assert newest_revisions(versions) == set(ScriptDirectory.from_config(config).get_heads())


async def test_a_half_restored_directory_is_not_brought_up(data: DataDirectory) -> None:
    data.restoring.touch()
    with pytest.raises(HalfRestored, match=f"{data.root} .* remove it"):
        await up(data.root)
    data.acquire()
    data.release()
