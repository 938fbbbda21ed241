"""Asking: a model's usable answer, in the strictest form that its server takes, with one repair round."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from pydantic import ValidationError

from activities.research import vendor
from activities.research.answers import Answer, schema_of
from activities.research.journal import Answered, digest_of, journal
from activities.research.prompting import repair_text, system_text
from activities.research.reasoner import ModelConfig, Role
from schema.contracts.common import Tokens
from schema.errors import DependencyError, ProviderAnswerInvalid

A = TypeVar("A", bound=Answer)
T = TypeVar("T")

DRAFT_CHARACTERS_MAX = 8_000


class Form(Enum):
    """How a server is told what to return, from the strictest to the loosest."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT_OF_SCHEMA = "json_object_of_schema"
    """`json_object` with a `schema` beside it: what llama.cpp's Python server and some hosted ones take."""
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"


_UNDERSTOOD: dict[tuple[str, str], Form] = {}
"""The strictest form that a (model, base URL) was seen to accept; only servers that refused one are in here."""


class Unusable(ValueError):
    """An answer that is cut off, no JSON, or does not fit its schema."""


class _NotAsked(Exception):
    """Another question of the same operation failed while this one waited."""


class _RepairFailed(Exception):
    """The provider failed between an unusable draft and its repair."""

    def __init__(self, draft: Answered, error: Exception) -> None:
        super().__init__(str(error))
        self.draft = draft
        self.error = error


