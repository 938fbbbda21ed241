"""Parameters that several routes take: identifiers of objects, resume positions."""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from schema import ids
from schema.errors import NotFound


def _form_of(prefix: str, noun: str) -> Callable[[str], str]:
    form = re.compile(rf"{prefix}_[0-9a-f]{{32}}")

    def known(value: str) -> str:
        # What cannot be an id of ours is not found, as an id of another organisation is not.
        if not form.fullmatch(value):
            raise NotFound(f"There is no such {noun}.")
        return value

    return known


RunId = Annotated[str, Path(description="Id of the run."), AfterValidator(_form_of(ids.RUN, "run"))]
AgentId = Annotated[str, Path(description="Id of the agent."), AfterValidator(_form_of(ids.AGENT, "agent"))]
ArtifactId = Annotated[str, Path(description="Id of the artifact."), AfterValidator(_form_of(ids.ARTIFACT, "artifact"))]
SourceId = Annotated[str, Path(description="Id of the source."), AfterValidator(_form_of(ids.SOURCE, "source"))]
DocumentId = Annotated[str, Path(description="Id of the document."), AfterValidator(_form_of(ids.DOCUMENT, "document"))]
KeyId = Annotated[str, Path(description="Id of the API key."), AfterValidator(_form_of(ids.API_KEY, "API key"))]
UserId = Annotated[
    str, Path(description="Id of the member or service account."), AfterValidator(_form_of(ids.USER, "member"))
]
SessionId = Annotated[str, Path(description="Id of the session."), AfterValidator(_form_of(ids.SESSION, "session"))]
InvitationId = Annotated[
    str, Path(description="Id of the invitation."), AfterValidator(_form_of(ids.INVITATION, "invitation"))
]
ApprovalId = Annotated[str, Path(description="Id of the approval."), AfterValidator(_form_of(ids.APPROVAL, "approval"))]
ErasureId = Annotated[str, Path(description="Id of the erasure."), AfterValidator(_form_of(ids.ERASURE, "erasure"))]
DataExportId = Annotated[
    str, Path(description="Id of the export."), AfterValidator(_form_of(ids.DATA_EXPORT, "export"))
]
DeadLetterId = Annotated[
    str, Path(description="Id of the dead letter."), AfterValidator(_form_of(ids.DEAD_LETTER, "dead letter"))
]
