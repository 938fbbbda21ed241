"""kill -9 while a run is exported.

Pass threshold: every export completes, with one artifact that has the hash of an export that nothing happened to; the
pack verifies; every invariant counts 0.
"""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from activities.deliverables.verifying import verify_pack
from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("chaos")]

TASK = "How tall is Mount Kestrel?"
MOMENTS_S = (0.05, 0.4, 0.8, 1.2, 1.8, 2.5, 3.5, 5.0)
"""After the requests: while the runs are collected, drawn, built, recorded."""
FORMATS = ("md", "html", "pdf", "docx", "pptx", "json", "zip")
EXPORT_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def run_id(stack: Stack) -> str:
    """A completed run."""
    made = stack.create(TASK)
    stack.start(made)
    assert stack.finished(made)["status"] == "completed"
    return made


def ask(stack: Stack, run_id: str, format: str) -> str:
    answer = stack.call("POST", f"/api/v1/runs/{run_id}/export", json={"format": format})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def ended(stack: Stack, export_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + EXPORT_WITHIN_S
    while (export := stack.get(f"/api/v1/exports/{export_id}"))["status"] == "processing":
        assert time.monotonic() < deadline, export
        time.sleep(0.2)
    return dict(export)


def asked_and_killed(stack: Stack, run_id: str, formats: Sequence[str], moment_s: float, kill: str) -> dict[str, str]:
    """Export a run in several formats, kill at a moment, and return each file's hash."""
    asked = {format: ask(stack, run_id, format) for format in formats}
    time.sleep(moment_s)
    states = [stack.get(f"/api/v1/exports/{export_id}")["status"] for export_id in asked.values()]
    if kill == "worker":
        stack.returned("worker", stack.kill("worker"))
    elif kill:
        stack.kill_everything()
        stack.up()
    print(f"{moment_s} s, {kill or 'nothing'}: {states}")
    found = {format: ended(stack, export_id) for format, export_id in asked.items()}
    for export in found.values():
        assert export["status"] == "completed", export
    made = stack.get(f"/api/v1/runs/{run_id}/artifacts")["artifacts"]
    for export in found.values():
        assert [item["sha256"] for item in made if item["name"] == export["name"]] == [export["sha256"]], export
    if "zip" in asked:
        file = stack.call("GET", f"/api/v1/exports/{asked['zip']}/download").content
        assert verify_pack(file).faults == []
    return {format: str(export["sha256"]) for format, export in found.items()}


def test_a_killed_export_is_the_same_file(stack: Stack, run_id: str) -> None:
    """A deck and a pack, under the kill of the worker and of everything."""
    formats = ("pptx", "zip")
    undisturbed = asked_and_killed(stack, run_id, formats, 0, "")
    for kill, moment_s in (("worker", MOMENTS_S[2]), ("everything", MOMENTS_S[1])):
        assert asked_and_killed(stack, run_id, formats, moment_s, kill) == undisturbed
    stack.check()


@pytest.mark.extended
@pytest.mark.timeout(1_800)
def test_every_format_at_every_moment(stack: Stack, run_id: str) -> None:
    """The same of all formats, at eight moments of the worker and four of everything."""
    undisturbed = asked_and_killed(stack, run_id, FORMATS, 0, "")
    for moment_s in MOMENTS_S:
        assert asked_and_killed(stack, run_id, FORMATS, moment_s, "worker") == undisturbed, moment_s
    for moment_s in MOMENTS_S[::2]:
        assert asked_and_killed(stack, run_id, FORMATS, moment_s, "everything") == undisturbed, moment_s
    stack.check()
