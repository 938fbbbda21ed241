"""What an agent remembers: its finished acts, read back from PostgreSQL and the object store."""

import json
from typing import Any

from pydantic import TypeAdapter

from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.research import Passage, StepRecord
from schema.contracts.tools import ToolOutput
from schema.policies import STEP_OUTPUT_INLINE_BYTES_MAX
from schema.store.steps import Memory

CODE_TOOL = "python.run"
_PASSAGES = TypeAdapter(tuple[Passage, ...])


async def pack_output(objects: ObjectStore, org_id: str, output: ToolOutput) -> dict[str, Any]:
    """Return what a step's row keeps of a tool's output: inline when small, else a reference to the object store."""
    # What a search pointed to stays in the row: it is read again at every later step.
    kept: dict[str, Any] = {}
    if output.results:
        kept["results"] = [item.model_dump(mode="json") for item in output.results]
    if snapshots := sorted({passage.source.snapshot_sha256 for passage in output.passages}):
        kept["snapshots"] = snapshots
    value = {"data": output.data, "passages": [item.model_dump(mode="json") for item in output.passages], **kept}
    encoded = json.dumps(value, sort_keys=True).encode()
    if len(encoded) <= STEP_OUTPUT_INLINE_BYTES_MAX:
        return value
    ref = await objects.put(f"{org_id}/steps/{sha256_of(encoded)}", encoded, "application/json")
    return {"object": ref.model_dump(mode="json"), "passages_count": len(output.passages), **kept}


async def unpack_passages(objects: ObjectStore, output: dict[str, Any] | None) -> tuple[Passage, ...]:
    """Return the passages that a step brought."""
    if not output:
        return ()
    if "object" in output:
        output = json.loads(await objects.get(ObjectRef.model_validate(output["object"])))
    return _PASSAGES.validate_python(output["passages"])


async def _printed(objects: ObjectStore, output: dict[str, Any] | None) -> str:
    """Return what a program wrote, and how it ended, as its reasoner sees it."""
    if not output:
        return ""
    if "object" in output:
        output = json.loads(await objects.get(ObjectRef.model_validate(output["object"])))
    data = output["data"]
    made = [f"{file['name']} = {file['artifact_id']}" for file in data["artifacts"]]
    told = {"exit_status": data["exit_status"], "ended": data["ended"], "kept": made}
    return f"{json.dumps(told)}\n{data['stdout']}\n{data['stderr']}".strip()


async def recall(objects: ObjectStore, memory: Memory) -> tuple[StepRecord, ...]:
    """Return an agent's past acts as its reasoner sees them; only the last keeps its passages, all their results."""
    if not memory.acts:
        return ()
    *before, last = memory.acts
    if last.tool == CODE_TOOL:
        return (*before, last.model_copy(update={"printed": await _printed(objects, memory.last_output)}))
    passages = await unpack_passages(objects, memory.last_output)
    return (*before, last.model_copy(update={"passages": passages}))
