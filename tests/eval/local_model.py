"""Part (h): the model of `make local-model` against the reasoner without one, on the same questions.

In memory, one agent of a few steps per question: a small model on two cores takes minutes for each. `MODEL` and
`THREADS` in the environment choose what is asked. Skipped where the model's package or weights are not installed. A
line on standard error tells of each question that is done.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from activities.research.extractive import ExtractiveReasoner
from activities.research.reasoner import ModelConfig, Reasoner, build_reasoner
from infra.embedded.servers import HOST, PartFailed
from infra.local_model.catalogue import DEFAULT_MODEL, find_model
from infra.local_model.part import (
    ANSWER_TOKENS_MAX,
    LOAD_TIMEOUT_S,
    PROMPT_CHARACTERS_MAX,
    require_installed,
    server_command,
)
from infra.local_model.weights import WeightsUnavailable, check
from tests.eval import planted, real
from tests.eval.asking import Answer, Bench, MemoryAsker
from tests.eval.library import library
from tests.eval.metrics import Measure, Table
from tests.eval.planting import Split, plant
from tests.support.stack import free_port

STEPS = 2
"""Of every agent, with the model and without."""
KEY = "local"
MODEL = os.environ.get("MODEL") or DEFAULT_MODEL
THREADS = int(os.environ.get("THREADS") or max(1, (os.cpu_count() or 1) // 2))
"""Threads that wait for each other on a busy machine take longer than fewer."""
CALL_PATIENCE_S = 1_800.0
"""For one answer: the machine may be busy with other things."""


@contextmanager
def served() -> Iterator[ModelConfig]:
    """Serve the local model, as the embedded stack does, and yield what leads to it.

    Raises:
        PartFailed, WeightsUnavailable: it is not installed; the message says how it would be.
    """
    require_installed()
    path, port = check(find_model(MODEL)), free_port()
    config = ModelConfig(
        model=f"openai/{MODEL}",
        base_url=f"http://{HOST}:{port}/v1",
        api_key=KEY,
        timeout_s=CALL_PATIENCE_S,
        answer_form="json_object_of_schema",
        prompt_characters_max=PROMPT_CHARACTERS_MAX,
        answer_tokens_max=ANSWER_TOKENS_MAX,
    )
    with TemporaryDirectory(prefix="swissbrain-eval-") as directory, (Path(directory) / "log").open("wb") as log:
        process = subprocess.Popen(
            [*server_command(path, MODEL, HOST, port), "--n_threads", str(THREADS)],
            env={**os.environ, "API_KEY": KEY},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _await(f"{config.base_url}/models", process)
            yield config
        finally:
            process.terminate()
            process.wait(30)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    while True:
        assert process.poll() is None, f"the model's server ended with {process.returncode}"
        assert time.monotonic() < deadline, "the model's server did not become ready"
        try:
            if httpx.get(url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)


@dataclass
class Timed:
    """Asks one question after the other, and keeps what they took."""

    inner: MemoryAsker
    name: str
    seconds: float = 0.0
    tokens: int = 0
    drawn: Counter[str] = field(default_factory=Counter)

    @property
    def documents(self) -> dict[str, str]:
        """Return what the asker inside knows."""
        return self.inner.documents

    @documents.setter
    def documents(self, value: dict[str, str]) -> None:
        self.inner.documents = value

    @property
    def texts(self) -> dict[str, str]:
        """Return what the asker inside knows."""
        return self.inner.texts

    @texts.setter
    def texts(self, value: dict[str, str]) -> None:
        self.inner.texts = value

    def ask(self, tasks: Sequence[str], *, agents: int, tokens: int) -> list[Answer]:
        """Ask with one agent, whatever is asked for."""
        answers = []
        for number, task in enumerate(tasks, 1):
            began = time.monotonic()
            [answer] = self.inner.ask([task], agents=1, tokens=tokens)
            took = time.monotonic() - began
            self.seconds += took
            self.tokens += answer.tokens
            self.drawn.update(answer.quality["drawn_by"])
            answers.append(answer)
            said = f"{self.name} {number}/{len(tasks)}: {took:.1f} s, {answer.quality['drawn_by']}, {task[:60]!r}"
            sys.stderr.write(f"{said}\n")
        return answers


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (h)."""
    try:
        with served() as config:
            return [
                *_compared(
                    build_reasoner(config), "planted facts", plant(seed, split).files, _planted(bench, seed, split)
                ),
                *_compared(build_reasoner(config), "real documentation", library(), _real(bench, split)),
            ]
    except (PartFailed, WeightsUnavailable) as missing:
        return [Table("(h) local model", notes=[f"skipped: {missing}"])]


Ask = Callable[[Timed], list[Measure]]


def _planted(bench: Bench, seed: int, split: Split) -> Ask:
    world = plant(seed, split)

    def ask(asker: Timed) -> list[Measure]:
        few = planted.small_tasks(world, bench.questions)
        asked = [planted.small_task(facts, number) for number, facts in enumerate(few)]
        tally, judge = planted.Tally(), planted.Judge(world, asker)
        for facts, answer in zip(few, asker.ask(asked, agents=1, tokens=planted.TOKENS), strict=True):
            judge.judge(facts, answer, tally)
        sys.stderr.writelines(f"{asker.name}: {problem}\n" for problem in tally.citations.problems)
        found = Measure("fact recall", tally.found / max(1, tally.asked), of=f"{tally.found} of {tally.asked}")
        return [found, *(_unbound(each) for each in tally.citations.measures())]

    return ask


def _real(bench: Bench, split: Split) -> Ask:
    asked = [question for question in real.questions()[0] if question.split == split]
    asked = asked[:: max(1, len(asked) // bench.questions)]

    def ask(asker: Timed) -> list[Measure]:
        return [_unbound(each) for each in real.answered(asker, asked[: bench.questions], "").measures]

    return ask


def _unbound(measure: Measure) -> Measure:
    return Measure(measure.name, measure.value, of=measure.of)


def _compared(model: Reasoner, title: str, files: Mapping[str, bytes], ask: Ask) -> list[Table]:
    without = Timed(MemoryAsker(files, ExtractiveReasoner(), steps=STEPS), "extractive")
    plain = _table(title, without, ask(without))
    modelled = Timed(MemoryAsker(files, model, steps=STEPS), model.name)
    table = _table(title, modelled, ask(modelled))
    ratio = modelled.seconds / max(without.seconds, 1e-9)
    table.measures.append(Measure("seconds, as a multiple of the extractive reasoner's", round(ratio, 1)))
    return [plain, table]


def _table(title: str, asker: Timed, measures: list[Measure]) -> Table:
    table = Table(f"(h) {title}, one agent, {STEPS} steps: {asker.name}", measures)
    drawn = ", ".join(f"{name} {count}" for name, count in sorted(asker.drawn.items()))
    table.measures += [
        Measure("claims", asker.drawn.total(), of=drawn),
        Measure("tokens", asker.tokens),
        Measure("seconds", round(asker.seconds, 1)),
    ]
    return table
