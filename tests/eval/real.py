"""Part (b): natural questions about real documentation, and questions that it does not answer."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.eval.asking import Answer, Asker, Bench
from tests.eval.library import library
from tests.eval.metrics import Citations, Measure, Table, folded, share, statements
from tests.eval.planting import Split

DATA = Path(__file__).parent / "data"
AGENTS = 3
TOKENS = 60_000
CREDITS_FOR_NOTHING_MAX = 1.0
"""A run that finds nothing may cost this much: it read and searched, but wrote nothing."""
NOTHING = "No source that was read answers this question."


@dataclass(frozen=True)
class Question:
    """A question with its known answer."""

    ask: str
    answer: str
    """Regular expression over the folded text of a cited sentence."""
    pages: tuple[str, ...]
    split: str


def questions(name: str = "questions") -> tuple[list[Question], list[str]]:
    """Return the questions with answers, and those without (of all splits)."""
    data: Mapping[str, Any] = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))
    asked = [Question(each["ask"], each["answer"], tuple(each["pages"]), each["split"]) for each in data["question"]]
    return asked, [each["ask"] for each in data.get("nothing", [])]


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (b); `held-out` also measures `develop`, each in its own table."""
    data = tomllib.loads((DATA / "questions.toml").read_text("utf-8"))
    asked, _ = questions()
    files = library()
    splits = ("held-out", "develop") if split == "held-out" else (split,)
    tables = []
    with bench.asker(files) as asker:
        for name in splits:
            chosen = [question for question in asked if question.split == name]
            tables.append(
                answered(
                    asker, chosen, f"(b) real documentation, {len(files)} documents: {len(chosen)} questions, {name}"
                )
            )
            without = [each["ask"] for each in data["nothing"] if each["split"] == name]
            tables.append(_unanswered(asker, without, f"(b) {len(without)} questions without an answer there, {name}"))
    return tables


def answered(asker: Asker, asked: Sequence[Question], title: str) -> Table:
    found = cited = first = pages = sources = lines = 0
    citations, missed = Citations(), []
    for question, answer in zip(
        asked, asker.ask([each.ask for each in asked], agents=AGENTS, tokens=TOKENS), strict=True
    ):
        citations.add(answer.sidecar, asker.texts)
        said = statements(answer.sidecar)
        right = [each for each in said if set(_pages(each, asker)) & set(question.pages)]
        is_found = any(re.search(question.answer, folded(_quoted(each))) for each in right)
        found += is_found
        cited += bool(right)
        first += bool(said) and bool(set(_pages(said[0], asker)) & set(question.pages))
        documents = {page for each in said for page in _pages(each, asker)}
        sources += len(documents)
        pages += len(documents & set(question.pages))
        lines += len(said) + _uncited(answer)
        if not is_found:
            top = "; ".join(f"[{','.join(_pages(each, asker))}] {each['text'][:90]}" for each in said[:3])
            missed.append(f"missed{'' if right else ' (page too)'}: {question.ask} -> {question.answer} | {top}")
    table = Table(title)
    table.measures = [
        share("answer found in a cited sentence of the right page", found, len(asked), floor=0.75),
        share("right page cited", cited, len(asked), floor=0.85),
        share("first statement is from the right page", first, len(asked)),
        share("cited pages that are the right ones", pages, sources),
        *citations.measures(),
        share("citation recall (statements that carry a citation)", citations.cited, lines, floor=1.0),
    ]
    table.notes = missed + citations.problems
    return table


def _quoted(sentence: Mapping[str, Any]) -> str:
    return " ".join([sentence["text"], *(span["quote"] for span in sentence["spans"])])


def _pages(sentence: Mapping[str, Any], asker: Asker) -> list[str]:
    return [asker.documents.get(span["snapshot_sha256"], "?") for span in sentence["spans"]]


_OF_THE_RUN = re.compile(
    r"Prepared by extraction|It rests on|No source that was read|The sources disagree|One says:|Another says:|"
    r"Preferred|The sources give|"
    r"The statements name|The same number|Neither age|Not everything was covered|No evidence was found|The evidence|"
    r"A source of|Some answers of|For “|Settle the|Look f|Add documents|Only disputed|Nothing |The statements|Agent \d+"
)


def _uncited(answer: Answer) -> int:
    """Count the lines that are neither cited nor about the run itself."""
    return sum(1 for each in answer.sidecar["sentences"] if not each["spans"] and not _OF_THE_RUN.match(each["text"]))


def _unanswered(asker: Asker, asked: Sequence[str], title: str) -> Table:
    false, honest, dear = [], 0, 0
    for question, answer in zip(asked, asker.ask(asked, agents=AGENTS, tokens=TOKENS), strict=True):
        said = statements(answer.sidecar)
        if said:
            false.append(f"false answer: {question} | " + "; ".join(each["text"][:80] for each in said[:3]))
        honest += any(each["text"] == NOTHING for each in answer.sidecar["sentences"])
        dear += answer.credits > CREDITS_FOR_NOTHING_MAX
    table = Table(title)
    table.measures = [
        share("false answers (something is cited all the same)", len(false), len(asked), ceiling=0.1),
        share("the report says that nothing was found", honest, len(asked), floor=0.9),
        Measure(
            f"runs charged more than {CREDITS_FOR_NOTHING_MAX:g} credit", dear, ceiling=0, of=f"of {len(asked)} runs"
        ),
    ]
    table.notes = false
    return table
