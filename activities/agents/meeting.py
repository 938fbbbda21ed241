"""What an act met, made ready to be recorded: scores of the organisation's own, addresses, fingerprints."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from activities.documents.language import language_of
from activities.research.addresses import canonical, host_of, suffixes_of
from activities.research.copies import fingerprint
from activities.tools.scoring import RECENCY_UNKNOWN, address_trust, rescored
from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.contracts.research import ConsideredSource, Outcome, Score, SourceKind
from schema.contracts.tools import ToolOutput
from schema.policies import CONSIDERED_PER_SEARCH_MAX
from schema.store import documents, domains, research

FETCH_TOOL = "web.fetch"


@dataclass(frozen=True)
class Snapshotted:
    """A snapshot and what is known of its text."""

    object: ObjectRef
    fingerprint: bytes
    language: str | None


async def judged(session: AsyncSession, org_id: str, output: ToolOutput, *, question: str, now: datetime) -> ToolOutput:
    """Return a tool's output with the scores that the organisation's trust in domains and the question ask for."""
    hosts = {host_of(uri) for uri in _uris(output)} - {""}
    names = sorted({name for host in hosts for name in suffixes_of(host.removeprefix("www."))})
    own = await domains.reputations(session, org_id, names)

    def of(kind: SourceKind, uri: str, published_at: datetime | None, score: Score) -> Score:
        return rescored(score, kind, host_of(uri), published_at=published_at, now=now, question=question, own=own)

    passages = tuple(
        each.model_copy(
            update={
                "source": each.source.model_copy(
                    update={"score": of(each.source.kind, each.source.uri, each.source.published_at, each.source.score)}
                )
            }
        )
        for each in output.passages
    )
    considered = tuple(
        each.model_copy(update={"score": of(each.kind, each.uri, each.published_at, each.score)})
        for each in output.considered[:CONSIDERED_PER_SEARCH_MAX]
    )
    return output.model_copy(update={"passages": passages, "considered": considered})


async def snapshotted(objects: ObjectStore, output: ToolOutput) -> list[Snapshotted]:
    """Read what the act stored, and return what is to be known of it; ordered by hash."""
    found = []
    for snapshot in sorted(output.snapshots, key=lambda item: item.object.sha256):
        text = (await objects.get(snapshot.object)).decode()
        printed = await asyncio.to_thread(fingerprint, text)
        found.append(Snapshotted(snapshot.object, printed.packed(), language_of(text)))
    return found


async def record_met(
    session: AsyncSession, org_id: str, run_id: str, output: ToolOutput, snapshots: list[Snapshotted]
) -> int:
    """Record snapshots, the sources that were read, and those that were left out; return how many were read."""
    for each in snapshots:
        await documents.put_snapshot(session, org_id, each.object, fingerprint=each.fingerprint, language=each.language)
    sources = {passage.source.snapshot_sha256: passage.source for passage in reversed(output.passages)}
    addresses = {uri: canonical(uri) for uri in _uris(output)}
    addresses |= {each.uri: canonical(each.canonical_uri) for each in output.snapshots if each.canonical_uri}
    await research.put_sources(session, org_id, run_id, sources.values(), addresses)
    await research.put_considered(session, org_id, run_id, output.considered, addresses)
    return len(sources)


async def record_unread(session: AsyncSession, org_id: str, run_id: str, tool: str, url: object, why: str) -> None:
    """Record an address that could not be loaded; what failed is no source if it has none."""
    if tool != FETCH_TOOL or not isinstance(url, str) or not host_of(url):
        return
    host = host_of(url)
    own = await domains.reputations(session, org_id, suffixes_of(host.removeprefix("www.")))
    trust, reason = address_trust(SourceKind.WEB, host, own)
    reasons = {"relevance": "It was not read.", "trust": reason, "recency": "It was not read."}
    failed = ConsideredSource(
        kind=SourceKind.WEB,
        title=url,
        uri=url,
        outcome=Outcome.FAILED,
        detail=why,
        score=Score(relevance=0.0, trust=trust, recency=RECENCY_UNKNOWN, reasons=reasons),
    )
    await research.put_considered(session, org_id, run_id, [failed], {url: canonical(url)})


def _uris(output: ToolOutput) -> set[str]:
    return {passage.source.uri for passage in output.passages} | {each.uri for each in output.considered}
