"""What a report says is in its sources: 20 runs on two corpora, checked by code that did not write the report.

Pass threshold: 0 problems in every report, at least one cited sentence in each, planted contradictions disclosed with
both values, and no disagreement where there is none. The whole table of planted pairs runs in memory
(`tests/unit/research/test_planted.py`); a few of it run here, on the real pipeline, as text, Markdown and HTML.
"""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.research.citations import Sidecar, check_citations
from infra.database import Database
from infra.settings import Settings
from schema.contracts.common import ObjectRef
from schema.states import RunStatus
from schema.store import artifacts, snapshots
from tests.integration.conftest import Org, make_org
from tests.support.planted import CONTRADICTIONS, NEAR_MISSES, Pair
from tests.support.platform import Platform, platform
from tests.support.texts import PLANTED, chapters, descriptions

LANGUAGE = [
    "How do Python context managers work and what happens on exceptions?",
    "How are decorators applied to functions and classes?",
    "What does a yield expression do in a generator?",
    "How are comparisons chained in Python?",
    "What happens when a module is imported?",
    "How does the assignment statement bind names, and what is an augmented assignment?",
    "What is a class definition, and how are its arguments used?",
    "How does the try statement handle exceptions? What does finally do?",
    "What is the difference between global and nonlocal?",
    "How are attribute accesses customised? What are slots?",
]
PACKAGES = [
    "What is FastAPI and what are its key features?",
    "What does httpx offer compared with requests?",
    "What is Pydantic used for?",
    "What power does the Zephyr-9 engine produce?",
    "Who makes the Zephyr-9, and when was the company founded?",
    "How much fuel does the Zephyr-9 use?",
    "What is SQLAlchemy? What is Alembic for?",
    "What does the package cryptography include?",
    "What is Hypothesis, and how does it test?",
    "What is structlog? What is Typer?",
]
DOCUMENTS = 28
"""Documents of the packages' corpus: what the questions need, and distractors."""
COMPARED = 16
"""Documents of the language's: each of its passages costs a vector."""
CHAPTERS = [
    "context-managers",
    "with",
    "function",
    "class",
    "yield",
    "comparisons",
    "import",
    "assignment",
    "augassign",
    "try",
    "exceptions",
    "global",
    "nonlocal",
    "attribute-access",
    "naming",
]
NAMED = [
    "fastapi",
    "httpx",
    "pydantic",
    "sqlalchemy",
    "alembic",
    "cryptography",
    "hypothesis",
    "structlog",
    "typer",
    "requests",
]
DISPUTED = [CONTRADICTIONS[number] for number in (0, 1, 5, 14, 19)]
AGREEING = [NEAR_MISSES[number] for number in (0, 8)]


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client) -> AsyncIterator[Platform]:
    """Workers with the extractive reasoner, that search by full text alone."""
    async with platform(settings, temporal_client, f"reports-{uuid.uuid4().hex[:8]}-") as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def comparing(settings: Settings, temporal_client: Client) -> AsyncIterator[Platform]:
    """Workers with the extractive reasoner, that compare vectors as well."""
    async with platform(settings, temporal_client, f"vectors-{uuid.uuid4().hex[:8]}-", vectors=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def language(comparing: Platform, owner_db: Database) -> Org:
    """An organisation whose corpus is Python's language reference."""
    org = await make_org(owner_db)
    await comparing.upload(org.id, chapters(*CHAPTERS, count=COMPARED))
    return org


@pytest_asyncio.fixture(scope="module")
async def packages(stage: Platform, owner_db: Database) -> Org:
    """An organisation whose corpus is descriptions of packages, and an engine about which sources disagree."""
    org = await make_org(owner_db)
    files = descriptions(*NAMED, count=DOCUMENTS - len(PLANTED)) | PLANTED
    for number, pair in enumerate([*DISPUTED, *AGREEING]):
        files = files | pair.files(f"pair{number}")
    await stage.upload(org.id, files)
    return org


async def report_of(stage: Platform, org: Org, task: str) -> tuple[str, Sidecar, dict[str, str]]:
    """Run a question to its end; returns the report, its citations, and the snapshots that they point into."""
    run_id = await stage.create(org.id, org.owner_id, task, max_agents=4)
    await stage.start(org.id, run_id)
    run = await stage.until(org.id, run_id)
    assert run.status == RunStatus.COMPLETED, run.last_error
    async with stage.db.transaction(org.id) as session:
        files = {row.name: row for row in await artifacts.list_artifacts(session, org.id, run_id)}
    texts = {}
    for name, row in files.items():
        ref = ObjectRef(key=row.object_key, sha256=row.content_sha256, size_bytes=row.size_bytes)
        texts[name] = (await stage.parts.objects.get(ref)).decode()
    sidecar = Sidecar.model_validate_json(texts["citations.json"])
    async with stage.db.transaction(org.id) as session:
        refs = await snapshots.snapshot_refs(session, org.id, [source.snapshot_sha256 for source in sidecar.sources])
    read = {ref.sha256: (await stage.parts.objects.get(ref)).decode() for ref in refs}
    return texts["research_report.md"], sidecar, read


@pytest.mark.timeout(120)
@pytest.mark.parametrize("task", LANGUAGE)
async def test_language_reports_say_what_their_sources_say(comparing: Platform, language: Org, task: str) -> None:
    report, sidecar, read = await report_of(comparing, language, task)
    assert check_citations(report, sidecar, read.__getitem__) == []
    assert any(sentence.spans for sentence in sidecar.sentences), report


@pytest.mark.timeout(120)
@pytest.mark.parametrize("task", PACKAGES)
async def test_package_reports_say_what_their_sources_say(stage: Platform, packages: Org, task: str) -> None:
    report, sidecar, read = await report_of(stage, packages, task)
    assert check_citations(report, sidecar, read.__getitem__) == []
    assert any(sentence.spans for sentence in sidecar.sentences), report


async def test_a_planted_contradiction_is_disclosed(stage: Platform, packages: Org) -> None:
    report, _, _ = await report_of(stage, packages, "What power does the Zephyr-9 engine produce?")
    lowered = report.lower()
    assert "420 kw" in lowered
    assert "380 kw" in lowered
    assert "disagree" in lowered


@pytest.mark.parametrize("pair", DISPUTED, ids=lambda pair: "-".join(pair.forms))
async def test_contradictions_are_disclosed_whatever_the_format(stage: Platform, packages: Org, pair: Pair) -> None:
    report, sidecar, read = await report_of(stage, packages, pair.question)
    assert check_citations(report, sidecar, read.__getitem__) == []
    told = report.partition("### Disagreements")[2]
    assert pair.values[0] in told
    assert pair.values[1] in told


@pytest.mark.parametrize("pair", AGREEING, ids=lambda pair: pair.left)
async def test_what_agrees_is_no_contradiction(stage: Platform, packages: Org, pair: Pair) -> None:
    report, _, _ = await report_of(stage, packages, pair.question)
    assert "disagree" not in report.lower()


async def test_the_money_is_right_after_all_that(stage: Platform) -> None:
    assert await stage.violations() == {}
