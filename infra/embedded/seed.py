"""Gives a new embedded stack an organisation with credits, its owner, and an API key. Harmless when run again.

`python -m infra.embedded.seed --data-dir DIR`, with the environment that the supervisor sets. The key's text is kept in
`DIR/secrets.json` (mode 0600), since the database keeps only its hash.
"""

import argparse
import asyncio
from decimal import Decimal
from pathlib import Path

from infra.database import Database
from infra.embedded.layout import DataDirectory
from infra.settings import Settings
from schema.ids import ORGANISATION, USER, new_id
from schema.money import credits_to_ucr
from schema.store import api_keys, billing, organisations

NAME = "Embedded"
OWNER_EMAIL = "owner@embedded.invalid"
CREDITS = Decimal(1_000)


async def seed(data: DataDirectory, settings: Settings) -> None:
    """Make what is missing.

    The identifiers are kept before the rows are made, so that a seed which is interrupted goes on with the same ones.
    """
    known = data.secrets()
    org_id, owner_id = known.get("org_id") or new_id(ORGANISATION), known.get("owner_id") or new_id(USER)
    data.remember(org_id=org_id, owner_id=owner_id)
    # The owner's role: making an organisation is an operator's act.
    database = Database(settings.owner_url, pool_size=1, pool_overflow=0, application_name="swissbrain-seed")
    try:
        async with database.transaction(org_id) as session:
            await organisations.create_organisation(
                session, org_id, name=NAME, owner_id=owner_id, owner_email=OWNER_EMAIL, owner_name="Owner"
            )
            await billing.purchase(
                session,
                org_id,
                amount_ucr=credits_to_ucr(CREDITS),
                idempotency_key="embedded-seed",
                description="Credits of a new installation",
                created_by=owner_id,
            )
            presented = api_keys.parse_key(known.get("api_key", ""))
            if presented is not None and (key := await api_keys.find_key(session, presented)) is not None:
                # A key of an earlier version knows fewer permissions.
                await api_keys.set_scopes(session, org_id, key.id, api_keys.ALL_SCOPES)
                return
            _row, text = await api_keys.create_key(
                session, org_id, user_id=owner_id, name="embedded", scopes=api_keys.ALL_SCOPES
            )
        # A crash before this line leaves a key that nobody knows; the next start makes another.
        data.remember(api_key=text)
    finally:
        await database.close()


def main() -> None:
    """Seed the stack of a data directory."""
    parser = argparse.ArgumentParser(prog="python -m infra.embedded.seed")
    parser.add_argument("--data-dir", type=Path, required=True)
    asyncio.run(seed(DataDirectory(parser.parse_args().data_dir), Settings()))


if __name__ == "__main__":
    main()
