"""The planted corpus: the same bytes for a seed, and everything that is said to be in it is in it."""

from itertools import combinations
from typing import get_args

import pytest

from activities.documents.extract import extract
from tests.eval.metrics import folded, holds
from tests.eval.planting import OUTSIDERS, WORDINGS, WORLDS, Split, kinds_of, plant, tasks


@pytest.mark.parametrize("split", get_args(Split))
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
    asked = [{fact.question.replace(fact.thing.name, "X") for fact in plant(3, split).facts} for split in WORDINGS]
    assert all(one.isdisjoint(other) for one, other in combinations(asked, 2))


@pytest.mark.parametrize("splits", [WORDINGS, *((world,) for world in WORLDS)])
def test_every_template_has_its_placeholders_and_belongs_to_one_split(splits: tuple[Split, ...]) -> None:
    named = [split.replace("-", "_") for split in splits]
    kinds = kinds_of(splits[0])
    assert len(kinds) == 9
    for kind in kinds.values():
        assert all("{e}" in intro for split in named for intro in kind["intro"][split])
        for spec in (each for name, each in kind.items() if isinstance(each, dict) and name != "intro"):
            assert all(template.count("{v}") == 1 for split in named for template in spec[split]), spec
            # A majority needs two wordings that name the thing.
            assert all(sum("{e}" in template for template in spec[split]) >= 2 for split in named), spec
            assert all("{e}" in question for split in named for question in spec[f"ask_{split}"]), spec
            for one, other in combinations(named, 2):
                assert set(spec[one]).isdisjoint(spec[other]), spec
                assert set(spec[f"ask_{one}"]).isdisjoint(spec[f"ask_{other}"]), spec


@pytest.mark.parametrize("split", ["unseen", "sealed", *OUTSIDERS, *WORLDS])
def test_conflicts_are_typed_and_their_sides_planted(split: Split) -> None:
    world = plant(7, split)
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
