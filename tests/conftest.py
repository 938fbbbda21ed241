"""How tests are spread over pytest-xdist's workers, and what none of them asserts: how long anything takes."""

import pytest
from hypothesis import HealthCheck, settings

from infra.heap import keep_loaded

# The machines are shared: how long an example takes proves nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put every test into the group of its file, so that fixtures of a module are made once; chaos is one group."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            name = item.path.parent.name if item.path.parent.name == "chaos" else str(item.path)
            item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: item.path.parent.name != "chaos")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run ungrouped where groups are asked for, since everything would be started several times over.

    The tests that are collected stay to the end, as in a worker what it has loaded.
    """
    if getattr(session.config.option, "loadgroup", False) and session.items and "@" not in session.items[0].nodeid:
        raise pytest.UsageError("pytest-xdist cannot group tests under this version of pytest; see pyproject.toml")
    keep_loaded()
