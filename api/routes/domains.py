"""Domains: how far an organisation trusts what comes from them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator
from starlette.responses import Response

from api.auth import DocumentsReader, DocumentsWriter, SecuredRoute
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import domains as views
from schema.store import domains

router = APIRouter(prefix="/domains", tags=["domains"], route_class=SecuredRoute)

# Beside the format: something that is no digit, and no hyphens in third and fourth place but those of Punycode.
_NAME = r"^(?!(.*\.)?(?!xn)[^.]{2}--)(?=.*[^0-9.])"
Domain = Annotated[
    str,
    Path(
        description="Name of the domain, such as `example.org`; in Unicode or ASCII (IDNA 2008). No address.",
        json_schema_extra={"format": "idn-hostname", "pattern": _NAME},
    ),
    AfterValidator(views.normal_domain),
]


@router.get("", response_model=views.DomainList)
async def list_domains(
    caller: DocumentsReader, page: Annotated[Page, Depends(PageOf(r"[a-z0-9._-]{1,253}"))], api: Api
) -> Response:
    """List the domains whose trust the organisation set, in alphabetical order; the shipped ones are not among them."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await domains.list_domains(session, caller.org_id, limit=page.limit, cursor=page.cursor)
    return JsonAnswer(views.DomainList(domains=[views.domain_view(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/{domain}", response_model=views.DomainView)
async def get_domain(domain: Domain, caller: DocumentsReader, api: Api) -> Response:
    """Read what the organisation set for exactly this domain."""
    async with api.database.transaction(caller.org_id) as session:
        row = await domains.get_domain(session, caller.org_id, domain)
    return JsonAnswer(views.domain_view(row))


@router.put(
    "/{domain}",
    response_model=views.DomainView,
    responses={201: {"description": "The first setting of this domain.", "model": views.DomainView}},
)
async def trust_domain(domain: Domain, caller: DocumentsWriter, body: views.TrustDomain, api: Api) -> Response:
    """Set how far sources of a domain, and of all below it, are trusted, from the next act of a run on."""
    async with api.database.transaction(caller.org_id) as session:
        row, new = await domains.put_domain(
            session,
            caller.org_id,
            domain,
            trust=body.trust,
            note=body.note,
            set_by=caller.user_id,
            actor=caller.actor,
        )
    return JsonAnswer(views.domain_view(row), status_code=201 if new else 200)


@router.delete("/{domain}", status_code=204, response_class=Response)
async def forget_domain(domain: Domain, caller: DocumentsWriter, api: Api) -> Response:
    """Forget what was set for a domain: the shipped trust counts again."""
    async with api.database.transaction(caller.org_id) as session:
        await domains.delete_domain(session, caller.org_id, domain, actor=caller.actor)
    return Response(status_code=204)
