"""Vendor: the only place that talks to litellm, and the only place that knows its exceptions.

litellm is imported late (it costs seconds), in a thread, without its telemetry, its log noise and its own retries.
"""

import asyncio
import base64
import logging
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import ModuleType
from typing import Any

import httpx

from schema.contracts.common import Tokens
from schema.errors import (
    DependencyError,
    ProviderAnswerInvalid,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)

RETRY_AFTER_S_MAX = 3600.0
TIMEOUT_MARGIN_S = 5.0
"""How much later than the client's own timeout a call is given up, should the client not notice."""

VENDOR_ERRORS: dict[str, type[DependencyError]] = {
    # Trying again may help.
    "APIConnectionError": ProviderUnavailable,
    "APIError": ProviderUnavailable,
    "BadGatewayError": ProviderUnavailable,
    "InternalServerError": ProviderUnavailable,
    "MidStreamFallbackError": ProviderUnavailable,
    "MockException": ProviderUnavailable,
    "OpenAIError": ProviderUnavailable,
    "ServiceUnavailableError": ProviderUnavailable,
    "Timeout": ProviderUnavailable,
    # Trying again later will.
    "RateLimitError": ProviderRateLimited,
    "RouterRateLimitError": ProviderRateLimited,
    "RouterRateLimitErrorBasic": ProviderRateLimited,
    # The answer is unusable.
    "APIResponseValidationError": ProviderAnswerInvalid,
    "JSONSchemaValidationError": ProviderAnswerInvalid,
    # Trying again will not help.
    "AuthenticationError": ProviderRefused,
    "BadRequestError": ProviderRefused,
    "BlockedPiiEntityError": ProviderRefused,
    "BudgetExceededError": ProviderRefused,
    "ContentPolicyViolationError": ProviderRefused,
    "ContextWindowExceededError": ProviderRefused,
    "GuardrailRaisedException": ProviderRefused,
    "ImageFetchError": ProviderRefused,
    "InvalidRequestError": ProviderRefused,
    "LiteLLMUnknownProvider": ProviderRefused,
    "ModelNotMappedError": ProviderRefused,
    "ModifyResponseException": ProviderRefused,
    "NotFoundError": ProviderRefused,
    "PaymentRequiredError": ProviderRefused,
    "PermissionDeniedError": ProviderRefused,
    "RejectedRequestError": ProviderRefused,
    "SensitiveDataRouteException": ProviderRefused,
    "ToolLoopMaxRoundsExceeded": ProviderRefused,
    "UnprocessableEntityError": ProviderRefused,
    "UnsupportedParamsError": ProviderRefused,
    "VectorStoreSearchError": ProviderRefused,
}
"""Every exception class that litellm exports, by name; a test keeps it complete."""

FORMAT_REFUSALS = frozenset({"BadRequestError", "UnprocessableEntityError", "UnsupportedParamsError"})
"""What a server that does not know a `response_format` answers with; also how it refuses anything else it dislikes."""

_REFUSING_STATUS = frozenset({400, 401, 402, 403, 404, 405, 410, 413, 415, 422})


@dataclass(frozen=True)
class Completion:
    """What a model wrote."""

    text: str
    truncated: bool
    """It stopped at `max_tokens`."""
    tokens: Tokens


class FormatRefused(Exception):
    """The server refused a request that asked for a `response_format`; `error` is what it comes to otherwise."""

    def __init__(self, error: DependencyError) -> None:
        super().__init__(error.detail)
        self.error = error


