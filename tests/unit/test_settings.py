"""Settings: what the environment may say, and that the table tells all of it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from activities.sources.catalogue import providers_table
from infra.settings import Settings, variables, variables_table

CONFIGURATION = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_every_variable_stands_in_the_table() -> None:
    """Regenerate with `python -m infra.settings`."""
    assert variables_table() in CONFIGURATION.read_text(encoding="utf-8")


def test_every_provider_stands_in_the_table() -> None:
    """Regenerate with `python -m activities.sources.catalogue`."""
    assert providers_table() in CONFIGURATION.read_text(encoding="utf-8")


def test_every_field_says_what_it_means() -> None:
    assert not [name for name, _default, meaning in variables() if not meaning]


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal:7233")
    monkeypatch.setenv("SWISSBRAIN_DATABASE_URL", "postgresql://a:b@db/x")
    monkeypatch.setenv("SWISSBRAIN_FETCH_ALLOWED_PRIVATE_HOSTS", "searx.local:8080, [::1]:81")
    monkeypatch.setenv("SWISSBRAIN_MODEL", "small")
    monkeypatch.setenv("SWISSBRAIN_MODEL_WRITER", "large")
    monkeypatch.setenv("SWISSBRAIN_MODEL_API_KEY", "")
    settings = Settings()
    assert settings.temporal_address == "temporal:7233"
    assert settings.owner_url == "postgresql://a:b@db/x"
    assert settings.fetch_allowed_private_hosts == ("searx.local:8080", "[::1]:81")
    assert [settings.model_for(role) for role in ("planner", "researcher", "writer")] == ["small", "small", "large"]
    assert settings.model_api_key is None
    assert settings.s3_presign_url == settings.s3_endpoint_url


def test_task_queues_can_be_kept_apart() -> None:
    assert Settings.model_validate({}).task_queue("runs") == "runs"
    assert Settings.model_validate({"temporal_task_queue_prefix": "t1-"}).task_queue("runs") == "t1-runs"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_url", "mysql://localhost/x"),
        ("s3_endpoint_url", "localhost:9000"),
        ("payload_keys", "id:dG9vIHNob3J0"),
        ("fetch_allowed_private_hosts", "localhost"),
        ("fetch_allowed_private_hosts", "http://localhost:80"),
        ("temporal_task_queue_prefix", "with space"),
        ("news_feeds", "ftp://feeds.example.org/"),
        ("searxng_url", "searx.local:8080"),
        ("http_user_agent", "bad\r\nheader"),
        ("log_level", "loud"),
        ("api_port", 0),
    ],
)
def test_unusable_values_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({field: value})


def test_secrets_are_not_shown() -> None:
    settings = Settings.model_validate({"database_url": "postgresql://a:hidden@db/x", "s3_secret_key": "hidden"})
    assert "hidden" not in repr(settings)
