"""Fixtures on the real embedded servers: started and migrated once per session (and per xdist worker).

Isolation is by organisation (`org`) and by task queue (`Settings.temporal_task_queue_prefix`), not by cleaning up.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
import pytest_asyncio
from temporalio.client import Client

from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.objects import ObjectStore
from infra.settings import Settings
from infra.temporal import connect
from schema.ids import ORGANISATION, USER, new_id
from schema.money import credits_to_ucr
from schema.store import billing, organisations

CREDITS = Decimal(1_000)


@dataclass(frozen=True)
class Org:
    """A fresh organisation with 1,000 credits."""

    id: str
    owner_id: str


@pytest_asyncio.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServers]:
    """Temporal, PostgreSQL, Redis and S3, migrated."""
    async with EmbeddedServers(tmp_path_factory.mktemp("servers")) as running:
        await migrate(running)
        yield running


async def migrate(running: EmbeddedServers) -> None:
    """Run the migrations as the owner."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schema.migrations", "upgrade", "head"),
        env={**running.process_environment, "SWISSBRAIN_DATABASE_OWNER_URL": running.stack.owner_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.fixture(scope="session")
def settings(servers: EmbeddedServers) -> Settings:
    """Settings that lead to the servers."""
    return servers.settings


@pytest_asyncio.fixture(scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    """PostgreSQL as the application's role."""
    database = Database.from_settings(settings, application_name="tests")
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def owner_db(servers: EmbeddedServers) -> AsyncIterator[Database]:
    """PostgreSQL as the tables' owner, who sees every organisation."""
    database = Database(servers.stack.owner_url, pool_size=2, application_name="tests-owner")
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def objects(settings: Settings) -> AsyncIterator[ObjectStore]:
    """The object store."""
    store = ObjectStore.from_settings(settings)
    yield store
    await store.close()


@pytest_asyncio.fixture(scope="session")
async def temporal_client(settings: Settings) -> Client:
    """A client with the product's data converter."""
    return await connect(settings)


@pytest_asyncio.fixture
async def org(owner_db: Database) -> Org:
    """An organisation of this test's own."""
    return await make_org(owner_db)


async def make_org(owner_db: Database, *, credits_amount: Decimal = CREDITS) -> Org:
    """Make another organisation, for tests of what one may see of the other."""
    made = Org(new_id(ORGANISATION), new_id(USER))
    async with owner_db.transaction(made.id) as session:
        await organisations.create_organisation(
            session, made.id, name="Test", owner_id=made.owner_id, owner_email=f"{made.owner_id}@test.invalid"
        )
        if credits_amount:
            await billing.purchase(
                session, made.id, amount_ucr=credits_to_ucr(credits_amount), idempotency_key="test-credits"
            )
    return made
