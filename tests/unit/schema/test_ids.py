"""Identifiers: sortable, derived, and never from a clock where a workflow names things."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import ids
from schema.policies import RUN_TRIES_DEFAULT

PREFIXES = sorted(
    value for name, value in vars(ids).items() if name.isupper() and not name.startswith("_") and isinstance(value, str)
)


def test_prefixes_are_unique() -> None:
    assert len(PREFIXES) == len(set(PREFIXES)) >= 17


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_new_id_is_prefix_and_uuid_version_7(prefix: str) -> None:
    assert re.fullmatch(rf"{prefix}_[0-9a-f]{{12}}7[0-9a-f]{{3}}[89ab][0-9a-f]{{15}}", ids.new_id(prefix))


def test_new_ids_sort_by_their_creation() -> None:
    made = [ids.new_id(ids.RUN) for _ in range(1_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


PART = st.one_of(st.text(st.characters(blacklist_characters="/", codec="utf-8")), st.integers(0))


@given(st.lists(PART, min_size=1, max_size=4))
def test_the_same_parts_give_the_same_id(parts: list[str | int]) -> None:
    assert ids.derived_id(ids.AGENT, *parts) == ids.derived_id(ids.AGENT, *parts)


@given(
    st.tuples(
        st.uuids(), st.integers(1, 9), st.integers(0, 100), st.integers(0, 50), st.sampled_from(["think", "act"])
    ),
    st.tuples(
        st.uuids(), st.integers(1, 9), st.integers(0, 100), st.integers(0, 50), st.sampled_from(["think", "act"])
    ),
)
def test_operation_keys_differ_unless_the_operation_is_the_same(one: tuple, other: tuple) -> None:
    def key(run: object, *rest: object) -> str:
        return ids.operation_key(f"run_{run.hex}", *rest)

    assert (key(*one) == key(*other)) is (one == other)
    assert (ids.step_id(key(*one)) == ids.step_id(key(*other))) is (one == other)


def test_numbers_do_not_run_into_each_other() -> None:
    """`11` + `1` and `1` + `11` are two operations."""
    keys = {ids.operation_key("run_x", a, b, c, "act") for a in range(1, 12) for b in range(12) for c in range(12)}
    assert len(keys) == 11 * 12 * 12
    assert len({ids.agent_id("run_x", number) for number in range(1, 200)}) == 199
    assert len({ids.hold_key("run_x", attempt) for attempt in range(1, 50)}) == 49


def test_agents_and_tasks_of_a_run_have_ids_of_their_own() -> None:
    one, other = ids.agent_id("run_a", 1), ids.agent_id("run_b", 1)
    assert one != other
    assert one.removeprefix("agent_") != ids.task_id("run_a", 1).removeprefix("task_")
    assert ids.agent_workflow_id("run_a", 3) == "run_a/agent/3"


def test_keys_of_an_attempt_do_not_collide_with_operation_keys() -> None:
    holds = {ids.hold_key("run_a", 1), *(ids.settle_key("run_a", 1, kind) for kind in ("charge", "release", "expire"))}
    operations = {ids.operation_key("run_a", 1, 0, step, "plan") for step in range(RUN_TRIES_DEFAULT)}
    assert len(holds) == 4
    assert not holds & operations
