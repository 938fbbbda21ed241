"""python.run: a Python program in the sandbox, over files of the run; what it printed, and the files that it made."""

import asyncio
import json
import mimetypes
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from activities.research.reasoner import ToolHint
from activities.tools.context import ToolContext
from activities.tools.tool import Answer, Arguments, specify
from infra.objects import sha256_of
from infra.sandbox.launch import launch
from infra.sandbox.levels import CODE_LEVEL_MIN, Job, Limits, Outcome
from infra.sandbox.probe import sandbox
from schema.contracts.common import ObjectRef
from schema.contracts.tools import Effect, ToolOutput
from schema.errors import InvariantViolated, NotFound, PayloadTooLarge, ToolNotAllowed
from schema.policies import (
    CODE_AT_ONCE,
    CODE_CPU_S,
    CODE_FILE_BYTES,
    CODE_FOLDER_BYTES,
    CODE_FOLDER_ENTRIES,
    CODE_INPUT_BYTES,
    CODE_INPUT_FILES,
    CODE_KEPT_BYTES,
    CODE_KEPT_FILES,
    CODE_LENGTH_MAX,
    CODE_MEMORY_BYTES,
    CODE_OUTPUT_BYTES,
    CODE_SHOWN_CHARACTERS,
    CODE_WALL,
)
from schema.store import artifacts
from schema.store.artifacts import NewArtifact

TARGET = "infra.sandbox.python_job"
NAMES_SHOWN_MAX = 100
LIMITS = Limits(
    wall_s=CODE_WALL.total_seconds(),
    cpu_s=CODE_CPU_S,
    memory_bytes=CODE_MEMORY_BYTES,
    output_bytes=CODE_OUTPUT_BYTES,
    answer_bytes=CODE_KEPT_BYTES + 256 * 1024,
    file_bytes=CODE_FILE_BYTES,
    folder_bytes=CODE_FOLDER_BYTES,
    folder_entries=CODE_FOLDER_ENTRIES,
)
_SHOWN_AS_THEY_ARE = frozenset(("text/plain", "text/csv", "application/json", "image/png", "application/pdf"))
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


