"""Vectors of a corpus in memory by the product's local model, kept in a cache folder outside the repository."""

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from activities.embedding.embedder import Vector, meanings_of
from activities.embedding.minilm import DIMENSIONS, MiniLm, model_files
from tests.eval.library import CACHE


class CachedVectors:
    """The local model (extra `vectors`), asked for each text once per machine."""

    def __init__(self, model: MiniLm) -> None:
        self.cosines = model.cosines
        self.meanings = meanings_of(model)
        self._model = model
        self._kept = CACHE / f"{model.name}.npz"
        self._known: dict[str, np.ndarray] = {}
        if self._kept.is_file():
            with np.load(self._kept) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def of(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector per text; what was not known is kept for the next time."""
        if self._ask(texts):
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._kept, keys=list(self._known), vectors=np.stack(list(self._known.values())))
        return [self._known[_key(text)] for text in texts]

    def cosines_to(self, vectors: Sequence[Vector], query: str) -> list[float]:
        """Return the cosine of each vector and the query's."""
        self._ask([query])
        matrix = np.asarray(vectors, dtype=np.float32).reshape(-1, DIMENSIONS)
        cosines: list[float] = (matrix @ self._known[_key(query)]).tolist()
        return cosines

    def _ask(self, texts: Sequence[str]) -> bool:
        if not (unknown := [text for text in dict.fromkeys(texts) if _key(text) not in self._known]):
            return False
        # The asking side runs in an event loop; the model wants one too.
        with ThreadPoolExecutor(1) as beside:
            made = beside.submit(asyncio.run, self._model.embed(unknown)).result()
        self._known |= {
            _key(text): np.asarray(vector, dtype=np.float32) for text, vector in zip(unknown, made, strict=True)
        }
        return True


def local_vectors() -> CachedVectors | None:
    """Return the local model's vectors; None where it is not installed."""
    files = model_files()
    return CachedVectors(MiniLm(files)) if files else None


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
