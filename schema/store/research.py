"""What a run read and what it drew from it: sources and claims."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, cast, func, or_, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.contracts.research import Claim, ConsideredSource, Outcome, Score, SourceKind, SourceRef
from schema.errors import NotFound
from schema.ids import SOURCE, derived_id
from schema.store.direct import Connection, Statement
from schema.tables import research as tables
from schema.tables.documents import Snapshot

_NO_NUMBER = 2_147_483_647


@dataclass(frozen=True)
class NewSnapshot:
    """A snapshot whose text is stored, and what is known of the text."""

    object: ObjectRef
    fingerprint: bytes | None = None
    language: str | None = None


@dataclass(frozen=True)
class ListedSource:
    """A source of a run with what is needed to say what became of it."""

    source: tables.Source
    claims: int
    language: str | None
    original: tables.Source | None
    """The source that it is a copy of."""
    copies: tuple[tables.Source, ...] = ()


_DESCRIBES = (
    *("kind", "title", "uri", "canonical_uri", "document_id", "published_at", "relevance", "trust", "recency"),
    "reasons",
)
"""Columns of a source that belong together: they say where the text was found, and how it was scored there."""
_BETTER = """(excluded.relevance > kept.relevance or (excluded.relevance = kept.relevance
            and (excluded.uri, excluded.reasons::text) < (kept.uri, kept.reasons::text)))"""
_PUT_SOURCES = Statement(
    f"""
    insert into sources as kept (id, org_id, run_id, snapshot_sha256, kind, title, uri, canonical_uri, addresses,
        document_id, published_at, relevance, trust, recency, reasons, outcome)
    select id, :org_id, :run_id, snapshot_sha256, kind, title, uri, canonical_uri, addresses,
        document_id, published_at, relevance, trust, recency, reasons, 'read'
    from jsonb_to_recordset(:sources) as given (id text, snapshot_sha256 text, kind text, title text, uri text,
        canonical_uri text, addresses jsonb, document_id text, published_at timestamptz, relevance float8, trust float8,
        recency float8, reasons jsonb)
    on conflict (org_id, run_id, snapshot_sha256) do update
    set addresses = kept.addresses || excluded.addresses,
        {", ".join(f"{name} = case when {_BETTER} then excluded.{name} else kept.{name} end" for name in _DESCRIBES)}
    """  # noqa: S608 - made of the names above.
)
_PUT_CONSIDERED = Statement(
    f"""
    insert into sources as kept (id, org_id, run_id, kind, title, uri, canonical_uri, addresses, document_id,
        published_at, relevance, trust, recency, reasons, outcome, detail)
    select id, :org_id, :run_id, kind, title, uri, canonical_uri, addresses, document_id,
        published_at, relevance, trust, recency, reasons, outcome, detail
    from jsonb_to_recordset(:considered) as given (id text, kind text, title text, uri text, canonical_uri text,
        addresses jsonb, document_id text, published_at timestamptz, relevance float8, trust float8, recency float8,
        reasons jsonb, outcome text, detail text)
    on conflict (id) do update
    set {", ".join(f"{name} = excluded.{name}" for name in (*_DESCRIBES, "outcome", "detail", "addresses"))}
    where kept.org_id = excluded.org_id and (excluded.outcome, -excluded.relevance, excluded.uri, excluded.detail)
        < (kept.outcome, -kept.relevance, kept.uri, kept.detail)
    """  # noqa: S608 - made of the names above.
)
_PUT_SNAPSHOTS = Statement(
    """
    insert into snapshots as kept (org_id, sha256, object_key, size_bytes, fingerprint, language)
    select :org_id, sha256, key, size_bytes, decode(fingerprint, 'hex'), language
    from jsonb_to_recordset(:snapshots) as given (sha256 text, key text, size_bytes bigint, fingerprint text,
        language text)
    on conflict (org_id, sha256) do update
    set fingerprint = coalesce(kept.fingerprint, excluded.fingerprint),
        language = coalesce(kept.language, excluded.language)
    where (kept.fingerprint is null and excluded.fingerprint is not null)
        or (kept.language is null and excluded.language is not null)
    """
)


async def put_snapshots(connection: Connection, org_id: str, snapshots: Iterable[NewSnapshot]) -> None:
    """Record snapshots whose texts are stored; recording them again changes nothing but what was not known."""
    rows = [
        {
            **each.object.model_dump(),
            "fingerprint": each.fingerprint.hex() if each.fingerprint is not None else None,
            "language": each.language,
        }
        for each in sorted(snapshots, key=lambda each: each.object.sha256)
    ]
    if rows:
        await _PUT_SNAPSHOTS.row(connection, {"org_id": org_id, "snapshots": rows})


async def put_sources(
    connection: Connection,
    org_id: str,
    run_id: str,
    sources: Iterable[SourceRef],
    canonical: Mapping[str, str] | None = None,
) -> None:
    """Record sources that a run read; of two that are the same text, the more relevant one stands.

    With it stands all that describes it; the addresses of all are kept. Equal ones are decided by their address, then
    by their reasons: agents write at the same time, and the row must not depend on who comes first.

    Args:
        canonical: address -> the one spelling of it.
    """
    rows = [
        {
            "id": derived_id(SOURCE, run_id, source.snapshot_sha256),
            "snapshot_sha256": source.snapshot_sha256,
            "kind": source.kind.value,
            "title": source.title,
            "uri": source.uri,
            "canonical_uri": (canonical or {}).get(source.uri, source.uri),
            "addresses": {source.uri: source.title},
            "document_id": source.document_id,
            "published_at": source.published_at.isoformat() if source.published_at else None,
            "relevance": source.score.relevance,
            "trust": source.score.trust,
            "recency": source.score.recency,
            "reasons": source.score.reasons,
        }
        for source in sorted(sources, key=lambda item: item.snapshot_sha256)
    ]
    if rows:
        await _PUT_SOURCES.row(connection, {"org_id": org_id, "run_id": run_id, "sources": rows})


async def put_considered(
    connection: Connection,
    org_id: str,
    run_id: str,
    considered: Iterable[ConsideredSource],
    canonical: Mapping[str, str] | None = None,
) -> None:
    """Record sources that a run met and did not read, once per address: a failure before what was left out.

    Of two that were left out the more relevant one stands, whoever comes first. One that is read after all is no longer
    listed (`list_sources`).

    Args:
        canonical: address -> the one spelling of it.
    """
    best: dict[str, dict[str, Any]] = {}
    for item in considered:
        address = (canonical or {}).get(item.uri, item.uri)
        row = {
            "id": derived_id(SOURCE, run_id, "met", address),
            "kind": item.kind.value,
            "title": item.title,
            "uri": item.uri,
            "canonical_uri": address,
            "addresses": {item.uri: item.title},
            "document_id": item.document_id,
            "published_at": item.published_at.isoformat() if item.published_at else None,
            "relevance": item.score.relevance,
            "trust": item.score.trust,
            "recency": item.score.recency,
            "reasons": item.score.reasons,
            "outcome": item.outcome.value,
            "detail": item.detail,
        }
        kept = best.get(address)
        if kept is None or _prefers(row) < _prefers(kept):
            best[address] = row
    if best:
        rows = [best[address] for address in sorted(best)]
        await _PUT_CONSIDERED.row(connection, {"org_id": org_id, "run_id": run_id, "considered": rows})


def _prefers(row: Mapping[str, Any]) -> tuple[str, float, str, str]:
    # `failed` comes before `left_out`, here as in the statement.
    return row["outcome"], -row["relevance"], row["uri"], row["detail"]


def _source(row: tables.Source) -> SourceRef:
    return SourceRef(
        snapshot_sha256=row.snapshot_sha256 or "",
        kind=SourceKind(row.kind),
        title=row.title,
        uri=row.uri,
        document_id=row.document_id,
        published_at=row.published_at,
        score=Score(relevance=row.relevance, trust=row.trust, recency=row.recency, reasons=row.reasons),
    )


async def claims_of(session: AsyncSession, org_id: str, run_id: str) -> tuple[Claim, ...]:
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
            drawn_by=claim.drawn_by,
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


async def read_sources(session: AsyncSession, org_id: str, run_id: str) -> list[SourceRef]:
    """Return every source that the run read, ordered by snapshot."""
    query = (
        select(tables.Source)
        .where(
            tables.Source.org_id == org_id, tables.Source.run_id == run_id, tables.Source.outcome == Outcome.READ.value
        )
        .order_by(col(tables.Source.snapshot_sha256))
    )
    return [_source(row) for row in (await session.execute(query)).scalars()]


async def judge_sources(
    session: AsyncSession,
    org_id: str,
    run_id: str,
    *,
    copies: Mapping[str, str],
    trusted: Mapping[str, tuple[float, str]],
) -> None:
    """Record which sources are copies, and the trust that agreement gave; the same call again changes nothing.

    Args:
        copies: snapshot of a copy -> snapshot of what it is a copy of.
        trusted: snapshot -> (trust, reason).
    """
    own = (col(tables.Source.org_id) == org_id, col(tables.Source.run_id) == run_id)
    await session.execute(
        update(tables.Source).where(*own).values(copy_of=None).execution_options(synchronize_session=False)
    )
    for sha256, original in sorted(copies.items()):
        await session.execute(
            update(tables.Source)
            .where(*own, col(tables.Source.snapshot_sha256) == sha256)
            .values(copy_of=derived_id(SOURCE, run_id, original))
            .execution_options(synchronize_session=False)
        )
    for sha256, (trust, reason) in sorted(trusted.items()):
        await session.execute(
            update(tables.Source)
            .where(*own, col(tables.Source.snapshot_sha256) == sha256)
            .values(trust=trust, reasons=col(tables.Source.reasons).op("||")(cast({"trust": reason}, JSONB)))
            .execution_options(synchronize_session=False)
        )


def _shown(org_id: str, run_id: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a run's list: what was met and then read all the same is listed once, as read."""
    read = aliased(tables.Source)
    opened = (
        select(read.id)
        .where(
            read.org_id == org_id,
            read.run_id == run_id,
            read.outcome == Outcome.READ.value,
            read.canonical_uri == tables.Source.canonical_uri,
        )
        .exists()
    )
    return (
        col(tables.Source.org_id) == org_id,
        col(tables.Source.run_id) == run_id,
        or_(col(tables.Source.outcome) == Outcome.READ.value, ~opened),
    )


