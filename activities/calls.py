"""The journal of one operation: each model call that is kept is a step row with its own operation key and usage."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from activities.research.journal import Answered, journalled
from activities.usage import reasoner_usage
from infra.database import Database, driver_of
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef, RunRef, Tokens
from schema.errors import DependencyError
from schema.policies import STEP_OUTPUT_INLINE_BYTES_MAX
from schema.store import agents, billing, clock, steps
from schema.store.agents import NewStep
from schema.store.billing import UsageItem

_DIGEST_CHARACTERS = 32


class CallJournal:
    """Keeps the calls of one operation of an agent, or of the run itself (agent 0)."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        ref: RunRef,
        *,
        operation_key: str,
        step: int,
        reasoner: str,
        agent_number: int = 0,
    ) -> None:
        self._db = db
        self._objects = objects
        self._ref = ref
        self._operation_key = operation_key
        self._step = step
        self._reasoner = reasoner
        self._agent_number = agent_number
        self.tokens = Tokens()
        """Of the calls that were found or kept: they are metered, and the operation must not meter them again."""
        self.spent_pcr = 0

    async def find(self, digest: str) -> Answered | None:
        """Return what an earlier try was answered."""
        async with self._db.transaction(self._ref.org_id) as session:
            step = await agents.find_step(session, self._ref.org_id, self._key(digest))
        if step is None or step.output is None:
            return None
        tokens = Tokens.model_validate(step.output["tokens"])
        text, fault = step.output.get("answer"), step.output.get("fault", "")
        if "object" in step.output:
            text = (await self._objects.get(ObjectRef.model_validate(step.output["object"]))).decode()
        self._count(tokens, step.output["spent_pcr"])
        return Answered(text, tokens, fault)

    async def keep(self, digest: str, prompt: str, answered: Answered) -> None:
        """Record step, answer, usage and tokens in one transaction.

        Raises:
            HoldClosed: the attempt ended meanwhile.
        """
        org_id, run_id, key = self._ref.org_id, self._ref.run_id, self._key(digest)
        attempt, number = self._ref.attempt, self._agent_number
        kept: dict[str, object] = {"fault": answered.fault} if answered.fault else {}
        if answered.text is not None:
            kept |= await self._packed(answered.text)
        usage = reasoner_usage(key, self._reasoner, answered.tokens)
        async with self._db.transaction(org_id) as session:
            await steps.open_attempt(await driver_of(session), org_id, run_id, attempt)
            spent_pcr = await billing.meter(
                session,
                org_id,
                run_id=run_id,
                attempt=attempt,
                agent_number=number,
                items=[usage],
            )
            step = NewStep(
                run_id=run_id,
                attempt=attempt,
                agent_number=number,
                sequence_number=self._step,
                kind="call",
                name=prompt,
                operation_key=key,
                started_at=await clock.now(session),
                output={**kept, "tokens": answered.tokens.model_dump(), "spent_pcr": spent_pcr},
            )
            if await agents.record_step(session, org_id, step):
                await agents.add_tokens(session, org_id, run_id, answered.tokens.total, agent_number=number)
        self._count(answered.tokens, spent_pcr)

    def unmetered(self, tokens: Tokens) -> tuple[Tokens, UsageItem | None]:
        """Return what an operation used beside the calls that are metered, and its item; None where nothing is left."""
        rest = Tokens(input=tokens.input - self.tokens.input, output=tokens.output - self.tokens.output)
        if self.tokens.total and not rest.total:
            return rest, None
        return rest, reasoner_usage(self._operation_key, self._reasoner, rest)

    def _key(self, digest: str) -> str:
        return f"{self._operation_key}:{digest[:_DIGEST_CHARACTERS]}"

    def _count(self, tokens: Tokens, spent_pcr: int) -> None:
        self.tokens += tokens
        self.spent_pcr += spent_pcr

    async def _packed(self, text: str) -> dict[str, object]:
        if len(json.dumps(text)) <= STEP_OUTPUT_INLINE_BYTES_MAX:
            return {"answer": text}
        data = text.encode()
        ref = await self._objects.put(f"{self._ref.org_id}/steps/{sha256_of(data)}", data, "application/json")
        return {"object": ref.model_dump(mode="json")}


class _Unkept:
    """Looks into a journal, and holds back what is to be kept."""

    def __init__(self, kept: CallJournal) -> None:
        self._kept = kept
        self.answers: list[tuple[str, str, Answered]] = []

    async def find(self, digest: str) -> Answered | None:
        return await self._kept.find(digest)

    async def keep(self, digest: str, prompt: str, answered: Answered) -> None:
        self.answers.append((digest, prompt, answered))


@asynccontextmanager
async def kept_where_it_fails(calls: CallJournal) -> AsyncIterator[CallJournal]:
    """Keep what the model answered within, where the provider then goes away; else the operation's own record has it.

    For operations of few calls, whose record would double the writes of every call.

    Raises:
        HoldClosed: the attempt ended meanwhile.
    """
    unkept = _Unkept(calls)
    with journalled(unkept):
        try:
            yield calls
        except DependencyError:
            for answer in unkept.answers:
                await calls.keep(*answer)
            raise
