"""One stack per session for what kills processes."""

from collections.abc import Iterator

import pytest

from tests.support.stack import FULL_TEXT_ALONE, Stack
from tests.support.texts import PLANTED, python_topics


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`swissbrain up` with a small real corpus."""
    running = Stack(tmp_path_factory.mktemp("chaos") / "data", env=FULL_TEXT_ALONE).up()
    topics = python_topics()
    running.upload({name: topics[name] for name in sorted(topics)[:40]} | PLANTED)
    yield running
    running.down()
