"""Schemathesis against the API on real servers: `make fuzz` (EXAMPLES=200, SEED=1, CREDENTIALS=session, PATHS=/files).

Two organisations, an object of every kind in each; the requests carry an API key of the first one's owner, then, in
a second run, a session of theirs. All checks of Schemathesis are on, and those of `hooks.py`. Exit status 1 where one
failed; the summary is Schemathesis' own.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import uuid
from decimal import Decimal
from pathlib import Path

from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.objects import ObjectStore
from infra.settings import Settings
from infra.temporal import connect
from schema.permissions import Role
from schema.store import members, sessions, users
from schema.store.audit import SYSTEM
from tests.integration.api.belongings import belongings
from tests.integration.api.conftest import Caller, make_key, serving, working
from tests.integration.conftest import make_org, migrate

_HERE = Path(__file__).parent
NO_LIMITS = {
    "requests_per_minute_key": 0,
    "requests_per_minute_organisation": 0,
    "requests_per_minute_address": 0,
}
CREDITS = Decimal(1_000_000_000)
KEY, SESSION = "key", "session"
SESSIONS = 50
"""Sessions of the owner's that the run may end; they are listed at once, so they are few."""
ENDED_EACH = 5
"""Other people's sessions, for each example of an operation, that the run may end; after the last it is told 401."""


async def run(
    url: str, owner_db: Database, objects: ObjectStore, arguments: list[str], *, examples: int, credential: str = KEY
) -> int:
    """Make the two organisations and run Schemathesis with these arguments; return its exit status.

    `NO_LIMITS` are for the settings of the API at `url`: refused by the limits of requests, nothing would be seen.
    """
    seeds, keys, tokens = [], [], []
    for _ in range(2):
        org = await make_org(owner_db, credits_amount=CREDITS)
        keys.append(await make_key(owner_db, org))
        async with Caller(url, org, keys[-1]) as caller:
            made = await belongings(caller, owner_db, objects, org.owner_id)
            session_id, token = await _open_session(owner_db, org.id, org.owner_id)
            seeds.append(made | {"org_id": org.id, "owner_id": org.owner_id, "session_id": session_id})
            tokens.append(token)
            # Built once; on a busy machine that takes longer than the loader waits.
            (await caller.get("/api/v1/openapi.json", timeout=300)).raise_for_status()
    own, foreign = seeds
    async with Caller(url, org, keys[0]) as caller:
        listed = (await caller.get("/api/v1/api-keys")).json()["api_keys"]
    (key_in_use,) = [key["id"] for key in listed if key["name"] == "test"]
    spares: list[str] = []
    ends: list[str] = []
    if credential == SESSION:
        for _ in range(SESSIONS):
            ends.append((await _open_session(owner_db, own["org_id"], own["owner_id"]))[0])
        spares = await _passers_by(owner_db, ENDED_EACH * examples)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as told:
        json.dump(
            {
                "credential": keys[0] if credential == KEY else tokens[0],
                "url": url,
                "key": keys[0],
                "key_in_use": key_in_use,
                "own": own,
                "foreign": foreign,
                "foreign_seen": [id for name, id in foreign.items() if name != "code"],
                "spare_tokens": spares,
                "spare_sessions": ends,
            },
            told,
        )
        told.flush()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_HERE / "schemathesis.toml")),
            *("run", f"{url}/api/v1/openapi.json", "--checks", "all"),
            *("--max-examples", str(examples), *arguments),
            cwd=_HERE.parent.parent,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.outside.hooks", "FUZZ": told.name},
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _open_session(owner_db: Database, org_id: str, user_id: str) -> tuple[str, str]:
    """Open a session as a sign-in would; return its id and its token."""
    async with owner_db.transaction(org_id) as session:
        opened, token = await sessions.open_session(session, user_id=user_id, org_id=org_id, method="password")
    return opened.id, token


async def _passers_by(owner_db: Database, count: int) -> list[str]:
    """Make members of an organisation of their own, for what ends a session or a membership; return their tokens."""
    org, tokens = await make_org(owner_db), []
    async with owner_db.transaction(org.id) as session:
        for _ in range(count):
            user_id = await users.create_user(session, name="Passer-by", email=f"{uuid.uuid4().hex}@example.com")
            await members.add_member(session, org.id, user_id, role=Role.MEMBER, actor=SYSTEM)
            _, token = await sessions.open_session(session, user_id=user_id, org_id=org.id, method="oidc")
            tokens.append(token)
    return tokens


async def _main(credentials: list[str], examples: int, arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServers(Path(directory)) as servers:
            await migrate(servers)
            settings: Settings = servers.settings.model_copy(update=NO_LIMITS | {"log_level": "warning"})
            owner_db = Database(servers.stack.owner_url, pool_size=2, application_name="fuzz-owner")
            objects = ObjectStore.from_settings(settings)
            db = Database.from_settings(settings, application_name="fuzz")
            client = await connect(settings)
            try:
                async with working(settings, client, db, objects), serving(settings) as api:
                    statuses = []
                    for each in credentials:
                        print(f"as the owner, with a {each}", flush=True)
                        ended = await run(api.url, owner_db, objects, arguments, examples=examples, credential=each)
                        statuses.append(ended)
                    return max(statuses)
            finally:
                await objects.close()
                await db.close()
                await owner_db.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as", dest="credentials", nargs="+", choices=[KEY, SESSION], default=[KEY, SESSION])
    parser.add_argument("--paths", default="", metavar="REGEX", help="only operations whose path it is found in")
    known, more = parser.parse_known_args()
    more += ["--seed", str(known.seed), "--continue-on-failure"]
    if known.paths:
        more += ["--include-path-regex", known.paths]
    sys.exit(asyncio.run(_main(known.credentials, known.examples, more)))