class PythonRunArguments(Arguments):
    """What to run, over what, and which files of it to keep."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)

    code: str = Field(
        min_length=1,
        max_length=CODE_LENGTH_MAX,
        description="Python program; print what is to be known. polars is installed. There is no network, no other "
        "process, and no file but those in the working folder.",
    )
    artifacts: tuple[str, ...] = Field(
        default=(),
        max_length=CODE_INPUT_FILES,
        description="Identifiers of artifacts of this run, which lie in the working folder by their names.",
    )
    keep: tuple[FileName, ...] = Field(
        default=(),
        max_length=CODE_KEPT_FILES,
        description="Names of files that the program makes and that become artifacts of the run.",
    )


class KeptFile(Answer):
    """A file that became an artifact."""

    artifact_id: str
    name: str
    size_bytes: int


class PythonRunAnswer(Answer):
    """What came of it; a program that failed is an answer, too."""

    level: str
    """Of the sandbox: `landlock`, `bubblewrap`, `gvisor`."""
    exit_status: int
    """Of the program; negative: the signal that ended it."""
    ended: Literal["exited", "time", "output", "folder"]
    """`exited`, or which limit it was killed for."""
    stdout: str
    stderr: str
    """The beginning and the end of what it wrote."""
    made: tuple[str, ...]
    """Files that it made, the first hundred by name."""
    artifacts: tuple[KeptFile, ...]
    seconds: float


class PythonRun:
    """Runs programs in the sandbox; below `landlock` it runs none."""

    arguments = PythonRunArguments
    answer = PythonRunAnswer
    spec = specify(
        "python.run",
        "Run a Python program (polars is there) over artifacts of the run, in a sandbox without network. Off unless "
        "the deployment allows it.",
        PythonRunArguments,
        PythonRunAnswer,
        version="1",
        timeout_s=90,
        effect=Effect.READ,
        idempotent=True,
    )
    _turns: ClassVar[asyncio.Semaphore] = asyncio.Semaphore(CODE_AT_ONCE)

    def __init__(self, *, allowed: bool = False) -> None:
        self._allowed = allowed

    async def call(self, arguments: PythonRunArguments, context: ToolContext) -> ToolOutput:
        """Run once. Idempotent by the step: a repeat replaces the artifacts that it keeps.

        A cancel kills the process group before it is let through; so does the death of the worker.

        Raises:
            ToolNotAllowed: this deployment runs no code.
            SandboxUnavailable: no sandbox here is strong enough; nothing has run.
            NotFound: the run has no such artifact.
            PayloadTooLarge: the artifacts are too large together.
            StorageUnavailable: the object store or PostgreSQL failed.
        """
        if not self._allowed:
            raise ToolNotAllowed("This deployment runs no code. The operator can allow it.", tool=self.spec.name)
        walls = await sandbox()
        walls.require(max(CODE_LEVEL_MIN, walls.minimum))
        files = await _given(arguments, context)
        header = {
            "code": arguments.code,
            "files": [(name, len(content)) for name, content in files],
            "keep": arguments.keep,
            "made_max": NAMES_SHOWN_MAX,
        }
        data = b"".join([json.dumps(header).encode(), b"\n", *(content for _, content in files)])
        async with self._turns:
            outcome = await launch(Job(TARGET, (), LIMITS, data), walls.level)
        kept, made = _answered(outcome, arguments.keep)
        answer = PythonRunAnswer(
            level=walls.level.label,
            exit_status=outcome.status,
            ended=outcome.ended,
            stdout=_shown(outcome.stdout),
            stderr=_shown(outcome.stderr),
            made=made,
            artifacts=await _store(kept, context),
            seconds=round(outcome.seconds, 3),
        )
        return ToolOutput(data=answer.model_dump(mode="json"))


CODE_HINT = ToolHint(
    name=PythonRun.spec.name,
    description=PythonRun.spec.description,
    input_schema=PythonRun.spec.input_schema,
    argument=None,
)
"""What a model is told of it; the extractive reasoner writes no programs."""


async def _given(arguments: PythonRunArguments, context: ToolContext) -> list[tuple[str, bytes]]:
    """Return the artifacts by the names that they have in the working folder."""
    files: dict[str, ObjectRef] = {}
    async with context.db.transaction(context.org_id) as session:
        for artifact_id in arguments.artifacts:
            artifact = await artifacts.get_artifact(session, context.org_id, artifact_id)
            if artifact.run_id != context.run_id:
                raise NotFound(f"this run has no artifact {artifact_id}")
            name = PurePosixPath(artifact.name).name
            if name in files:
                name = f"{artifact_id}-{name}"
            files[name] = ObjectRef(
                key=artifact.object_key, sha256=artifact.content_sha256, size_bytes=artifact.size_bytes
            )
    total = sum(ref.size_bytes for ref in files.values())
    largest = max((ref.size_bytes for ref in files.values()), default=0)
    if total > CODE_INPUT_BYTES or largest > CODE_FILE_BYTES:
        raise PayloadTooLarge(
            f"The artifacts have {total} bytes. {CODE_INPUT_BYTES} can be given together, {CODE_FILE_BYTES} each.",
            limit=CODE_INPUT_BYTES,
        )
    return [(name, await context.objects.get(ref)) for name, ref in files.items()]


def _answered(outcome: Outcome, wanted: tuple[str, ...]) -> tuple[list[tuple[str, bytes]], tuple[str, ...]]:
    """Return the kept files, and the names of all that were made. The program may have written the answer: check it."""
    told, _, content = outcome.answer.partition(b"\n")
    try:
        found: dict[str, Any] = json.loads(told)
        sizes = [(str(name), int(size)) for name, size in found["kept"]]
        made = tuple(str(name)[:200] for name in found["made"][:NAMES_SHOWN_MAX])
    except (ValueError, KeyError, TypeError, RecursionError):
        return [], ()
    kept: dict[str, bytes] = {}
    position = 0
    for name, size in sizes[:CODE_KEPT_FILES]:
        if name not in wanted or size < 0 or position + size > len(content):
            break
        kept[name] = content[position : position + size]
        position += size
    return list(kept.items()), made


async def _store(kept: list[tuple[str, bytes]], context: ToolContext) -> tuple[KeptFile, ...]:
    stored = []
    for name, content in kept:
        mime = mimetypes.guess_type(name)[0]
        mime = mime if mime in _SHOWN_AS_THEY_ARE else "application/octet-stream"
        key = f"{context.org_id}/artifacts/{sha256_of(content)}"
        ref = await context.objects.put(key, content, mime)
        # By agent and step: two programs that keep `out.csv` do not replace each other's.
        place = f"agent-{context.agent_number}/step-{context.step}/{name}"
        stored.append((name, NewArtifact(place, mime, ref, "Made by a program of an agent")))
    if not stored:
        return ()
    async with context.db.transaction(context.org_id) as session:
        ids = [await artifacts.put_artifact(session, context.org_id, context.run_id, new) for _, new in stored]
    if len(set(ids)) != len(ids):
        raise InvariantViolated("Two kept files have one name.")
    return tuple(
        KeptFile(artifact_id=artifact_id, name=new.name, size_bytes=new.object.size_bytes)
        for artifact_id, (_, new) in zip(ids, stored, strict=True)
    )


def _shown(written: bytes) -> str:
    """Return the beginning and the end of what a program wrote, without control characters but line breaks and tabs."""
    text = written.decode("utf-8", "replace")
    text = "".join(c for c in text if c.isprintable() or c in "\n\t")
    half = CODE_SHOWN_CHARACTERS // 2
    if len(text) <= CODE_SHOWN_CHARACTERS:
        return text
    return f"{text[:half]}\n[{len(text) - CODE_SHOWN_CHARACTERS} characters left out]\n{text[-half:]}"
