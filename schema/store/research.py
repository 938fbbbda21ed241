"""What a run read and what it drew from it: sources and claims."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Text, and_, cast, func, or_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.research import Claim, Score, SourceKind, SourceRef
from schema.ids import SOURCE, derived_id
from schema.tables import research as tables

_DESCRIBES = ("kind", "title", "uri", "document_id", "published_at", "relevance", "trust", "recency", "reasons")
"""Columns of a source that belong together: they say where the text was found, and how it was scored there."""


async def put_sources(session: AsyncSession, org_id: str, run_id: str, sources: Iterable[SourceRef]) -> None:
    """Record sources of a run; of two that are the same text, the more relevant one stands, with all that describes it.

    Equal ones are decided by their address, then by their reasons: agents write at the same time, and the row must not
    depend on who comes first.
    """
    rows = [
        {
            "id": derived_id(SOURCE, run_id, source.snapshot_sha256),
            "org_id": org_id,
            "run_id": run_id,
            "snapshot_sha256": source.snapshot_sha256,
            "kind": source.kind.value,
            "title": source.title,
            "uri": source.uri,
            "document_id": source.document_id,
            "published_at": source.published_at,
            "relevance": source.score.relevance,
            "trust": source.score.trust,
            "recency": source.score.recency,
            "reasons": source.score.reasons,
        }
        for source in sorted(sources, key=lambda item: item.snapshot_sha256)
    ]
    if not rows:
        return
    statement = upsert(tables.Source).values(rows)
    given, kept = statement.excluded, tables.Source
    by_name = func.row(given.uri, cast(given.reasons, Text)) < func.row(kept.uri, cast(col(kept.reasons), Text))
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "run_id", "snapshot_sha256"],
            set_={name: given[name] for name in _DESCRIBES},
            where=or_(given.relevance > col(kept.relevance), and_(given.relevance == col(kept.relevance), by_name)),
        )
    )


async def put_claims(
    session: AsyncSession, org_id: str, run_id: str, *, agent_number: int, step: int, claims: Iterable[Claim]
) -> int:
    """Record claims, each once per run; returns how many are new. Their sources are recorded before."""
    rows = {
        claim.id: {
            "run_id": run_id,
            "id": claim.id,
            "org_id": org_id,
            "agent_number": agent_number,
            "step": step,
            "snapshot_sha256": claim.source.snapshot_sha256,
            "start_offset": claim.start,
            "end_offset": claim.end,
            "text": claim.text,
            "quote": claim.quote,
            "relevance": claim.relevance,
        }
        for claim in claims
    }
    if not rows:
        return 0
    statement = upsert(tables.Claim).values(list(rows.values()))
    written = await session.execute(
        statement.on_conflict_do_nothing(index_elements=["run_id", "id"]).returning(col(tables.Claim.id))
    )
    return len(written.all())


def _source(row: tables.Source) -> SourceRef:
    return SourceRef(
        snapshot_sha256=row.snapshot_sha256,
        kind=SourceKind(row.kind),
        title=row.title,
        uri=row.uri,
        document_id=row.document_id,
        published_at=row.published_at,
        score=Score(relevance=row.relevance, trust=row.trust, recency=row.recency, reasons=row.reasons),
    )


async def claims_of(
    session: AsyncSession, org_id: str, run_id: str, *, agent_number: int | None = None
) -> tuple[Claim, ...]:
    """Return a run's claims with their sources, in a fixed order (agent, step, source, span)."""
    query = (
        select(tables.Claim, tables.Source)
        .join(
            tables.Source,
            (col(tables.Source.org_id) == col(tables.Claim.org_id))
            & (col(tables.Source.run_id) == col(tables.Claim.run_id))
            & (col(tables.Source.snapshot_sha256) == col(tables.Claim.snapshot_sha256)),
        )
        .where(tables.Claim.org_id == org_id, tables.Claim.run_id == run_id)
        .order_by(
            col(tables.Claim.agent_number),
            col(tables.Claim.step),
            col(tables.Claim.relevance).desc(),
            col(tables.Claim.id),
        )
    )
    if agent_number is not None:
        query = query.where(tables.Claim.agent_number == agent_number)
    rows = await session.execute(query)
    return tuple(
        Claim(
            id=claim.id,
            agent_number=claim.agent_number,
            text=claim.text,
            source=_source(source),
            start=claim.start_offset,
            end=claim.end_offset,
            quote=claim.quote,
            relevance=claim.relevance,
        )
        for claim, source in rows
    )


async def number_sources(session: AsyncSession, org_id: str, run_id: str, numbers: Mapping[str, int]) -> None:
    """Record the `[n]` of each cited source; `numbers` maps a snapshot's hash to its number.

    A source that an earlier report of the run cited, and this one does not, loses its number.
    """
    await session.execute(
        update(tables.Source)
        .where(
            col(tables.Source.org_id) == org_id,
            col(tables.Source.run_id) == run_id,
            col(tables.Source.number).is_not(None),
        )
        .values(number=None)
        .execution_options(synchronize_session=False)
    )
    for sha256, number in sorted(numbers.items()):
        await session.execute(
            update(tables.Source)
            .where(
                col(tables.Source.org_id) == org_id,
                col(tables.Source.run_id) == run_id,
                col(tables.Source.snapshot_sha256) == sha256,
            )
            .values(number=number)
            .execution_options(synchronize_session=False)
        )


async def list_sources(session: AsyncSession, org_id: str, run_id: str) -> list[tables.Source]:
    """Return the run's sources, cited ones first by number, then by score."""
    score = col(tables.Source.relevance) * 0.5 + col(tables.Source.trust) * 0.3 + col(tables.Source.recency) * 0.2
    query = (
        select(tables.Source)
        .where(tables.Source.org_id == org_id, tables.Source.run_id == run_id)
        .order_by(col(tables.Source.number).asc().nulls_last(), score.desc(), col(tables.Source.id))
    )
    return list((await session.execute(query)).scalars())


async def list_claims(
    session: AsyncSession, org_id: str, run_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[tables.Claim], str | None]:
    """Return a page of the run's claims and the cursor of the next page."""
    query = select(tables.Claim).where(tables.Claim.org_id == org_id, tables.Claim.run_id == run_id)
    if cursor is not None:
        query = query.where(tables.Claim.id > cursor)
    rows = list((await session.execute(query.order_by(col(tables.Claim.id)).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def count_sources(session: AsyncSession, org_id: str, run_id: str) -> int:
    """Count the sources that the run read."""
    query = (
        select(func.count())
        .select_from(tables.Source)
        .where(tables.Source.org_id == org_id, tables.Source.run_id == run_id)
    )
    return int((await session.execute(query)).scalar_one())
