"""Temporal's codec server: operators read payloads in the Web UI and with `temporal --codec-endpoint`.

The protocol is the one of Temporal's samples: a JSON `Payloads` message in, one out. It decodes only: what enters a
workflow comes from the API and the workers, which encode for themselves. Only a key with the scope
`operator` may ask, and only the Web UI's origin may do so from a browser (`api/middleware.py`). The Web UI itself knows
no key: the browser has it from `GET /codec/sign-in` and sends it as Basic credentials (`docs/operating.md`).
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header
from google.protobuf import json_format
from starlette.responses import Response
from temporalio.api.common.v1 import Payloads

from api.auth import Operator, SecuredRoute
from api.serialisation import JsonAnswer
from api.services import Api
from infra.codec import PayloadTampered, UnknownPayloadKey
from schema.errors import ValidationFailed
from schema.store import audit

router = APIRouter(prefix="/codec", tags=["codec"], route_class=SecuredRoute)

Message = Annotated[dict[str, Any], Body(description='`{"payloads": [{"metadata": {...}, "data": "base64"}]}`')]


@router.get("/sign-in", response_model=dict[str, str])
async def sign_in(_caller: Operator) -> Response:
    """Have a browser ask for the key (as the password, under any user name) and send it with what the Web UI asks."""
    return JsonAnswer({"status": "ok", "detail": "The Temporal Web UI can decode payloads in this browser now."})


@router.post("/decode", response_model=dict[str, Any])
async def decode_payloads(
    caller: Operator,
    body: Message,
    api: Api,
    namespace: Annotated[str | None, Header(alias="X-Namespace", max_length=200, description="Temporal's.")] = None,
) -> Response:
    """Decrypt payloads; those that are not encrypted come back as they are. Who read how many is audited."""
    payloads = _read(body)
    facts = {"payloads": len(payloads.payloads), "namespace": namespace}
    # Before anything is shown: what cannot be recorded is not shown.
    async with api.database.transaction(caller.org_id) as session:
        await audit.record(
            session,
            caller.org_id,
            actor=caller.actor,
            action="payloads.decoded",
            resource_type="codec",
            resource_id=None,
            details=facts,
        )
    try:
        decoded = payloads.payloads if api.codec is None else await api.codec.decode(payloads.payloads)
    except (UnknownPayloadKey, PayloadTampered) as error:
        raise ValidationFailed(f"A payload cannot be decrypted: {error}.") from error
    return _write(Payloads(payloads=decoded))


def _read(body: dict[str, Any]) -> Payloads:
    try:
        return json_format.ParseDict(body, Payloads(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError) as error:
        raise ValidationFailed('The body is not a Temporal `Payloads` message: {"payloads": [...]}.') from error


def _write(payloads: Payloads) -> Response:
    return JsonAnswer(json_format.MessageToDict(payloads))
