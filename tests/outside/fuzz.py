"""Schemathesis against the API on real servers: `make fuzz` (EXAMPLES=200, SEED=1).

Two organisations, an object of every kind in each; the requests carry the first one's key. All checks of
Schemathesis are on, and those of `hooks.py`. Exit status 1 where one failed; the summary is Schemathesis' own.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.objects import ObjectStore
from infra.settings import Settings
from infra.temporal import connect
from schema.policies import TaskQueue
from tests.integration.api.belongings import belongings
from tests.integration.api.conftest import Caller, make_key, serving
from tests.integration.api.stub_run import StubActivities, StubIngestDocument, StubRun
from tests.integration.conftest import make_org, migrate

_HERE = Path(__file__).parent
NO_LIMITS = {
    "requests_per_minute_key": 0,
    "requests_per_minute_organisation": 0,
    "requests_per_minute_address": 0,
}


async def run(url: str, owner_db: Database, objects: ObjectStore, arguments: list[str]) -> int:
    """Make the two organisations and run Schemathesis with these arguments; return its exit status.

    `NO_LIMITS` are for the settings of the API at `url`: refused by the limits of requests, nothing would be seen.
    """
    seeds, keys = [], []
    for _ in range(2):
        org = await make_org(owner_db)
        keys.append(await make_key(owner_db, org))
        async with Caller(url, org, keys[-1]) as caller:
            seeds.append(await belongings(caller, owner_db, objects, org.owner_id) | {"org_id": org.id})
            # Built once; on a busy machine that takes longer than the loader waits.
            (await caller.get("/api/v1/openapi.json", timeout=300)).raise_for_status()
    own, foreign = seeds
    async with Caller(url, org, keys[0]) as caller:
        listed = (await caller.get("/api/v1/api-keys")).json()["api_keys"]
    (key_in_use,) = [key["id"] for key in listed if key["name"] == "test"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_HERE / "schemathesis.toml")),
        *("run", f"{url}/api/v1/openapi.json", "--header", f"Authorization: Bearer {keys[0]}"),
        *("--checks", "all", "--request-timeout", "30", *arguments),
        cwd=_HERE.parent.parent,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.outside.hooks",
            "FUZZ_KEY": keys[0],
            "FUZZ_KEY_ID": key_in_use,
            "FUZZ_OWN": json.dumps(own),
            "FUZZ_FOREIGN": json.dumps(foreign),
            "FUZZ_FOREIGN_SEEN": json.dumps([id for name, id in foreign.items() if name != "code"]),
        },
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServers(Path(directory)) as servers:
            await migrate(servers)
            settings: Settings = servers.settings.model_copy(update=NO_LIMITS | {"log_level": "warning"})
            owner_db = Database(servers.stack.owner_url, pool_size=2, application_name="fuzz-owner")
            objects = ObjectStore.from_settings(settings)
            db = Database.from_settings(settings, application_name="fuzz")
            stubs = StubActivities(db)
            worker = Worker(
                await connect(settings),
                task_queue=settings.task_queue(TaskQueue.RUNS),
                workflows=[StubRun, StubIngestDocument],
                activities=[stubs.project, stubs.close, stubs.ingest],
                workflow_runner=UnsandboxedWorkflowRunner(),
            )
            try:
                async with worker, serving(settings) as api:
                    return await run(api.url, owner_db, objects, arguments)
            finally:
                await objects.close()
                await db.close()
                await owner_db.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    known, more = parser.parse_known_args()
    more += ["--max-examples", str(known.examples), "--seed", str(known.seed), "--continue-on-failure"]
    sys.exit(asyncio.run(_main(more)))
