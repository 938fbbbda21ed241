"""Artifacts: what a run made, and its download."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import RunsReader, SecuredRoute
from api.deps import ArtifactId, RunId
from api.downloads import DOWNLOAD, IfNoneMatch, download
from api.links import presigned
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import runs as views
from schema.store import artifacts, runs

router = APIRouter(tags=["artifacts"], route_class=SecuredRoute)


@router.get("/runs/{run_id}/artifacts", response_model=views.ArtifactList)
async def list_artifacts(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """List what a run made; each `s3_url` ends after some minutes."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        found = await artifacts.list_artifacts(session, caller.org_id, run_id)
    shown = [views.artifact_view(artifact, await presigned(api.objects, artifact)) for artifact in found]
    return JsonAnswer(views.ArtifactList(artifacts=shown))


@router.get("/artifacts/{artifact_id}", response_model=views.ArtifactView)
async def get_artifact(artifact_id: ArtifactId, caller: RunsReader, api: Api) -> Response:
    """Read what is known of an artifact."""
    async with api.database.transaction(caller.org_id) as session:
        artifact = await artifacts.get_artifact(session, caller.org_id, artifact_id)
    return JsonAnswer(views.artifact_view(artifact, await presigned(api.objects, artifact)))


@router.get("/artifacts/{artifact_id}/download", response_class=Response, responses=DOWNLOAD)
async def download_artifact(
    artifact_id: ArtifactId, caller: RunsReader, api: Api, if_none_match: IfNoneMatch = None
) -> Response:
    """Download an artifact, checked against its hash on the way."""
    async with api.database.transaction(caller.org_id) as session:
        artifact = await artifacts.get_artifact(session, caller.org_id, artifact_id)
    return await download(api, artifact, if_none_match)