async def list_sources(
    session: AsyncSession, org_id: str, run_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[ListedSource], str | None]:
    """Return a page of all sources that the run met: cited ones by number, then by score; and the next page's cursor.

    A cursor is `NUMBER|SCORE|ID` of the last one.
    """
    place = func.coalesce(col(tables.Source.number), _NO_NUMBER)
    parts = col(tables.Source.relevance) * 0.5 + col(tables.Source.trust) * 0.3 + col(tables.Source.recency) * 0.2
    score = func.round(cast(parts, Numeric), 6)
    query = select(tables.Source, place, score).where(*_shown(org_id, run_id))
    if cursor is not None:
        after, worth, last = cursor.split("|")
        query = query.where(tuple_(place, -score, col(tables.Source.id)) > tuple_(int(after), -Decimal(worth), last))
    rows = (await session.execute(query.order_by(place, score.desc(), col(tables.Source.id)).limit(limit + 1))).all()
    listed = await _listed(session, org_id, run_id, [row[0] for row in rows[:limit]])
    following = None
    if len(rows) > limit:
        source, number, worth = rows[limit - 1]
        following = f"{number}|{worth}|{source.id}"
    return listed, following


async def get_source(session: AsyncSession, org_id: str, run_id: str, source_id: str) -> ListedSource:
    """Return one source of a run.

    Raises:
        NotFound: the run has no such source.
    """
    query = select(tables.Source).where(
        tables.Source.org_id == org_id, tables.Source.run_id == run_id, tables.Source.id == source_id
    )
    source = (await session.execute(query)).scalar_one_or_none()
    if source is None:
        raise NotFound(f"The run has no source {source_id}.")
    return (await _listed(session, org_id, run_id, [source]))[0]


