"""The model's server as a part of the embedded stack: `llama_cpp.server`, and the settings that lead a worker to it.

llama.cpp computes one answer at a time, and on a few cores slowly: prompts and answers are kept short, calls may take
minutes, and the worker thinks about one thing at a time, so that the others wait in Temporal's queue and not in a call.
"""

import asyncio
import os
import sys
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import httpx

from infra.embedded.process import Command
from infra.embedded.servers import HOST, PROBE_TIMEOUT_S, Part, PartFailed, Stack, server_environment
from infra.local_model.catalogue import CatalogueModel
from infra.local_model.weights import WeightsUnavailable, check

CONTEXT_TOKENS = 8_192
PROMPT_CHARACTERS_MAX = 6_000
ANSWER_TOKENS_MAX = 900
CALL_TIMEOUT_S = 400.0
LOAD_TIMEOUT_S = 180.0
INSTALL = "CMAKE_ARGS=-DGGML_NATIVE=OFF pip install 'swissbrain[local-llm]'"


def server_command(path: Path, name: str, host: str, port: int) -> tuple[str, ...]:
    """Return how to start a server for the weights at `path`; its key is the environment's `API_KEY`."""
    return (
        *(sys.executable, "-P", "-m", "llama_cpp.server"),
        *("--model", str(path), "--model_alias", name, "--host", host, "--port", str(port)),
        *("--n_ctx", str(CONTEXT_TOKENS), "--n_threads", str(os.cpu_count() or 1)),
        # A new request waits for the one before it, rather than ending it.
        *("--interrupt_requests", "false"),
        # The same question gets the same answer.
        *("--seed", "1", "--verbose", "false"),
    )


def require_installed() -> None:
    """Raise PartFailed, with the command that helps, where the server's package is missing."""
    if find_spec("llama_cpp") is None or find_spec("sse_starlette") is None:
        raise PartFailed("model", f"needs a package that is not installed: {INSTALL}")


def model_part(stack: Stack, model: CatalogueModel, folder: Path | None) -> Part:
    """Return the part that serves `model` to this stack.

    Raises:
        PartFailed: the package or the weights are missing, or the weights are not the publisher's.
    """
    require_installed()
    try:
        path = check(model, folder)
    except WeightsUnavailable as error:
        raise PartFailed("model", f"cannot start: {error}") from error
    key = stack.secrets["model_api_key"]

    def command() -> Command:
        argv = server_command(path, model.name, HOST, stack.ports["model"])
        return Command(argv, {**server_environment(stack), "API_KEY": key, "PYTHONUNBUFFERED": "1"})

    async def probe(_since: datetime) -> None:
        await asyncio.to_thread(_require_model, f"{_base_url(stack)}/models", key)

    return Part("model", command, probe, ready_timeout_s=LOAD_TIMEOUT_S)


def model_environment(stack: Stack, model: CatalogueModel) -> dict[str, str]:
    """Return the settings that make a worker use the model of `model_part`."""
    return {
        "SWISSBRAIN_MODEL": f"openai/{model.name}",
        "SWISSBRAIN_MODEL_BASE_URL": _base_url(stack),
        "SWISSBRAIN_MODEL_API_KEY": stack.secrets["model_api_key"],
        "SWISSBRAIN_MODEL_CONCURRENCY": "1",
        "SWISSBRAIN_MODEL_TIMEOUT_S": str(CALL_TIMEOUT_S),
        # Asked for `json_schema`, the server answers 500, which says nothing of what it would take.
        "SWISSBRAIN_MODEL_ANSWER_FORM": "json_object_of_schema",
        "SWISSBRAIN_MODEL_PROMPT_CHARACTERS": str(PROMPT_CHARACTERS_MAX),
        "SWISSBRAIN_MODEL_ANSWER_TOKENS": str(ANSWER_TOKENS_MAX),
    }


def _base_url(stack: Stack) -> str:
    return f"http://{HOST}:{stack.ports['model']}/v1"


def _require_model(url: str, key: str) -> None:
    answer = httpx.get(url, headers={"authorization": f"Bearer {key}"}, timeout=PROBE_TIMEOUT_S, trust_env=False)
    answer.raise_for_status()
