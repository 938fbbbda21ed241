"""What the routes work with: the clients that the composition root made, on `app.state`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client

from api.streams import StreamSlots
from api.trail import Trail
from infra.admission import Admission
from infra.codec import EncryptionCodec
from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore
from infra.oidc import OidcProvider
from infra.orchestrator import Orchestrator
from infra.passwords import Passwords
from infra.request_limits import RequestLimits
from infra.settings import Settings
from infra.uploads import Uploads


@dataclass(frozen=True)
class Services:
    """The process's clients; none of them needs its server in order to be made."""

    settings: Settings
    database: Database
    objects: ObjectStore
    uploads: Uploads
    live: Live
    temporal: Client
    orchestrator: Orchestrator
    admission: Admission
    codec: EncryptionCodec | None
    stream_slots: StreamSlots
    request_limits: RequestLimits
    passwords: Passwords
    oidc: OidcProvider | None
    """None where no provider is configured."""
    trail: Trail


def services(request: Request) -> Services:
    """Return the application's services."""
    found: Services = request.app.state.services
    return found


Api = Annotated[Services, Depends(services)]
