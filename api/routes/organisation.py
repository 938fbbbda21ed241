"""The caller's organisation: its name, its spending limit, and what was spent of it this month."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import AnyCaller, BillingReader, OrganisationAdmin, SecuredRoute
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import identity as views
from schema.money import ucr_to_credits
from schema.store import billing, members, organisations, spending
from schema.tables.billing import CreditBalance
from schema.tables.organisations import Organisation

router = APIRouter(tags=["organisation"], route_class=SecuredRoute)


@router.get("/organisation", response_model=views.OrganisationView)
async def get_organisation(caller: AnyCaller, api: Api) -> Response:
    """Read the organisation."""
    async with api.database.transaction(caller.org_id) as session:
        found = await organisations.get_organisation(session, caller.org_id)
        balance = await billing.get_balance(session, caller.org_id)
    return JsonAnswer(_view(found, balance))


@router.patch("/organisation", response_model=views.OrganisationView)
async def update_organisation(caller: OrganisationAdmin, body: views.UpdateOrganisation, api: Api) -> Response:
    """Change the name, or what all runs together may take in a month; holds that stand are not touched."""
    async with api.database.transaction(caller.org_id) as session:
        if body.name is not None:
            await organisations.rename(session, caller.org_id, name=body.name, actor=caller.actor)
        if "monthly_limit" in body.model_fields_set:
            await spending.set_organisation_limit(session, caller.org_id, limit_ucr=body.limit_ucr, actor=caller.actor)
        found = await organisations.get_organisation(session, caller.org_id)
        balance = await billing.get_balance(session, caller.org_id)
    return JsonAnswer(_view(found, balance))


@router.get("/billing/limits", response_model=views.LimitsView)
async def get_limits(caller: BillingReader, api: Api) -> Response:
    """Read what the organisation, and the caller's own runs, may still spend this month."""
    async with api.database.transaction(caller.org_id) as session:
        month = await spending.this_month(session)
        balance = await billing.get_balance(session, caller.org_id)
        member = await members.get_member(session, caller.org_id, caller.user_id)
        of_all = await spending.spent_by_organisation(session, caller.org_id, month)
        of_member = await spending.spent_by_member(session, caller.org_id, caller.user_id, month)
    return JsonAnswer(
        views.LimitsView(
            period_start=month,
            organisation=views.spending_view(balance.monthly_limit_ucr, of_all),
            member=views.spending_view(member.membership.monthly_limit_ucr, of_member),
        )
    )


def _view(found: Organisation, balance: CreditBalance) -> views.OrganisationView:
    limit = balance.monthly_limit_ucr
    return views.OrganisationView(
        id=found.id,
        name=found.name,
        monthly_limit=None if limit is None else ucr_to_credits(limit),
        runs_live_max=found.runs_live_max,
        created_at=found.created_at,
    )
