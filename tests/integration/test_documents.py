"""Documents from upload to the corpus: on real PostgreSQL, S3 and Temporal."""

import asyncio

import jiwer
import pytest
from sqlalchemy import func
from sqlmodel import col, select
from temporalio.client import Client
from temporalio.worker import Worker

from activities.boundary import Boundary
from activities.documents.activities import DocumentActivities
from activities.embedding.embedder import EmbeddingConfig, build_embedder
from activities.files import uploads
from activities.files.uploads import Recogniser
from activities.images import models
from activities.research.vendor import load_litellm
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.documents import EmbedDocumentInput, IngestDocumentInput, IngestDocumentResult
from schema.errors import NotFound
from schema.ids import DOCUMENT, new_id
from schema.store import documents, passages, snapshots
from schema.tables.documents import Document, DocumentPassage
from tests.integration.conftest import Org, make_org
from tests.integration.test_images import scanned_pdf
from tests.support.model_server import ModelServer
from tests.support.scans import page
from tests.unit.documents.files import pdf
from tests.unit.documents.office_files import word
from workflows.ingest import IngestDocumentWorkflow

TEXT = b"# Gallium\n\nGallium melts at 29.76 degrees Celsius.\n\n## Use\n\nIt is used in electronics.\n"


async def upload(
    db: Database, objects: ObjectStore, org_id: str, data: bytes = TEXT, name: str = "gallium.md"
) -> tuple[Document, bool, IngestDocumentInput]:
    """Do what the API does: store the file, create the document."""
    ref = await objects.put(f"{org_id}/documents/{sha256_of(data)}", data, "application/octet-stream")
    async with db.transaction(org_id) as session:
        document, new = await documents.create_document(
            session, org_id, name=name, mime_type="text/markdown", object=ref, created_by="user_1"
        )
    order = IngestDocumentInput(
        org_id=org_id, document_id=document.id, object=ref, filename=name, mime_type="text/markdown"
    )
    return document, new, order


async def stored(db: Database, org_id: str, document_id: str) -> tuple[Document, list[DocumentPassage]]:
    """Read a document and its passages, deleted or not."""
    async with db.transaction(org_id) as session:
        document = (await session.execute(select(Document).where(Document.id == document_id))).scalar_one()
        query = select(DocumentPassage).where(DocumentPassage.document_id == document_id)
        rows = (await session.execute(query.order_by(col(DocumentPassage.number)))).scalars()
        return document, list(rows)


async def test_ingest_makes_a_document_ready(db: Database, objects: ObjectStore, org: Org) -> None:
    """Text, passages and snapshot agree; a repeat changes nothing."""
    created, new, order = await upload(db, objects, org.id)
    assert (new, created.status) == (True, "processing")
    activities = DocumentActivities(db, objects)
    result = await activities.ingest(order)
    assert (result.status, result.passages, result.error) == ("ready", 2, None)
    document, passages = await stored(db, org.id, created.id)
    assert (document.status, document.title, document.passages) == ("ready", "Gallium", 2)
    assert document.snapshot_sha256 is not None
    async with db.transaction(org.id) as session:
        [snapshot] = await snapshots.snapshot_refs(session, org.id, [document.snapshot_sha256])
    assert snapshot.key == f"{org.id}/snapshots/{snapshot.sha256}"
    text = (await objects.get(snapshot)).decode()
    assert document.characters == len(text)
    assert [text[row.start_offset : row.end_offset] for row in passages] == [row.text for row in passages]
    assert [row.heading for row in passages] == ["Gallium", "Gallium > Use"]
    assert await activities.ingest(order) == result
    again, repeated = await stored(db, org.id, created.id)
    assert [row.model_dump() for row in repeated] == [row.model_dump() for row in passages]
    assert again.snapshot_sha256 == document.snapshot_sha256


