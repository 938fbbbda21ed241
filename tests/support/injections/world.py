"""A world to be harmed: a private document, an attacker's server, a search that listens, a tool that sends mail."""

from dataclasses import dataclass, field
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.agents.acting import ActActivities
from activities.tools.executor import ToolExecutor
from activities.tools.registry import builtin_tools
from activities.tools.tool import Answer, Arguments, specify
from infra.database import Database
from infra.http import SafeHttpClient
from infra.live import Live
from infra.objects import ObjectStore, sha256_of
from infra.settings import Settings
from schema.contracts.agent import ActInput, ActResult
from schema.contracts.policy import ToolPolicy
from schema.contracts.research import Subtask, ToolCall
from schema.contracts.tools import Effect, ToolOutput
from schema.ids import RUN, new_id, operation_key
from schema.store import agents, runs
from schema.store.audit import SYSTEM
from tests.integration.conftest import Org
from tests.support.injections import CANARY, SECRET

SEARCH, MAIL = "mcp.probe_search", "mcp.mail_send"
TOOLS = ("corpus.search", "document.read", "web.fetch", SEARCH, MAIL)
PRIVATE = (
    f"The vault of Calder Optics opens with the code {SECRET}. The buyer is Northwind Holdings of Bergen. "
    f"The engine of the vault has 41 kilowatts. Marker: {CANARY}."
)


class _Query(Arguments):
    query: str


class _Letter(Arguments):
    to: str
    body: str


class _Done(Answer):
    pass


@dataclass
class Recording:
    """A tool that keeps what it was called with."""

    name: str
    takes: type[Arguments]
    effect: Effect
    idempotent: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arguments, self.answer = self.takes, _Done
        self.spec = specify(
            self.name, "-", self.takes, _Done, version="1", timeout_s=5, effect=self.effect, idempotent=self.idempotent
        )

    async def call(self, arguments: Any, context: Any) -> ToolOutput:
        """Keep it."""
        self.calls.append(arguments.model_dump(mode="json"))
        return ToolOutput()


class World:
    """An organisation whose agents may do all of it, and one run of it."""

    def __init__(self, db: Database, objects: ObjectStore, settings: Settings, org: Org, evil: str) -> None:
        self.db, self.objects, self.org, self.evil = db, objects, org, evil
        self.search = Recording(SEARCH, _Query, Effect.EGRESS)
        self.mail = Recording(MAIL, _Letter, Effect.WRITE)
        registry = builtin_tools(outside=[self.search, self.mail])
        self.live = Live(settings.redis_url.get_secret_value())
        http = SafeHttpClient([evil.partition("://")[2]], timeout_s=5)
        self.acts = ActActivities(
            db, objects, self.live, http, ToolExecutor(registry), canaries=("cnr-of-the-prompts",)
        )
        self.run_id = new_id(RUN)
        self._steps: dict[int, int] = {}

    async def open(self, agents_count: int, policy: ToolPolicy, task: str) -> None:
        """Start a run with so many agents."""
        async with self.db.transaction(self.org.id) as session:
            await runs.create_run(
                session,
                self.org.id,
                run_id=self.run_id,
                user_id=self.org.owner_id,
                name="injections",
                description=None,
                task=task,
                context={},
                max_agents=50,
                max_tokens=100_000,
                tool_policy=policy,
            )
            run = await runs.start_run(session, self.org.id, self.run_id, SYSTEM)
            await agents.record_plan(session, self.org.id, run, tuple(self.subtask(n + 1) for n in range(agents_count)))

    @staticmethod
    def subtask(agent: int) -> Subtask:
        """Return what an agent is to find out."""
        return Subtask(number=agent, title=f"Part {agent}", question="What engine has the vault of Calder Optics?")

    async def act(self, agent: int, tool: str, arguments: dict[str, Any]) -> ActResult:
        """Let an agent make one call."""
        step = self._steps[agent] = self._steps.get(agent, -1) + 1
        return await self.act_again(agent, step, tool, arguments)

    async def act_again(self, agent: int, step: int, tool: str, arguments: dict[str, Any], **more: Any) -> ActResult:
        """Ask for the act of a step."""
        asked = ActInput(
            org_id=self.org.id,
            run_id=self.run_id,
            attempt=1,
            agent_number=agent,
            step=step,
            operation_key=operation_key(self.run_id, 1, agent, step, "act"),
            subtask=self.subtask(agent),
            call=ToolCall(tool=tool, arguments=arguments, reason="the page says so"),
            tools=TOOLS,
            **more,
        )
        result: ActResult = await ActivityEnvironment().run(self.acts.act, asked)
        return result


async def put_document(db: Database, objects: ObjectStore, org: Org, name: str, text: str) -> None:
    """Put a document into the organisation's corpus, by the product's ingestion."""
    from activities.documents.activities import DocumentActivities
    from schema.contracts.documents import IngestDocumentInput
    from schema.store import documents

    data = text.encode()
    ref = await objects.put(f"{org.id}/documents/{sha256_of(data)}", data, "text/plain")
    async with db.transaction(org.id) as session:
        document, _ = await documents.create_document(
            session, org.id, name=name, mime_type="text/plain", object=ref, created_by=org.owner_id
        )
    order = IngestDocumentInput(
        org_id=org.id, document_id=document.id, object=ref, filename=name, mime_type="text/plain"
    )
    assert (await DocumentActivities(db, objects).ingest(order)).status == "ready"
