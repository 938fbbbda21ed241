"""The hook for a virus scanner: a command that is given the file, and says by its exit status what it is.

As `clamscan` and `clamdscan` have it: 0 clean, 1 infected, anything else: it could not tell.
"""

import asyncio
import shlex
from pathlib import Path

from infra.sandbox.launch import end_group, spawned
from schema.errors import ProviderUnavailable, UnsupportedFormat
from schema.policies import FILE_SCAN_WITHIN

INFECTED = 1


async def scan(command: str | None, path: Path) -> None:
    """Have a file scanned; without a command there is nothing to do.

    Args:
        command: program and arguments, as a shell splits them; the file's path is added. No shell runs it.

    Raises:
        UnsupportedFormat: the scanner found something in it.
        ProviderUnavailable: the scanner could not tell; a file is not read unseen.
    """
    if not command:
        return
    try:
        process = await spawned(
            asyncio.create_subprocess_exec(
                *shlex.split(command),
                str(path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        )
    except OSError as error:
        raise ProviderUnavailable("The virus scanner could not be started.") from error
    assert process.stdout is not None
    try:
        async with asyncio.timeout(FILE_SCAN_WITHIN.total_seconds()):
            said = (await process.stdout.read(4_096)).decode("utf-8", "replace")
            status = await process.wait()
    except TimeoutError as error:
        raise ProviderUnavailable("The virus scanner did not answer in time.") from error
    finally:
        await end_group(process)
    if status == INFECTED:
        name = said.strip().rpartition(":")[2].strip()[:100]
        raise UnsupportedFormat(f"The virus scanner refuses the file: {name or 'infected'}.")
    if status != 0:
        raise ProviderUnavailable("The virus scanner failed.", status=status)
