"""The planted corpus: the same bytes for a seed, and everything that is said to be in it is in it."""

import pytest

from activities.documents.extract import extract
from tests.eval.metrics import folded, holds
from tests.eval.planting import Split, plant, tasks


@pytest.mark.parametrize("split", ["develop", "held-out"])
def test_every_statement_stands_in_its_document(split: Split) -> None:
    world = plant(7, split)
    assert len(world.files) >= 300
    texts = {name: folded(extract(data, name, "").text) for name, data in world.files.items()}
    for statement in world.statements:
        assert all(folded(mark) in texts[statement.document] for mark in statement.marks), statement
        assert holds(texts[statement.document], statement.value), statement
    assert {document.rsplit(".", 1)[1] for document in world.files} == {"txt", "md", "html", "pdf"}


def test_a_seed_gives_the_same_bytes_and_the_splits_share_no_template() -> None:
    plant.cache_clear()
    first = plant(3, "develop").files
    plant.cache_clear()
    assert plant(3, "develop").files == first
    develop, held = plant(3, "develop"), plant(3, "held-out")
    asked = {fact.question.replace(fact.thing.name, "X") for fact in develop.facts}
    assert asked.isdisjoint({fact.question.replace(fact.thing.name, "X") for fact in held.facts})


def test_conflicts_are_typed_and_their_sides_planted() -> None:
    world = plant(7, "held-out")
    disputed = [fact for fact in world.facts if fact.conflict]
    assert {fact.conflict for fact in disputed} == {"stale", "majority", "tie", "unit", "scope"}
    for fact in disputed:
        same = [each for each in world.statements if (each.thing, each.attribute) == (fact.thing, fact.attribute)]
        assert {each.value for each in same} == {fact.value, fact.other}, fact
        assert {each.role for each in same} == {"current", "stale" if fact.conflict == "stale" else "rival"}


def test_a_task_asks_about_different_things() -> None:
    for facts in tasks(plant(7, "develop"), 5, 10, seed=1, conflicts=False):
        assert len({fact.thing for fact in facts}) == len(facts) == 10
        assert not any(fact.conflict for fact in facts)
