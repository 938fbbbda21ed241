"""Short hands for tests of the research code: claims, views, comparisons of meaning."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

from activities.embedding.embedder import meanings_of
from activities.embedding.minilm import MiniLm, model_files
from activities.research.claims import claim_id
from activities.research.meanings import Meanings
from activities.research.text import normalise
from schema.contracts.research import AgentView, Brief, Claim, SourceRef, Subtask
from tests.support.corpus import source_of


def claim_of(
    text: str,
    sentence: str | None = None,
    *,
    title: str = "Source",
    agent_number: int = 1,
    relevance: float = 0.6,
    published_at: datetime | None = None,
    trust: float = 0.6,
    uri: str | None = None,
    source: SourceRef | None = None,
) -> Claim:
    """Claim a sentence of a text (the whole text by default)."""
    sentence = sentence or text
    start = text.index(sentence)
    source = source or source_of(text, title, published_at=published_at, trust=trust, uri=uri)
    return Claim(
        id=claim_id(source.snapshot_sha256, start, start + len(sentence), normalise(sentence)),
        agent_number=agent_number,
        text=normalise(sentence),
        source=source,
        start=start,
        end=start + len(sentence),
        quote=sentence,
        relevance=relevance,
    )


def view_of(question: str, **fields: object) -> AgentView:
    """Show an agent its question."""
    subtask = Subtask(number=1, title=question, question=question)
    return AgentView(**{"brief": Brief(task=question), "subtask": subtask, **fields})  # type: ignore[arg-type]


class Meant:
    """A comparison of meanings that a test makes up (`activities.research.meanings.Meanings`)."""

    def __init__(self, compare: Callable[[str, Sequence[str]], Sequence[float] | None]) -> None:
        self.near = self.alike = compare


@lru_cache(maxsize=1)
def local_meanings() -> Meanings:
    """Return the product's own comparison of meanings, by its local model."""
    files = model_files()
    assert files is not None, "install the extra `vectors`"
    found = meanings_of(MiniLm(files))
    assert found is not None
    return found
