"""The data directory's own folder. Imports nothing slow: it is made before anything else is loaded."""

import os
from pathlib import Path


def make_root(path: Path) -> Path:
    """Make the folder where it is missing, for us alone; root's can be passed, because its PostgreSQL is another user.

    Returns:
        The folder's absolute path. One that is there keeps its mode.
    """
    root = path.expanduser().resolve()
    if not root.exists():
        root.mkdir(parents=True)
        root.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return root
