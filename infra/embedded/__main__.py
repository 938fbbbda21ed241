"""`python -m infra.embedded [--data-dir DIR] [--port PORT]`: the embedded stack in the foreground."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from infra.embedded.root import make_root


def main() -> None:
    """Run the stack; end with 1 and one clear message where it cannot start."""
    parser = argparse.ArgumentParser(prog="swissbrain up", description="Start everything on this machine.")
    parser.add_argument("--data-dir", type=Path, default=Path(".swissbrain"), help="where all data is kept")
    parser.add_argument("--host", default="127.0.0.1", help="address that the API binds")
    parser.add_argument("--port", type=int, default=8000, help="port of the API")
    parser.add_argument("--local-model", metavar="NAME", help="run this model here and use it; see `swissbrain model`")
    arguments = parser.parse_args()
    _keep_bytecode(arguments.data_dir)
    # The settings of another deployment are not meant for this one.
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull
    _run(arguments.data_dir, arguments.host, arguments.port, arguments.local_model)


def _keep_bytecode(data_dir: Path) -> None:
    """Where the environment forbids the usual cache of compiled code, begin anew with one in the data directory.

    Compiling the libraries takes seconds at every start, and so at every recovery from a crash.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) is not None:
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(make_root(data_dir) / "run" / "bytecode"))
        os.execv(sys.executable, [sys.executable, "-P", "-m", "infra.embedded", *sys.argv[1:]])


def _run(data_dir: Path, host: str, port: int, local_model: str | None) -> None:
    # Imported only now: everything before is quick.
    from infra.embedded.layout import AlreadyRunning, HalfRestored, PortBusy
    from infra.embedded.servers import PartFailed
    from infra.embedded.supervisor import Application, up
    from infra.local_model.catalogue import UnknownModel, find_model
    from infra.logging import configure_logging

    configure_logging(level="info", log_format="console", service="supervisor")
    try:
        application = Application(local_model=find_model(local_model, "language") if local_model else None)
        asyncio.run(up(data_dir, host=host, port=port, application=application))
    except (AlreadyRunning, HalfRestored, PortBusy, PartFailed, UnknownModel) as error:
        sys.exit(f"swissbrain up: {error}")


if __name__ == "__main__":
    main()
