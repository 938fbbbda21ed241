"""Files of runs, as methods of the client: brought whole or in parts, waited for, asked, taken away."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

from client.transport import API, ApiError, Json, Transport, unreachable

WHOLE_BYTES_MAX = 50 * 1024 * 1024
"""A larger file is sent in parts, straight to the object store."""
PART_TRIES = 4
READ = frozenset({"ready", "failed"})


class FileCalls(Transport):
    """Calls about files."""

    def upload_file(
        self, path: Path, *, idempotency_key: str | None = None, progress: Callable[[int], None] | None = None
    ) -> Json:
        """Bring a file of up to 2 GiB, and return it; it is read in the background (`wait_for_file`).

        Args:
            idempotency_key: the same key goes on with the same upload, part by part.
            progress: told how many bytes have come.
        """
        if path.stat().st_size <= WHOLE_BYTES_MAX:
            headers = {"idempotency-key": idempotency_key or self.new_key()}
            parts = [("file", (path.name, path.read_bytes()))]
            (made,) = self._request("POST", f"{API}/files", files=parts, headers=headers).json()["files"]
            return dict(made)
        return self._upload_in_parts(path, idempotency_key, progress or (lambda _: None))

    def _upload_in_parts(self, path: Path, key: str | None, progress: Callable[[int], None]) -> Json:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            asked = {"name": path.name, "size_bytes": path.stat().st_size, "sha256": digest}
            file_id = self._post(f"{API}/files/uploads", asked, key)["file"]["id"]
            for _ in range(PART_TRIES):
                waiting = [part for part in self._get(f"{API}/files/{file_id}/upload")["parts"] if not part["received"]]
                if not waiting:
                    break
                for part in waiting:
                    file.seek(part["start"])
                    self._send_part(part["url"], file.read(part["size_bytes"]))
                    progress(part["start"] + part["size_bytes"])
        return self._post(f"{API}/files/{file_id}/complete", {}, None)

    def _send_part(self, url: str, data: bytes) -> None:
        for attempt in range(1, PART_TRIES + 1):
            try:
                # Not the API, and not with its key: the link says all.
                answer = httpx.put(url, content=data, timeout=self.timeout_s)
            except httpx.TransportError as error:
                if attempt == PART_TRIES:
                    raise unreachable(error) from error
            else:
                if answer.is_success:
                    return
            time.sleep(0.2 * 2**attempt)
        raise ApiError(answer.status_code, {"code": "storage_unavailable", "detail": "A part was not taken."})

    def get_file(self, file_id: str) -> Json:
        """Read what is known of a file."""
        return self._get(f"{API}/files/{file_id}")

    def list_files(self, *, status: str | None = None, limit: int = 50) -> Iterator[Json]:
        """Yield files, newest first, page by page."""
        return self._pages(f"{API}/files", "files", limit, {"status": status})

    def wait_for_file(self, file_id: str, *, timeout_s: float | None = None) -> Json:
        """Wait until a file is ready or failed, and return it.

        Raises:
            TimeoutError: it is neither within `timeout_s`.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (file := self.get_file(file_id))["status"] not in READ:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"file {file_id} is still {file['status']}")
            time.sleep(0.5)
        return file

    def file_result(self, file_id: str) -> Json:
        """Return what a file came to, by its kind."""
        found: Json = self._get(f"{API}/files/{file_id}/result")["result"]
        return found

    def file_outputs(self, file_id: str) -> list[Json]:
        """List what was made of a file, each with a link that downloads it."""
        found: list[Json] = self._get(f"{API}/files/{file_id}/outputs")["outputs"]
        return found

    def reopen_file(self, file_id: str, *, idempotency_key: str | None = None) -> Json:
        """Read a file again that failed."""
        return self._post(f"{API}/files/{file_id}/reopen", {}, idempotency_key)

    def delete_file(self, file_id: str) -> None:
        """Take a file away with what was made of it."""
        self._request("DELETE", f"{API}/files/{file_id}")

    def ask_file(self, file_id: str, question: str, *, idempotency_key: str | None = None) -> Json:
        """Ask about a file's data in plain words, and wait for the answer with its query."""
        path = f"{API}/files/{file_id}/questions"
        return self._answered(path, self._post(path, {"question": question}, idempotency_key))

    def relate_files(self, file_id: str, others: Sequence[str], *, idempotency_key: str | None = None) -> Json:
        """Find how a file's tables and those of others belong together, and wait for the answer."""
        made = self._post(f"{API}/files/{file_id}/relations", {"files": list(others)}, idempotency_key)
        return self._answered(f"{API}/files/{file_id}/questions", made)

    def _answered(self, path: str, asked: Json) -> Json:
        while asked["status"] == "waiting":
            time.sleep(0.5)
            asked = self._get(f"{path}/{asked['id']}")
        return asked
