"""A run's log: as JSON pages, and as a resumable stream."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from api.auth import RunsReader, SecuredRoute, authenticate
from api.deps import RunId
from api.serialisation import JsonAnswer
from api.services import Api
from api.streams import LogStream, line
from api.views import work as views
from schema.policies import PAGE_SIZE_MAX
from schema.store import events, runs

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=SecuredRoute)

_EVENT_ID = "^[0-9]{0,18}$"
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Lines of the log; with `stream=true` as Server-Sent Events: `id:` the gap-free number, "
        "`event:` the "
        "type, `data:` the line as JSON; a comment every 15 seconds; `event: end` after the last line of a run that "
        "ended.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "One event of the stream.",
                    "required": ["event", "data"],
                    "properties": {
                        "id": {"type": "string", "pattern": "^[0-9]+$"},
                        "event": {"type": "string"},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                        "retry": {"type": "integer"},
                    },
                }
            }
        },
    }
}


@router.get("/logs", response_model=views.LogPage, responses=_STREAM)
async def get_run_logs(
    request: Request,
    run_id: RunId,
    caller: RunsReader,
    api: Api,
    stream: Annotated[bool, Query(description="Stream new lines as Server-Sent Events.")] = False,
    after_seq: Annotated[int, Query(ge=0, le=2**62, description="Only lines with a higher number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="Largest number of lines (JSON).")] = PAGE_SIZE_MAX,
    last_event_id: Annotated[
        str, Query(pattern=_EVENT_ID, description="As the header `Last-Event-ID`, for clients that cannot set it.")
    ] = "",
    resumed_from: Annotated[
        str,
        Header(alias="Last-Event-ID", pattern=_EVENT_ID, description="The `id:` of the last event that was received."),
    ] = "",
) -> Response:
    """Read a run's log, oldest line first; or stream it from any line on."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        if not stream:
            rows = await events.list_events(session, caller.org_id, run_id, after_seq=after_seq, limit=limit + 1)
            lines = [views.LogLine(**line(row)) for row in rows[:limit]]
            last_seq = lines[-1].seq if lines else after_seq
            return JsonAnswer(views.LogPage(logs=lines, last_seq=last_seq, has_more=len(rows) > limit))
    # Here the connection is back in the pool: a stream takes one only for the length of a read.
    api.stream_slots.require(caller.credential_id, caller.org_id)
    log = LogStream(
        api.database,
        api.live,
        org_id=caller.org_id,
        run_id=run_id,
        after_seq=max([after_seq, *(int(told) for told in (resumed_from, last_event_id) if told)]),
        still_allowed=lambda: authenticate(request),
    )
    return StreamingResponse(
        api.stream_slots.counted(caller.credential_id, caller.org_id, log.frames()),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )
