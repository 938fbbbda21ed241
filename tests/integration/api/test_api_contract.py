"""The API answers as its OpenAPI document says: the short version of `make fuzz`."""

import pytest

from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from tests.integration.api.conftest import serving
from tests.outside import fuzz

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("worker")]


async def test_the_document_and_the_api_agree(api_settings: Settings, owner_db: Database, objects: ObjectStore) -> None:
    """Few generated requests of each operation, and few sequences along the links, always the same."""
    arguments = ["--seed", "1", "--phases", "examples,fuzzing,stateful", "--no-shrink"]
    async with serving(api_settings.model_copy(update=fuzz.NO_LIMITS)) as api:
        assert await fuzz.run(api.url, owner_db, objects, arguments, examples=2) == 0, "Schemathesis' summary is above"
