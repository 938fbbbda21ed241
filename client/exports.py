"""Exports of runs, as methods of the client: asked for, waited for, downloaded."""

import time
from collections.abc import Iterator

from client.transport import API, Json, Transport


class ExportCalls(Transport):
    """Calls about exports."""

    def export_run(self, run_id: str, format: str, *, idempotency_key: str | None = None, **options: object) -> Json:
        """Have a completed run made into a file; `options` as in `POST /runs/{id}/export`."""
        given = {name: value for name, value in options.items() if value is not None}
        return self._post(f"{API}/runs/{run_id}/export", {"format": format, **given}, idempotency_key)

    def get_export(self, export_id: str) -> Json:
        """Read how far an export is."""
        return self._get(f"{API}/exports/{export_id}")

    def list_exports(self, run_id: str, *, limit: int = 50) -> Iterator[Json]:
        """Yield a run's exports, newest first."""
        return self._pages(f"{API}/runs/{run_id}/exports", "exports", limit, {})

    def wait_for_export(self, export_id: str, *, timeout_s: float | None = 600.0) -> Json:
        """Wait until an export is ready, or is known to have no file, and return it.

        Raises:
            TimeoutError: it was not after `timeout_s`.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (export := self.get_export(export_id))["status"] == "processing":
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"export {export_id} is not ready after {timeout_s} s")
            time.sleep(0.5)
        return export

    def download_export(self, export_id: str) -> bytes:
        """Return an export's file."""
        return self._request("GET", f"{API}/exports/{export_id}/download").content