async def test_same_content_is_kept_once(db: Database, owner_db: Database, objects: ObjectStore, org: Org) -> None:
    """Even when it arrives twice at the same moment; another organisation's copy is its own."""
    answers = await asyncio.gather(*(upload(db, objects, org.id, name=f"{number}.md") for number in range(5)))
    assert len({document.id for document, _, _ in answers}) == 1
    assert sorted(new for _, new, _ in answers) == [False] * 4 + [True]
    other = await make_org(owner_db)
    elsewhere, new, _ = await upload(db, objects, other.id)
    assert new
    assert elsewhere.id != answers[0][0].id
    async with db.transaction(org.id) as session:
        await documents.delete_document(session, org.id, answers[0][0].id)
    _, new, _ = await upload(db, objects, org.id)
    assert new


async def test_unreadable_file_is_a_result(db: Database, objects: ObjectStore, org: Org) -> None:
    """The document says what is wrong with it, and is not searched."""
    created, _, order = await upload(db, objects, org.id, b"\x89PNG\r\n\x1a\n" + bytes(100), "a.md")
    result = await DocumentActivities(db, objects).ingest(order)
    assert result.status == "failed"
    assert "PNG" in (result.error or "")
    document, passages = await stored(db, org.id, created.id)
    assert (document.status, passages) == ("failed", [])
    assert document.error == {"code": "unsupported_format", "detail": result.error}


async def test_office_files_are_documents(db: Database, objects: ObjectStore, org: Org) -> None:
    created, _, order = await upload(db, objects, org.id, word(), "report.docx")
    assert (await DocumentActivities(db, objects).ingest(order)).status == "ready"
    document, passages = await stored(db, org.id, created.id)
    assert (document.title, document.author) == ("The harbour bridge", "Ada Weber")
    assert [row.heading for row in passages] == [
        "The harbour bridge > Findings",
        "The harbour bridge > Findings > Work",
    ]


