"""Run migrations: `python -m schema.migrations upgrade head`, with the owner's URL in SWISSBRAIN_DATABASE_OWNER_URL."""

import os
import sys
from pathlib import Path

from alembic.config import CommandLine, Config


def main(arguments: list[str]) -> None:
    """Hand `arguments` to Alembic with this folder as its script location."""
    line = CommandLine(prog="swissbrain migrate")
    options = line.parser.parse_args(arguments or ["upgrade", "head"])
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = os.environ["SWISSBRAIN_DATABASE_OWNER_URL"]
    line.run_cmd(config, options)


if __name__ == "__main__":
    main(sys.argv[1:])
