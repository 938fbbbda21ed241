"""Errors: one tree, and one table that says how each code is answered and retried.

    SwissbrainError
    ├── CallerError            the caller can mend it; never retried, never alerts
    │   ├── InvalidRequest 400, MissingIdempotencyKey 400
    │   ├── Unauthenticated 401, InsufficientCredits 402, SpendingLimitReached 402, Forbidden 403, NotFound 404
    │   ├── IllegalTransition 409, IdempotencyInFlight 409, Conflict 409, Gone 410
    │   ├── PayloadTooLarge 413, UnsupportedFormat 415, IdempotencyMismatch 422, ValidationFailed 422
    │   ├── BlockedAddress 422, ToolInputInvalid 422, ToolNotAllowed 403, ToolRefused 403, CanaryLeaked 403
    │   └── RateLimited 429
    ├── DependencyError        something we stand on failed; retried, honouring `retry_after_s`; alerts on rate
    │   ├── ProviderUnavailable 503, ProviderRateLimited 503, ProviderAnswerInvalid 502
    │   ├── ProviderRefused 502 (not retried: it said no for good)
    │   ├── PartMissing 503 (not retried: an optional part of the installation is not here; the detail has the command)
    │   ├── ModelFilesInvalid 503 (not retried: the files of a local model are not those this version was made for)
    │   ├── StorageUnavailable 503, OrchestratorUnavailable 503
    │   ├── SandboxUnavailable 503 (no sandbox here is strong enough for what was to be read or run)
    │   ├── SourceTemporarilyUnavailable 503 (a page that hung, broke off or answered 5xx)
    │   └── SourceUnavailable 502 (not retried: the source answered, and said no)
    └── InvariantViolated      a bug of ours; never retried; pages
        ├── LedgerImbalance 500
        └── HoldClosed 500 (a late attempt met a settled hold: it charges nothing)

Vendor exceptions are translated in one place per vendor; nobody matches on message text. One boundary turns an error
into a Temporal `ApplicationError` (`activities/boundary.py`) and one into problem+json (`api/problems.py`).
"""

from dataclasses import dataclass
from typing import Any, ClassVar


class SwissbrainError(Exception):
    """Base of every error that this product raises on purpose."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, retry_after_s: float | None = None, **facts: Any) -> None:
        """Keep what happened.

        Args:
            detail: one or two sentences: what is wrong, and what the caller can do about it.
            retry_after_s: how long to wait before trying again, where that is known.
            facts: JSON-serialisable extension members for the answer (`status`, `limit`, `field` ...).
        """
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.detail, self.retry_after_s, self.facts)


def _rebuild(
    kind: type[SwissbrainError], detail: str, retry_after_s: float | None, facts: dict[str, Any]
) -> SwissbrainError:
    return kind(detail, retry_after_s=retry_after_s, **facts)


class CallerError(SwissbrainError):
    """The caller can mend it."""


class InvalidRequest(CallerError):
    """The request cannot be read."""

    code = "invalid_request"


class MissingIdempotencyKey(CallerError):
    """A POST that creates or moves something came without an Idempotency-Key."""

    code = "missing_idempotency_key"


class Unauthenticated(CallerError):
    """No key, an unknown key, or a revoked one."""

    code = "unauthenticated"


class InsufficientCredits(CallerError):
    """The organisation's available credits do not cover the hold; nothing was held."""

    code = "insufficient_credits"


class SpendingLimitReached(InsufficientCredits):
    """What is left of the month's limit, the organisation's or the member's, does not cover it; nothing was held."""

    code = "spending_limit_reached"


class Forbidden(CallerError):
    """The caller's role, or the scopes of its key, do not include this."""

    code = "forbidden"


class ToolNotAllowed(CallerError):
    """The agent asked for a tool that is not on its run's list."""

    code = "tool_not_allowed"


class ToolRefused(CallerError):
    """The run's policy, or a person, refuses this call of a tool; `rule` says which rule."""

    code = "tool_refused"


class CanaryLeaked(CallerError):
    """What was to leave carries a text that was planted to be noticed; it did not leave."""

    code = "canary_leaked"


class NotFound(CallerError):
    """There is no such object in the caller's organisation."""

    code = "not_found"


class IllegalTransition(CallerError):
    """The run's status does not allow the command."""

    code = "illegal_transition"


class IdempotencyInFlight(CallerError):
    """Another request with the same key is still being answered."""

    code = "idempotency_in_flight"


class Conflict(CallerError):
    """The object changed, or exists already."""

    code = "conflict"


class Gone(CallerError):
    """The object existed and was deleted by retention."""

    code = "gone"


class PayloadTooLarge(CallerError):
    """The body, the file or a field is larger than its limit."""

    code = "payload_too_large"


class UnsupportedFormat(CallerError):
    """The media type or file format is not one that can be read."""

    code = "unsupported_format"


class IdempotencyMismatch(CallerError):
    """The key was used before with another request."""

    code = "idempotency_mismatch"


class ValidationFailed(CallerError):
    """A field has an unusable value; `errors` lists each."""

    code = "validation_failed"


class BlockedAddress(CallerError):
    """The URL leads to an address that outbound requests may not reach."""

    code = "blocked_address"


class ToolInputInvalid(CallerError):
    """The arguments do not fit the tool's input schema."""

    code = "tool_input_invalid"


class RateLimited(CallerError):
    """Too many requests, or too much work waiting."""

    code = "rate_limited"


class DependencyError(SwissbrainError):
    """Something the product stands on failed; trying again may help."""


class ProviderUnavailable(DependencyError):
    """A model or search provider failed, hung or could not be reached."""

    code = "provider_unavailable"


