"""Logs: one form for all, and no credentials."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from infra.logging import REDACTED, configure_logging, redact


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was: it belongs to the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_ours_and_the_libraries_lines_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="api")
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger("ours").info("run.created", run_id="run_1")
        logging.getLogger("theirs").warning("slow %s", "query", extra={"took_s": 2})
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert ours.items() >= {"event": "run.created", "run_id": "run_1", "level": "info", "logger": "ours"}.items()
    assert theirs.items() >= {"event": "slow query", "took_s": 2, "level": "warning", "logger": "theirs"}.items()
    for line in (ours, theirs):
        assert line["service"] == "api"
        assert line["request_id"] == "req_1"
        assert line["timestamp"].endswith("Z")


def test_level_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="warning")
    log = structlog.get_logger("ours")
    log.info("not.shown")
    try:
        raise ValueError("postgresql://role:hidden@host/db")
    except ValueError:
        log.exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError" in json.loads(line)["exception"]
    assert "hidden" not in line


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format="console")
    structlog.get_logger("ours").info("run.created", run_id="run_1")
    assert "run.created" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("api_key", "sk_live", REDACTED),
        ("Authorization", "anything", REDACTED),
        ("client_secret", ["a"], REDACTED),
        ("db_password", "x", REDACTED),
        ("session_token", "x", REDACTED),
        ("operation_key", "run_1:1:0:1:plan", "run_1:1:0:1:plan"),
        ("input_tokens", 512, 512),
        ("api_key", None, None),
        ("url", "postgresql://role:pw@host/db", f"postgresql://role:{REDACTED}@host/db"),
        ("url", "redis://:pw@host/0", f"redis://:{REDACTED}@host/0"),
        ("url", "http://s3/b/k?X-Amz-Signature=abc&x=1", f"http://s3/b/k?X-Amz-Signature={REDACTED}&x=1"),
        ("event", "sent Bearer abcdefgh12345678", f"sent Bearer {REDACTED}"),
        ("headers", {"Authorization": "x", "Accept": "y"}, {"Authorization": REDACTED, "Accept": "y"}),
        ("rows", [{"token": "x"}], [{"token": REDACTED}]),
    ],
)
def test_redaction(name: str, value: object, shown: object) -> None:
    assert redact(None, "info", {name: value}) == {name: shown}
