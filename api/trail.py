"""Every request's audit entry, committed before its answer leaves: what nobody can read unrecorded.

Requests of one organisation that come together are written together, in one transaction (group commit): each waits for
one commit, and the log's head is locked once for all of them. What money, access or state change writes is not here:
those entries are in the transaction of what they record.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_of
from infra.database import Database
from schema.errors import StorageUnavailable
from schema.policies import (
    AUDIT_BATCH_MAX,
    AUDIT_STRANGERS_EVERY,
    AUDIT_STRANGERS_MAX,
    AUDIT_WITHIN,
    AUDIT_WRITERS_MAX,
)
from schema.store import audit
from schema.store.audit import PLATFORM, Actor, Entry

log = structlog.get_logger("api.audit")

_Waiting = list[tuple[Entry, "asyncio.Future[None]"]]


class Trail:
    """Writes the entries of requests; one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, _Waiting] = {}
        self._slots = asyncio.Semaphore(AUDIT_WRITERS_MAX)
        self._strangers: Counter[tuple[str | None, str, str | None]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._counting: asyncio.Task[None] | None = None

    async def write(self, org_id: str, entry: Entry) -> None:
        """Return when the entry is committed.

        Raises:
            StorageUnavailable: the database did not take it, or not in time (then it may still be written).
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if (waiting := self._waiting.get(org_id)) is not None:
            waiting.append((entry, written))
        else:
            self._waiting[org_id] = [(entry, written)]
            self._start(self._drain(org_id))
        try:
            async with asyncio.timeout(AUDIT_WITHIN.total_seconds()):
                await written
        except TimeoutError as error:
            raise StorageUnavailable("The audit log does not answer.") from error

    def count_stranger(self, address: str | None, method: str, key_id: str | None) -> None:
        """Count a request that came without a valid key; written once a second, so that strangers fill no disk.

        Up to that second is lost if the process is killed.
        """
        known = (address, method, key_id) in self._strangers or len(self._strangers) < AUDIT_STRANGERS_MAX
        self._strangers[(address, method, key_id) if known else (None, method, None)] += 1
        if self._counting is None or self._counting.done():
            self._counting = self._start(self._write_strangers(AUDIT_STRANGERS_EVERY.total_seconds()))

    async def close(self) -> None:
        """Write what waits."""
        await self._write_strangers(0)
        for task in [task for task in self._tasks if task is not self._counting]:
            with suppress(Exception):
                await task
        if self._counting is not None:
            self._counting.cancel()

    def _start(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _drain(self, org_id: str) -> None:
        waiting = self._waiting[org_id]
        while waiting:
            async with self._slots:
                batch = waiting[:AUDIT_BATCH_MAX]
                del waiting[:AUDIT_BATCH_MAX]
                failure: Exception | None = None
                try:
                    async with self._database.transaction(org_id) as session:
                        await audit.record_all(session, org_id, [entry for entry, _ in batch])
                except Exception as error:
                    failure = error
                    log.error("audit.unwritten", org_id=org_id, entries=len(batch), exc_info=True)
            for _, written in batch:
                if written.done():
                    continue
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(StorageUnavailable("The audit log does not answer."))
        del self._waiting[org_id]

    async def _write_strangers(self, after_s: float) -> None:
        # Once more where some came while the last were written.
        while self._strangers:
            await asyncio.sleep(after_s)
            counted, self._strangers = self._strangers, Counter()
            entries = [
                Entry(
                    Actor("anonymous", key_id, ip_address=address),
                    "authentication.failed",
                    "api",
                    details={"method": method, "requests": requests},
                    result="denied",
                )
                for (address, method, key_id), requests in counted.items()
            ]
            try:
                async with self._database.transaction(PLATFORM) as session:
                    await audit.record_all(session, PLATFORM, entries)
            except Exception:
                log.error("audit.unwritten", org_id=PLATFORM, entries=len(entries), exc_info=True)


class Audited:
    """Hold each answer back until its entry is committed; a success whose entry was not becomes 503."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        replaced = False

        async def sending(message: Message) -> None:
            nonlocal replaced
            if replaced:
                if message.get("more_body"):
                    raise OSError("the answer was withheld")  # How a stream learns that nobody reads it.
                return
            if message["type"] == "http.response.start" and (failure := await self._record(scope, message["status"])):
                replaced = True
                await problem_of(scope, failure)(scope, receive, send)
                return
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except OSError:
            if not replaced:
                raise

    async def _record(self, scope: Scope, status: int) -> StorageUnavailable | None:
        """Write the entry of a request; return why it could not be, where its answer may then not leave."""
        caller = scope["state"].get("caller")
        trail: Trail = scope["app"].state.services.trail
        if caller is None:
            if status == 401:
                trail.count_stranger(_address(scope), scope["method"], scope["state"].get("presented_key_id"))
            return None
        try:
            await trail.write(caller.org_id, entry_of(scope, status))
        except StorageUnavailable as failure:
            return failure if status < 400 else None
        return None


def _address(scope: Scope) -> str | None:
    host = scope["client"][0] if scope.get("client") else ""
    return host if host and all(c in "0123456789abcdefABCDEF.:" for c in host) else None


def entry_of(scope: Scope, status: int) -> Entry:
    """Return what the log says of a request: who, which route and objects, which permission, how it ended."""
    state = scope["state"]
    params: dict[str, str] = {name: str(value) for name, value in scope.get("path_params", {}).items()}
    route: str = scope["path"]
    for name, value in params.items():
        route = route.replace(f"/{value}", f"/{{{name}}}", 1)
    kind, resource_id = next(reversed(params.items()), ("route", route))
    denied = status in (401, 403)
    reads = scope["method"] in ("GET", "HEAD")
    return Entry(
        actor=state["caller"].actor,
        action="access.denied" if denied else "data.read" if reads and status < 400 else "api.called",
        resource_type=kind.removesuffix("_id"),
        resource_id=resource_id,
        run_id=params.get("run_id"),
        details={
            "method": scope["method"],
            "route": route,
            "status": status,
            "scopes": sorted(state.get("needed_scopes", ())),
            **({"objects": params} if len(params) > 1 else {}),
        },
        result="denied" if denied else "success" if status < 400 else "failure",
    )
