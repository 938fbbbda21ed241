"""Erasure of a person's data from an organisation, in portions; each counts what it erased in its own transaction.

What stays names the person by id only: ledger, usage, holds, the audit log, and the record of the erasure itself. The
name and address behind the id stand in `users` alone, and go when no organisation knows the person any more.
"""

from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, NotFound
from schema.ids import ERASURE, new_id
from schema.states import TERMINAL, RunStatus
from schema.store import archives, audit, files, retention, runs
from schema.store.audit import SYSTEM, Actor
from schema.tables.organisations import Membership
from schema.tables.retention import Erasure, RunArchive
from schema.tables.runs import Run

_ENDED = tuple(status.value for status in TERMINAL)


async def create_erasure(session: AsyncSession, org_id: str, user_id: str, *, actor: Actor) -> Erasure:
    """Ask for a person's erasure.

    Raises:
        NotFound: the organisation has no such member, and had none.
        Conflict: they are its only owner, or their erasure is under way.
    """
    mine = select(Membership).where(Membership.org_id == org_id, Membership.user_id == user_id)
    member = (await session.execute(mine)).scalar_one_or_none()
    if member is None:
        raise NotFound(f"User {user_id} is not, and was not, a member of the organisation.")
    owners = select(func.count()).where(
        Membership.org_id == org_id, Membership.role == "owner", col(Membership.removed_at).is_(None)
    )
    if member.removed_at is None and member.role == "owner" and (await session.execute(owners)).scalar_one() == 1:
        raise Conflict("They are the organisation's only owner. Make somebody else an owner first.", user_id=user_id)
    open_one = select(Erasure.id).where(
        Erasure.org_id == org_id, Erasure.user_id == user_id, Erasure.status == "processing"
    )
    if (under_way := (await session.execute(open_one)).scalar()) is not None:
        raise Conflict("Their erasure is under way.", erasure_id=under_way)
    erasure = Erasure(
        id=new_id(ERASURE), org_id=org_id, user_id=user_id, requested_by=actor.id or actor.type, erased={}
    )
    session.add(erasure)
    await session.flush()
    # From here nothing new can be begun in their name.
    await session.execute(_REVOKE_KEYS, {"org_id": org_id, "user_id": user_id})
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="erasure.requested",
        resource_type="user",
        resource_id=user_id,
        details={"erasure_id": erasure.id},
    )
    await session.refresh(erasure)
    return erasure


async def get_erasure(session: AsyncSession, org_id: str, erasure_id: str) -> Erasure:
    """Return an erasure.

    Raises:
        NotFound: the organisation has no such erasure.
    """
    query = select(Erasure).where(Erasure.org_id == org_id, Erasure.id == erasure_id)
    found = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no erasure {erasure_id}")
    return found


