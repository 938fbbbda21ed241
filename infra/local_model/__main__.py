"""`swissbrain model list | get [NAME] | serve [NAME]`: models for this machine."""

import argparse
import os
import sys
from pathlib import Path

from infra.embedded.servers import HOST, PartFailed
from infra.local_model.catalogue import DEFAULT_MODEL, UnknownModel, catalogue, find_model
from infra.local_model.part import require_installed, server_command
from infra.local_model.weights import WeightsUnavailable, check, fetch, weights_path


def main() -> None:
    """Run one subcommand; end with 1 and one clear message where it cannot be done."""
    parser = argparse.ArgumentParser(prog="swissbrain model", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where weights are kept; default: the user's cache folder")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show what can be had and what is here")
    getting = commands.add_parser("get", help="fetch weights and check them")
    serving = commands.add_parser("serve", help="serve a model to OpenAI clients until Ctrl-C")
    serving.add_argument("--port", type=int, default=8089)
    for command in (getting, serving):
        command.add_argument("name", nargs="?", default=DEFAULT_MODEL)
    options = parser.parse_args()
    try:
        if options.command == "list":
            _list(options.folder)
        elif options.command == "get":
            sys.stdout.write(f"{fetch(find_model(options.name), options.folder, _say)}\n")
        else:
            _serve(options.name, options.folder, options.port)
    except (UnknownModel, WeightsUnavailable, PartFailed) as error:
        sys.exit(f"swissbrain model: {error}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _list(folder: Path | None) -> None:
    for model in catalogue().values():
        here = "here" if weights_path(model, folder).exists() else f"{model.size_bytes / 1e6:.0f} MB to fetch"
        sys.stdout.write(
            f"{model.name}  ({here}; {model.licence}; needs {model.memory_bytes / 1e9:.1f} GB of memory)\n"
        )
        sys.stdout.write(f"    {model.description}\n    {model.publisher}\n")


def _serve(name: str, folder: Path | None, port: int) -> None:
    require_installed()
    path = check(find_model(name, "language"), folder)
    command = server_command(path, name, HOST, port)
    settings = {"MODEL": f"openai/{name}", "MODEL_BASE_URL": f"http://{HOST}:{port}/v1", "MODEL_API_KEY": "none"}
    _say(" ".join(f"SWISSBRAIN_{key}={value}" for key, value in settings.items()))
    sys.stderr.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
