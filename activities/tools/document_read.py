"""document.read: a window of one document's text, with exact offsets."""

from pydantic import Field

from activities.tools.context import ToolContext
from activities.tools.corpus_search import source_of
from activities.tools.ranking import Occurrences, occurrences, query_terms, relevance, weigh, with_similarity
from activities.tools.retrieval import QUERY_TERMS_MAX, Retrieved, retrieve
from activities.tools.tool import Answer, Arguments, specify
from schema.contracts.research import Passage
from schema.contracts.tools import Effect, ToolOutput
from schema.store import passages

WINDOW_PASSAGES = 12


class DocumentReadArguments(Arguments):
    """Which part of which document."""

    document_id: str = Field(min_length=1, max_length=100, description="Identifier of the document.")
    around: int | None = Field(
        default=None,
        ge=0,
        le=2**31 - 1,
        description="Offset to read around; default: where the query is answered best.",
    )
    query: str | None = Field(
        default=None, min_length=1, max_length=500, description="What to look for; orders the passages, best first."
    )


class ReadPassage(Answer):
    """Where one passage stands."""

    start: int
    end: int
    heading: str


class DocumentReadAnswer(Answer):
    """Which part was read; the texts are in the passages."""

    document_id: str
    title: str
    characters: int
    start: int
    end: int
    window: tuple[ReadPassage, ...]
    """In the order of the text."""


class DocumentRead:
    """Reads on where a search pointed to."""

    arguments = DocumentReadArguments
    answer = DocumentReadAnswer
    spec = specify(
        "document.read",
        "Read part of one of the organisation's documents: around an offset, where a query is answered, or its start.",
        DocumentReadArguments,
        DocumentReadAnswer,
        version="1",
        timeout_s=30,
        effect=Effect.READ,
        idempotent=True,
    )

    async def call(self, arguments: DocumentReadArguments, context: ToolContext) -> ToolOutput:
        """Read once.

        Raises:
            NotFound: the organisation has no such document, or it is not ready.
        """
        around = arguments.around
        if around is None and arguments.query is not None:
            around = _best_offset(await retrieve(context, arguments.query, document_id=arguments.document_id))
        async with context.db.transaction(context.org_id) as session:
            document, window = await passages.read_window(
                session, context.org_id, arguments.document_id, around=around or 0, passages_max=WINDOW_PASSAGES
            )
        wanted = query_terms(arguments.query or context.query)[:QUERY_TERMS_MAX]
        weighed = weigh(wanted, {}, max(document.passages, 1))
        lexemes = [lexeme for lexeme, _ in wanted]
        found = []
        for row in window:
            value = relevance(weighed, occurrences(lexemes, row.text, row.heading), row.text)
            source = source_of(document, value, context.now, context.query)
            found.append(
                Passage(source=source, start=row.start_offset, end=row.end_offset, text=row.text, heading=row.heading)
            )
        if arguments.query is not None:
            found.sort(key=lambda each: (-each.source.score.relevance, each.start))
        answer = DocumentReadAnswer(
            document_id=document.id,
            title=document.title,
            characters=document.characters,
            start=window[0].start_offset if window else 0,
            end=window[-1].end_offset if window else 0,
            window=tuple(
                ReadPassage(start=row.start_offset, end=row.end_offset, heading=row.heading) for row in window
            ),
        )
        return ToolOutput(data=answer.model_dump(mode="json"), passages=tuple(found))


def _best_offset(retrieved: Retrieved) -> int:
    weighed = weigh(retrieved.terms, retrieved.found.frequencies, retrieved.found.passages)
    ranked = []
    for hit in retrieved.found.hits:
        words = relevance(weighed, Occurrences(hit.in_text, hit.in_heading), hit.text)
        value = with_similarity(words, hit.cosine, retrieved.cosines).value
        ranked.append((-round(value, 9), hit.start))
    return min(ranked)[1] if ranked else 0