async def list_erasures(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[Erasure], str | None]:
    """Return erasures, newest first, and where the next page begins."""
    query = select(Erasure).where(Erasure.org_id == org_id)
    if cursor is not None:
        query = query.where(Erasure.id < cursor)
    rows = list((await session.execute(query.order_by(col(Erasure.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def live_runs_of(session: AsyncSession, org_id: str, user_id: str) -> list[str]:
    """Return the person's runs that have not ended; those that nobody started are cancelled here."""
    query = select(Run).where(Run.org_id == org_id, Run.user_id == user_id, col(Run.status).not_in(_ENDED))
    live = []
    for run in (await session.execute(query)).scalars().all():
        if run.status == RunStatus.CREATED:
            await runs.cancel_created(session, org_id, run.id, SYSTEM)
        else:
            live.append(run.id)
    return live


async def runs_of(session: AsyncSession, org_id: str, user_id: str, *, limit: int) -> list[str]:
    """Return runs of the person that are in the database or in the archive."""
    found = select(Run.id).where(Run.org_id == org_id, Run.user_id == user_id)
    archived = select(RunArchive.run_id).where(RunArchive.org_id == org_id, RunArchive.user_id == user_id)
    both = found.union(archived).limit(limit)
    return list((await session.execute(both)).scalars())


async def erase_run(session: AsyncSession, org_id: str, erasure_id: str, run_id: str) -> None:
    """Erase an ended run and its archive. A repeat finds nothing and counts nothing."""
    erasure = await get_erasure(session, org_id, erasure_id)
    try:
        run: Run | None = await runs.lock_run(session, org_id, run_id)
    except NotFound:
        run = None
    if run is not None and (run.user_id != erasure.user_id or RunStatus(run.status) not in TERMINAL):
        raise Conflict("This run is not theirs, or has not ended.", run_id=run_id)
    gone = run is not None and await retention.delete_run_rows(session, org_id, run_id)
    archived = await archives.delete_archive(session, org_id, run_id)
    answers = await session.execute(_FORGET_ANSWERS, {"org_id": org_id, "run_id": run_id})
    letters = await session.execute(_FORGET_LETTERS, {"org_id": org_id, "run_id": run_id})
    await _count(
        session,
        org_id,
        erasure_id,
        runs=int(gone),
        archives=int(archived),
        answers=_n(answers),
        dead_letters=_n(letters),
    )


async def erase_documents(session: AsyncSession, org_id: str, erasure_id: str, *, limit: int) -> int:
    """Erase documents that the person brought, as many as `limit`; returns how many there were."""
    erasure = await get_erasure(session, org_id, erasure_id)
    found = list(
        (await session.execute(_DOCUMENTS, {"org_id": org_id, "user_id": erasure.user_id, "limit": limit})).scalars()
    )
    for document_id in found:
        await retention.delete_document_rows(session, org_id, document_id)
    await _count(session, org_id, erasure_id, documents=len(found))
    return len(found)


async def erase_files(session: AsyncSession, org_id: str, erasure_id: str, *, limit: int) -> list[str]:
    """Take away files that the person brought, as many as `limit`; returns those whose rows and objects are to follow.

    What is being read stops, and its hold is released.
    """
    erasure = await get_erasure(session, org_id, erasure_id)
    parameters = {"org_id": org_id, "user_id": erasure.user_id, "limit": limit}
    found = [(row.id, row.deleted) for row in await session.execute(_FILES, parameters)]
    for file_id, deleted in found:
        if not deleted:
            await files.delete_file(session, org_id, file_id)
    await _count(session, org_id, erasure_id, files=len(found))
    return [file_id for file_id, _ in found]


async def erase_person(session: AsyncSession, org_id: str, erasure_id: str) -> Erasure:
    """Erase what names the person, keys and memberships with it, and close the record; a repeat changes nothing."""
    erasure = await get_erasure(session, org_id, erasure_id)
    if erasure.status != "processing":
        return erasure
    parameters = {"org_id": org_id, "user_id": erasure.user_id}
    counts: dict[str, int] = {}
    for kind, statement in _OF_PERSON.items():
        counts[kind] = _n(await session.execute(text(statement), parameters))
    keys = list((await session.execute(_EXPORTS, parameters)).scalars())
    await retention.ask_for_deletion(session, org_id, [key for key in keys if key])
    counts["exports"] = len(keys)
    anonymised = (await session.execute(_FORGET_USER, {"user_id": erasure.user_id})).scalar_one()
    await _count(session, org_id, erasure_id, **counts, name_and_address=int(bool(anonymised)))
    await session.execute(
        update(Erasure)
        .where(col(Erasure.org_id) == org_id, col(Erasure.id) == erasure_id)
        .values(status="completed", completed_at=func.clock_timestamp())
    )
    closed = await get_erasure(session, org_id, erasure_id)
    await audit.record(
        session,
        org_id,
        actor=audit.workflow_actor(erasure_id),
        action="erasure.completed",
        resource_type="user",
        resource_id=erasure.user_id,
        details={"erasure_id": erasure_id, "erased": closed.erased},
    )
    return closed


async def fail_erasure(session: AsyncSession, org_id: str, erasure_id: str, *, code: str, detail: str) -> None:
    """Close the record of an erasure that did not come to its end."""
    await session.execute(
        update(Erasure)
        .where(col(Erasure.org_id) == org_id, col(Erasure.id) == erasure_id, col(Erasure.status) == "processing")
        .values(status="failed", error={"code": code, "detail": detail}, completed_at=func.clock_timestamp())
    )


async def _count(session: AsyncSession, org_id: str, erasure_id: str, **more: int) -> None:
    erasure = (
        await session.execute(
            select(Erasure)
            .where(Erasure.org_id == org_id, Erasure.id == erasure_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).scalar_one()
    totals: dict[str, Any] = dict(erasure.erased)
    for kind, number in more.items():
        totals[kind] = totals.get(kind, 0) + number
    erasure.erased = totals
    await session.flush()


def _n(result: Any) -> int:
    return max(0, int(result.rowcount))


_REVOKE_KEYS = text(
    "update api_keys set revoked_at = clock_timestamp() where org_id = :org_id and user_id = :user_id"
    " and revoked_at is null"
)
_DOCUMENTS = text(
    "select id from documents where org_id = :org_id and (created_by = :user_id or created_by in"
    " (select id from api_keys where org_id = :org_id and user_id = :user_id)) order by id limit :limit"
)
_FILES = text(
    "select id, deleted_at is not null as deleted from files where org_id = :org_id and (created_by = :user_id or"
    " created_by in (select id from api_keys where org_id = :org_id and user_id = :user_id)) order by id limit :limit"
)
_FORGET_ANSWERS = text(
    "delete from idempotency_keys where org_id = :org_id and position(convert_to(:run_id, 'UTF8') in body) > 0"
)
_FORGET_LETTERS = text("delete from dead_letters where org_id = :org_id and run_id = :run_id")
_EXPORTS = text("delete from data_exports where org_id = :org_id and user_id = :user_id returning object_key")
_FORGET_USER = text("select across_forget_user(:user_id)")
_OF_PERSON = {
    "connectors": "delete from oauth_connectors where org_id = :org_id and user_id = :user_id",
    "mails": "delete from email_ingestions where org_id = :org_id and user_id = :user_id",
    "workspace_memberships": "delete from workspace_members where org_id = :org_id and user_id = :user_id",
    "api_keys": "delete from api_keys where org_id = :org_id and user_id = :user_id",
    # A workspace that others share goes to an owner of the organisation; one that nobody shares goes.
    "workspaces": "delete from workspaces w where org_id = :org_id and owner_id = :user_id and not exists"
    " (select from workspace_members m where m.org_id = w.org_id and m.workspace_id = w.id)"
    " and not exists (select from runs r where r.org_id = w.org_id and r.workspace_id = w.id)",
    "workspaces_handed_over": "update workspaces set owner_id = (select user_id from memberships m"
    " where m.org_id = :org_id and m.role = 'owner' and m.removed_at is null and m.user_id <> :user_id"
    " order by user_id limit 1) where org_id = :org_id and owner_id = :user_id",
    "invitations": "update invitations set email = null where org_id = :org_id and email is not null"
    " and (accepted_by = :user_id or email = (select email from users where id = :user_id))",
    # Stays, as an id without a name: invitations and spending point to it.
    "memberships": "update memberships set removed_at = coalesce(removed_at, clock_timestamp())"
    " where org_id = :org_id and user_id = :user_id",
}
"""In this order, by the keys between them."""
