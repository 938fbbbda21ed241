"""The production compose file: it parses, pins, waits for health, and holds no secret."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.embedded.servers import DYNAMIC_CONFIG, EXTENSIONS, SEARCH_ATTRIBUTES
from infra.settings import variables

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.temporal.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {name for name, service in SERVICES.items() if str(service["restart"]).startswith("on-failure:")}
OURS = ("migrate", "api", "worker")

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_parts() -> None:
    assert set(SERVICES) == {
        *("postgres", "redis", "minio"),
        *("temporal-schema", "temporal", "temporal-namespace", "temporal-ui"),
        *OURS,
    }
    assert {"temporal-schema", "temporal-namespace", "migrate"} == ONCE


@each_service
def test_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[a-z0-9./-]+:(\d+\.\d+(\.\d+)?[a-z0-9.-]*|RELEASE\.[0-9TZ-]+)", image), (
        f"{image} is not pinned to a version"
    )
    if "build" in SERVICES[name]:
        build = SERVICES[name]["build"]
        assert (ROOT / build["context"] / build["dockerfile"]).exists()


@each_service
def test_a_service_is_watched_and_a_job_ends(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] in ("unless-stopped", "on-failure:5")
    if name in ONCE:
        assert "healthcheck" not in service
    else:
        assert {"test", "interval", "timeout", "retries"} <= service["healthcheck"].keys()


@each_service
def test_dependencies_exist_and_can_be_fulfilled(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] == ("service_completed_successfully" if needed in ONCE else "service_healthy")


@each_service
def test_secrets_come_from_the_environment(name: str) -> None:
    for variable, value in (SERVICES[name].get("environment") or {}).items():
        if re.search(r"PASSWORD|PWD|SECRET|PAYLOAD_KEYS|ACCESS_KEY|OWNER_URL|DATABASE_URL|REDIS_URL", variable):
            assert re.search(r"\$\{[A-Z0-9_]+:\?\}", value), f"{variable} must be required"


@each_service
def test_ports_are_published_locally_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@each_service
def test_mounted_files_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", OURS)
def test_our_variables_are_known(name: str) -> None:
    known = {variable for variable, _default, _meaning in variables()}
    assert set(SERVICES[name]["environment"]) <= known


def test_only_migrations_hold_the_owner() -> None:
    holders = [name for name in OURS if "SWISSBRAIN_DATABASE_OWNER_URL" in SERVICES[name]["environment"]]
    assert holders == ["migrate"]


def test_every_required_variable_stands_in_the_example() -> None:
    required = set(re.findall(r"\$\{([A-Z0-9_]+):\?\}", TEXT))
    example = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^([A-Z0-9_]+)=$", example, re.MULTILINE)) == required


def test_temporal_is_as_in_the_embedded_stack() -> None:
    namespace = (ROOT / "deploy" / "temporal" / "setup-namespace.sh").read_text(encoding="utf-8")
    for name, kind in SEARCH_ATTRIBUTES.items():
        assert f"{name}:{kind}" in namespace
    config = yaml.safe_load((ROOT / "deploy/temporal/dynamicconfig/production.yaml").read_text(encoding="utf-8"))
    assert config["matching.enableFairness"] == [{"value": DYNAMIC_CONFIG["matching.enableFairness"] == "true"}]
    versions = {SERVICES[name]["image"].rpartition(":")[2] for name in ("temporal", "temporal-schema")}
    assert len(versions) == 1, "schema and server must be of one version"


def test_postgres_is_as_in_the_embedded_stack() -> None:
    script = (ROOT / "deploy" / "postgres" / "init.sh").read_text(encoding="utf-8")
    for extension in EXTENSIONS:
        assert f"CREATE EXTENSION {extension};" in script


def test_image_runs_as_an_ordinary_user() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert all(":" in image for image in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
