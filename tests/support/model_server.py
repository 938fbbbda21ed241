"""A scripted model behind the OpenAI protocol, on a real loopback socket.

It answers every schema of the product deterministically, from what stands in the prompt, and can be told to fail:
`python -m tests.support.model_server --port 8099`, or `async with ModelServer() as server`. Control over HTTP:
`POST /_faults` with a list of faults, `GET /_calls` for what it was asked, `POST /_reset`.

Point the product at it with SWISSBRAIN_MODEL=openai/scripted and SWISSBRAIN_MODEL_BASE_URL=http://127.0.0.1:8099/v1.
"""

import argparse
import asyncio
import base64
import hashlib
import io
import json
import random
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.research.decomposition import plan_subtasks
from activities.research.sentences import sentences
from activities.research.text import display
from schema.contracts.research import Brief


@dataclass
class Fault:
    """One way to fail.

    `kind`: rate_limited, server_error, hang, broken_json, wrong_schema, refuse_json_schema, refuse_schema_beside,
    refuse_json_object, truncated, unauthorized, not_found, drop (the connection is closed without an answer).
    """

    kind: str
    times: int | None = 1
    """How many calls it strikes; None: for ever."""
    probability: float = 1.0
    seed: int = 0
    schema: str | None = None
    """Strikes only calls that ask for this schema."""
    retry_after: str | None = None
    retry_after_ms: str | None = None
    hang_s: float = 3600.0

    def strikes(self, number: int, call: "Call") -> bool:
        """Tell whether call `number` fails; counts down."""
        applies = self.schema in (None, call.schema) and self.times != 0
        if self.kind == "refuse_json_schema" and call.form != "json_schema":
            applies = False
        if self.kind == "refuse_json_object" and call.form != "json_object":
            applies = False
        if self.kind == "refuse_schema_beside" and call.form != "json_object_of_schema":
            applies = False
        if not applies or random.Random(f"{self.seed}:{number}").random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Call:
    """One request as the server saw it."""

    schema: str
    form: str
    """json_schema, json_object_of_schema (a `schema` beside the type), json_object or prompt."""
    model: str
    max_tokens: int | None
    system: str
    user: str
    messages: int
    authorization: str
    images: tuple[str, ...] = ()
    """Addresses of the pictures that are shown."""
    fault: str | None = None
    tokens: int = 0
    """What the answer says it used."""

    @property
    def question(self) -> str:
        """What an agent or a part of a report is about; empty where a call is about all of a run."""
        return fences(self.user).get("question", "")


@dataclass
class Script:
    """The server's memory."""

    faults: list[Fault] = field(default_factory=list)
    obeys: bool = False
    """It does whatever an instruction in the data says: `[[call TOOL ARGUMENT]]`, `[[write TEXT]]`, `[[reveal]]`."""
    latency_s: tuple[float, float] = (0.0, 0.0)
    """Every answer takes this long; where between the two, is told by the schema, the question, and how many times it
    was asked before: an agent that works alone waits as long for its answers as one among others."""
    calls: list[Call] = field(default_factory=list)
    busiest: int = 0
    """The most calls that were under way at once."""
    under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, call: Call) -> Fault | None:
        """Record a call and say which fault it meets."""
        with self.lock:
            number = len(self.calls)
            self.calls.append(call)
            for fault in self.faults:
                if fault.strikes(number, call):
                    call.fault = fault.kind
                    return fault
        return None

    async def wait(self, call: Call) -> None:
        """Take the time that a call takes."""
        shortest_s, longest_s = self.latency_s
        with self.lock:
            self.under_way += 1
            self.busiest = max(self.busiest, self.under_way)
            same = [each for each in self.calls if (each.schema, each.question) == (call.schema, call.question)]
        try:
            drawn = random.Random(f"{call.schema}:{call.question}:{len(same)}")
            await asyncio.sleep(drawn.uniform(shortest_s, longest_s))
        finally:
            with self.lock:
                self.under_way -= 1

    def answer(self, call: Call) -> dict[str, Any]:
        """Answer as a diligent model, or as an obedient one."""
        return obeyed(call, answer(call)) if self.obeys else answer(call)


