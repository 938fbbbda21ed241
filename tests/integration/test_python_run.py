"""python.run through the executor: what it takes, returns and keeps, and when it is refused."""

from dataclasses import replace

import pytest
import pytest_asyncio

from activities.tools.executor import ToolExecutor
from activities.tools.python_run import PythonRunAnswer
from activities.tools.registry import builtin_tools
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from infra.sandbox import probe
from infra.sandbox.levels import Level
from infra.sandbox.probe import Sandbox
from schema.errors import NotFound, SandboxUnavailable, ToolInputInvalid, ToolNotAllowed
from schema.ids import RUN, new_id
from schema.store import artifacts, runs
from schema.store.artifacts import NewArtifact
from tests.integration.conftest import Org
from tests.integration.test_corpus_search import Agent

NAME = "python.run"


class Programmer(Agent):
    """An agent that may run programs."""

    executor = ToolExecutor(builtin_tools(code=True))

    async def run(self, code: str, **arguments: object) -> PythonRunAnswer:
        """Run one."""
        output = await self.executor.execute(NAME, {"code": code, **arguments}, self.context, [NAME])
        return PythonRunAnswer.model_validate(output.data)


@pytest_asyncio.fixture
async def programmer(db: Database, objects: ObjectStore, org: Org) -> Programmer:
    run_id = new_id(RUN)
    async with db.transaction(org.id) as session:
        await runs.create_run(
            session,
            org.id,
            run_id=run_id,
            user_id=org.owner_id,
            name="test",
            task="Add up.",
            max_agents=1,
            max_tokens=100_000,
            context={},
            description=None,
        )
    agent = Programmer(db, objects, org.id)
    agent.context = replace(agent.context, run_id=run_id)
    return agent


async def test_artifacts_in_and_out(programmer: Programmer, db: Database, objects: ObjectStore, org: Org) -> None:
    """A second try of the same step keeps the same artifact."""
    data = b"city,people\nBern,134\nZug,31\n"
    ref = await objects.put(f"{org.id}/artifacts/{sha256_of(data)}", data, "text/csv")
    async with db.transaction(org.id) as session:
        given = await artifacts.put_artifact(
            session, org.id, programmer.context.run_id, NewArtifact("table.csv", "text/csv", ref)
        )
    code = (
        "import polars as pl\n"
        "total = pl.read_csv('table.csv')['people'].sum()\n"
        "print('total', total)\n"
        "open('out.txt', 'w').write(str(total)); open('scratch.bin', 'w').close()\n"
    )
    for _ in range(2):
        answer = await programmer.run(code, artifacts=[given], keep=["out.txt", "absent.txt"])
        assert (answer.exit_status, answer.ended, answer.stdout) == (0, "exited", "total 165\n"), answer.stderr
        assert Level[answer.level.upper()] >= Level.LANDLOCK
        assert answer.made == ("out.txt", "scratch.bin")
        (kept,) = answer.artifacts
    async with db.transaction(org.id) as session:
        found = await artifacts.list_artifacts(session, org.id, programmer.context.run_id)
        stored = await artifacts.get_artifact(session, org.id, kept.artifact_id)
    assert [each.name for each in found] == ["table.csv", "agent-1/step-1/out.txt"]
    assert (stored.size_bytes, stored.mime_type) == (3, "text/plain")


async def test_a_program_that_fails_is_an_answer(programmer: Programmer) -> None:
    answer = await programmer.run("import sys\nprint('\\x1b[31mred')\nsys.stderr.write('x' * 30_000)\n1 / 0")
    assert (answer.exit_status, answer.stdout) == (1, "[31mred\n")
    assert len(answer.stderr) < 10_100
    assert "characters left out" in answer.stderr
    assert "ZeroDivisionError" in answer.stderr


async def test_an_answer_that_the_program_forges_is_checked(programmer: Programmer) -> None:
    """It can say what it wants of its own files, and nothing else."""
    forged = (
        "import os\n"
        "for number in range(3, 64):\n"
        '    try: os.write(number, b\'{"kept": [["../x", 1], ["a.txt", -5], ["a.txt", 99]], "made": 3}\\n\')\n'
        "    except OSError: pass\n"
        "os._exit(0)\n"
    )
    answer = await programmer.run(forged, keep=["a.txt"])
    assert (answer.artifacts, answer.made) == ((), ())


async def test_refusals(programmer: Programmer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off by default, fields by their limits, artifacts of the run only, and nothing without a sandbox."""
    off = ToolExecutor(builtin_tools())
    with pytest.raises(ToolNotAllowed):
        await off.execute(NAME, {"code": "1"}, programmer.context, [NAME])
    with pytest.raises(ToolNotAllowed):
        await programmer.executor.execute(NAME, {"code": "1"}, programmer.context, ["web.fetch"])
    for wrong in ({"code": ""}, {"code": "1", "keep": ["../x"]}, {"code": "x" * 50_001}):
        with pytest.raises(ToolInputInvalid):
            await programmer.executor.execute(NAME, wrong, programmer.context, [NAME])
    with pytest.raises(NotFound):
        await programmer.run("1", artifacts=["art_unknown"])
    # Whatever the operator allows to parsers.
    monkeypatch.setitem(probe._proved, "sandbox", Sandbox(Level.LIMITS, Level.LIMITS))
    with pytest.raises(SandboxUnavailable):
        await programmer.run("1")
