"""How tests are spread over pytest-xdist's workers: a file stays together, and so does all that kills processes."""

import pytest

from infra.heap import keep_loaded


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
