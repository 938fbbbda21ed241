"""What an agent may do, as one table. Pure: the facts come from `guard.py`, and every combination is tested.

The model is taken for the attacker: whatever it asks for, this decides. The rule of two (Meta, 2025): an agent never
combines untrusted input, private data, and the ability to act on the world or to choose where data goes. Where a call
would make it three, a person decides (docs/injection.md).
"""

from dataclasses import dataclass
from enum import StrEnum

from schema.contracts.tools import Effect


class Reach(StrEnum):
    """How far a call reaches, given its arguments."""

    INSIDE = "inside"
    """Stays within what the organisation has."""
    GIVEN = "given"
    """Leaves the platform, to where the operator, the task or a source said: the model chooses among them only."""
    CHOSEN = "chosen"
    """Leaves the platform, to an address of the model's own making: whoever it names reads it."""
    CHANGES = "changes"
    """Changes something in the world."""


class Verdict(StrEnum):
    """What becomes of a call."""

    ALLOW = "allow"
    APPROVE = "approve"
    """It waits for a person."""
    REFUSE = "refuse"


@dataclass(frozen=True)
class Legs:
    """What the agent has met so far."""

    untrusted: bool = False
    """Text that others wrote: pages, results of searches, answers of MCP servers, uploaded documents."""
    private: bool = False
    """Text that the organisation alone has: its documents, and MCP servers of the kind `corpus`."""


@dataclass(frozen=True)
class Decision:
    """A verdict and the rule that it follows from."""

    verdict: Verdict
    rule: str


_ALLOW = Decision(Verdict.ALLOW, "allowed")
_RULE_OF_TWO = Decision(Verdict.APPROVE, "rule_of_two")
_UNKNOWN = Decision(Verdict.REFUSE, "unknown_address")
_CONSEQUENTIAL = Decision(Verdict.APPROVE, "consequential")

# (reach, untrusted, private, free browsing). GIVEN passes with both other legs because it chooses no destination and
# is held to the limits of `egress.py`; a change always waits for a person.
TABLE: dict[tuple[Reach, bool, bool, bool], Decision] = {
    **{
        (Reach.INSIDE, untrusted, private, free): _ALLOW
        for untrusted in (False, True)
        for private in (False, True)
        for free in (False, True)
    },
    **{
        (Reach.GIVEN, untrusted, private, free): _ALLOW
        for untrusted in (False, True)
        for private in (False, True)
        for free in (False, True)
    },
    (Reach.CHOSEN, False, False, False): _UNKNOWN,
    (Reach.CHOSEN, False, True, False): _UNKNOWN,
    (Reach.CHOSEN, True, False, False): _UNKNOWN,
    (Reach.CHOSEN, True, True, False): _UNKNOWN,
    (Reach.CHOSEN, False, False, True): _ALLOW,
    (Reach.CHOSEN, False, True, True): _ALLOW,
    (Reach.CHOSEN, True, False, True): _ALLOW,
    (Reach.CHOSEN, True, True, True): _RULE_OF_TWO,
    **{
        (Reach.CHANGES, untrusted, private, free): _RULE_OF_TWO if untrusted and private else _CONSEQUENTIAL
        for untrusted in (False, True)
        for private in (False, True)
        for free in (False, True)
    },
}


def reach_of(effect: Effect, *, addresses_known: bool) -> Reach:
    """Return how far a call reaches.

    Args:
        addresses_known: every web address in its arguments was given by the task or by a source.
    """
    if effect is Effect.READ:
        return Reach.INSIDE
    if effect is Effect.WRITE:
        return Reach.CHANGES
    return Reach.GIVEN if addresses_known else Reach.CHOSEN


def decide(reach: Reach, legs: Legs, *, free_browsing: bool, named: bool) -> Decision:
    """Decide on one call.

    Args:
        named: the policy lets every call of this tool wait for a person.
    """
    decision = TABLE[reach, legs.untrusted, legs.private, free_browsing]
    if decision.verdict is Verdict.ALLOW and named:
        return Decision(Verdict.APPROVE, "required")
    return decision
