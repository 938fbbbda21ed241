"""Every error of the tree becomes problem+json with the status of its row, and never shows what is inside."""

import json

import pytest

from api.problems import EXPLANATIONS, all_codes, problem_of, problem_type, unexpected
from schema.errors import POLICIES, IllegalTransition, LedgerImbalance, SwissbrainError, all_errors

SCOPE = {"type": "http", "path": "/api/v1/runs", "method": "POST", "state": {"request_id": "req_1"}}


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.code)
def test_every_error_is_a_problem(kind: type[SwissbrainError]) -> None:
    answer = problem_of(SCOPE, kind("something is wrong; mend it", secret_place="table x"))
    body = json.loads(answer.body)
    row = POLICIES[kind.code]
    assert answer.media_type == "application/problem+json"
    assert answer.status_code == body["status"] == row.http_status
    assert body["type"] == problem_type(kind.code) == f"/problems/{kind.code}"
    assert (body["code"], body["title"], body["instance"]) == (kind.code, row.title, "/api/v1/runs")
    assert body["request_id"] == "req_1"
    assert body["detail"].endswith(".")
    assert ("retry-after" in answer.headers) == (row.retryable and row.http_status in (409, 429, 503))
    assert ("www-authenticate" in answer.headers) == (row.http_status == 401)
    if row.http_status == 500 and not row.expected:
        assert "secret_place" not in body
        assert "mend it" not in body["detail"]


def test_facts_do_not_replace_standard_members() -> None:
    body = json.loads(problem_of(SCOPE, IllegalTransition("no", status="paused", code="x", limit=3)).body)
    assert (body["status"], body["current_status"], body["limit"]) == (409, "paused", 3)
    assert (body["code"], body["current_code"]) == ("illegal_transition", "x")


def test_retry_after_is_taken_from_the_error_and_rounded_up() -> None:
    for code, expected in (("rate_limited", "3"), ("storage_unavailable", "3")):
        kind = next(kind for kind in all_errors() if kind.code == code)
        answer = problem_of(SCOPE, kind("wait", retry_after_s=2.1))
        assert (answer.headers["retry-after"], json.loads(answer.body)["retry_after"]) == (expected, 3)


def test_what_nobody_expected_stays_inside() -> None:
    body = json.loads(unexpected(SCOPE, RuntimeError("select * from secrets")).body)
    assert "secrets" not in json.dumps(body)
    assert body["code"] == "internal_error"
    assert "ledger" not in json.loads(problem_of(SCOPE, LedgerImbalance("ledger 5 is off")).body)["detail"]


def test_every_code_is_explained() -> None:
    assert set(all_codes()) == set(EXPLANATIONS)
