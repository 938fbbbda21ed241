"""Which engine reads, and that its models are those that are pinned."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.images import models
from infra.settings import Settings
from schema.errors import ModelFilesInvalid, PartMissing
from worker import vision_model


def test_the_installed_models_are_the_pinned_ones() -> None:
    """By their hashes."""
    if not models.is_installed(models.RAPIDOCR):
        pytest.skip("extra ocr is not installed")
    files = models.model_files(models.RAPIDOCR)
    assert sorted(files) == ["detect", "recognise"]
    assert all(Path(path).is_file() for path in files.values())


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model with another hash is not loaded."""
    if not models.is_installed(models.RAPIDOCR):
        pytest.skip("extra ocr is not installed")
    distribution, file, _ = models.PINNED[models.RAPIDOCR]["detect"]
    pinned = {models.RAPIDOCR: {"detect": (distribution, file, "0" * 64)}}
    monkeypatch.setattr(models, "PINNED", pinned)
    models.model_files.cache_clear()
    try:
        with pytest.raises(ModelFilesInvalid, match="install it again"):
            models.model_files(models.RAPIDOCR)
    finally:
        models.model_files.cache_clear()


def test_what_is_missing_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that mends itself by copying a line."""
    monkeypatch.setattr(models, "is_installed", lambda engine: False)
    assert models.choose("auto") is None
    assert models.choose("none") is None
    assert "pip install 'swissbrain[ocr]'" in models.missing("auto").detail
    with pytest.raises(PartMissing, match=r"swissbrain\[ocr,easyocr\]"):
        models.choose("easyocr")


def test_a_vision_model_falls_back_on_the_models_server() -> None:
    """Its own address and key, else those of the model; without a name there is none."""
    settings = Settings(model_base_url="http://models/v1", model_api_key=SecretStr("k1"))
    assert vision_model(settings) is None
    named = vision_model(settings.model_copy(update={"vision_model": "openai/v"}))
    assert named is not None
    assert (named.name, named.base_url, named.api_key) == ("openai/v", "http://models/v1", "k1")
    own = {"vision_model": "openai/v", "vision_base_url": "http://own/v1", "vision_api_key": SecretStr("k2")}
    other = vision_model(settings.model_copy(update=own))
    assert other is not None
    assert (other.base_url, other.api_key) == ("http://own/v1", "k2")