async def _listed(session: AsyncSession, org_id: str, run_id: str, sources: list[tables.Source]) -> list[ListedSource]:
    """Add what was drawn from each source, its language, its original and its copies."""
    own = (tables.Source.org_id == org_id, tables.Source.run_id == run_id)
    hashes = [source.snapshot_sha256 for source in sources if source.snapshot_sha256]
    counted = (
        select(tables.Claim.snapshot_sha256, func.count())
        .where(
            tables.Claim.org_id == org_id,
            tables.Claim.run_id == run_id,
            col(tables.Claim.snapshot_sha256).in_(hashes),
        )
        .group_by(col(tables.Claim.snapshot_sha256))
    )
    claims = {sha256: int(count) for sha256, count in await session.execute(counted)}
    spoken = select(Snapshot.sha256, Snapshot.language).where(
        Snapshot.org_id == org_id, col(Snapshot.sha256).in_(hashes)
    )
    languages: dict[str, str | None] = {row[0]: row[1] for row in await session.execute(spoken)}
    originals_of = [source.copy_of for source in sources if source.copy_of]
    found = select(tables.Source).where(*own, col(tables.Source.id).in_(originals_of))
    originals = {row.id: row for row in (await session.execute(found)).scalars()}
    copying = (
        select(tables.Source)
        .where(*own, col(tables.Source.copy_of).in_([source.id for source in sources]))
        .order_by(col(tables.Source.id))
    )
    copies: dict[str, list[tables.Source]] = {}
    for row in (await session.execute(copying)).scalars():
        copies.setdefault(row.copy_of or "", []).append(row)
    return [
        ListedSource(
            source,
            claims.get(source.snapshot_sha256 or "", 0),
            languages.get(source.snapshot_sha256 or ""),
            originals.get(source.copy_of or ""),
            tuple(copies.get(source.id, ())),
        )
        for source in sources
    ]


