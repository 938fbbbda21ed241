"""The composition root of the API process: settings -> clients -> routes.

`uvicorn api.app:create_app --factory`. The process starts while every server it uses is down, and says so on `/readyz`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI

from api import openapi, problems
from api.middleware import BodyLimit, CodecCors, HeadAsGet, RequestContext
from api.routes import (
    approvals,
    artifacts,
    audit,
    billing,
    codec,
    commands,
    dead_letters,
    documents,
    domains,
    exports,
    files,
    invitations,
    keys,
    logs,
    members,
    oidc,
    organisation,
    privacy,
    runs,
    service,
    sessions,
    sign_in,
    tables,
    theme,
    tool_policy,
    tools,
    work,
)
from api.services import Services
from api.streams import StreamSlots
from api.trail import Audited, Trail
from infra.admission import Admission
from infra.database import Database
from infra.live import Live
from infra.logging import configure_logging
from infra.objects import ObjectStore
from infra.oidc import OidcProvider
from infra.orchestrator import Orchestrator
from infra.passwords import Passwords
from infra.request_limits import RequestLimits
from infra.settings import Settings
from infra.temporal import connect, payload_codec
from infra.uploads import Uploads

V1 = (
    *(runs, commands, approvals, logs, artifacts, exports, work, tables, tools, tool_policy, documents, files, domains),
    *(billing, keys, dead_letters, organisation, theme, members, invitations, sign_in, oidc, sessions, audit, privacy),
)
"""Route modules below `/api/v1`."""
UNVERSIONED = (service, codec)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; its clients are made when it starts.

    Args:
        settings: read from the environment where not given.
    """
    chosen = settings or Settings()
    configure_logging(level=chosen.log_level, log_format=chosen.log_format, service="api")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _services(chosen) as made:
            app.state.services = made
            yield

    app = FastAPI(
        title="Swissbrain",
        version=version("swissbrain"),
        lifespan=lifespan,
        openapi_url=service.OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    v1 = APIRouter(prefix="/api/v1")
    for module in V1:
        v1.include_router(module.router)
    app.include_router(v1)
    for module in UNVERSIONED:
        app.include_router(module.router)
    problems.install(app)
    openapi.install(app)
    # The last one added is the outermost: it also answers for what goes wrong in the others.
    app.add_middleware(CodecCors, origin=_ui_origin(chosen))
    app.add_middleware(BodyLimit)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Audited)
    app.add_middleware(RequestContext)
    return app


@asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[Services]:
    """Make the clients without connecting, and close them at the end."""
    database = Database.from_settings(settings, application_name="swissbrain-api")
    objects = ObjectStore.from_settings(settings)
    live = Live(settings.redis_url.get_secret_value())
    limits = RequestLimits(settings.redis_url.get_secret_value())
    temporal = await connect(settings, lazy=True)
    trail = Trail(database)
    try:
        yield Services(
            settings=settings,
            database=database,
            objects=objects,
            uploads=Uploads(objects),
            live=live,
            temporal=temporal,
            orchestrator=Orchestrator(temporal, settings),
            admission=Admission(temporal, settings),
            codec=payload_codec(settings),
            stream_slots=StreamSlots(settings.streams_per_key, settings.streams_per_organisation),
            request_limits=limits,
            passwords=Passwords(),
            oidc=OidcProvider(settings) if settings.oidc_issuer is not None else None,
            trail=trail,
        )
    finally:
        await trail.close()
        await limits.close()
        await live.close()
        await objects.close()
        await database.close()


def _ui_origin(settings: Settings) -> str | None:
    if settings.temporal_ui_origin is not None:
        return settings.temporal_ui_origin.rstrip("/")
    if settings.temporal_ui_url is None:
        return None
    parts = urlsplit(settings.temporal_ui_url)
    return f"{parts.scheme}://{parts.netloc}"
