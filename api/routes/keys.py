"""API keys: make, list, rotate, revoke. A key is shown once, and never gets more than its maker has.

Who has `keys:own` sees and changes the own keys; `keys:admin` reaches everybody's. Nobody gets the text of a key that
is another person's: those can be revoked, and not rotated.
"""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import Caller, KeysOwner, SecuredRoute
from api.deps import KeyId
from api.idempotency import Idempotent, Outcome, once
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import account as views
from schema.errors import Conflict, Forbidden, NotFound
from schema.permissions import Scope
from schema.store import api_keys, members, users
from schema.tables.organisations import ApiKey

router = APIRouter(prefix="/api-keys", tags=["api-keys"], route_class=SecuredRoute)

ROTATE = views.RotateKey()


@router.post("", status_code=201, response_model=views.NewKeyView)
async def create_api_key(caller: KeysOwner, asked: Idempotent, body: views.CreateKey, api: Api) -> Response:
    """Make a key. Its text is in this answer only: a repetition with the same Idempotency-Key shows `key` as null."""
    scopes = [scope.value for scope in body.scopes]
    _require_within(caller, scopes)
    user_id = body.service_account_id or caller.user_id

    async def work(session: AsyncSession) -> Outcome:
        if user_id != caller.user_id:
            await _require_reach(session, caller, user_id, text=True)
        made = await api_keys.create_key(
            session,
            caller.org_id,
            user_id=user_id,
            name=body.name,
            scopes=scopes,
            expires_at=body.expires_at,
            actor=caller.actor,
        )
        return _made(*made)

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer


@router.get("", response_model=views.KeyList)
async def list_api_keys(
    caller: KeysOwner, page: Annotated[Page, Depends(PageOf(r"key_[0-9a-f]{32}"))], api: Api
) -> Response:
    """List the keys that one may see (one's own, or all), newest first, revoked ones included."""
    user_id = None if Scope.KEYS_ADMIN in caller.scopes else caller.user_id
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await api_keys.list_keys(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, user_id=user_id
        )
    return JsonAnswer(views.KeyList(api_keys=[views.key_view(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/{key_id}", response_model=views.KeyView)
async def get_api_key(key_id: KeyId, caller: KeysOwner, api: Api) -> Response:
    """Read what is known of a key."""
    async with api.database.transaction(caller.org_id) as session:
        key = await _visible(session, caller, key_id)
    return JsonAnswer(views.key_view(key))


@router.post("/{key_id}/rotate", status_code=201, response_model=views.NewKeyView)
async def rotate_api_key(
    key_id: KeyId, caller: KeysOwner, asked: Idempotent, api: Api, body: views.RotateKey = ROTATE
) -> Response:
    """Replace a key by a new one with the same name, scopes and end; the old one stays in force for `overlap_s`."""

    async def work(session: AsyncSession) -> Outcome:
        old = await _visible(session, caller, key_id)
        if old.user_id != caller.user_id:
            await _require_reach(session, caller, old.user_id, text=True)
        _require_within(caller, old.scopes)
        if old.revoked_at is not None:
            raise Conflict("The key is revoked and cannot be rotated. Make a new one.")
        made = await api_keys.create_key(
            session,
            caller.org_id,
            user_id=old.user_id,
            name=old.name,
            scopes=old.scopes,
            expires_at=old.expires_at,
            actor=caller.actor,
        )
        await api_keys.expire_key(session, caller.org_id, key_id, within_s=body.overlap_s, actor=caller.actor)
        return _made(*made)

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer


@router.delete("/{key_id}", response_model=views.KeyView)
async def revoke_api_key(key_id: KeyId, caller: KeysOwner, api: Api) -> Response:
    """Revoke a key, from now on; revoking it again changes nothing."""
    async with api.database.transaction(caller.org_id) as session:
        key = await _visible(session, caller, key_id)
        if key.user_id != caller.user_id and key.revoked_at is None:
            await _require_reach(session, caller, key.user_id, text=False)
        key = await api_keys.revoke_key(session, caller.org_id, key_id, actor=caller.actor)
    return JsonAnswer(views.key_view(key))


async def _visible(session: AsyncSession, caller: Caller, key_id: str) -> ApiKey:
    key = await api_keys.get_key(session, caller.org_id, key_id)
    if key.user_id != caller.user_id and Scope.KEYS_ADMIN not in caller.scopes:
        raise NotFound(f"You have no API key {key_id}.")
    return key


async def _require_reach(session: AsyncSession, caller: Caller, user_id: str, *, text: bool) -> None:
    """Refuse to act on another's keys without `keys:admin`, above one's role, or, for `text`, as another person."""
    if Scope.KEYS_ADMIN not in caller.scopes:
        missing = [Scope.KEYS_ADMIN.value]
        raise Forbidden("Keys of service accounts need the permission keys:admin.", missing_scopes=missing)
    member = await members.get_member(session, caller.org_id, user_id)
    members.require_rank(caller.role, member.role)
    if text and member.user.kind != users.SERVICE:
        raise Forbidden("The key of another person can be revoked, and is made or rotated only by that person.")


def _require_within(caller: Caller, scopes: Iterable[str]) -> None:
    beyond = sorted(set(scopes) - caller.scopes)
    if beyond:
        raise Forbidden(
            f"A key cannot give what it does not have: {', '.join(beyond)}. Leave these scopes out, or use a key that "
            "has "
            "them.",
            missing_scopes=beyond,
        )


def _made(key: ApiKey, text: str) -> Outcome:
    # The text must not be kept, not even for a repetition: what is stored has none.
    shown = views.new_key_view(key, text)
    return Outcome(201, shown, location=f"/api/v1/api-keys/{key.id}", kept=shown.model_copy(update={"key": None}))