class ProviderRateLimited(DependencyError):
    """A provider asked for fewer requests."""

    code = "provider_rate_limited"


class ProviderRefused(DependencyError):
    """A provider refused for good: wrong key, unknown model, a request it cannot take."""

    code = "provider_refused"


class ProviderAnswerInvalid(DependencyError):
    """A model's answer did not fit its schema, and one repair round did not mend it."""

    code = "provider_answer_invalid"


class PartMissing(DependencyError):
    """An optional part of the installation is needed and not here; the detail says which command brings it."""

    code = "part_missing"


class ModelFilesInvalid(DependencyError):
    """The files of a local model are not those that this version was made for."""

    code = "model_files_invalid"


class StorageUnavailable(DependencyError):
    """PostgreSQL or the object store did not answer."""

    code = "storage_unavailable"


class OrchestratorUnavailable(DependencyError):
    """Temporal did not answer, or no worker did."""

    code = "orchestrator_unavailable"


class SandboxUnavailable(DependencyError):
    """What is not trusted cannot be read or run here: no sandbox that is strong enough proved itself."""

    code = "sandbox_unavailable"


class SourceUnavailable(DependencyError):
    """A page or document could not be had: it answered with an error, or is not readable."""

    code = "source_unavailable"


class SourceTemporarilyUnavailable(DependencyError):
    """A page or document could not be had now: it hung, broke off, or answered that it is busy or failing."""

    code = "source_temporarily_unavailable"


class InvariantViolated(SwissbrainError):
    """A bug of ours."""

    code = "invariant_violated"


class LedgerImbalance(InvariantViolated):
    """Balance and ledger would disagree; nothing was written."""

    code = "ledger_imbalance"


class HoldClosed(InvariantViolated):
    """A late attempt wanted to meter on a hold that is settled; it charges nothing."""

    code = "hold_closed"


@dataclass(frozen=True)
class Policy:
    """How one code is answered and retried."""

    http_status: int
    retryable: bool
    expected: bool
    """Expected errors are logged at debug and raise no alert (Temporal category BENIGN)."""
    title: str
    patient: bool = False
    """A part of our own is away: tried as long as it takes, where other failures are given up after a few tries."""


POLICIES: dict[str, Policy] = {
    "internal_error": Policy(500, False, False, "Internal error"),
    "invalid_request": Policy(400, False, True, "The request cannot be read"),
    "missing_idempotency_key": Policy(400, False, True, "Idempotency-Key is missing"),
    "unauthenticated": Policy(401, False, True, "Not authenticated"),
    "insufficient_credits": Policy(402, False, True, "Not enough credits"),
    "spending_limit_reached": Policy(402, False, True, "The month's spending limit is reached"),
    "forbidden": Policy(403, False, True, "Not allowed"),
    "tool_not_allowed": Policy(403, False, True, "Tool not allowed"),
    "tool_refused": Policy(403, False, True, "Tool call refused"),
    "canary_leaked": Policy(403, False, True, "A planted text was about to leave"),
    "not_found": Policy(404, False, True, "Not found"),
    "illegal_transition": Policy(409, False, True, "The run's status does not allow this"),
    "idempotency_in_flight": Policy(409, True, True, "The same request is being answered"),
    "conflict": Policy(409, False, True, "Conflict"),
    "gone": Policy(410, False, True, "Gone"),
    "payload_too_large": Policy(413, False, True, "Too large"),
    "unsupported_format": Policy(415, False, True, "Format not supported"),
    "idempotency_mismatch": Policy(422, False, True, "Idempotency-Key was used for another request"),
    "validation_failed": Policy(422, False, True, "A field has an unusable value"),
    "blocked_address": Policy(422, False, True, "Address not allowed"),
    "tool_input_invalid": Policy(422, False, True, "The tool's arguments are not valid"),
    "rate_limited": Policy(429, True, True, "Too many requests"),
    "provider_unavailable": Policy(503, True, False, "A provider is unavailable"),
    "provider_rate_limited": Policy(503, True, True, "A provider limits its rate"),
    "provider_refused": Policy(502, False, False, "A provider refused the request"),
    "provider_answer_invalid": Policy(502, True, False, "A model's answer was not usable"),
    "part_missing": Policy(503, False, True, "A part of the installation is missing"),
    "model_files_invalid": Policy(503, False, False, "A local model cannot be used"),
    "storage_unavailable": Policy(503, True, False, "Storage is unavailable", patient=True),
    "orchestrator_unavailable": Policy(503, True, False, "The orchestrator is unavailable", patient=True),
    "sandbox_unavailable": Policy(503, True, False, "No sandbox is available"),
    "source_unavailable": Policy(502, False, True, "The source is unavailable"),
    "source_temporarily_unavailable": Policy(503, True, True, "The source is unavailable at the moment"),
    "invariant_violated": Policy(500, False, False, "Internal error"),
    "ledger_imbalance": Policy(500, False, False, "Internal error"),
    "hold_closed": Policy(500, False, True, "The attempt was already settled"),
}
"""The one table: nobody else decides on HTTP status or retries."""


def policy_of(error: SwissbrainError | str) -> Policy:
    """Return the row of an error or a code; an unknown code is an internal error."""
    code = error if isinstance(error, str) else error.code
    return POLICIES.get(code, POLICIES["internal_error"])


def all_errors() -> list[type[SwissbrainError]]:
    """Return every class of the tree that has a code of its own."""
    found: list[type[SwissbrainError]] = []
    pending: list[type[SwissbrainError]] = [SwissbrainError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        if "code" in vars(kind):
            found.append(kind)
    return found
