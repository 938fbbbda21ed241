"""Exports over HTTP: asked for, watched, downloaded, refused; the organisation's theme."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client

from activities.research.citations import Sidecar
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.states import RunStatus
from schema.store import artifacts
from schema.store.artifacts import NewArtifact
from schema.store.exports import CITATIONS_NAME, REPORT_NAME
from tests.integration.api.conftest import Caller, eventually

pytestmark = pytest.mark.usefixtures("worker")
REPORT = "# Tides\n\n## Executive summary\n\nThe range is 14 metres.\n\n## Citations\n\nNo sources.\n"


async def completed(caller: Caller, db: Database, objects: ObjectStore, temporal: Client) -> str:
    """A completed run, with a report without sources."""
    run_id = await caller.start()
    await caller.until(run_id, "running")
    await temporal.get_workflow_handle(run_id).signal("end", RunStatus.COMPLETED.value)
    await caller.until(run_id, "completed")
    for name, mime, body in (
        (REPORT_NAME, "text/markdown", REPORT),
        (CITATIONS_NAME, "application/json", Sidecar().model_dump_json()),
    ):
        data = body.encode()
        ref = await objects.put(f"{caller.org.id}/artifacts/{sha256_of(data)}", data, mime)
        async with db.transaction(caller.org.id) as session:
            await artifacts.put_artifact(session, caller.org.id, run_id, NewArtifact(name, mime, ref))
    return run_id


async def exported(caller: Caller, run_id: str, within_s: float = 60, **body: Any) -> dict[str, Any]:
    """Export a run and wait for the end of it."""
    answer = await caller.post(f"/api/v1/runs/{run_id}/export", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/exports/{answer.json()['id']}"

    async def there() -> dict[str, Any] | None:
        found: dict[str, Any] = (await caller.get(f"/api/v1/exports/{answer.json()['id']}")).json()
        return found if found["status"] != "processing" else None

    return dict(await eventually(there, within_s))


async def test_the_documented_exchange(
    caller: Caller, db: Database, objects: ObjectStore, temporal_client: Client
) -> None:
    """Specification 2.2, field for field; then the file, with its hash, once more by its ETag."""
    run_id = await completed(caller, db, objects, temporal_client)
    asked = {"format": "json", "include_artifacts": True, "include_logs": False}
    answer = await caller.post(f"/api/v1/runs/{run_id}/export", json=asked, idem="once")
    made = answer.json()
    assert (answer.status_code, made["run_id"], made["format"]) == (202, run_id, "json")
    assert made["id"].startswith("export_")
    assert made["_links"]["download"] == f"/api/v1/exports/{made['id']}/download"
    again = await caller.post(f"/api/v1/runs/{run_id}/export", json=asked, idem="once")
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (made["id"], "true")
    done = await exported(caller, run_id, **asked)
    assert (done["status"], done["name"], done["mime_type"]) == (
        "completed",
        "run-with-artifacts.json",
        "application/json",
    )
    file = await caller.get(done["_links"]["download"])
    assert file.status_code == 200
    assert sha256_of(file.content) == done["sha256"]
    assert file.headers["content-disposition"].startswith("attachment")
    assert json.loads(file.content)["run"]["id"] == run_id
    cached = await caller.get(done["_links"]["download"], headers={"if-none-match": file.headers["etag"]})
    assert cached.status_code == 304
    listed = (await caller.get(f"/api/v1/runs/{run_id}/exports?limit=1")).json()
    assert listed["exports"][0]["id"] == done["id"]
    assert listed["next_cursor"]
    assert done["name"] in [
        each["name"] for each in (await caller.get(f"/api/v1/runs/{run_id}/artifacts")).json()["artifacts"]
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"format": "exe"}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
        ({"format": "pdf", "max_slides": 4}, 422, "validation_failed"),
        ({"format": "pdf", "colour": "red"}, 422, "validation_failed"),
        ({"format": "md", "include_logs": "yes"}, 422, "validation_failed"),
        ({"format": "pdf"}, 409, "conflict"),
    ],
    ids=["format", "nothing", "slides", "field", "truth", "not finished"],
)
async def test_what_is_refused_leaves_nothing_behind(
    caller: Caller, body: dict[str, Any], status: int, code: str
) -> None:
    """Before anything is written: there is no export afterwards."""
    run_id = (await caller.create())["id"]
    answer = await caller.post(f"/api/v1/runs/{run_id}/export", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (await caller.get(f"/api/v1/runs/{run_id}/exports")).json()["exports"] == []


async def test_a_run_without_a_report(caller: Caller) -> None:
    """A cancelled run has nothing to show; the refusal says so."""
    run_id = (await caller.create())["id"]
    assert (await caller.post(f"/api/v1/runs/{run_id}/cancel", json={})).status_code == 200
    answer = await caller.post(f"/api/v1/runs/{run_id}/export", json={"format": "md"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "no report" in answer.json()["detail"]


async def test_nobody_else_sees_it(
    caller: Caller, other: Caller, db: Database, objects: ObjectStore, temporal_client: Client
) -> None:
    """A foreign run, a foreign export: not there."""
    run_id = await completed(caller, db, objects, temporal_client)
    done = await exported(caller, run_id, format="json")
    assert (await other.post(f"/api/v1/runs/{run_id}/export", json={"format": "json"})).status_code == 404
    for path in (f"/api/v1/exports/{done['id']}", done["_links"]["download"], f"/api/v1/runs/{run_id}/exports"):
        assert (await other.get(path)).status_code == 404, path


async def test_a_file_expires(
    caller: Caller, db: Database, objects: ObjectStore, owner_db: Database, temporal_client: Client
) -> None:
    """410, and the export says what it was; a new one brings the same file back."""
    run_id = await completed(caller, db, objects, temporal_client)
    done = await exported(caller, run_id, format="json")
    async with owner_db.transaction(None) as session:
        await session.execute(
            text(
                "update artifacts set expires_at = clock_timestamp() - interval '1 second'"
                " where run_id = :run and name = :name"
            ),
            {"run": run_id, "name": done["name"]},
        )
    gone = await caller.get(done["_links"]["download"])
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")
    assert (await caller.get(f"/api/v1/exports/{done['id']}")).json()["sha256"] is None
    assert (await exported(caller, run_id, format="json"))["sha256"] == done["sha256"]


async def test_a_pack_needs_what_the_report_was_made_of(
    caller: Caller, db: Database, objects: ObjectStore, temporal_client: Client
) -> None:
    """An export that fails says why, costs nothing, and has no file."""
    run_id = await completed(caller, db, objects, temporal_client)
    failed = await exported(caller, run_id, format="zip")
    assert (failed["status"], failed["error"]["code"], failed["name"]) == ("failed", "gone", None)
    answer = await caller.get(failed["_links"]["download"])
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "failed" in answer.json()["detail"]


async def test_changes_of_a_theme_at_once_are_all_kept(caller: Caller) -> None:
    """Each changes what it names, whoever else changes something."""
    for number in range(6):
        colour, footer = f"#10203{number}", f"Internal {number}"
        await asyncio.gather(
            *(caller.patch("/api/v1/theme", json={name: colour}) for name in ("primary", "accent")),
            caller.patch("/api/v1/theme", json={"footer": footer}),
        )
        theme = (await caller.get("/api/v1/theme")).json()
        assert (theme["primary"], theme["accent"], theme["footer"]) == (colour, colour, footer)


async def test_the_theme_is_changed_part_by_part(caller: Caller) -> None:
    """What is left out stays, null is the product's own; a logo is a picture that is ready, and is copied."""
    theme = (await caller.patch("/api/v1/theme", json={"primary": "#102030", "footer": "Internal"})).json()
    assert (theme["primary"], theme["footer"], theme["logo_url"]) == ("#102030", "Internal", None)
    theme = (await caller.patch("/api/v1/theme", json={"footer": None, "accent": "#AABBCC"})).json()
    assert (theme["primary"], theme["accent"], theme["footer"]) == ("#102030", "#AABBCC", None)
    for body in ({"primary": "red"}, {"heading_font": "x;}"}, {"logo_file_id": "file_1"}, {"footer": "x" * 121}):
        assert (await caller.patch("/api/v1/theme", json=body)).status_code == 422, body
    notes = (await caller.post("/api/v1/files", files=[("file", ("a.md", b"# Notes\n\nNone.\n"))])).json()["files"][0]
    answer = await caller.patch("/api/v1/theme", json={"logo_file_id": notes["id"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "logo_file_id")
    assert (await caller.get("/api/v1/theme")).json()["primary"] == "#102030"