def build_app(script: Script) -> Starlette:
    """Return the application that serves `script`."""

    async def completions(request: Request) -> Response:
        body = await request.json()
        call = _call(body, request.headers.get("authorization", ""))
        fault = script.take(call)
        await script.wait(call)
        return await _failed(fault, call, body) if fault else _completion(call, body, script.answer(call))

    async def embeddings(request: Request) -> Response:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        authorization = request.headers.get("authorization", "")
        call = Call("embeddings", "embeddings", body["model"], None, "", "\n".join(texts), len(texts), authorization)
        if fault := script.take(call):
            return await _failed(fault, call, body)
        data = [
            {"object": "embedding", "index": number, "embedding": _vector(text)} for number, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        # A list has no promised order: each item says which text it belongs to.
        return JSONResponse({"object": "list", "model": body["model"], "data": data[::-1], "usage": usage})

    async def images(request: Request) -> Response:
        body = await request.json()
        call = Call("images", "images", body["model"], None, "", body["prompt"], 1, request.headers["authorization"])
        if fault := script.take(call):
            return await _failed(fault, call, body)
        return JSONResponse({"created": 1, "data": [{"b64_json": base64.b64encode(_picture(call.user)).decode()}]})

    async def add_faults(request: Request) -> Response:
        with script.lock:
            script.faults += [Fault(**item) for item in await request.json()]
        return JSONResponse({"faults": len(script.faults)})

    async def list_calls(request: Request) -> Response:
        return JSONResponse([asdict(call) for call in script.calls])

    async def reset(request: Request) -> Response:
        with script.lock:
            script.faults.clear()
            script.calls.clear()
        return JSONResponse({})

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/v1/images/generations", images, methods=["POST"]),
            Route("/v1/models", models),
            Route("/_faults", add_faults, methods=["POST"]),
            Route("/_calls", list_calls),
            Route("/_reset", reset, methods=["POST"]),
        ]
    )


def _picture(prompt: str) -> bytes:
    """Draw a picture of one colour, which is the prompt's."""
    colour = hashlib.sha256(prompt.encode()).digest()[:3]
    out = io.BytesIO()
    Image.new("RGB", (96, 64), (colour[0], colour[1], colour[2])).save(out, "PNG")
    return out.getvalue()


EMBEDDING_DIMENSIONS = 64


def _vector(text: str) -> list[float]:
    """Hash the words of a text into a vector, not of unit length."""
    vector = [0.01] * EMBEDDING_DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[hashlib.sha256(word.encode()).digest()[0] % EMBEDDING_DIMENSIONS] += 1.0
    return vector


def _call(body: dict[str, Any], authorization: str) -> Call:
    messages = body["messages"]
    wanted = body.get("response_format") or {}
    system = "\n".join(message["content"] for message in messages if message["role"] == "system")
    named = re.search(r"fits the schema `(\w+)`", system)
    schema = wanted.get("json_schema", {}).get("name") or (named.group(1) if named else "")
    user = next((message["content"] for message in messages if message["role"] == "user"), "")
    parts = user if isinstance(user, list) else [{"type": "text", "text": user}]
    return Call(
        schema=schema,
        form="json_object_of_schema" if "schema" in wanted else wanted.get("type", "prompt"),
        model=body.get("model", ""),
        max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
        system=system,
        user="\n".join(part["text"] for part in parts if part["type"] == "text"),
        messages=len(messages),
        authorization=authorization,
        images=tuple(part["image_url"]["url"] for part in parts if part["type"] == "image_url"),
    )


