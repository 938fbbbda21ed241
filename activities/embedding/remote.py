"""Vectors from a model that litellm reaches: a provider, or a server of one's own."""

import math
from collections.abc import Sequence

from activities.embedding.embedder import EmbeddingConfig, Vector
from activities.research.vendor import embeddings
from schema.errors import ProviderAnswerInvalid

BATCH = 64
TIMEOUT_S = 60.0
COSINES = (0.15, 0.75)
"""A guess for models that were not measured here; it only scales the similarity part of a passage's relevance."""


class RemoteEmbedder:
    """Calls the configured embedding model."""

    languages: frozenset[str] | None = None
    cosines = COSINES

    def __init__(self, config: EmbeddingConfig) -> None:
        """Keep where the model is; nothing is sent yet."""
        self._config = config
        self.name = config.model or ""
        self.dimensions = config.dimensions

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector per text, in batches, made unit length.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderRefused: the provider failed.
            ProviderAnswerInvalid: its vectors have another length than is configured.
        """
        found: list[Vector] = []
        for first in range(0, len(texts), BATCH):
            vectors = await embeddings(
                model=self.name,
                texts=list(texts[first : first + BATCH]),
                timeout_s=TIMEOUT_S,
                base_url=self._config.base_url,
                api_key=self._config.api_key,
            )
            found += [self._unit(vector) for vector in vectors]
        return found

    def _unit(self, vector: Sequence[float]) -> Vector:
        length = math.sqrt(math.fsum(value * value for value in vector))
        if len(vector) != self.dimensions or not math.isfinite(length) or not length:
            raise ProviderAnswerInvalid(
                f"{self.name} sent a vector of {len(vector)} numbers; SWISSBRAIN_EMBEDDING_DIMENSIONS says "
                f"{self.dimensions}."
            )
        return [value / length for value in vector]
