"""What the run's log says where rules did what a model did not bring to a usable end."""

from collections.abc import Sequence

from schema.contracts.research import Fallback
from schema.events import EventType
from schema.store import events
from schema.store.direct import Connection
from schema.store.events import NewEvent

_REASONS = {
    "unusable_answer": "the model twice gave no usable answer",
    "nothing_shown": "the model drew nothing that the source shows",
    "not_allowed": "the model wanted what it may not, or the same again",
    "has_not_looked": "the model ended before it had looked",
}
SOURCES_NAMED_MAX = 20


async def note_fallbacks(
    connection: Connection,
    org_id: str,
    run_id: str,
    fallbacks: Sequence[Fallback],
    operation_key: str,
    agent_number: int | None = None,
) -> None:
    """Write a line for each; once per operation. The caller holds the run's row lock.

    Idempotency key: `operation_key` with the fallback's place.
    """
    lines = [
        NewEvent(
            EventType.REASONER_FELL_BACK,
            _text(fallback),
            "info",
            agent_number,
            {
                "operation": fallback.operation,
                "reason": fallback.reason,
                "sources": [title[:200] for title in fallback.sources[:SOURCES_NAMED_MAX]],
                "claims": fallback.claims,
                "key": f"{operation_key}:{place}",
            },
        )
        for place, fallback in enumerate(fallbacks)
    ]
    await events.append_new(connection, org_id, run_id, lines, by="key")


def _text(fallback: Fallback) -> str:
    text = f"{fallback.operation} was done by rule: {_REASONS[fallback.reason]}"
    return f"{text} ({fallback.claims} claims)" if fallback.operation == "extract_claims" else text
