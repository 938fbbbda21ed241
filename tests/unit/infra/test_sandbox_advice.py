"""What `swissbrain up` says of a machine whose sandbox is too weak."""

from itertools import product

import pytest

from infra.sandbox.advice import shortfall
from infra.sandbox.levels import Level


@pytest.mark.parametrize(("proved", "minimum", "code"), list(product(Level, Level, (False, True))))
def test_it_speaks_exactly_where_something_is_refused(proved: Level, minimum: Level, code: bool) -> None:
    told = " ".join(shortfall(proved, minimum, code_execution=code))
    assert bool(told) is (proved < minimum or (code and proved is Level.LIMITS))
    assert ("no file and no page is read" in told) is (proved < minimum)
    assert ("no code is run" in told) is (code and proved is Level.LIMITS)


def test_it_names_the_level_the_setting_and_the_remedy() -> None:
    told = "\n".join(shortfall(Level.LIMITS, Level.LANDLOCK, code_execution=False))
    for words in ("'limits'", "'landlock'", "SWISSBRAIN_SANDBOX_LEVEL_MIN", "Linux 5.13", "apt-get install bubblewrap"):
        assert words in told
    assert "user namespaces" in "\n".join(shortfall(Level.LANDLOCK, Level.BUBBLEWRAP, code_execution=False))
    # Trusted files, but code: the level that code needs.
    assert "SWISSBRAIN_CODE_EXECUTION needs 'landlock'" in shortfall(Level.LIMITS, Level.LIMITS, code_execution=True)[0]
