"""Parameters that several routes take: identifiers of objects, resume positions."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator

from schema import ids
from schema.errors import NotFound


def _pattern(prefix: str) -> str:
    return rf"{prefix}_[0-9a-f]{{32}}"


def _id(prefix: str, noun: str) -> Any:
    """Describe an id in a path. FastAPI must not check the pattern, or it would answer 422 where 404 is promised."""
    return Path(description=f"Id of the {noun}.", json_schema_extra={"pattern": f"^{_pattern(prefix)}$"})


def _form_of(prefix: str, noun: str) -> Callable[[str], str]:
    form = re.compile(_pattern(prefix))

    def known(value: str) -> str:
        # What cannot be an id of ours is not found, as an id of another organisation is not.
        if not form.fullmatch(value):
            raise NotFound(f"There is no such {noun}.")
        return value

    return known


RunId = Annotated[str, _id(ids.RUN, "run"), AfterValidator(_form_of(ids.RUN, "run"))]
AgentId = Annotated[str, _id(ids.AGENT, "agent"), AfterValidator(_form_of(ids.AGENT, "agent"))]
ArtifactId = Annotated[str, _id(ids.ARTIFACT, "artifact"), AfterValidator(_form_of(ids.ARTIFACT, "artifact"))]
SourceId = Annotated[str, _id(ids.SOURCE, "source"), AfterValidator(_form_of(ids.SOURCE, "source"))]
DocumentId = Annotated[str, _id(ids.DOCUMENT, "document"), AfterValidator(_form_of(ids.DOCUMENT, "document"))]
FileId = Annotated[str, _id(ids.FILE, "file"), AfterValidator(_form_of(ids.FILE, "file"))]
FileQuestionId = Annotated[
    str, _id(ids.FILE_QUESTION, "question"), AfterValidator(_form_of(ids.FILE_QUESTION, "question"))
]
KeyId = Annotated[str, _id(ids.API_KEY, "API key"), AfterValidator(_form_of(ids.API_KEY, "API key"))]
UserId = Annotated[str, _id(ids.USER, "member or service account"), AfterValidator(_form_of(ids.USER, "member"))]
SessionId = Annotated[str, _id(ids.SESSION, "session"), AfterValidator(_form_of(ids.SESSION, "session"))]
InvitationId = Annotated[str, _id(ids.INVITATION, "invitation"), AfterValidator(_form_of(ids.INVITATION, "invitation"))]
ApprovalId = Annotated[str, _id(ids.APPROVAL, "approval"), AfterValidator(_form_of(ids.APPROVAL, "approval"))]
ErasureId = Annotated[str, _id(ids.ERASURE, "erasure"), AfterValidator(_form_of(ids.ERASURE, "erasure"))]
ExportId = Annotated[str, _id(ids.EXPORT, "export"), AfterValidator(_form_of(ids.EXPORT, "export"))]
DataExportId = Annotated[str, _id(ids.DATA_EXPORT, "export"), AfterValidator(_form_of(ids.DATA_EXPORT, "export"))]
DeadLetterId = Annotated[
    str, _id(ids.DEAD_LETTER, "dead letter"), AfterValidator(_form_of(ids.DEAD_LETTER, "dead letter"))
]