async def list_claims(
    session: AsyncSession,
    org_id: str,
    run_id: str,
    *,
    limit: int,
    cursor: str | None = None,
    snapshot_sha256: str | None = None,
) -> tuple[list[tables.Claim], str | None]:
    """Return a page of the run's claims, or of those from one snapshot, and the cursor of the next page."""
    query = select(tables.Claim).where(tables.Claim.org_id == org_id, tables.Claim.run_id == run_id)
    if snapshot_sha256 is not None:
        query = query.where(tables.Claim.snapshot_sha256 == snapshot_sha256)
    if cursor is not None:
        query = query.where(tables.Claim.id > cursor)
    rows = list((await session.execute(query.order_by(col(tables.Claim.id)).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def count_sources(session: AsyncSession, org_id: str, run_id: str) -> int:
    """Count the sources that the run read."""
    query = (
        select(func.count())
        .select_from(tables.Source)
        .where(
            tables.Source.org_id == org_id, tables.Source.run_id == run_id, tables.Source.outcome == Outcome.READ.value
        )
    )
    return int((await session.execute(query)).scalar_one())


async def addresses_met(session: AsyncSession, org_id: str, run_id: str) -> list[str]:
    """Return the addresses that searches and pages gave to a run; not those that were tried in vain."""
    query = select(col(tables.Source.uri)).where(
        tables.Source.org_id == org_id, tables.Source.run_id == run_id, tables.Source.outcome != Outcome.FAILED.value
    )
    return list((await session.execute(query)).scalars())
