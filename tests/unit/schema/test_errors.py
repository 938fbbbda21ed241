"""The tree of errors, its one table, and the picture at its top."""

import json
import pickle
import re
from collections import Counter

import pytest

from schema import errors
from schema.errors import (
    POLICIES,
    CallerError,
    DependencyError,
    IdempotencyInFlight,
    InvariantViolated,
    ModelFilesInvalid,
    PartMissing,
    ProviderRefused,
    RateLimited,
    SourceUnavailable,
    SwissbrainError,
    all_errors,
    policy_of,
)

EVERY = sorted(all_errors(), key=lambda kind: kind.__name__)
FAMILIES = (CallerError, DependencyError, InvariantViolated)
FACTS = {"status": "running", "limit": 3, "required": "50.00", "errors": [{"field": "task", "detail": "too long"}]}


def test_every_code_has_a_row_and_every_row_a_class() -> None:
    assert Counter(kind.code for kind in EVERY) == Counter(list(POLICIES))


def test_every_class_has_a_code_of_its_own_or_is_a_family() -> None:
    pending: list[type[SwissbrainError]] = [SwissbrainError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        assert "code" in vars(kind) or kind in (CallerError, DependencyError)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_code_is_the_class_name_in_snake_case(kind: type[SwissbrainError]) -> None:
    if kind is not SwissbrainError:
        assert kind.code == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickle(kind: type[SwissbrainError]) -> None:
    error = kind("what happened, and what to do", retry_after_s=1.5, **FACTS)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.detail, again.retry_after_s, again.facts) == (error.detail, 1.5, FACTS)
    assert str(again) == error.detail
    assert json.loads(json.dumps(again.facts)) == FACTS


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_the_family_decides_status_and_retry(kind: type[SwissbrainError]) -> None:
    policy = policy_of(kind("detail"))
    if issubclass(kind, CallerError):
        assert 400 <= policy.http_status < 500
        assert policy.expected
        assert policy.retryable is (kind in (IdempotencyInFlight, RateLimited))
    elif issubclass(kind, DependencyError):
        assert policy.http_status in (502, 503)
        assert policy.retryable is (kind not in (ModelFilesInvalid, PartMissing, ProviderRefused, SourceUnavailable))
    else:
        assert policy.http_status == 500
        assert not policy.retryable
    assert policy.title == policy.title.strip(". ")


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_code_and_its_error_have_the_same_row(kind: type[SwissbrainError]) -> None:
    assert policy_of(kind.code) is policy_of(kind("detail")) is POLICIES[kind.code]


def test_an_unknown_code_is_an_internal_error() -> None:
    assert policy_of("no_such_code") is POLICIES["internal_error"]


def test_what_alerts() -> None:
    """Outages and bugs alert; a caller's mistake, a busy provider, a dead link and a late attempt do not."""
    alerting = {kind.code for kind in EVERY if not POLICIES[kind.code].expected}
    assert alerting == {
        "internal_error",
        "model_files_invalid",
        "provider_unavailable",
        "provider_refused",
        "provider_answer_invalid",
        "storage_unavailable",
        "orchestrator_unavailable",
        "sandbox_unavailable",
        "invariant_violated",
        "ledger_imbalance",
    }


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    tree = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0]
    drawn = {name: int(status) for name, status in re.findall(r"\b([A-Z]\w+) (\d{3})\b", tree)}
    leaves = {
        kind.__name__: POLICIES[kind.code].http_status for kind in EVERY if kind not in (SwissbrainError, *FAMILIES)
    }
    assert drawn == leaves
    for family in FAMILIES:
        part = tree.partition(f"── {family.__name__} ")[2]
        for other in FAMILIES:
            part = part.partition(f"── {other.__name__} ")[0]
        below = {name for name in leaves if re.search(rf"\b{name} \d", part)}
        assert below == {name for name in leaves if issubclass(getattr(errors, name), family)}
