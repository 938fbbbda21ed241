"""What a tool is given besides its arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from activities.embedding.embedder import Embedder
from infra.database import Database
from infra.http import SafeHttpClient
from infra.objects import ObjectStore
from schema.store.passages import CORPUS, Reach


@dataclass(frozen=True)
class ToolContext:
    """Who calls, for what question, and the clients that a tool may use."""

    org_id: str
    run_id: str
    agent_number: int
    step: int
    query: str
    """The subtask's question: passages are ranked by it where the arguments name none."""
    now: datetime
    """The moment to which the age of a source is measured; the same for every call of a run."""
    db: Database
    objects: ObjectStore
    http: SafeHttpClient
    heartbeat: Callable[[], None]
    """Called by a tool that works for long without awaiting anything."""
    reach: Reach = CORPUS
    """Which documents may be found: the corpus, the run's own files."""
    embedder: Embedder | None = None
    """Makes the query's vector; None: search is by full text alone."""
