"""The Python client: the API as methods, with the answers as they come (JSON), and errors as one exception.

Reads are repeated after a broken connection; a POST carries an Idempotency-Key and is repeated with the same one, so
neither is done twice (`transport.py`).
"""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from client.exports import ExportCalls
from client.files import FileCalls
from client.transport import API as API
from client.transport import ATTEMPTS, TIMEOUT_S, error_of, unreachable
from client.transport import ApiError as ApiError
from client.transport import Json as Json

ENDED = frozenset({"completed", "failed", "cancelled"})


class Client(FileCalls, ExportCalls):
    """Calls one API with one key. Use it as a context manager, or `close` it."""

    def create_run(self, task: str, *, idempotency_key: str | None = None, **fields: Any) -> Json:
        """Create a run; `fields` as in `POST /runs` (name, max_agents, max_tokens, max_credits, context ...)."""
        given = {name: value for name, value in fields.items() if value is not None}
        return self._post(f"{API}/runs", {"task": task, **given}, idempotency_key)

    def start_run(self, run_id: str) -> Json:
        """Start a run: its quote is held."""
        return self.command(run_id, "start")

    def command(self, run_id: str, command: str, **fields: Any) -> Json:
        """Give a run a command: start, pause, resume, cancel, retry or finish."""
        given = {name: value for name, value in fields.items() if value is not None}
        return self._post(f"{API}/runs/{run_id}/{command}", given, None)

    def get_run(self, run_id: str) -> Json:
        """Read a run."""
        return self._get(f"{API}/runs/{run_id}")

    def list_runs(self, *, status: str | None = None, limit: int = 50) -> Iterator[Json]:
        """Yield runs, newest first, page by page."""
        return self._pages(f"{API}/runs", "runs", limit, {"status": status})

    def wait_for_run(self, run_id: str, *, timeout_s: float | None = None) -> Json:
        """Follow a run to its end and return it.

        Raises:
            TimeoutError: it had not ended after `timeout_s`.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (run := self.get_run(run_id))["status"] not in ENDED:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"run {run_id} is still {run['status']} after {timeout_s} s")
            time.sleep(0.5)
        return run

    def logs(self, run_id: str, *, after_seq: int = 0) -> Iterator[Json]:
        """Yield the lines of a run's log that are there now."""
        more = True
        while more:
            page = self._get(f"{API}/runs/{run_id}/logs", {"after_seq": after_seq})
            yield from page["logs"]
            after_seq, more = page["last_seq"], page["has_more"]

    def follow(self, run_id: str, *, after_seq: int = 0) -> Iterator[Json]:
        """Yield the lines of a run's log as they come, until it ends; a broken stream is resumed where it broke."""
        failures = 0
        while True:
            try:
                for event, data in self._stream(run_id, after_seq):
                    failures = 0
                    if event == "end":
                        return
                    after_seq = int(data["seq"])
                    yield data
            except httpx.TransportError as error:
                failures += 1
                if failures > ATTEMPTS * 5:
                    raise unreachable(error) from error
            time.sleep(min(0.2 * 2**failures, 5.0))

    def _stream(self, run_id: str, after_seq: int) -> Iterator[tuple[str, Json]]:
        headers = {"accept": "text/event-stream", "last-event-id": str(after_seq)}
        path, wait = f"{API}/runs/{run_id}/logs", httpx.Timeout(TIMEOUT_S, read=45.0)
        with self._http.stream("GET", path, params={"stream": "true"}, headers=headers, timeout=wait) as answer:
            if answer.status_code != 200:
                answer.read()
                raise error_of(answer)
            event = "message"
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield event, json.loads(line.removeprefix("data: "))

    def table(self, run_id: str, *, limit: int = 1_000) -> Iterator[Json]:
        """Yield the rows of the table that a run fills, as far as it is, with the evidence of every cell."""
        return self._pages(f"{API}/runs/{run_id}/table", "rows", limit, {})

    def table_state(self, run_id: str) -> Json:
        """Return the table's columns and how far it is, with its first row."""
        return self._get(f"{API}/runs/{run_id}/table", {"limit": 1})

    def artifacts(self, run_id: str) -> list[Json]:
        """List what a run made."""
        found: list[Json] = self._get(f"{API}/runs/{run_id}/artifacts")["artifacts"]
        return found

    def download(self, artifact_id: str) -> bytes:
        """Download an artifact."""
        return self._request("GET", f"{API}/artifacts/{artifact_id}/download").content

    def report(self, run_id: str) -> str:
        """Return the run's report as Markdown.

        Raises:
            ApiError: it has none (yet).
        """
        for artifact in self.artifacts(run_id):
            if artifact["name"] == "research_report.md":
                return self.download(artifact["id"]).decode()
        raise ApiError(404, {"code": "not_found", "detail": f"Run {run_id} has no report yet."})

    def upload(self, files: Sequence[Path], *, idempotency_key: str | None = None) -> list[Json]:
        """Add files to the corpus in one request, and return their documents."""
        parts = [("file", (path.name, path.read_bytes())) for path in files]
        headers = {"idempotency-key": idempotency_key or uuid.uuid4().hex}
        answer = self._request("POST", f"{API}/documents", files=parts, headers=headers)
        made: list[Json] = answer.json()["documents"]
        return made

    def list_documents(self, *, status: str | None = None, limit: int = 50) -> Iterator[Json]:
        """Yield the corpus, newest first, page by page."""
        return self._pages(f"{API}/documents", "documents", limit, {"status": status})

    def get_document(self, document_id: str) -> Json:
        """Read what is known of a document."""
        return self._get(f"{API}/documents/{document_id}")

    def delete_document(self, document_id: str) -> None:
        """Take a document out of the corpus."""
        self._request("DELETE", f"{API}/documents/{document_id}")

    def reindex_document(self, document_id: str, *, idempotency_key: str | None = None) -> Json:
        """Read a document anew: its passages, and their vectors by the embedding model that is configured now."""
        return self._post(f"{API}/documents/{document_id}/reindex", {}, idempotency_key)

    def sources(self, run_id: str, *, limit: int = 200) -> Iterator[Json]:
        """Yield every source that a run met, used or not and why, page by page."""
        return self._pages(f"{API}/runs/{run_id}/sources", "sources", limit, {})

    def source(self, run_id: str, source_id: str, *, limit: int = 200) -> Json:
        """Read one source of a run with up to `limit` of the statements drawn from it, and the text around each."""
        return self._get(f"{API}/runs/{run_id}/sources/{source_id}", {"limit": min(limit, 200)})

    def list_domains(self, *, limit: int = 200) -> Iterator[Json]:
        """Yield the domains whose trust the organisation set, page by page."""
        return self._pages(f"{API}/domains", "domains", limit, {})

    def trust_domain(self, domain: str, trust: float, *, note: str = "") -> Json:
        """Set how far sources of a domain, and of all below it, are trusted: 0..1."""
        body = {"trust": trust, "note": note}
        made: Json = self._request("PUT", f"{API}/domains/{quote(domain, safe='')}", json=body).json()
        return made

    def forget_domain(self, domain: str) -> None:
        """Let the shipped trust in a domain count again."""
        self._request("DELETE", f"{API}/domains/{quote(domain, safe='')}")

    def list_approvals(
        self, *, status: str | None = None, run_id: str | None = None, limit: int = 50
    ) -> Iterator[Json]:
        """Yield calls of tools that wait, or waited, for an administrator, newest first, page by page."""
        return self._pages(f"{API}/approvals", "approvals", limit, {"status": status, "run_id": run_id})

    def get_approval(self, approval_id: str) -> Json:
        """Read one call, with its arguments exactly."""
        return self._get(f"{API}/approvals/{approval_id}")

    def approve(self, approval_id: str, arguments_sha256: str, *, note: str | None = None) -> Json:
        """Let the call with this hash, as it was read, be made, once."""
        body = {"arguments_sha256": arguments_sha256, **({"note": note} if note else {})}
        return self._post(f"{API}/approvals/{approval_id}/approve", body, None)

    def deny(self, approval_id: str, *, note: str | None = None) -> Json:
        """Refuse a call: the agent goes on without it."""
        return self._post(f"{API}/approvals/{approval_id}/deny", {"note": note} if note else {}, None)

    def balance(self) -> Json:
        """Read the organisation's credits."""
        return self._get(f"{API}/billing/balance")

    def ledger(self, *, run_id: str | None = None, limit: int = 50) -> Iterator[Json]:
        """Yield movements of credits, newest first, page by page."""
        return self._pages(f"{API}/billing/ledger", "entries", limit, {"run_id": run_id})

    def audit(self, *, limit: int = 50, **asked: str | None) -> Iterator[Json]:
        """Yield the audit log, newest first, page by page; `asked` as `GET /audit` takes it."""
        return self._pages(f"{API}/audit", "entries", limit, asked)

    def audit_verification(self) -> Json:
        """Read what the last scheduled verification of the audit log found."""
        return self._get(f"{API}/audit/verification")

    def buy_credits(self, credits_amount: str, *, idempotency_key: str | None = None) -> Json:
        """Add credits to the balance; the amount is decimal text, exact."""
        return self._post(f"{API}/billing/purchases", {"credits": credits_amount}, idempotency_key)

    def create_key(
        self, name: str, scopes: Sequence[str], *, expires_at: str | None = None, service_account_id: str | None = None
    ) -> Json:
        """Make an API key, one's own or a service account's; its text is in this answer only."""
        more = {"expires_at": expires_at, "service_account_id": service_account_id}
        given = {"name": name, "scopes": list(scopes), **{key: value for key, value in more.items() if value}}
        return self._post(f"{API}/api-keys", given, None)

    def rotate_key(self, key_id: str, *, overlap_s: int = 0) -> Json:
        """Replace an API key; the old one stays in force for `overlap_s`. The new text is in this answer only."""
        return self._post(f"{API}/api-keys/{key_id}/rotate", {"overlap_s": overlap_s}, None)

    def list_keys(self, *, limit: int = 50) -> Iterator[Json]:
        """Yield API keys, newest first, page by page."""
        return self._pages(f"{API}/api-keys", "api_keys", limit, {})

    def revoke_key(self, key_id: str) -> Json:
        """Revoke an API key, from now on."""
        revoked: Json = self._request("DELETE", f"{API}/api-keys/{key_id}").json()
        return revoked

    def who_am_i(self) -> Json:
        """Read whose key this is, and what it may do."""
        return self._get(f"{API}/session")

    def list_members(self, *, limit: int = 50) -> Iterator[Json]:
        """Yield the people in the organisation, page by page."""
        return self._pages(f"{API}/members", "members", limit, {})

    def list_service_accounts(self, *, limit: int = 50) -> Iterator[Json]:
        """Yield service accounts, page by page."""
        return self._pages(f"{API}/service-accounts", "service_accounts", limit, {})

    def update_member(self, user_id: str, **fields: Any) -> Json:
        """Change a member's `role` or `monthly_limit` (decimal text; None: no limit)."""
        changed: Json = self._request("PATCH", f"{API}/members/{user_id}", json=fields).json()
        return changed

    def remove_member(self, user_id: str) -> None:
        """Remove a member or service account, and end its keys."""
        self._request("DELETE", f"{API}/members/{user_id}")

    def create_service_account(self, name: str, *, role: str = "member") -> Json:
        """Make a principal that owns keys and cannot sign in."""
        return self._post(f"{API}/service-accounts", {"name": name, "role": role}, None)

    def create_invitation(self, role: str, *, email: str | None = None) -> Json:
        """Make an invitation; its token is in this answer only."""
        return self._post(f"{API}/invitations", {"role": role, **({"email": email} if email else {})}, None)

    def list_invitations(self, *, limit: int = 50) -> Iterator[Json]:
        """Yield invitations, newest first, page by page."""
        return self._pages(f"{API}/invitations", "invitations", limit, {})

    def revoke_invitation(self, invitation_id: str) -> Json:
        """Revoke an invitation."""
        revoked: Json = self._request("DELETE", f"{API}/invitations/{invitation_id}").json()
        return revoked

    def accept_invitation(self, token: str, *, email: str, password: str, name: str) -> Json:
        """Accept an invitation as a new person; the answer has the session's `token`."""
        body = {"token": token, "email": email, "password": password, "name": name, "transport": "bearer"}
        # Without the key: with one, somebody who has an account would accept.
        answer = self._http.request("POST", f"{API}/auth/invitations/accept", json=body, headers={"authorization": ""})
        if not answer.is_success:
            raise error_of(answer)
        accepted: Json = answer.json()
        return accepted

    def list_dead_letters(self, *, replayed: bool = False, limit: int = 50) -> Iterator[Json]:
        """Yield work that was given up, newest first, page by page; what was replayed only when asked for."""
        asked = {"replayed": "true"} if replayed else {}
        return self._pages(f"{API}/dead-letters", "dead_letters", limit, asked)

    def replay_dead_letter(self, letter_id: str, *, idempotency_key: str | None = None) -> Json:
        """Retry the failed run of a dead letter, or have its document read again."""
        return self._post(f"{API}/dead-letters/{letter_id}/replay", {}, idempotency_key)
