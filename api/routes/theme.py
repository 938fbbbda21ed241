"""The organisation's look: colours, fonts, a logo, for documents and decks that are exported from now on."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import OrganisationAdmin, RunsReader, SecuredRoute
from api.links import presigned_file
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.views import exports as views
from schema.contracts.common import ObjectRef
from schema.contracts.deliverables import Theme
from schema.contracts.files import FileKind
from schema.errors import ValidationFailed
from schema.policies import THEME_LOGO_BYTES_MAX
from schema.store import files, organisations
from schema.tables.files import File

router = APIRouter(prefix="/theme", tags=["organisation"], route_class=SecuredRoute)

_LOGOS = {"image/png": "logo.png", "image/jpeg": "logo.jpg"}


@router.get("", response_model=views.ThemeView)
async def get_theme(caller: RunsReader, api: Api) -> Response:
    """Read how the organisation's documents and decks look."""
    async with api.database.transaction(caller.org_id) as session:
        theme = await organisations.theme(session, caller.org_id)
    return JsonAnswer(views.theme_view(theme, await _link(api, theme)))


@router.patch("", response_model=views.ThemeView)
async def change_theme(caller: OrganisationAdmin, body: views.ChangeTheme, api: Api) -> Response:
    """Change how documents and decks look that are exported from now on."""
    given = body.model_dump(exclude_unset=True)
    async with api.database.transaction(caller.org_id) as session:
        file = await files.get_file(session, caller.org_id, body.logo_file_id) if body.logo_file_id else None
    changes = {name: value for name, value in given.items() if name != "logo_file_id"}
    if "logo_file_id" in given:
        changes["logo"] = await _copied(api, file) if file is not None else None
        changes["logo_mime"] = file.mime_type if file is not None else None
    async with api.database.transaction(caller.org_id) as session:
        before = await organisations.theme(session, caller.org_id, lock=True)
        theme = before.model_copy(update=changes)
        await organisations.set_theme(session, caller.org_id, theme, actor=caller.actor)
    return JsonAnswer(views.theme_view(theme, await _link(api, theme)))


async def _copied(api: Services, file: File) -> ObjectRef:
    """Return a copy of a file that the theme keeps, whatever becomes of the file.

    Raises:
        ValidationFailed: it is no picture that can be a logo; nothing was changed.
    """
    if file.status != "ready" or file.kind != FileKind.IMAGE or file.mime_type not in _LOGOS:
        detail = f"The file is {file.status}, {file.mime_type}; a logo is a file that is ready, PNG or JPEG."
        raise ValidationFailed(detail, field="logo_file_id")
    if file.size_bytes > THEME_LOGO_BYTES_MAX:
        detail = f"A logo may have {THEME_LOGO_BYTES_MAX:,} bytes; this file has {file.size_bytes:,}."
        raise ValidationFailed(detail, field="logo_file_id")
    content = files.content_of(file)
    data = await api.objects.get(content)
    return await api.objects.put(f"{file.org_id}/theme/{content.sha256}", data, file.mime_type)


async def _link(api: Services, theme: Theme) -> str | None:
    if theme.logo is None or theme.logo_mime is None:
        return None
    return await presigned_file(api.objects, theme.logo, filename=_LOGOS[theme.logo_mime], mime_type=theme.logo_mime)
