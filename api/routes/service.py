"""The service itself: is it alive, is it ready, what do its problems mean."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import RedirectResponse, Response

from api.problems import EXPLANATIONS, problem, problem_type, row_of
from api.serialisation import JsonAnswer
from api.services import Api
from api.views.base import View
from infra.health import DISPENSABLE, is_ready, readiness, sandbox_levels, silent
from schema.errors import NotFound
from schema.policies import TaskQueue

router = APIRouter(tags=["service"])

RETRY_AFTER_S = 2
OPENAPI_PATH = "/api/v1/openapi.json"


class Alive(View):
    """The process answers."""

    status: str


class Ready(Alive):
    """Requests are answered: `ok` where every dependency answers, `degraded` where one is away that can be missed."""

    checks: dict[str, str]
    """`ok`, or what kind of error, by dependency."""
    sandbox: list[str] | None = None
    """Levels of sandbox of the workers that parse files, as each proved at its start; null: Temporal does not say."""
    detail: str | None = None
    """Names what is away."""


class ProblemMeaning(View):
    """What a problem means, and what to do about it."""

    type: str
    code: str
    title: str
    status: int
    retryable: bool
    explanation: str


@router.get("/healthz", response_model=Alive)
async def get_health() -> Response:
    """Tell that the process is alive; asks nobody else."""
    return JsonAnswer(Alive(status="ok"))


@router.get("/readyz", response_model=Ready)
async def get_readiness(request: Request, api: Api) -> Response:
    """Tell whether every dependency answers, and name those that do not; 503 where requests cannot do without one."""
    checks = await readiness(database=api.database, objects=api.objects, live=api.live, temporal=api.temporal)
    away = silent(checks)
    queue = api.settings.task_queue(TaskQueue.TOOLS_CPU)
    levels = await sandbox_levels(api.temporal, queue) if "temporal" not in away else None
    if not away:
        return JsonAnswer(Ready(status="ok", checks=checks, sandbox=levels))
    named = f"{', '.join(away)} {'does' if len(away) == 1 else 'do'} not answer."
    if is_ready(checks):
        return JsonAnswer(Ready(status="degraded", checks=checks, sandbox=levels, detail=f"Degraded: {named}"))
    code = "orchestrator_unavailable" if set(away) - DISPENSABLE == {"temporal"} else "storage_unavailable"
    detail = f"Not ready: {named}"
    return problem(request.scope, code, detail, status=503, retry_after_s=RETRY_AFTER_S, facts={"checks": checks})


@router.get("/problems/{code}", response_model=ProblemMeaning)
async def get_problem(code: Annotated[str, Path(description="`code` of a problem.")]) -> Response:
    """Explain a problem: the path is the `type` of every answer that reports it."""
    if code not in EXPLANATIONS:
        raise NotFound("There is no problem of this code.", codes=sorted(EXPLANATIONS))
    row = row_of(code)
    return JsonAnswer(
        ProblemMeaning(
            type=problem_type(code),
            code=code,
            title=row.title,
            status=row.http_status,
            retryable=row.retryable,
            explanation=EXPLANATIONS[code],
        )
    )


@router.get("/", include_in_schema=False)
async def get_root() -> Response:
    """Lead a visitor to the description of the API."""
    return RedirectResponse(OPENAPI_PATH)
