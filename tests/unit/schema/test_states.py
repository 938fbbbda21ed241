"""The transition table, what is derived from it, and its page."""

import re
from pathlib import Path

import pytest

from schema import contracts, states
from schema.events import EventType
from schema.states import (
    COMMANDS,
    LIVE,
    RUN_TRANSITIONS,
    TERMINAL,
    AgentStatus,
    RunCommand,
    RunStatus,
    StatusDetail,
    StepStatus,
    allows,
    may_transition,
)

PAGE = (Path(contracts.__file__).parents[2] / "docs" / "lifecycle.md").read_text()

DESIGN = {
    # design.md, section 3, row by row.
    "created": {"pending", "cancelled"},
    "pending": {"running", "cancelled"},
    "running": {"paused", "cancelled", "completed", "retrying", "failed"},
    "paused": {"resuming", "cancelled"},
    "resuming": {"running", "cancelled"},
    "retrying": {"pending", "cancelled"},
    "failed": {"retrying"},
}
LOST = {"pending", "paused", "resuming", "retrying"}
"""Where the workflow may be lost without running: the reconciler closes the attempt as failed (D54, D65)."""


def test_the_table_is_the_design() -> None:
    designed = {(source, target) for source, targets in DESIGN.items() for target in targets}
    lost = {(source, "failed") for source in LOST}
    assert {(a.value, b.value) for a, b in RUN_TRANSITIONS} == designed | lost


def test_the_words_of_the_contract() -> None:
    """Rows and callers have them: a changed word is a migration and a new version of the API."""
    assert [detail.value for detail in StatusDetail] == [
        *("pausing", "cancelling", "waiting_for_credits", "backing_off", "finishing"),
    ]
    assert [status.value for status in AgentStatus] == ["pending", "running", "completed", "failed", "cancelled"]
    assert [status.value for status in StepStatus] == ["completed", "failed", "cancelled"]


def test_may_transition_reads_the_table() -> None:
    for source in RunStatus:
        for target in RunStatus:
            assert may_transition(source, target) is ((source, target) in RUN_TRANSITIONS)
        assert not may_transition(source, source)


def test_every_status_is_either_new_live_or_terminal() -> None:
    assert {RunStatus.CREATED} | LIVE | TERMINAL == set(RunStatus)
    assert not LIVE & TERMINAL
    assert RunStatus.CREATED not in LIVE | TERMINAL


def test_every_status_can_be_reached_and_every_run_can_end() -> None:
    reached, ends = {RunStatus.CREATED}, set(TERMINAL)
    for _ in RunStatus:
        reached |= {target for source, target in RUN_TRANSITIONS if source in reached}
        ends |= {source for source, target in RUN_TRANSITIONS if target in ends}
    assert reached == ends == set(RunStatus)


def test_nothing_leaves_a_terminal_status_but_the_retry_of_a_failure() -> None:
    assert {(a, b) for a, b in RUN_TRANSITIONS if a in TERMINAL} == {(RunStatus.FAILED, RunStatus.RETRYING)}


def test_nothing_returns_to_created() -> None:
    assert not [source for source, target in RUN_TRANSITIONS if target is RunStatus.CREATED]


@pytest.mark.parametrize(
    ("command", "target"),
    [
        (RunCommand.PAUSE, RunStatus.PAUSED),
        (RunCommand.RESUME, RunStatus.RESUMING),
        (RunCommand.CANCEL, RunStatus.CANCELLED),
    ],
)
def test_a_command_is_allowed_exactly_where_its_transition_is(command: RunCommand, target: RunStatus) -> None:
    assert COMMANDS[command] == {source for source, to in RUN_TRANSITIONS if to is target}


def test_the_remaining_commands() -> None:
    assert set(COMMANDS) == set(RunCommand)
    assert COMMANDS[RunCommand.START] == {RunStatus.CREATED}
    assert may_transition(_S.CREATED, _S.PENDING)
    # `retrying` is also where a failed try waits; only a failed run is retried by a caller.
    assert COMMANDS[RunCommand.RETRY] == {RunStatus.FAILED} == {a for a in TERMINAL if may_transition(a, _S.RETRYING)}
    # What finishes may complete, if need be after it has resumed.
    assert COMMANDS[RunCommand.FINISH] == {RunStatus.RUNNING, RunStatus.PAUSED}
    assert may_transition(_S.RUNNING, _S.COMPLETED)
    assert may_transition(_S.PAUSED, _S.RESUMING)
    assert may_transition(_S.RESUMING, _S.RUNNING)


def test_no_command_is_allowed_on_a_completed_or_cancelled_run() -> None:
    for command in RunCommand:
        assert not allows(command, RunStatus.COMPLETED)
        assert not allows(command, RunStatus.CANCELLED)


def test_every_command_is_allowed_somewhere_and_refused_somewhere() -> None:
    for command in RunCommand:
        assert {allows(command, status) for status in RunStatus} == {True, False}


def test_terminal_statuses_have_an_event_of_their_name() -> None:
    """An invariant compares the last event of an ended run with `run.` + status."""
    for status in TERMINAL:
        assert EventType(f"run.{status.value}")


def _table(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def _codes(cell: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", cell)


def test_the_page_lists_every_status() -> None:
    assert [_codes(row[0]) for row in _table("Statuses")] == [[status.value] for status in RunStatus]
    for row in _table("Statuses"):
        status = RunStatus(_codes(row[0])[0])
        assert row[2].partition(":")[0] == ("open" if status in LIVE else "settled" if status in TERMINAL else "none")


def test_the_page_lists_every_transition_once() -> None:
    rows = [(_codes(row[0])[0], _codes(row[1])[0]) for row in _table("Transitions")]
    assert len(rows) == len(set(rows))
    assert set(rows) == {(a.value, b.value) for a, b in RUN_TRANSITIONS}


def test_the_pages_diagram_shows_every_transition() -> None:
    diagram = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
    assert diagram is not None
    arrows = re.findall(r"^\s*(\S+) --> (\w+|\[\*\])(?:: (\w+))?$", diagram[1], re.MULTILINE)
    assert {(a, b) for a, b, _ in arrows if "[*]" not in (a, b)} == {(a.value, b.value) for a, b in RUN_TRANSITIONS}
    assert {b for a, b, _ in arrows if a == "[*]"} == {"created"}
    assert {a for a, b, _ in arrows if b == "[*]"} == {"completed", "cancelled"}
    for source, _, command in arrows:
        if command:
            assert RunStatus(source) in COMMANDS[RunCommand(command)]


def test_the_page_lists_every_command() -> None:
    listed = {_codes(row[0])[0]: set(_codes(row[1])) for row in _table("Commands")}
    assert listed == {command.value: {status.value for status in allowed} for command, allowed in COMMANDS.items()}


_S = states.RunStatus
