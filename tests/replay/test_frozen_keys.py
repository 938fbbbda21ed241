"""Keys and derived identifiers, frozen by value.

A replay does not notice that a key changed, and a run that is under way would be charged again for what it has paid,
or find none of its rows. A failure here is never mended by changing the expectation: the old value must go on being
what the code computes for runs that exist.
"""

from datetime import UTC, datetime

import pytest

from schema import ids
from schema.events import EventType
from schema.policies import REPORT_STAGES
from schema.states import AgentStatus, RunCommand, RunStatus, StatusDetail, StepStatus

RUN = "run_0197a000000070008000000000000001"
FILE = "file_0197a000000070008000000000000002"
ORG = "org_0197a000000070008000000000000002"


@pytest.mark.parametrize(
    ("computed", "frozen"),
    [
        (ids.operation_key(RUN, 1, 0, 0, "plan"), "run_0197a000000070008000000000000001:1:0:0:plan"),
        (ids.operation_key(RUN, 1, 0, 0, "report"), "run_0197a000000070008000000000000001:1:0:0:report"),
        (ids.operation_key(RUN, 1, 0, 1, "merge"), "run_0197a000000070008000000000000001:1:0:1:merge"),
        (ids.operation_key(RUN, 1, 0, 4, "render"), "run_0197a000000070008000000000000001:1:0:4:render"),
        (ids.operation_key(RUN, 2, 3, 4, "think"), "run_0197a000000070008000000000000001:2:3:4:think"),
        (ids.operation_key(RUN, 1, 10, 49, "act"), "run_0197a000000070008000000000000001:1:10:49:act"),
        (ids.operation_key(FILE, 2, 0, 0, "read"), "file_0197a000000070008000000000000002:2:0:0:read"),
        (ids.hold_key(FILE, 2), "file_0197a000000070008000000000000002:2:hold"),
        (ids.hold_key(RUN, 1), "run_0197a000000070008000000000000001:1:hold"),
        (ids.settle_key(RUN, 2, "charge"), "run_0197a000000070008000000000000001:2:charge"),
        (ids.settle_key(RUN, 2, "release"), "run_0197a000000070008000000000000001:2:release"),
        (ids.dated_id("file", datetime(2026, 1, 2, tzinfo=UTC), "x", 1), "file_019b7c0104007bf2917a000058a9ce22"),
        (ids.agent_workflow_id(RUN, 7), "run_0197a000000070008000000000000001/agent/7"),
        (ids.agent_id(RUN, 1), "agent_6d256695ecd1566bac4429f20ed8e003"),
        (ids.agent_id(RUN, 10), "agent_423186142db250d59c42c7a0002c94dc"),
        (ids.task_id(RUN, 1), "task_6f25ba09bcdd5d17b0be98135bb190bf"),
        (ids.step_id(ids.operation_key(RUN, 1, 2, 3, "act")), "step_9443d69daf4a5b85baa55cf3a4f25911"),
        (ids.derived_id(ids.HOLD, RUN, 1), "hold_b7028227ced553c2a68adf4115f329d2"),
        (ids.derived_id(ids.USAGE, ids.operation_key(RUN, 1, 2, 3, "act")), "use_9443d69daf4a5b85baa55cf3a4f25911"),
        (ids.derived_id(ids.ARTIFACT, RUN, "research_report.md"), "art_c1dc42649d175fc6a04c7009d1ddcea5"),
        (ids.derived_id(ids.SOURCE, RUN, "ab" * 32), "src_e937b4ee541652f8aecf6067af88de0a"),
        (ids.derived_id(ids.CLAIM, RUN, 2, "clm_x"), "clm_35e64de278a9518aad8a231ebb708f2e"),
        (ids.derived_id(ids.DEAD_LETTER, ORG, "run", RUN, 1), "dead_9315bd1d8fef56f091a53be63f112349"),
    ],
)
def test_keys_are_frozen(computed: str, frozen: str) -> None:
    assert computed == frozen


def test_stages_of_the_report_are_frozen() -> None:
    """Their places are the step numbers in the keys."""
    assert REPORT_STAGES == ("merge", "resolve", "write", "render")


def test_prefixes_are_frozen() -> None:
    prefixes = {name: value for name, value in vars(ids).items() if name.isupper() and isinstance(value, str)}
    assert prefixes == {
        "ORGANISATION": "org",
        "USER": "user",
        "API_KEY": "key",
        "RUN": "run",
        "AGENT": "agent",
        "TASK": "task",
        "STEP": "step",
        "ARTIFACT": "art",
        "DOCUMENT": "doc",
        "FILE": "file",
        "FILE_QUESTION": "ask",
        "HOLD": "hold",
        "LEDGER_ENTRY": "txn",
        "USAGE": "use",
        "SOURCE": "src",
        "CLAIM": "clm",
        "REQUEST": "req",
        "DEAD_LETTER": "dead",
        "AUDIT": "aud",
        "SESSION": "sess",
        "INVITATION": "inv",
        "APPROVAL": "appr",
        "ERASURE": "erase",
        "EXPORT": "export",
        "DATA_EXPORT": "dataexport",
        "CONNECTOR": "conn",
    }


def test_words_of_the_contract_are_frozen() -> None:
    """They stand in rows, in events that clients read, and in histories. New ones may be added, none may change."""
    words = {kind.__name__: " ".join(word.value for word in kind) for kind in (RunStatus, StatusDetail, RunCommand)}
    assert words == {
        "RunStatus": "created pending running paused resuming retrying completed failed cancelled",
        "StatusDetail": "pausing cancelling waiting_for_credits backing_off finishing",
        "RunCommand": "start pause resume cancel retry finish",
    }
    assert [status.value for status in AgentStatus] == ["pending", "running", "completed", "failed", "cancelled"]
    assert [status.value for status in StepStatus] == ["completed", "failed", "cancelled"]


def test_names_of_events_are_frozen() -> None:
    names = {event.value for event in EventType}
    assert names >= {
        *(f"run.{word}" for word in ("created", "pending", "started", "planned", "pausing", "paused", "resumed")),
        *(f"run.{word}" for word in ("retrying", "cancelling", "cancelled", "completed", "failed", "status_changed")),
        *(f"agent.{word}" for word in ("spawned", "thought", "completed", "failed", "cancelled")),
        *("tool.completed", "tool.failed", "report.written", "credits.held", "credits.settled"),
    }
