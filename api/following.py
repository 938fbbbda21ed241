"""What a caller can do next with an answer: the `links` of the OpenAPI document."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Following:
    """Operations that take an id that an answer holds."""

    pointer: str
    """JSON Pointer to the id in the answer."""
    parameter: str
    """The path parameter of the targets that takes it."""
    targets: tuple[str, ...]
    """Operation ids."""


def _run(*targets: str) -> Following:
    return Following("/id", "run_id", targets)


FOLLOWING: dict[str, Following] = {
    "create_run": _run("get_run", "start_run", "cancel_run"),
    "start_run": _run("get_run", "get_run_logs", "pause_run", "finish_run", "cancel_run"),
    "pause_run": _run("get_run", "resume_run", "cancel_run"),
    "resume_run": _run("get_run", "pause_run", "finish_run", "cancel_run"),
    "finish_run": _run("get_run", "get_table", "list_claims", "list_sources"),
    "cancel_run": _run("get_run", "list_artifacts", "list_steps", "list_status_changes"),
    "retry_run": _run("get_run", "get_run_logs", "pause_run", "cancel_run"),
    "list_runs": Following("/runs/0/id", "run_id", ("get_run",)),
    "list_dead_letters": Following("/dead_letters/0/id", "letter_id", ("replay_dead_letter",)),
    "list_members": Following("/members/0/user_id", "user_id", ("get_member",)),
    "create_service_account": Following("/user_id", "user_id", ("get_member", "update_member", "remove_member")),
    "create_api_key": Following("/id", "key_id", ("get_api_key", "rotate_api_key", "revoke_api_key")),
    "upload_documents": Following("/documents/0/id", "document_id", ("get_document", "delete_document")),
}
"""By the operation that answers."""


def links_of(operation_id: str) -> dict[str, Any]:
    """Return the `links` of an operation's successful answers."""
    following = FOLLOWING.get(operation_id)
    if following is None:
        return {}
    return {
        target: {
            "operationId": target,
            "parameters": {following.parameter: f"$response.body#{following.pointer}"},
        }
        for target in following.targets
    }
