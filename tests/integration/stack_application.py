"""Stand-ins for migrations, seed, API and worker, so that the supervisor is tested without the product on top.

`python stack_application.py up DATA_DIR PORT` runs the supervisor with them; the other words are the stand-ins. They
read the environment and the ports that the real programs read.
"""

import asyncio
import http.server
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = str(Path(__file__).resolve())


def run_up(data_dir: str, port: str) -> None:
    """Run the supervisor with the stand-ins."""
    from infra.embedded.layout import AlreadyRunning, HalfRestored, PortBusy
    from infra.embedded.servers import PartFailed
    from infra.embedded.supervisor import Application, up
    from infra.logging import configure_logging

    configure_logging(log_format="console", service="supervisor")

    def stand_in(name: str) -> tuple[str, ...]:
        return (sys.executable, HERE, name)

    application = Application(
        migrate=stand_in("migrate"),
        seed=stand_in("seed"),
        api=stand_in("api"),
        worker=stand_in("worker"),
        worker_role=None,
    )
    try:
        asyncio.run(up(Path(data_dir), port=int(port), application=application))
    except (AlreadyRunning, HalfRestored, PortBusy, PartFailed) as error:
        sys.exit(f"swissbrain up: {error}")


def run_migrate() -> None:
    """Make a table as the owner, and grant it to the application's role."""
    import asyncpg

    async def migrate() -> None:
        connection = await asyncpg.connect(os.environ["SWISSBRAIN_DATABASE_OWNER_URL"])
        await connection.execute("CREATE TABLE IF NOT EXISTS notes (body text PRIMARY KEY, embedding vector(3))")
        await connection.execute("GRANT SELECT, INSERT ON notes TO swissbrain_app")
        await connection.close()

    asyncio.run(migrate())


def run_seed(data_dir: str) -> None:
    """Keep a key, once."""
    from infra.embedded.layout import DataDirectory

    data = DataDirectory(Path(data_dir))
    if "api_key" not in data.secrets():
        data.remember(api_key=f"key-{os.getpid()}", org_id="org_test")


def run_api(port: int) -> None:
    """Answer 200 to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    assert "SWISSBRAIN_DATABASE_OWNER_URL" not in os.environ, "the API must not hold the owner's credentials"
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def run_worker() -> None:
    """Live, with a tool's process in a session of its own, which a killed worker leaves behind, and an orphan's end."""
    assert os.environ["SWISSBRAIN_DATABASE_URL"].startswith("postgresql://swissbrain_app:")
    subprocess.Popen([sys.executable, HERE, "tool"], start_new_session=True)
    subprocess.run(["sh", "-c", "sleep 0.1 &"], check=True)
    time.sleep(3600)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["up", data_dir, port]:
            run_up(data_dir, port)
        case ["migrate"]:
            run_migrate()
        case ["seed", "--data-dir", data_dir]:
            run_seed(data_dir)
        case ["api", "--host", _, "--port", port]:
            run_api(int(port))
        case ["worker"]:
            run_worker()
        case ["tool"]:
            time.sleep(3600)
        case other:
            sys.exit(f"unknown: {other}")