class Talk:
    """The calls of one operation, and what they used together.

    `seats`: one for each call that may be with the model at once, of all operations of a reasoner.
    """

    def __init__(self, config: ModelConfig, name: str, seats: asyncio.Semaphore) -> None:
        self._config = config
        self._name = name
        self._seats = seats
        self._is_broken = False
        self.tokens = Tokens()
        """Of every answer so far, usable or not."""
        self.unusable = 0
        """How many questions had no usable answer."""

    async def ask(self, role: Role, prompt: str, answer: type[A], data: Sequence[str], **values: int | str) -> A:
        """Ask once, and once more with the fault named.

        What an open journal knows of the question is not asked again: neither its answer nor that it had none.

        Raises:
            ProviderAnswerInvalid: neither answer was usable; `input_tokens` and `output_tokens` are those of the talk.
        """
        opened, digest = journal(), digest_of(self._config.for_role(role) or self._name, prompt, data, values)
        answered = await opened.find(digest) if opened is not None else None
        if answered is None:
            drafted = await opened.find(_draft_of(digest)) if opened is not None else None
            self.tokens += drafted.tokens if drafted else Tokens()
            try:
                answered = await self._answered(role, prompt, answer, data, values, drafted)
            except _RepairFailed as failed:
                # The provider is away in the middle: what it wrote is bought, and is repaired once it is back.
                if opened is not None:
                    await opened.keep(_draft_of(digest), prompt, failed.draft)
                raise failed.error from failed.error.__cause__
            if opened is not None:
                await opened.keep(digest, prompt, answered)
        self.tokens += answered.tokens
        if answered.text is None:
            self.unusable += 1
            raise ProviderAnswerInvalid(
                f"The model's answer to “{prompt}” was not usable after one repair: {answered.fault}",
                input_tokens=self.tokens.input,
                output_tokens=self.tokens.output,
            )
        return answer.model_validate_json(answered.text)

    async def together(self, asks: Sequence[Awaitable[T]]) -> list[T]:
        """Ask at once what does not depend on each other; the answers come in order.

        What is with the model already is awaited before the first error is raised: it is bought, and an open journal
        has it. What waits for a seat then is not asked.
        """
        answers = await asyncio.gather(*map(self._unless_broken, asks), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, _NotAsked):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _unless_broken(self, ask: Awaitable[T]) -> T:
        try:
            return await ask
        except Exception:
            self._is_broken = True
            raise

    async def ask_if_usable(
        self, role: Role, prompt: str, answer: type[A], data: Sequence[str], **values: int | str
    ) -> A | None:
        """Ask as `ask` does; None where neither answer was usable."""
        try:
            return await self.ask(role, prompt, answer, data, **values)
        except ProviderAnswerInvalid as error:
            if tokens_bought(error) is None:
                raise
            return None

    async def _answered(
        self,
        role: Role,
        prompt: str,
        answer: type[Answer],
        data: Sequence[str],
        values: Mapping[str, int | str],
        drafted: Answered | None,
    ) -> Answered:
        """Ask, and have an unusable draft repaired; `drafted` is one of an earlier try, whose tokens are counted."""
        first = [{"role": "user", "content": "\n\n".join(data)}]
        tokens = Tokens()
        if drafted is None:
            completion = await self._send(role, prompt, answer, first, values)
            tokens += completion.tokens
            try:
                return Answered(self._read(completion, answer).model_dump_json(), tokens)
            except Unusable as error:
                drafted = Answered(completion.text[:DRAFT_CHARACTERS_MAX] or "(nothing)", tokens, str(error))
        talk = [
            *first,
            {"role": "assistant", "content": drafted.text or ""},
            {"role": "user", "content": repair_text(answer, drafted.fault)},
        ]
        try:
            completion = await self._send(role, prompt, answer, talk, values)
        except (DependencyError, _NotAsked) as error:
            if not tokens.total:
                raise
            raise _RepairFailed(drafted, error) from error
        tokens += completion.tokens
        try:
            return Answered(self._read(completion, answer).model_dump_json(), tokens)
        except Unusable as error:
            return Answered(None, tokens, str(error))

    async def _send(
        self, role: Role, prompt: str, answer: type[Answer], talk: list[dict[str, str]], values: Mapping[str, int | str]
    ) -> vendor.Completion:
        """Send in the strictest form that the server is not known to refuse; remember a refusal once it is proven."""
        model = self._config.for_role(role) or self._name
        key = (model, self._config.base_url or "")
        forms = list(Form)
        first = forms.index(_UNDERSTOOD.get(key, Form(self._config.answer_form)))
        for form in forms[first:]:
            said = form in (Form.JSON_SCHEMA, Form.JSON_OBJECT_OF_SCHEMA)
            system = system_text(prompt, answer, with_schema=not said, canary=self._config.canary, **values)
            try:
                async with self._seats:
                    if self._is_broken:
                        raise _NotAsked
                    completion = await vendor.complete(
                        model=model,
                        messages=[{"role": "system", "content": system}, *talk],
                        max_tokens=self._config.answer_tokens_max,
                        timeout_s=self._config.timeout_s,
                        base_url=self._config.base_url,
                        api_key=self._config.api_key,
                        response_format=_response_format(form, answer),
                    )
            except vendor.FormatRefused:
                continue
            if form is not forms[first]:
                _UNDERSTOOD[key] = form
            return completion
        raise AssertionError("unreachable: the loosest form has no response_format to refuse")

    def _read(self, completion: vendor.Completion, answer: type[A]) -> A:
        if completion.truncated:
            raise Unusable(f"it was cut off at {self._config.answer_tokens_max} tokens; answer more briefly")
        fence = _CODE_FENCE.match(completion.text)
        try:
            return answer.model_validate_json(fence.group(1) if fence else completion.text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise Unusable(f"{place}: {first['msg']}"[:300]) from error


def _draft_of(digest: str) -> str:
    """Return the identity of the draft of a call, for the journal."""
    return hashlib.sha256(f"draft {digest}".encode()).hexdigest()


def _response_format(form: Form, answer: type[Answer]) -> dict[str, Any] | None:
    if form is Form.JSON_SCHEMA:
        return {
            "type": "json_schema",
            "json_schema": {"name": answer.__name__, "strict": True, "schema": schema_of(answer)},
        }
    if form is Form.JSON_OBJECT_OF_SCHEMA:
        return {"type": "json_object", "schema": schema_of(answer)}
    return {"type": "json_object"} if form is Form.JSON_OBJECT else None


_CODE_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


def tokens_bought(error: ProviderAnswerInvalid) -> Tokens | None:
    """Return what the operation used that ended with unusable answers; None where the provider failed otherwise."""
    used = error.facts.get("input_tokens"), error.facts.get("output_tokens")
    return Tokens(input=int(used[0]), output=int(used[1] or 0)) if used[0] is not None else None
