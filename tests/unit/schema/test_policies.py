"""Limits that only make sense together."""

from datetime import timedelta

from schema import policies
from schema.policies import TaskQueue


def test_every_limit_is_positive() -> None:
    for name, value in vars(policies).items():
        if name.isupper() and isinstance(value, int | float | timedelta):
            assert value > type(value)(0), name


def test_a_hold_outlives_the_longest_pause() -> None:
    assert policies.PAUSED_MAX + timedelta(days=1) < policies.HOLD_LIFETIME


def test_keys_are_kept_longer_than_promised() -> None:
    assert policies.IDEMPOTENCY_KEPT > policies.IDEMPOTENCY_PROMISED >= timedelta(hours=24)
    assert policies.IDEMPOTENCY_KEY_LENGTH_MAX == 255


def test_defaults_lie_within_their_limits() -> None:
    assert 1 <= policies.AGENTS_DEFAULT <= policies.AGENTS_MAX
    assert policies.AGENTS_PARALLEL_MAX <= policies.AGENTS_MAX
    assert policies.TOKENS_MIN <= policies.TOKENS_DEFAULT <= policies.TOKENS_MAX
    assert policies.PAGE_SIZE_DEFAULT <= policies.PAGE_SIZE_MAX
    assert 0 < policies.AGENTS_BUDGET_SHARE_PERCENT < 100


def test_a_heartbeat_may_be_lost_without_losing_the_activity() -> None:
    assert policies.HEARTBEAT >= 3 * policies.HEARTBEAT_EVERY


def test_backoff_grows_from_its_first_to_its_cap() -> None:
    assert policies.RETRY_INITIAL < policies.RETRY_CAP
    assert policies.RUN_RETRY_BASE < policies.RUN_RETRY_CAP
    assert policies.RETRY_ATTEMPTS_TOOL <= policies.RETRY_ATTEMPTS_MODEL


def test_retries_do_not_multiply_without_bound() -> None:
    """D62: 324 executions of one paid tool. Here the worst case is tries of a run x attempts of an activity."""
    assert policies.RUN_TRIES_DEFAULT * policies.RETRY_ATTEMPTS_MODEL <= 18


def test_an_agents_history_stays_far_below_temporals_limit() -> None:
    events_per_step = 12
    assert policies.AGENT_STEPS_PER_EXECUTION * events_per_step < 10_240
    assert policies.AGENT_STEPS_MAX <= policies.AGENT_STEPS_PER_EXECUTION


def test_what_travels_fits_temporals_limits() -> None:
    """2 MB per payload, 4 MB per message (research/temporal.md)."""
    assert policies.PAYLOAD_BYTES_MAX <= 2 * 1024 * 1024 // 4
    assert policies.STEP_OUTPUT_INLINE_BYTES_MAX <= 64 * 1024
    assert policies.CONTEXT_BYTES_MAX + 4 * policies.TASK_LENGTH_MAX <= policies.PAYLOAD_BYTES_MAX
    assert policies.CONTEXT_BYTES_MAX < policies.REQUEST_BYTES_MAX


def test_a_command_is_answered_before_clients_give_up() -> None:
    assert timedelta(seconds=1) < policies.UPDATE_ANSWER_WITHIN < timedelta(seconds=10)
    assert policies.DATABASE_TIMEOUT < policies.UPDATE_ANSWER_WITHIN


def test_a_fetch_ends_before_its_tool_does() -> None:
    assert policies.FETCH_CONNECT_TIMEOUT < policies.FETCH_TIMEOUT < policies.TOOL_TIMEOUT_MAX


def test_names_of_task_queues_never_change() -> None:
    assert [queue.value for queue in TaskQueue] == ["runs", "agents", "tools", "tools-cpu", "billing"]


def test_the_reconciler_leaves_what_is_under_way_alone() -> None:
    assert policies.RECONCILE_GRACE >= 2 * policies.UPDATE_ANSWER_WITHIN
    assert policies.RECONCILE_EVERY >= policies.RECONCILE_GRACE