@lru_cache(maxsize=1)
def load_litellm() -> ModuleType:
    """Import litellm and make it quiet; call it once at a worker's start, off the event loop."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # Otherwise its import fetches a URL.
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm

        litellm.ModelResponse()  # Builds its models now: they warn while they are built.
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.disable_aiohttp_transport = True
    litellm.drop_params = False
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    module: ModuleType = litellm
    return module


async def complete(
    *,
    model: str,
    messages: list[dict[str, Any]],
    max_tokens: int,
    timeout_s: float,
    base_url: str | None = None,
    api_key: str | None = None,
    response_format: dict[str, Any] | None = None,
) -> Completion:
    """Ask a model once; retries are the caller's.

    Args:
        messages: each with `role` and `content`: a text, or a list of parts where a picture is shown.

    Raises:
        ProviderUnavailable: it failed, hung or could not be reached.
        ProviderRateLimited: with `retry_after_s` where the provider named it.
        ProviderRefused: wrong key, unknown model, a request it cannot take.
        FormatRefused: the same, for a request that had a `response_format`.
    """
    litellm = await asyncio.to_thread(load_litellm)
    arguments: dict[str, Any] = {"response_format": response_format} if response_format else {}
    try:
        async with asyncio.timeout(timeout_s + TIMEOUT_MARGIN_S):
            response = await litellm.acompletion(
                model=model,
                messages=messages,
                api_base=base_url,
                api_key=api_key,
                max_tokens=max_tokens,
                timeout=timeout_s,
                num_retries=0,
                max_retries=0,
                **arguments,
            )
    except Exception as error:
        translated = translate(error)
        if translated is None:
            raise
        if response_format and isinstance(translated, ProviderRefused) and type(error).__name__ in FORMAT_REFUSALS:
            raise FormatRefused(translated) from error
        raise translated from error
    return _completion(response, messages)


async def embeddings(
    *, model: str, texts: list[str], timeout_s: float, base_url: str | None = None, api_key: str | None = None
) -> list[list[float]]:
    """Ask a model for the vectors of texts once, in their order; retries are the caller's.

    Raises:
        ProviderUnavailable, ProviderRateLimited, ProviderRefused: as `complete`.
        ProviderAnswerInvalid: the answer has not one vector per text.
    """
    litellm = await asyncio.to_thread(load_litellm)
    try:
        async with asyncio.timeout(timeout_s + TIMEOUT_MARGIN_S):
            response = await litellm.aembedding(
                model=model,
                input=texts,
                api_base=base_url,
                api_key=api_key,
                timeout=timeout_s,
                num_retries=0,
                max_retries=0,
                encoding_format="float",
            )
    except Exception as error:
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error
    try:
        items = sorted(response.data, key=lambda item: item["index"])
        vectors = [[float(value) for value in item["embedding"]] for item in items]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProviderAnswerInvalid("The provider's answer has no vectors.") from error
    if len(vectors) != len(texts):
        raise ProviderAnswerInvalid(f"The provider sent {len(vectors)} vectors for {len(texts)} texts.")
    return vectors


async def generate_image(
    *, model: str, prompt: str, timeout_s: float, base_url: str | None = None, api_key: str | None = None
) -> bytes:
    """Ask a model of images for one picture, once; retries are the caller's.

    Raises:
        ProviderUnavailable, ProviderRateLimited, ProviderRefused: as `complete`.
        ProviderAnswerInvalid: the answer has no picture in it; an address of one is not followed.
    """
    litellm = await asyncio.to_thread(load_litellm)
    try:
        async with asyncio.timeout(timeout_s + TIMEOUT_MARGIN_S):
            response = await litellm.aimage_generation(
                model=model,
                prompt=prompt,
                n=1,
                response_format="b64_json",
                api_base=base_url,
                api_key=api_key,
                timeout=timeout_s,
                num_retries=0,
                max_retries=0,
                # Models that always answer so do not know the field.
                drop_params=True,
            )
    except Exception as error:
        translated = translate(error)
        if translated is None:
            raise
        raise translated from error
    try:
        return base64.b64decode(response.data[0].b64_json, validate=True)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ProviderAnswerInvalid("The provider's answer has no picture in it.") from error


def _completion(response: Any, messages: list[dict[str, Any]]) -> Completion:
    try:
        choice = response.choices[0]
        text = choice.message.content or ""
        truncated = choice.finish_reason == "length"
    except (AttributeError, IndexError, TypeError) as error:
        raise ProviderAnswerInvalid("The provider's answer has no message.") from error
    usage = getattr(response, "usage", None)
    # About four characters a token, where a server does not count.
    read = getattr(usage, "prompt_tokens", None) or sum(map(_length, messages)) // 4
    written = getattr(usage, "completion_tokens", None) or len(text) // 4
    return Completion(text, truncated, Tokens(input=read, output=written))


def _length(message: Mapping[str, Any]) -> int:
    """Return the characters of a message's text; a picture's are not counted."""
    content = message["content"]
    return len(content) if isinstance(content, str) else sum(len(part.get("text", "")) for part in content)


def translate(error: BaseException) -> DependencyError | None:
    """Return the error of ours that a vendor's exception stands for; None for anything that is not the vendor's."""
    name = type(error).__name__
    if isinstance(error, TimeoutError | httpx.HTTPError | ConnectionError):
        return ProviderUnavailable(f"The model's provider did not answer ({name}).")
    kinds = [VENDOR_ERRORS[base.__name__] for base in type(error).__mro__ if base.__name__ in VENDOR_ERRORS]
    module = type(error).__module__.split(".", 1)[0]
    if not kinds or module not in ("litellm", "openai"):
        return None
    kind, status = kinds[0], getattr(error, "status_code", None)
    if kind is ProviderUnavailable and status in _REFUSING_STATUS:
        kind = ProviderRefused
    if status == 429:
        kind = ProviderRateLimited
    retry_after_s = retry_after(_headers(error)) if kind in (ProviderRateLimited, ProviderUnavailable) else None
    facts = {"vendor_error": name} | ({"vendor_status": status} if isinstance(status, int) else {})
    return kind(_DETAILS[kind], retry_after_s=retry_after_s, **facts)


_DETAILS: dict[type[DependencyError], str] = {
    ProviderUnavailable: "The model's provider failed or could not be reached.",
    ProviderRateLimited: "The model's provider asks for fewer requests.",
    ProviderRefused: "The model's provider refused the request; check the model's name, its key and its limits.",
    ProviderAnswerInvalid: "The model's provider sent an answer that cannot be read.",
}


def _headers(error: BaseException) -> Mapping[str, str]:
    for holder in (getattr(error, "litellm_response_headers", None), getattr(error, "response", None), error):
        headers = holder if isinstance(holder, httpx.Headers | dict) else getattr(holder, "headers", None)
        if headers and any(str(key).lower().startswith("retry-after") for key in headers):
            return {str(key).lower(): str(value) for key, value in dict(headers).items()}
    return {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `retry-after-ms` or `Retry-After` (seconds or an HTTP date, RFC 9110, 10.2.3), at most an hour."""
    milliseconds, after = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            seconds = float(milliseconds) / 1000
        elif after is None:
            return None
        elif after.replace(".", "", 1).isdigit():
            seconds = float(after)
        else:
            seconds = parsedate_to_datetime(after).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX) if seconds == seconds else None
