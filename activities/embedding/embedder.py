"""The seam: what makes vectors of texts, and which one a deployment has."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from activities.research.meanings import Meanings

log = structlog.get_logger(__name__)

Vector = Sequence[float]
NO_MODEL = "none"
"""The name that stands for no model: search is by full text alone, though the local one may be installed."""


class Embedder(Protocol):
    """Makes vectors of unit length; the nearer two meanings, the larger their inner product."""

    @property
    def name(self) -> str:
        """Stored with every vector: vectors of different names are never compared."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes that it was trained for; None: it does not say, and is used for all."""

    @property
    def cosines(self) -> tuple[float, float]:
        """The cosine of a text that has nothing to do with a query, and of one that answers it well."""

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector per text, in order, off the event loop.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: a model elsewhere failed.
        """


@dataclass(frozen=True)
class EmbeddingConfig:
    """Which model makes the vectors; without a name, the local one where it is installed; `none`: no model."""

    model: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    dimensions: int = 1536


def build_embedder(config: EmbeddingConfig) -> Embedder | None:
    """Return the embedder; None where none is configured or installed: search is by full text alone then.

    Raises:
        ModelFilesInvalid: the local model's files are not those that this version was made for.
    """
    if config.model == NO_MODEL:
        return None
    if config.model:
        from activities.embedding.remote import RemoteEmbedder

        return RemoteEmbedder(config)
    if importlib.util.find_spec("onnxruntime") is None:
        log.warning("no vectors: the extra `vectors` is not installed; search is by full text alone")
        return None
    from activities.embedding.minilm import MiniLm, model_files

    files = model_files()
    if files is None:
        log.warning("no vectors: the model's files are not installed (extra `vectors`); search is by full text alone")
        return None
    return MiniLm(files)


def meanings_of(embedder: Embedder | None) -> Meanings | None:
    """Return what compares the meanings of single statements: the local model, or nothing.

    A model elsewhere is not asked: a hundred statements at every step of every agent would be paid for, and what it
    answers today and tomorrow may differ, so that work that is done again would differ too.
    """
    from activities.embedding.minilm import LocalMeanings, MiniLm

    return LocalMeanings(embedder) if isinstance(embedder, MiniLm) else None


def supports(embedder: Embedder, language: str | None) -> bool:
    """Tell whether texts of a language (ISO 639-1; None: unknown) are worth a vector of this embedder."""
    return embedder.languages is None or language is None or language in embedder.languages
