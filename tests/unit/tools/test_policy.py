"""The policy table over every combination, and that nothing an organisation closed is opened by a run."""

from itertools import product

import pytest

from activities.tools.policy import TABLE, Legs, Reach, Verdict, decide, reach_of
from schema.contracts.policy import ToolPolicy, call_digest, canonical_json
from schema.contracts.tools import Effect

BOTH = (False, True)
EVERY = list(product(Reach, BOTH, BOTH, BOTH, BOTH))


def expected(reach: Reach, untrusted: bool, private: bool, free: bool, named: bool) -> Verdict:
    """Say it in words: the rule of two, and what is required besides."""
    if reach is Reach.CHOSEN and not free:
        return Verdict.REFUSE
    if reach is Reach.CHANGES or (reach is Reach.CHOSEN and untrusted and private):
        return Verdict.APPROVE
    return Verdict.APPROVE if named else Verdict.ALLOW


@pytest.mark.parametrize(("reach", "untrusted", "private", "free", "named"), EVERY)
def test_every_combination(reach: Reach, untrusted: bool, private: bool, free: bool, named: bool) -> None:
    decision = decide(reach, Legs(untrusted, private), free_browsing=free, named=named)
    assert decision.verdict is expected(reach, untrusted, private, free, named)
    assert decision.rule


def test_the_table_is_complete_and_three_legs_never_pass_unseen() -> None:
    assert len(EVERY) == 64
    assert set(TABLE) == set(product(Reach, BOTH, BOTH, BOTH))
    for (reach, untrusted, private, _), decision in TABLE.items():
        if untrusted and private and reach in (Reach.CHOSEN, Reach.CHANGES):
            assert decision.verdict is not Verdict.ALLOW


@pytest.mark.parametrize("free", BOTH)
@pytest.mark.parametrize(("untrusted", "private"), list(product(BOTH, BOTH)))
def test_a_change_names_the_rule_of_two_only_where_all_three_meet(untrusted: bool, private: bool, free: bool) -> None:
    """A person who is asked reads why: with one leg a change waits because of what it changes."""
    decision = decide(Reach.CHANGES, Legs(untrusted, private), free_browsing=free, named=False)
    assert decision.rule == ("rule_of_two" if untrusted and private else "consequential")


@pytest.mark.parametrize(
    ("effect", "known", "reach"),
    [
        (Effect.READ, True, Reach.INSIDE),
        (Effect.READ, False, Reach.INSIDE),
        (Effect.EGRESS, True, Reach.GIVEN),
        (Effect.EGRESS, False, Reach.CHOSEN),
        (Effect.WRITE, True, Reach.CHANGES),
        (Effect.WRITE, False, Reach.CHANGES),
    ],
)
def test_reach(effect: Effect, known: bool, reach: Reach) -> None:
    assert reach_of(effect, addresses_known=known) is reach


TOOLS: list[tuple[str, ...] | None] = [None, (), ("a",), ("a", "b"), ("b", "c")]


@pytest.mark.parametrize("own", TOOLS)
@pytest.mark.parametrize("asked", TOOLS)
@pytest.mark.parametrize("free", [(False, None), (False, True), (True, None), (True, False), (True, True)])
def test_a_run_is_never_wider_than_its_organisation(
    own: tuple[str, ...] | None, asked: tuple[str, ...] | None, free: tuple[bool, bool | None]
) -> None:
    organisation = ToolPolicy(tools=own, free_browsing=free[0], require_approval=("x",), canaries=("planted",))
    run = organisation.narrowed(tools=asked, free_browsing=free[1], require_approval=("y", "x"))
    for tool in ("a", "b", "c"):
        assert not run.permits(tool) or organisation.permits(tool)
        assert not run.permits(tool) or asked is None or tool in asked
    assert run.free_browsing == (free[0] and free[1] is not False)
    assert run.require_approval == ("x", "y")
    assert run.canaries == ("planted",)


def test_the_digest_binds_tool_version_and_arguments() -> None:
    said = canonical_json({"b": [1, "ä\u202e"], "a": None})
    assert said == '{"a":null,"b":[1,"\\u00e4\\u202e"]}'
    digests = {call_digest(*each) for each in (("t", "1", said), ("t", "2", said), ("u", "1", said), ("t", "1", "{}"))}
    assert len(digests) == 4
