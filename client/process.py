"""Commands that replace this process by a program of the server's, so that signals, exit code and output are its own.

The client's code needs to import none of the server's for them.
"""

import os
import sys
from typing import NoReturn


def become(module: str, *arguments: str) -> NoReturn:
    """Go on as `python -m MODULE ARGUMENTS`."""
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a folder named like one of our packages in the working directory must not hide it.
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])