async def test_scans_and_pictures_are_recognised(
    db: Database, objects: ObjectStore, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of files are; where nothing here can, or there are too many pages, the reason says what to do."""
    scan = page(3, "text", dpi=130)
    activities = DocumentActivities(db, objects, None, Recogniser("none"))
    created, _, order = await upload(db, objects, org.id, scanned_pdf([scan]), "scan.pdf")
    assert "SWISSBRAIN_OCR_ENGINE" in str((await activities.ingest(order)).error)
    assert (await stored(db, org.id, created.id))[0].error["code"] == "part_missing"
    # What has text needs no engine.
    _, _, order = await upload(db, objects, org.id, pdf(["A page with a text of its own."]), "text.pdf")
    assert (await activities.ingest(order)).status == "ready"
    if models.choose(models.AUTO) is None:
        pytest.skip("NO ENGINE OF OCR IS HERE: untested")
    activities = DocumentActivities(db, objects, None, Recogniser("auto"))
    monkeypatch.setattr(uploads, "CORPUS_RECOGNISED_PAGES_MAX", 1)
    _, _, order = await upload(db, objects, org.id, scanned_pdf([scan, page(4, "text", dpi=100)]), "long.pdf")
    assert "POST /files" in str((await activities.ingest(order)).error)
    created, _, order = await upload(db, objects, org.id, scan.encoded(), "scan.png")
    assert (await activities.ingest(order)).status == "ready"
    _, passages = await stored(db, org.id, created.id)
    text = " ".join(" ".join(row.text.split()) for row in passages)
    assert jiwer.cer(" ".join(scan.text.split()), text[: len(scan.text)]) < 0.1


async def test_lost_file_is_a_result(db: Database, objects: ObjectStore, org: Org) -> None:
    """An upload whose object is gone asks for another upload."""
    created, _, order = await upload(db, objects, org.id)
    await objects.delete(order.object.key)
    result = await DocumentActivities(db, objects).ingest(order)
    assert "again" in (result.error or "")
    assert (await stored(db, org.id, created.id))[0].status == "failed"


async def test_deleted_document_stays_deleted(db: Database, objects: ObjectStore, org: Org) -> None:
    """Whatever order deletion and ingestion come in."""
    created, _, order = await upload(db, objects, org.id)
    activities = DocumentActivities(db, objects)
    async with db.transaction(org.id) as session:
        await documents.delete_document(session, org.id, created.id)
    assert "deleted" in ((await activities.ingest(order)).error or "")
    document, passages = await stored(db, org.id, created.id)
    assert (document.status, passages) == ("processing", [])
    ready, _, order = await upload(db, objects, org.id)
    await activities.ingest(order)
    async with db.transaction(org.id) as session:
        await documents.delete_document(session, org.id, ready.id)
    assert (await stored(db, org.id, ready.id))[1] == []
    with pytest.raises(NotFound):
        async with db.transaction(org.id) as session:
            await documents.delete_document(session, org.id, ready.id)


async def test_list_pages_newest_first(db: Database, objects: ObjectStore, org: Org) -> None:
    """Every document once, whatever the page size."""
    made = [(await upload(db, objects, org.id, b"Text %d" % number))[0].id for number in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        async with db.transaction(org.id) as session:
            page, cursor = await documents.list_documents(session, org.id, limit=2, cursor=cursor)
        seen += [document.id for document in page]
        if cursor is None:
            break
    assert seen == made[::-1]
    async with db.transaction(org.id) as session:
        assert await documents.list_documents(session, org.id, limit=2, status="ready") == ([], None)


async def test_other_organisations_documents_do_not_exist(
    db: Database, owner_db: Database, objects: ObjectStore, org: Org
) -> None:
    """Not for reading, deleting, nor for an activity with crossed identifiers."""
    created, _, order = await upload(db, objects, org.id)
    await DocumentActivities(db, objects).ingest(order)
    other = await make_org(owner_db)
    for database in (db, owner_db):
        async with database.transaction(other.id) as session:
            for call in (
                documents.get_document(session, other.id, created.id),
                passages.read_window(session, other.id, created.id, around=0, passages_max=3),
                documents.delete_document(session, other.id, created.id),
                documents.mark_failed(session, other.id, created.id, code="x", detail="x"),
            ):
                with pytest.raises(NotFound):
                    await call
            sha256 = (await stored(db, org.id, created.id))[0].snapshot_sha256 or ""
            assert await snapshots.snapshot_refs(session, other.id, [sha256]) == []
    crossed = order.model_copy(update={"org_id": other.id})
    assert (await DocumentActivities(db, objects).ingest(crossed)).status == "failed"
    document, kept = await stored(db, org.id, created.id)
    assert (document.status, len(kept)) == ("ready", 2)


async def test_large_document(db: Database, objects: ObjectStore, org: Org) -> None:
    """Two megabytes: thousands of passages in one transaction, found afterwards."""
    body = "".join(
        f"Paragraph {number} says that element {number} melts at {number} degrees.\n\n" for number in range(30_000)
    )
    created, _, order = await upload(db, objects, org.id, body.encode(), "large.txt")
    result = await DocumentActivities(db, objects).ingest(order)
    assert result.passages > 2_000
    async with db.transaction(org.id) as session:
        query = select(func.count()).select_from(DocumentPassage).where(DocumentPassage.document_id == created.id)
        assert (await session.execute(query)).scalar_one() == result.passages
    async with db.direct(org.id) as connection:
        terms = await passages.query_terms(connection, org.id, "element 29123")
        found = await passages.search_passages(connection, org.id, {lexeme: 1.0 for lexeme, _ in terms.terms})
    assert "29123" in found.hits[0].text


async def test_workflow_reads_a_document(db: Database, objects: ObjectStore, org: Org, temporal_client: Client) -> None:
    """The workflow runs its activities on the queue for heavy work, with the prefix; the vectors come last."""
    created, _, order = await upload(db, objects, org.id)
    prefix = f"{new_id(DOCUMENT)}-"
    runs = Worker(temporal_client, task_queue=f"{prefix}runs", workflows=[IngestDocumentWorkflow])
    made = DocumentActivities(db, objects, build_embedder(EmbeddingConfig()))
    activities = [made.ingest, made.embed]
    async with runs, Worker(temporal_client, task_queue=f"{prefix}tools-cpu", activities=activities):
        result = await temporal_client.execute_workflow(
            "IngestDocument", order, id=created.id, task_queue=f"{prefix}runs", result_type=IngestDocumentResult
        )
    assert result == IngestDocumentResult(document_id=created.id, status="ready", passages=2)
    document, passages = await stored(db, org.id, created.id)
    assert document.embedding_model is not None
    assert {passage.embedding_model for passage in passages} == {document.embedding_model}


async def test_a_document_is_ready_though_its_vectors_fail(
    db: Database, objects: ObjectStore, org: Org, temporal_client: Client
) -> None:
    """The provider of the vectors refuses for good: the document is found by its words."""
    created, _, order = await upload(db, objects, org.id)
    prefix = f"{new_id(DOCUMENT)}-"
    runs = Worker(temporal_client, task_queue=f"{prefix}runs", workflows=[IngestDocumentWorkflow])
    load_litellm()
    async with ModelServer() as server:
        server.fail("unauthorized", times=None)
        config = EmbeddingConfig(model="openai/hashing", base_url=server.base_url, api_key="k", dimensions=64)
        made = DocumentActivities(db, objects, build_embedder(config))
        heavy = Worker(
            temporal_client,
            task_queue=f"{prefix}tools-cpu",
            activities=[made.ingest, made.embed],
            interceptors=[Boundary()],
        )
        async with runs, heavy:
            result = await temporal_client.execute_workflow(
                "IngestDocument", order, id=created.id, task_queue=f"{prefix}runs", result_type=IngestDocumentResult
            )
    assert (result.status, result.passages) == ("ready", 2)
    document, _ = await stored(db, org.id, created.id)
    assert (document.status, document.embedding_model) == ("ready", None)


async def test_a_long_document_is_embedded_in_portions(
    db: Database, objects: ObjectStore, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call goes on where vectors are missing; what was deleted meanwhile is nothing to do."""
    monkeypatch.setattr("activities.documents.indexing.EMBEDDED_AT_INGESTION", 0)
    monkeypatch.setattr("activities.documents.activities.EMBEDDED_PER_ACTIVITY", 2)
    body = "\n\n".join(f"# Part {number}\n\nElement {number} melts at {number} degrees." for number in range(5))
    created, _, order = await upload(db, objects, org.id, body.encode(), "parts.md")
    activities = DocumentActivities(db, objects, build_embedder(EmbeddingConfig()))
    passages = (await activities.ingest(order)).passages
    given = EmbedDocumentInput(org_id=org.id, document_id=created.id)
    left = []
    while (done := await activities.embed(given)).model is not None:
        left.append(done.missing)
    assert left == list(range(passages - 2, -1, -2)) + ([0] if passages % 2 else [])
    async with db.transaction(org.id) as session:
        await documents.delete_document(session, org.id, created.id)
    assert (await activities.embed(given)).embedded == 0


async def test_snapshots_are_recorded_once(db: Database, org: Org) -> None:
    """Recording again changes nothing; unknown hashes are left out."""
    ref = ObjectRef(key=f"{org.id}/snapshots/x", sha256="0" * 64, size_bytes=1)
    async with db.transaction(org.id) as session:
        await snapshots.put_snapshot(session, org.id, ref)
        await snapshots.put_snapshot(session, org.id, ref)
        assert await snapshots.snapshot_refs(session, org.id, ["0" * 64, "1" * 64]) == [ref]
