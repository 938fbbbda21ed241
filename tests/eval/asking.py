"""Asking: the real product (`swissbrain up` and its public API), or the same reasoning in memory, for quick looks.

The evaluation's figures are those of the stack. In memory only the SQL of the search and the workflows are replaced;
it answers a hundred times faster and is for work on the reasoner.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from activities.documents.extract import extract
from activities.research.extractive import ExtractiveReasoner
from activities.research.reasoner import Reasoner
from schema.contracts.research import Brief
from schema.policies import AGENT_STEPS_MAX
from tests.eval.vectors import local_vectors
from tests.support.corpus import ReadCorpus, Vectors, research
from tests.support.stack import Stack

RUNS_AT_ONCE = 4
UPLOAD_BATCH = 50
QUESTIONS = 4
ASKED_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""In memory only; the stack's runs know the day."""


@dataclass(frozen=True)
class Answer:
    """What came of one task."""

    task: str
    markdown: str
    sidecar: dict[str, Any]
    quality: dict[str, Any]
    credits: float
    """Charged; 0 in memory."""
    subtasks: tuple[str, ...]
    tokens: int = 0
    """Used by the reasoner; told in memory only."""


class Asker(Protocol):
    """Something that can be asked."""

    documents: dict[str, str]
    """SHA-256 of a snapshot -> name of the document."""
    texts: dict[str, str]
    """SHA-256 of a snapshot -> its text."""

    def ask(self, tasks: Sequence[str], *, agents: int, tokens: int) -> list[Answer]:
        """Answer tasks, in their order."""
        ...


def _read(files: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, str]]:
    """Extract the documents here, so that the stack's snapshots are checked against something of our own."""
    documents, texts = {}, {}
    for name, data in files.items():
        text = extract(data, name, "application/octet-stream").text
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        documents[sha256], texts[sha256] = name, text
    return documents, texts


class MemoryAsker:
    """A reasoner over a corpus in memory; the extractive one, with the product's number of steps, unless told."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        reasoner: Reasoner | None = None,
        *,
        steps: int = AGENT_STEPS_MAX,
        vectors: Vectors | None = None,
    ) -> None:
        self.documents, self.texts = _read(files)
        self._corpus = ReadCorpus(files, vectors=vectors)
        self._reasoner = reasoner or ExtractiveReasoner(meanings=vectors.meanings if vectors else None)
        self._steps = steps

    def ask(self, tasks: Sequence[str], *, agents: int, tokens: int) -> list[Answer]:
        return [asyncio.run(self._ask(task, agents, tokens)) for task in tasks]

    async def _ask(self, task: str, agents: int, tokens: int) -> Answer:
        brief = Brief(task=task, agents_max=agents, tokens_max=tokens, asked_at=ASKED_AT)
        outcome = await research(self._reasoner, self._corpus, brief, steps=self._steps)
        rendered = outcome.rendered
        return Answer(
            task=task,
            markdown=rendered.markdown,
            sidecar=rendered.sidecar.model_dump(mode="json"),
            quality=rendered.quality.model_dump(mode="json"),
            credits=0.0,
            subtasks=tuple(subtask.question for subtask in outcome.subtasks),
            tokens=outcome.tokens.total,
        )


class StackAsker:
    """The product, through its API."""

    def __init__(self, stack: Stack, files: Mapping[str, bytes]) -> None:
        self.documents, self.texts = _read(files)
        self.stack = stack
        self._upload(files)

    def _upload(self, files: Mapping[str, bytes]) -> None:
        names = sorted(files)
        for start in range(0, len(names), UPLOAD_BATCH):
            batch = [
                ("file", (name, files[name], "application/octet-stream"))
                for name in names[start : start + UPLOAD_BATCH]
            ]
            answer = self.stack.call("POST", "/api/v1/documents", files=batch)
            assert answer.status_code in (200, 201, 202), answer.text
        deadline = time.monotonic() + 600
        while any(document["status"] == "processing" for document in self.stack.documents()):
            assert time.monotonic() < deadline, "documents are not ready"
            time.sleep(0.5)
        failed = [document["name"] for document in self.stack.documents() if document["status"] == "failed"]
        assert not failed, f"documents that could not be read: {failed[:5]}"

    def ask(self, tasks: Sequence[str], *, agents: int, tokens: int) -> list[Answer]:
        """Run tasks, a few at a time: a run's agents already work at once."""
        answers = []
        for start in range(0, len(tasks), RUNS_AT_ONCE):
            batch = tasks[start : start + RUNS_AT_ONCE]
            run_ids = [self.stack.create(task, max_agents=agents, max_tokens=tokens) for task in batch]
            for run_id in run_ids:
                self.stack.start(run_id)
            answers += [self.answer(run_id, task) for run_id, task in zip(run_ids, batch, strict=True)]
        return answers

    def answer(self, run_id: str, task: str) -> Answer:
        """Wait for a run and collect what it made."""
        run = self.stack.finished(run_id)
        assert run["status"] == "completed", run
        listed = self.stack.get(f"/api/v1/runs/{run_id}/artifacts")["artifacts"]
        citations = next(item for item in listed if item["name"] == "citations.json")
        sidecar = self.stack.call("GET", f"/api/v1/artifacts/{citations['id']}/download").json()
        subtasks = self.stack.get(f"/api/v1/runs/{run_id}/tasks")["tasks"]
        return Answer(
            task=task,
            markdown=self.stack.report(run_id),
            sidecar=sidecar,
            quality=run.get("quality") or {},
            credits=float(run["credits_charged"]),
            subtasks=tuple(str(each.get("question") or each.get("title")) for each in subtasks),
        )


class Bench:
    """Gives parts something to ask: a fresh stack per corpus (so that corpora do not mix), or memory."""

    def __init__(self, *, memory: bool, questions: int = QUESTIONS, vectors: bool = True) -> None:
        self.memory = memory
        self.vectors = local_vectors() if memory and vectors else None
        """Memory only: None searches by full text alone. The stack has vectors where they are installed."""
        self.questions = questions
        """How many of each kind the part `model` asks: a model on this machine takes minutes for each."""

    @contextmanager
    def asker(self, files: Mapping[str, bytes]) -> Iterator[Asker]:
        """Put a corpus in and hand out what answers from it."""
        if self.memory:
            yield MemoryAsker(files, vectors=self.vectors)
            return
        with self.stack() as stack:
            yield StackAsker(stack, files)

    @contextmanager
    def stack(self) -> Iterator[Stack]:
        """Run `swissbrain up` in a directory of its own."""
        with TemporaryDirectory(prefix="swissbrain-eval-") as directory:
            stack = Stack(Path(directory) / "data").up()
            try:
                yield stack
            finally:
                stack.down()
