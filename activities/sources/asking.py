"""Asking: which provider of a kind is asked, how often, and what happens when one fails.

Providers are asked in the operator's order until one finds something. One that is away, limits its rate, refuses its
key or answers nonsense is left alone for a while by all workers, becomes a note for the run's log, and the next one is
asked. Nothing is tried again here: a search that nobody answered is a failed call, and retries are Temporal's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from activities.sources.provider import Found, Query, SearchProvider
from infra.http import SafeHttpClient
from infra.shared import Shared
from schema.contracts.research import SourceKind
from schema.contracts.tools import SourceNote
from schema.errors import BlockedAddress, SourceTemporarilyUnavailable, SourceUnavailable, SwissbrainError
from schema.policies import PROVIDER_DOWN, PROVIDER_REFUSED, PROVIDER_WAIT_MAX

log = structlog.get_logger(__name__)

_KEY_REFUSED = frozenset((401, 403))
_USED_UP = frozenset((402, 426, 429, 432, 433))


@dataclass(frozen=True)
class Searched:
    """What a search came to."""

    found: list[Found]
    provider: str | None
    """Who found it; None: nobody found anything."""
    notes: tuple[SourceNote, ...] = ()


@dataclass(frozen=True)
class Sources:
    """The providers of this deployment, and the manners that all workers share."""

    providers: Sequence[SearchProvider] = ()
    shared: Shared = field(default_factory=Shared)
    http: SafeHttpClient | None = None
    """Reaches the providers, on private addresses too where the configuration names one; never the pages they find."""
    missing: Sequence[SourceNote] = ()
    """Providers that the configuration names, and that lack what they need."""

    def of(self, kind: SourceKind) -> list[SearchProvider]:
        """Return the providers of a kind, in the order in which they are asked."""
        return [provider for provider in self.providers if provider.info.kind is kind]

    async def search(self, kind: SourceKind, query: Query) -> Searched:
        """Ask until one finds something.

        Raises:
            SourceTemporarilyUnavailable: all that might answer have used up their rate for a moment.
            SourceUnavailable: nobody answered; `notes` says why.
        """
        notes, waits, answered = list[SourceNote](), list[float](), False
        for provider in self.of(kind):
            info = provider.info
            reason = await self.shared.recall(_down(info.name))
            if reason is None:
                wait = await self.shared.admit(info.name, info.rate)
                if 0 < wait <= PROVIDER_WAIT_MAX.total_seconds():
                    waits.append(wait)
                    continue
                result = await self._ask(provider, query) if not wait else "its rate is used up"
                if not isinstance(result, str):
                    answered = True
                    if result:
                        return Searched(result, info.name, tuple(notes))
                    continue
                reason = result
            notes.append(SourceNote(provider=info.name, kind=kind, reason=reason))
        if answered:
            return Searched([], None, tuple(notes))
        facts: dict[str, Any] = {"notes": [note.model_dump(mode="json") for note in notes]}
        if waits:
            raise SourceTemporarilyUnavailable(
                f"The providers of {kind.value} sources are asked as often as they allow.",
                retry_after_s=min(waits),
                **facts,
            )
        said = "; ".join(f"{note.provider}: {note.reason}" for note in notes)
        raise SourceUnavailable(f"No provider of {kind.value} sources answered. {said}"[:500], **facts)

    async def _ask(self, provider: SearchProvider, query: Query) -> list[Found] | str:
        """Return what a provider found, or why it did not answer; then it is left alone for a while."""
        info = provider.info
        assert self.http is not None, "providers without a client"
        try:
            async with asyncio.timeout(info.timeout_s):
                return await provider.search(self.http, query)
        except TimeoutError:
            reason, for_s = f"it did not answer within {info.timeout_s:g} s", PROVIDER_DOWN.total_seconds()
        except (SourceUnavailable, SourceTemporarilyUnavailable, BlockedAddress) as error:
            reason, for_s = _reason(error)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            # A shape that nobody documents, deep inside: the provider's fault, and no reason to fail a run.
            log.warning("source answered out of form", provider=info.name, error=repr(error))
            reason, for_s = "it answered in a form that it does not document", PROVIDER_DOWN.total_seconds()
        await self.shared.remember(_down(info.name), reason, for_s)
        log.info("source degraded", provider=info.name, reason=reason)
        return reason


def _down(name: str) -> str:
    return f"down:{name}"


def _reason(error: SwissbrainError) -> tuple[str, float]:
    """Return what is written into the run's log, and for how long the provider is left alone."""
    status = error.facts.get("status")
    for_s = max(PROVIDER_DOWN.total_seconds(), error.retry_after_s or 0.0)
    if status in _KEY_REFUSED:
        return f"it refuses the key or the request ({status})", PROVIDER_REFUSED.total_seconds()
    if status in _USED_UP:
        return f"its rate or plan is used up ({status})", for_s
    return error.detail.rstrip("."), for_s
