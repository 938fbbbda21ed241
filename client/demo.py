"""`make demo`: a real run over real documents loses its worker half way, carries on, and hands over report and bill.

The documents are Python's own language reference and the long descriptions of the installed packages: they are on every
machine after the installation, and nobody here wrote them. Ends with a status other than 0 when anything is off.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from client.client import Client

DATA_DIR = Path(".swissbrain-demo")
UP_WITHIN_S = 120.0
PACKAGES_MAX = 25
TASK = (
    "How do Python context managers work and what happens on exceptions? "
    "How are Python decorators applied to functions and classes? "
    "What are Python generators and what does the yield expression do? "
    "What does the Python import system do when a module is imported? "
    "What is FastAPI and what is httpx?"
)

out = Console(highlight=False)


class DemoFailed(Exception):
    """Something was off; the message says what."""


def write_corpus(folder: Path) -> list[Path]:
    """Write the documents as files; returns their paths."""
    from pydoc_data.topics import topics

    texts = {f"python-{name}.txt": text for name, text in topics.items() if len(text) > 400}
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        text = str(distribution.metadata.json.get("description", ""))
        if len(text) > 1_000:
            found[f"package-{distribution.metadata['Name'].lower()}.md"] = text
    wanted = [name for name in ("package-fastapi.md", "package-httpx.md") if name in found]
    texts |= {name: found[name] for name in [*wanted, *sorted(found)[:PACKAGES_MAX]]}
    paths = []
    for name, text in sorted(texts.items()):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stack() -> Iterator[Path]:
    """Run `swissbrain up` on the demo's data directory; yields the path of its endpoint file."""
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    endpoint = DATA_DIR / "endpoint.json"
    endpoint.unlink(missing_ok=True)
    command = [sys.executable, "-m", "client.cli", "up", "--data-dir", str(DATA_DIR), "--port", str(_free_port())]
    with (DATA_DIR / "up.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while not endpoint.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailed(f"the stack did not start; see {DATA_DIR / 'up.log'}")
            time.sleep(0.1)
        yield endpoint
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def feed(client: Client) -> int:
    """Upload the documents that are not in the corpus yet; returns how many are there."""
    have = {document["name"] for document in client.list_documents(limit=1_000)}
    with tempfile.TemporaryDirectory() as folder:
        paths = [path for path in write_corpus(Path(folder)) if path.name not in have]
        for start in range(0, len(paths), 20):
            client.upload(paths[start : start + 20])
    while any(document["status"] == "processing" for document in client.list_documents(limit=1_000)):
        time.sleep(0.3)
    documents = list(client.list_documents(limit=1_000))
    failed = [document["name"] for document in documents if document["status"] != "ready"]
    if failed or not documents:
        raise DemoFailed(f"{len(failed)} of {len(documents)} documents could not be read; see logs/worker.log")
    return len(documents)


def kill_worker(endpoint: Path) -> int:
    """kill -9 the worker; returns the pid that died."""
    pid = int(json.loads(endpoint.read_text())["pids"]["worker"])
    os.kill(pid, signal.SIGKILL)
    return pid


def watch(client: Client, endpoint: Path, run_id: str) -> dict[str, Any]:
    """Follow the run's log; half way, kill its worker."""
    killed, events = 0, 0
    for event in client.follow(run_id):
        out.print(f"  [dim]{event['timestamp'][11:19]}[/dim] {event['message'][:140]}", markup=True)
        events += event.get("type") == "tool.completed"
        if events >= 4 and not killed:
            killed = kill_worker(endpoint)
            out.print(f"\n[bold red]kill -9 {killed}[/bold red]: the worker is dead; nothing else is told.\n")
    run = client.wait_for_run(run_id, timeout_s=120)
    now = int(json.loads(endpoint.read_text())["pids"]["worker"])
    if not killed or now == killed:
        raise DemoFailed("the worker was not killed and replaced")
    out.print(f"\nThe run went on with worker {now}.")
    return run


def show_bill(client: Client, run: dict[str, Any]) -> None:
    """Print the run's part of the ledger, and hold it against the run."""
    table = Table(
        "type", "credits", "balance after", "reserved after", title="Ledger of this run", title_justify="left"
    )
    entries = sorted(client.ledger(run_id=run["id"]), key=lambda entry: entry["version"])
    for entry in entries:
        row = (entry["type"], entry["amount"], entry["balance_after"], entry["reserved_after"])
        table.add_row(*(str(value) for value in row))
    out.print(table)
    kinds = [entry["type"] for entry in entries]
    if kinds != ["hold", "charge", "release"]:
        raise DemoFailed(f"expected one hold, one charge and one release, found {kinds}")
    out.print(f"Charged {run['credits_charged']} credits, once. Balance: {client.balance()['available']} available.")


def check(data_dir: Path) -> None:
    """Run `swissbrain check`."""
    done = subprocess.run(
        [sys.executable, "-m", "client.cli", "check", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    out.print(done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr)
    if done.returncode != 0:
        raise DemoFailed(done.stdout)


def demonstrate() -> None:
    """Do all of it."""
    began = time.monotonic()
    out.rule("Swissbrain")
    out.print("Starting Temporal, PostgreSQL, Valkey, SeaweedFS, the API and a worker ...")
    with stack() as endpoint:
        facts = json.loads(endpoint.read_text())
        out.print(f"API {facts['api_url']}   Temporal Web UI {facts['temporal_ui_url']}")
        with Client(facts["api_url"], facts["api_key"]) as client:
            out.print(f"{feed(client)} real documents are in the corpus.")
            run_id = client.create_run(TASK, name="Demo", max_agents=5)["id"]
            client.start_run(run_id)
            run = watch(client, endpoint, run_id)
            if run["status"] != "completed":
                raise DemoFailed(f"the run ended {run['status']}: {run.get('last_error')}")
            if not run["quality"]["sources_cited"]:
                raise DemoFailed("the report cites nothing")
            report = client.report(run_id)
            out.rule("Report (its head)")
            out.print("\n".join(report.splitlines()[:45]), markup=False)
            out.rule("Artifacts")
            for artifact in client.artifacts(run_id):
                out.print(f"  {artifact['name']}  {artifact['mime_type']}  {artifact['file_size_bytes']} bytes")
            out.print(f"  quality: {run['quality']}")
            out.rule("Bill")
            show_bill(client, run)
            out.rule("Invariants")
            check(DATA_DIR)
    out.print(f"[green]All is well[/green] after {time.monotonic() - began:.0f} s.")


def main() -> int:
    """Run the demo; 1 when anything is off."""
    try:
        demonstrate()
    except DemoFailed as failure:
        out.print(f"[red]The demo failed:[/red] {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
