"""The database that an operator's command looks into, as the tables' owner."""

import argparse
import json
import os
import sys
from pathlib import Path

VARIABLE = "SWISSBRAIN_DATABASE_OWNER_URL"
_HERE = Path(".swissbrain")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let the command's caller name the database."""
    parser.add_argument(
        "--data-dir", type=Path, default=None, help=f"of a running stack; else {VARIABLE}, else {_HERE}"
    )
    parser.add_argument("--database-url", default=None, help="as the tables' owner, instead of a stack's")


def database_url(options: argparse.Namespace) -> str:
    """Return the URL of the database that the options name; end with what to do where there is none."""
    if options.database_url:
        return str(options.database_url)
    if options.data_dir is None and (of_environment := os.environ.get(VARIABLE)):
        return of_environment
    data_dir = options.data_dir or _HERE
    try:
        return str(json.loads((data_dir / "endpoint.json").read_text())["database_url"])
    except (OSError, ValueError, KeyError):
        sys.exit(
            f"No stack runs in {data_dir}: start it (`swissbrain up`), name its folder with --data-dir, or the database"
            f" with --database-url or {VARIABLE}."
        )
