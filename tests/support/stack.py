"""`swissbrain up` in a process of its own, and what tests do to it: call it, kill its parts, kill all of it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psutil

UP_WITHIN_S = 150.0
RUN_WITHIN_S = 180.0
TERMINAL = ("completed", "failed", "cancelled")
FULL_TEXT_ALONE = {"SWISSBRAIN_EMBEDDING_MODEL": "none"}
"""Vectors take most of the processor's time, and what is killed meanwhile does not depend on them."""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """One data directory and the supervisor that runs on it."""

    def __init__(self, data_dir: Path, *, env: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(timeout=30)

    def up(self) -> "Stack":
        """Start and wait until `endpoint.json` is there and the API is ready."""
        self.endpoint_file.unlink(missing_ok=True)
        log = (self.data_dir.parent / f"{self.data_dir.name}.up.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "client.cli", "up", "--data-dir", str(self.data_dir), "--port", str(self.port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self._env,
            start_new_session=True,
        )
        log.close()
        try:
            self._wait(self._process)
        except AssertionError:
            self.down()
            raise
        return self

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + UP_WITHIN_S
        while not (self.endpoint_file.exists() and self._answers()):
            assert process.poll() is None, f"swissbrain up ended with {process.returncode}"
            assert time.monotonic() < deadline, "swissbrain up did not become ready"
            time.sleep(0.1)

    def down(self) -> None:
        """Stop with SIGTERM; nothing may be left."""
        self.http.close()
        if self._process is None or self._process.poll() is not None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive, f"left behind: {alive}"

    @property
    def endpoint_file(self) -> Path:
        """The public interface of a running stack."""
        return self.data_dir / "endpoint.json"

    @property
    def endpoint(self) -> dict[str, Any]:
        """The endpoint as it is now; pids change when a part is restarted."""
        found: dict[str, Any] = json.loads(self.endpoint_file.read_text())
        return found

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
            return self.http.get(f"{self.endpoint['api_url']}/readyz").status_code == 200
        return False

    # Calls.

    def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """Call the API; a POST carries an Idempotency-Key, and is repeated with it while the API is away."""
        endpoint = self.endpoint
        headers = {"Authorization": f"Bearer {endpoint['api_key']}", **options.pop("headers", {})}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = self.http.request(method, f"{endpoint['api_url']}{path}", headers=headers, **options)
            except httpx.TransportError:
                answer = None
            retry = answer is None or (answer.status_code in (409, 503) and "retry-after" in answer.headers)
            if not retry or time.monotonic() > deadline:
                assert answer is not None, f"{method} {path}: no answer"
                return answer
            time.sleep(0.2)

    def get(self, path: str, **options: Any) -> Any:
        """GET that must succeed; returns the JSON body."""
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """POST that must succeed; returns the JSON body."""
        answer = self.call("POST", path, json=body if body is not None else {}, **options)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def upload(self, documents: dict[str, str]) -> None:
        """Put documents (name -> text) into the corpus and wait until all are ready."""
        names = sorted(documents)
        for start in range(0, len(names), 50):
            files = [("file", (name, documents[name].encode(), "text/plain")) for name in names[start : start + 50]]
            answer = self.call("POST", "/api/v1/documents", files=files)
            assert answer.status_code in (200, 201, 202), answer.text
        deadline = time.monotonic() + 120
        while any(document["status"] == "processing" for document in self.documents()):
            assert time.monotonic() < deadline, "documents are not ready"
            time.sleep(0.2)
        unread = [document["name"] for document in self.documents() if document["status"] != "ready"]
        assert not unread, f"documents could not be read: {unread[:5]}"

    def documents(self) -> list[dict[str, Any]]:
        """Return every document of the corpus."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get("/api/v1/documents", params={"limit": 200, **({"cursor": cursor} if cursor else {})})
            found += page["documents"]
            cursor = page.get("next_cursor")
            if not cursor:
                return found

    def create(self, task: str, **fields: Any) -> str:
        """Create a run; returns its id."""
        return str(self.post("/api/v1/runs", {"name": "test", "task": task, **fields})["id"])

    def start(self, run_id: str) -> None:
        """Start a run."""
        self.post(f"/api/v1/runs/{run_id}/start")

    def run(self, run_id: str) -> dict[str, Any]:
        """Return the run."""
        found: dict[str, Any] = self.get(f"/api/v1/runs/{run_id}")
        return found

    def finished(self, run_id: str, within_s: float = RUN_WITHIN_S) -> dict[str, Any]:
        """Wait until the run has ended."""
        deadline = time.monotonic() + within_s
        while (run := self.run(run_id))["status"] not in TERMINAL:
            assert time.monotonic() < deadline, f"{run_id} is still {run['status']} ({run.get('status_detail')})"
            time.sleep(0.2)
        return run

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Return the run's whole log."""
        found: list[dict[str, Any]] = []
        while True:
            after_seq = found[-1]["seq"] if found else 0
            page = self.get(f"/api/v1/runs/{run_id}/logs", params={"limit": 200, "after_seq": after_seq})["logs"]
            found += page
            if len(page) < 200:
                return found

    def report(self, run_id: str) -> str:
        """Return the text of the run's report."""
        artifacts = self.get(f"/api/v1/runs/{run_id}/artifacts")["artifacts"]
        report = next(item for item in artifacts if item["name"] == "research_report.md")
        answer = self.call("GET", f"/api/v1/artifacts/{report['id']}/download")
        assert answer.status_code == 200, answer.text
        return answer.text

    # Bad luck.

    def kill(self, name: str) -> int:
        """kill -9 one part; returns the pid that died."""
        pid = int(self.endpoint["pids"][name])
        os.kill(pid, signal.SIGKILL)
        return pid

    def returned(self, name: str, old_pid: int, within_s: float = 60) -> None:
        """Wait until a killed part is there again and the API is ready."""
        deadline = time.monotonic() + within_s
        while self.endpoint["pids"].get(name) == old_pid or not self._answers():
            assert time.monotonic() < deadline, f"{name} did not come back"
            time.sleep(0.1)

    def kill_everything(self) -> None:
        """kill -9 the supervisor and every process below it, at once."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid)]
        family += family[0].children(recursive=True)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=20)
        self._process.wait(20)

    def check(self) -> str:
        """Run `swissbrain check`; returns what it printed, and fails if an invariant is broken."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.check", "--database-url", self.endpoint["database_url"]],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