async def _failed(fault: Fault, call: Call, body: dict[str, Any]) -> Response:
    if fault.kind in _STATUS:
        status, code = _STATUS[fault.kind]
        headers = {"retry-after": fault.retry_after, "retry-after-ms": fault.retry_after_ms}
        error = {"message": f"scripted {fault.kind}", "type": code, "param": None, "code": code}
        present = {name: value for name, value in headers.items() if value is not None}
        return JSONResponse({"error": error}, status_code=status, headers=present)
    if fault.kind == "hang":
        await asyncio.sleep(fault.hang_s)
    if fault.kind == "drop":
        return _Dropped()
    text = json.dumps(answer(call))
    if fault.kind == "broken_json":
        return _completion(call, body, text[: len(text) // 2] + ",,")
    if fault.kind == "wrong_schema":
        return _completion(call, body, {"unexpected": [1, 2, 3]})
    if fault.kind == "truncated":
        return _completion(call, body, text[: len(text) // 2], finish_reason="length")
    return _completion(call, body, answer(call))


_STATUS = {
    "rate_limited": (429, "rate_limit_exceeded"),
    "server_error": (500, "server_error"),
    "unavailable": (503, "overloaded"),
    "refuse_json_schema": (400, "invalid_request_error"),
    "refuse_json_object": (400, "invalid_request_error"),
    "refuse_schema_beside": (400, "invalid_request_error"),
    "bad_request": (400, "invalid_request_error"),
    "unauthorized": (401, "invalid_api_key"),
    "forbidden": (403, "forbidden"),
    "not_found": (404, "model_not_found"),
}


class _Dropped(Response):
    """Closes the connection in the middle of an answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionAbortedError


def _completion(call: Call, body: dict[str, Any], content: Any, finish_reason: str = "stop") -> Response:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    asked = json.dumps(body, sort_keys=True)
    read, written = len(asked) // 4, len(text) // 4
    call.tokens = read + written
    return JSONResponse(
        {
            "id": f"chatcmpl-{hashlib.sha256(asked.encode()).hexdigest()[:24]}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": call.model,
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
            ],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }
    )


_FENCED = re.compile(
    r"<<<(?P<label>[\w ]+) (?P<mark>[0-9a-f]{16})>>>\n(?P<content>.*?)\n<<<end (?P=mark)>>>", re.DOTALL
)


def fences(text: str) -> dict[str, str]:
    """Return the fenced parts of a prompt by their label."""
    return {match["label"]: match["content"] for match in _FENCED.finditer(text)}


def answer(call: Call) -> dict[str, Any]:
    """Answer a call as a diligent model would, from its prompt alone."""
    if call.images:
        return {"caption": f"A picture of {len(call.images[0])} characters."}
    make = _ANSWERS.get(call.schema)
    return make(fences(call.user), call) if make else {"error": f"no script for schema {call.schema!r}"}


def obeyed(call: Call, made: dict[str, Any]) -> dict[str, Any]:
    """Let instructions in the data change an answer, as the worst of models would."""
    written = re.findall(r"\[\[write (.*?)\]\]", call.user)
    if "[[reveal]]" in call.user:
        written += [call.system, " ".join(re.findall(r"cnr[0-9a-f]{24}", call.system))]
    if call.schema == "NextAction":
        acts = fences(call.user).get("acts", "")
        for tool, argument in re.findall(r"\[\[call (\S+) (.*?)\]\]", call.user):
            if argument not in acts:
                return {"action": "tool", "tool": tool, "argument": argument, "reason": "the source says so"}
    if call.schema == "DrawnClaims":
        for label, text in fences(call.user).items():
            if label.startswith("passage ") and "[[" in text:
                quotes = [sentence.text for sentence in sentences(text) if "[[" in sentence.text][:8]
                number = int(label.split()[1])
                orders = [{"passage": number, "statement": each, "quote": each, "relevance": 1.0} for each in quotes]
                orders += [{"passage": number, "statement": each, "quote": each, "relevance": 1.0} for each in written]
                made = {"claims": (orders + made["claims"])[:12]}
    sentences_made = [{"text": each, "findings": ["f1"]} for each in written if each.strip()]
    if call.schema == "WrittenAnalysis" and sentences_made:
        made = {"paragraphs": [*made["paragraphs"], {"sentences": sentences_made}]}
    if call.schema == "WrittenSummary" and sentences_made:
        made = made | {
            "executive_summary": sentences_made + made["executive_summary"],
            "recommendations": sentences_made,
        }
    return made


def _decomposition(data: dict[str, str], call: Call) -> dict[str, Any]:
    limit = int(re.search(r"at most (\d+) subtasks", call.system).group(1))  # type: ignore[union-attr]
    planned = plan_subtasks(Brief(task=data["task"], agents_max=limit))
    return {"subtasks": [{"title": each.title, "question": each.question, "urls": list(each.urls)} for each in planned]}


def _next_action(data: dict[str, str], call: Call) -> dict[str, Any]:
    """Fetch what the user named, search once, open two results, read the first document, finish."""
    tools = re.search(r"argument it takes: (.*)\.$", call.system, re.MULTILINE)
    names = re.findall(r"([\w.]+) \(", tools.group(1)) if tools else []
    acts, question = data["acts"], data["question"]
    finish = {"action": "finish", "tool": "", "argument": "", "reason": "the evidence covers the question"}
    for url in re.findall(r"named by the user: (\S+)", question):
        if "web.fetch" in names and url not in acts:
            return {"action": "tool", "tool": "web.fetch", "argument": url, "reason": "the user named it"}
    for tool in names:
        if tool.endswith(".search") and tool not in acts:
            words = " ".join(re.findall(r"[A-Za-z0-9-]{4,}", question)[:6]) or question[:60]
            return {"action": "tool", "tool": tool, "argument": words, "reason": "searching"}
    shown = [url for url in re.findall(r"\| (https?://\S+) \|", acts) if f"'{url}'" not in acts]
    if "web.fetch" in names and shown and acts.count("web.fetch {") < 2:
        return {"action": "tool", "tool": "web.fetch", "argument": shown[0], "reason": "a result to open"}
    found = re.search(r"document_id (\S+)", acts)
    if "document.read" in names and found and found.group(1) != "-" and "document.read" not in acts:
        return {"action": "tool", "tool": "document.read", "argument": found.group(1), "reason": "reading on"}
    return finish


def _claims(data: dict[str, str], call: Call) -> dict[str, Any]:
    """Quote the first sentences of every passage that shares a word with the question."""
    asked = set(re.findall(r"[a-z0-9-]{4,}", data["question"].lower()))
    known, found = data.get("known", ""), []
    for label, text in data.items():
        if not label.startswith("passage "):
            continue
        for sentence in sentences(text):
            shown = display(sentence.text)
            shared = asked & set(re.findall(r"[a-z0-9-]{4,}", shown.lower()))
            if shared and shown not in known:
                relevance = round(min(1.0, len(shared) / max(1, len(asked)) + 0.3), 3)
                found.append(
                    {
                        "passage": int(label.split()[1]),
                        "statement": shown,
                        "quote": sentence.text,
                        "relevance": relevance,
                    }
                )
    found.sort(key=lambda claim: -float(str(claim["relevance"])))
    return {"claims": found[:6]}


def _cells(data: dict[str, str], call: Call) -> dict[str, Any]:
    """Give the last word of the first sentence that names the item, for every column; and once invent a value."""
    found = []
    for label, text in data.items():
        for sentence in sentences(text) if label.startswith("passage ") else ():
            if data["item"].lower() in sentence.text.lower():
                last = re.findall(r"[\w-]+", sentence.text)[-1]
                found.append({"column": 1, "value": last, "passage": int(label.split()[1]), "quote": sentence.text})
                found.append({"column": 2, "value": "73.2", "passage": int(label.split()[1]), "quote": sentence.text})
                return {"cells": found}
    return {"cells": found}


def _listed(data: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (match[1], match[2]) for line in data["findings"].splitlines() if (match := re.match(r"(f\d+): (.*)", line))
    ]


def _merging(data: dict[str, str], call: Call) -> dict[str, Any]:
    groups: dict[str, list[str]] = {}
    for short, text in _listed(data):
        groups.setdefault(" ".join(sorted(set(re.findall(r"\w+", text.lower())))), []).append(short)
    return {"groups": [{"findings": ids} for ids in groups.values() if len(ids) > 1]}


def _conflicts(data: dict[str, str], call: Call) -> dict[str, Any]:
    """Report findings that are the same but for their numbers."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for short, text in _listed(data):
        groups.setdefault(re.sub(r"\d+(?:[.,]\d+)*", "#", text.lower()), []).append((short, text))
    found = [group for key, group in groups.items() if "#" in key and len({text for _, text in group}) > 1]
    return {
        "conflicts": [
            {"subject": " ".join(group[0][1].split()[:4]), "findings": [short for short, _ in group], "kind": "plain"}
            for group in found
        ]
    }


def _analysis(data: dict[str, str], call: Call) -> dict[str, Any]:
    written = [{"text": display(text), "findings": [short]} for short, text in _listed(data)]
    return {"paragraphs": [{"sentences": written[start : start + 3]} for start in range(0, min(9, len(written)), 3)]}


def _summary(data: dict[str, str], call: Call) -> dict[str, Any]:
    """Repeat findings, and once invent a figure, so that the gate can prove itself."""
    written = [{"text": display(text), "findings": [short]} for short, text in _listed(data)]
    invented = [{"text": "It improves results by 73.2 percent.", "findings": ["f1", "f999"]}] if written else []
    return {"executive_summary": written[:2] + invented, "key_findings": written[2:6], "recommendations": []}


def _slides(data: dict[str, str], call: Call) -> dict[str, Any]:
    """Group statements in threes by kind, and name one slide after what nobody said."""
    kinds = dict[str, list[int]]()
    for number, kind in re.findall(r"^(\d+) \((\w+)\)", data["statements"], re.MULTILINE):
        kinds.setdefault(kind, []).append(int(number))
    slides = [
        {"kind": kind, "title": f"What the {kind} come to", "statements": numbers[at : at + 3], "notes": "Look here."}
        for kind, numbers in kinds.items()
        for at in range(0, len(numbers), 3)
    ]
    for slide in slides[:1]:
        slide["title"] = "It improves results by 73.2 percent"
    return {"slides": [*slides, {"kind": "findings", "title": "Once more", "statements": [1, 999], "notes": ""}]}


_ANSWERS: dict[str, Callable[[dict[str, str], Call], dict[str, Any]]] = {
    "Decomposition": _decomposition,
    "NextAction": _next_action,
    "DrawnClaims": _claims,
    "FilledCells": _cells,
    "Merging": _merging,
    "SeenConflicts": _conflicts,
    "WrittenAnalysis": _analysis,
    "WrittenSummary": _summary,
    "PlannedSlides": _slides,
}


class ModelServer:
    """Runs the scripted model in a thread of its own, on a free loopback port."""

    def __init__(self, *faults: Fault, latency_s: tuple[float, float] = (0.0, 0.0)) -> None:
        self.script = Script(faults=list(faults), latency_s=latency_s)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            build_app(self.script), log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def base_url(self) -> str:
        """Return what SWISSBRAIN_MODEL_BASE_URL must be."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    @property
    def calls(self) -> list[Call]:
        """Return what was asked so far."""
        return self.script.calls

    @property
    def tokens_sent(self) -> int:
        """Return what all answers so far say they used."""
        return sum(call.tokens for call in self.script.calls)

    def fail(self, kind: str, **how: Any) -> None:
        """Let coming calls fail; see `Fault`."""
        with self.script.lock:
            self.script.faults.append(Fault(kind, **how))

    async def __aenter__(self) -> "ModelServer":
        self._thread.start()
        async with asyncio.timeout(10):
            while not self._server.started:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.to_thread(self._thread.join, 10)
        self._socket.close()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fault", action="append", default=[], help='a fault as JSON, e.g. {"kind": "server_error"}')
    chosen = parser.parse_args()
    script = Script(faults=[Fault(**json.loads(each)) for each in chosen.fault])
    uvicorn.run(build_app(script), host="127.0.0.1", port=chosen.port, log_level="warning")


if __name__ == "__main__":
    main()
