"""A scan dropped on a run: read by the real workflow, charged by the page, found and cited with its page."""

import io
import uuid

import pytest
from temporalio.client import Client

pytest.importorskip("rapidocr", reason="extra ocr is not installed")
from PIL import Image

from infra.database import Database
from infra.settings import Settings
from schema.contracts.common import ObjectRef
from schema.states import RunStatus
from schema.store import artifacts
from tests.integration.conftest import Org
from tests.integration.test_files import bring, row
from tests.integration.test_images import scanned_pdf
from tests.support.ledger import assert_sound
from tests.support.platform import platform
from tests.support.scans import note

PAGES = (
    ["Survey of the Severn", "The survey began in March 1849 near Bristol.", "It was led by Thomas Fulljames."],
    ["Tidal range", "The tidal range at Avonmouth is 14.2 metres.", "It was measured at the old pier."],
)


@pytest.mark.timeout(240)
async def test_a_scan_is_found_and_cited_with_its_page(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org
) -> None:
    """Two pages, two units; the report says what stands on the second, and names that page."""
    async with platform(settings, temporal_client, f"scan-{uuid.uuid4().hex[:8]}-") as stage:
        file_id = await bring(stage, org, scanned_pdf([note(lines) for lines in PAGES]), "survey.pdf")
        await temporal_client.get_workflow_handle(file_id).result()
        file = await row(db, org, file_id)
        assert (file.status, file.unit, file.amount, file.charged_ucr) == ("ready", "document.page", 2, 100_000)
        context = {"files": [file_id], "sources": ["corpus"]}
        task = "What is the tidal range at Avonmouth?"
        run_id = await stage.create(org.id, org.owner_id, task, context=context, max_agents=1)
        await stage.start(org.id, run_id)
        done = await stage.until(org.id, run_id, within_s=120)
        assert done.status == RunStatus.COMPLETED, done.last_error
        async with db.transaction(org.id) as session:
            made = {each.name: each for each in await artifacts.list_artifacts(session, org.id, run_id)}
        found = made["research_report.md"]
        ref = ObjectRef(key=found.object_key, sha256=found.content_sha256, size_bytes=found.size_bytes)
        report = (await stage.parts.objects.get(ref)).decode()
    assert "14.2 metres" in report
    assert ", p. 2" in report, report
    await assert_sound(owner_db)


@pytest.mark.timeout(120)
async def test_a_picture_that_lies_costs_nothing(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org
) -> None:
    """Refused before anything is held, by the real workflow."""
    out = io.BytesIO()
    Image.new("1", (49_000, 1_000)).save(out, "PNG")
    async with platform(settings, temporal_client, f"scan-{uuid.uuid4().hex[:8]}-") as stage:
        file_id = await bring(stage, org, out.getvalue(), "wide.png")
        await temporal_client.get_workflow_handle(file_id).result()
    file = await row(db, org, file_id)
    assert (file.status, file.charged_ucr, (file.error or {})["code"]) == ("failed", 0, "payload_too_large")
    await assert_sound(owner_db)
