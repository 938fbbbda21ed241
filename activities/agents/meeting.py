"""What an act met, made ready to be recorded: scores of the organisation's own, addresses, fingerprints."""

import asyncio
from datetime import datetime

from activities.documents.language import language_of
from activities.research.addresses import canonical, host_of, suffixes_of
from activities.research.copies import fingerprint
from activities.tools.scoring import RECENCY_UNKNOWN, address_trust, rescored
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.research import ConsideredSource, FoundItem, Outcome, Score, SourceKind, SourceRef
from schema.contracts.tools import ToolOutput
from schema.policies import CONSIDERED_PER_SEARCH_MAX
from schema.store import domains, research
from schema.store.direct import Connection
from schema.store.research import NewSnapshot

FETCH_TOOL = "web.fetch"


async def judged(db: Database, org_id: str, output: ToolOutput, *, question: str, now: datetime) -> ToolOutput:
    """Return a tool's output with the scores that the organisation's trust in domains and the question ask for."""
    own = await _reputations(db, org_id, {host_of(uri) for uri in _uris(output)} - {""})

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
    results = tuple(
        each.model_copy(update={"score": of(each.kind, each.url, each.published_at, each.score)})
        for each in output.results
    )
    return output.model_copy(update={"passages": passages, "considered": considered, "results": results})


async def _reputations(db: Database, org_id: str, hosts: set[str]) -> dict[str, tuple[float, str]]:
    """Return what the organisation set for these hosts and the domains above them; documents have none."""
    names = sorted({name for host in hosts for name in suffixes_of(host.removeprefix("www."))})
    if not names:
        return {}
    async with db.transaction(org_id) as session:
        return await domains.reputations(session, org_id, names)


async def snapshotted(objects: ObjectStore, output: ToolOutput) -> list[NewSnapshot]:
    """Read what the act stored, and return what is to be known of it; ordered by hash."""
    found = []
    for snapshot in sorted(output.snapshots, key=lambda item: item.object.sha256):
        text = (await objects.get(snapshot.object)).decode()
        printed = await asyncio.to_thread(fingerprint, text)
        found.append(NewSnapshot(snapshot.object, printed.packed(), language_of(text)))
    return found


async def record_met(
    connection: Connection, org_id: str, run_id: str, output: ToolOutput, snapshots: list[NewSnapshot]
) -> None:
    """Record snapshots, the sources that were read, and those that were left out."""
    await research.put_snapshots(connection, org_id, snapshots)
    addresses = {uri: canonical(uri) for uri in _uris(output)}
    addresses |= {each.uri: canonical(each.canonical_uri) for each in output.snapshots if each.canonical_uri}
    await research.put_sources(connection, org_id, run_id, sources_of(output).values(), addresses)
    left_out = (*output.considered, *(_pointed_to(item) for item in output.results[:CONSIDERED_PER_SEARCH_MAX]))
    await research.put_considered(connection, org_id, run_id, left_out, addresses)


def sources_of(output: ToolOutput) -> dict[str, SourceRef]:
    """Return the sources that a call read, by the hash of their snapshot, each with the score of its best passage."""
    return {passage.source.snapshot_sha256: passage.source for passage in reversed(output.passages)}


def _pointed_to(item: FoundItem) -> ConsideredSource:
    """Return a result of a search as a source that was not read; one that is opened later is no longer listed."""
    return ConsideredSource(
        kind=item.kind,
        title=item.title,
        uri=item.url,
        outcome=Outcome.LEFT_OUT,
        detail="It was found and not opened.",
        published_at=item.published_at,
        score=item.score,
    )


async def unread(db: Database, org_id: str, tool: str, url: object, why: str) -> ConsideredSource | None:
    """Return an address that could not be loaded as a source; None where nothing was to be loaded."""
    if tool != FETCH_TOOL or not isinstance(url, str) or not host_of(url):
        return None
    trust, reason = address_trust(SourceKind.WEB, host_of(url), await _reputations(db, org_id, {host_of(url)}))
    reasons = {"relevance": "It was not read.", "trust": reason, "recency": "It was not read."}
    return ConsideredSource(
        kind=SourceKind.WEB,
        title=url,
        uri=url,
        outcome=Outcome.FAILED,
        detail=why,
        score=Score(relevance=0.0, trust=trust, recency=RECENCY_UNKNOWN, reasons=reasons),
    )


async def record_unread(connection: Connection, org_id: str, run_id: str, failed: ConsideredSource | None) -> None:
    """Record what `unread` returned."""
    if failed is not None:
        await research.put_considered(connection, org_id, run_id, [failed], {failed.uri: canonical(failed.uri)})


def _uris(output: ToolOutput) -> set[str]:
    return (
        {passage.source.uri for passage in output.passages}
        | {each.uri for each in output.considered}
        | {each.url for each in output.results}
    )
