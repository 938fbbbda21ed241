"""Credits: balance, ledger, metered use; purchases and refunds by an administrator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import BillingAdmin, BillingReader, SecuredRoute
from api.idempotency import Idempotent, Outcome, once
from api.paging import Page, PageOf, PageSince, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import account as views
from schema.store import billing

router = APIRouter(prefix="/billing", tags=["billing"], route_class=SecuredRoute)

OfRun = Annotated[str | None, Query(pattern=r"^run_[0-9a-f]{32}$", description="Only what belongs to this run.")]


@router.get("/balance", response_model=views.BalanceView)
async def get_balance(caller: BillingReader, api: Api) -> Response:
    """Read the organisation's credits."""
    async with api.database.transaction(caller.org_id) as session:
        balance = await billing.get_balance(session, caller.org_id)
    return JsonAnswer(views.balance_view(balance))


@router.get("/ledger", response_model=views.LedgerPage)
async def list_ledger(
    caller: BillingReader,
    page: Annotated[Page, Depends(PageOf(r"\d{1,18}"))],
    api: Api,
    run_id: OfRun = None,
    type: Annotated[views.LedgerType | None, Query(description="Only entries of this type.")] = None,
) -> Response:
    """List every movement of credits, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await billing.list_ledger(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, run_id=run_id, type=type
        )
    return JsonAnswer(
        views.LedgerPage(entries=[views.ledger_entry_view(row) for row in rows], next_cursor=seal(cursor))
    )


@router.get("/usage", response_model=views.UsagePage)
async def list_usage(
    caller: BillingReader,
    page: Annotated[Page, Depends(PageSince(r"use_[0-9a-f]{32}"))],
    api: Api,
    run_id: OfRun = None,
) -> Response:
    """List what was metered, newest first, with its totals."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await billing.list_usage(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, run_id=run_id
        )
        totals = await billing.usage_summary(session, caller.org_id, run_id=run_id)
    return JsonAnswer(
        views.UsagePage(
            usage=[views.usage_view(row) for row in rows],
            totals=[views.usage_total(row) for row in totals],
            next_cursor=seal(cursor),
        )
    )


@router.post("/purchases", status_code=201, response_model=views.LedgerEntryView)
async def buy_credits(caller: BillingAdmin, asked: Idempotent, body: views.BuyCredits, api: Api) -> Response:
    """Add credits to the balance."""

    async def work(session: AsyncSession) -> Outcome:
        entry = await billing.purchase(
            session,
            caller.org_id,
            amount_ucr=body.amount_ucr,
            idempotency_key=asked.key,
            description=body.description,
            created_by=caller.user_id,
            actor=caller.actor,
        )
        return Outcome(201, views.ledger_entry_view(entry))

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer


@router.post("/refunds", status_code=201, response_model=views.LedgerEntryView)
async def refund_charge(caller: BillingAdmin, asked: Idempotent, body: views.RefundCharge, api: Api) -> Response:
    """Give back part of a posted charge; all refunds of a charge together never exceed it."""

    async def work(session: AsyncSession) -> Outcome:
        entry = await billing.refund(
            session,
            caller.org_id,
            charge_id=body.charge_id,
            amount_ucr=body.amount_ucr,
            idempotency_key=asked.key,
            description=body.description,
            created_by=caller.user_id,
            actor=caller.actor,
        )
        return Outcome(201, views.ledger_entry_view(entry))

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer
