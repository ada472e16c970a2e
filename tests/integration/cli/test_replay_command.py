"""`holdfast replay` against the runs of a real server: what replays, what does not, and how it is said."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes

import worker.replay
from app.cli.exits import ExitCode
from app.db.models import Run
from app.embedded.ports import free_port
from app.json import JsonObject
from app.services.platform import Platform
from app.settings import Settings
from app.temporal import names
from app.temporal.messages import RunInput
from tests.conftest import TestWorkspace
from tests.integration.cli.on_servers import on_servers
from tests.support.cli import Ended, holdfast
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually
from workflows import history

pytestmark = pytest.mark.usefixtures("worker")

WAITS: JsonObject = {"steps": [{"id": "answer", "type": "wait_for_event", "event": "crm.reply.received"}]}

Replay = Callable[..., Awaitable[Ended]]


@workflow.defn(name=names.AUTOMATION_WORKFLOW)
class SleepsInstead:
    """A walk that begins with something else than the real one."""

    @workflow.run
    async def run(self, input: RunInput) -> None:
        """Sleep for an hour."""
        await workflow.sleep(3600)


@workflow.defn(name=names.AUTOMATION_WORKFLOW)
class LooksFirst:
    """A walk that begins with a local activity nobody did."""

    @workflow.run
    async def run(self, input: RunInput) -> None:
        """Wait for what nobody does."""
        await workflow.execute_local_activity("look", start_to_close_timeout=timedelta(seconds=5))


@workflow.defn(name=names.AUTOMATION_WORKFLOW)
class Breaks:
    """A walk with a bug."""

    @workflow.run
    async def run(self, input: RunInput) -> None:
        """Break."""
        raise RuntimeError("no such 'branch'")


@pytest.fixture
def engine(platform: Platform, workspace: TestWorkspace) -> Engine:
    return Engine(platform, workspace.id)


@pytest.fixture
def replay(settings: Settings, engine: Engine) -> Replay:
    """The command over this test's runs alone."""

    async def call(*arguments: str) -> Ended:
        query = f'{names.WORKSPACE.name} = "{engine.workspace_id}"'
        return await holdfast("replay", "--query", query, *arguments, environment=on_servers(settings))

    return call


async def waiting(engine: Engine, count: int) -> list[Run]:
    """So many runs that wait, and that Temporal's search finds."""
    workflow_id = await engine.publish(WAITS, name="Reply")
    runs = [await engine.start(workflow_id) for _ in range(count)]
    for run in runs:
        await engine.at(run, "answer")
    await found(engine, count)
    return runs


async def found(engine: Engine, count: int, status: str = "Running") -> None:
    """Until Temporal's search, which lags behind, finds so many."""
    client = await engine.platform.temporal.client()
    query = f'{names.WORKSPACE.name} = "{engine.workspace_id}" AND ExecutionStatus = "{status}"'

    async def there() -> bool:
        return (await client.count_workflows(query)).count == count

    await eventually(there, what=f"{count} runs are found")


async def test_runs_under_way_replay_against_the_code_that_is_here(engine: Engine, replay: Replay) -> None:
    runs = await waiting(engine, 3)

    for_people, for_scripts = await replay(), await replay("--json")

    assert (for_people.code, for_people.out) == (ExitCode.OK, "3 of 3 replay\n")
    *lines, last = for_scripts.json_lines()
    assert {line["data"]["run_id"] for line in lines} == {str(run.id) for run in runs}
    assert all(line["data"]["replays"] for line in lines)
    assert last == {"event": "done", "data": {"matched": 3, "replayed": 3, "failed": 0}}


async def test_a_run_that_would_not_go_on_is_named_with_its_reason(
    engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    [run] = await waiting(engine, 1)
    capfd.readouterr()
    monkeypatch.setattr(worker.replay, "WORKFLOWS", {names.AUTOMATION_WORKFLOW: SleepsInstead})

    for_people, for_scripts = await replay(), await replay("--json")

    assert for_people.code == for_scripts.code == ExitCode.RUN_FAILED
    first, last = for_people.out.splitlines()
    assert str(run.id) in first
    assert "Reply" in first
    assert "nondeterminism" in first
    assert last.startswith("0 of 1 replay, 1 do not")
    told = for_scripts.json_lines()[0]["data"]
    assert (told["run_id"], told["workflow"], told["kind"]) == (str(run.id), "Reply", "nondeterminism")
    assert told["problem"].startswith("[TMPRL1100] Nondeterminism error: ")
    assert capfd.readouterr().out == ""  # nothing beside what the command prints, which is caught before it gets here


async def test_a_local_activity_that_the_history_does_not_have_is_told_and_not_waited_for(
    engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(engine, 1)
    monkeypatch.setattr(worker.replay, "WORKFLOWS", {names.AUTOMATION_WORKFLOW: LooksFirst})

    told = (await replay("--json")).json_lines()[0]["data"]

    assert told["kind"] == "nondeterminism"


async def test_a_bug_that_shows_before_the_history_differs_is_told_as_one(
    engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(engine, 1)
    monkeypatch.setattr(worker.replay, "WORKFLOWS", {names.AUTOMATION_WORKFLOW: Breaks})

    told = (await replay("--json")).json_lines()[0]["data"]

    assert told["kind"] == "error"
    assert told["problem"] == "no such 'branch'"


async def test_of_a_run_that_went_on_in_a_new_execution_the_open_one_is_replayed(
    engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 12)
    run = await engine.start({"steps": [{**WAITS["steps"][0], "id": id} for id in ("first", "second")]})
    await engine.at(run, "first")
    await engine.send("crm.reply.received")
    await engine.at(run, "second")
    executions = await engine.executions(run)
    assert len(executions) == 2
    await found(engine, 1)

    first, _ = (await replay("--json")).json_lines()

    assert (first["data"]["temporal_run_id"], first["data"]["replays"]) == (executions[-1].run_id, True)


async def test_an_execution_no_worker_did_anything_of_yet_is_not_waited_for(engine: Engine, replay: Replay) -> None:
    """As the next execution of a run is, before its first task: there is nothing in its history to replay."""
    client = await engine.platform.temporal.client()
    handle = await client.start_workflow(
        names.AUTOMATION_WORKFLOW,
        id=f"run-{engine.workspace_id}",
        task_queue=names.TASK_QUEUE,
        start_delay=timedelta(hours=1),
        search_attributes=TypedSearchAttributes([SearchAttributePair(names.WORKSPACE, str(engine.workspace_id))]),
    )
    await found(engine, 1)

    ended = await replay("--json")

    assert ended.json_lines()[0]["data"] == {
        "run_id": str(engine.workspace_id),
        "temporal_run_id": handle.first_execution_run_id,
        "events": 1,
        "replays": True,
        "workflow": None,
        "kind": None,
        "problem": None,
    }
    await handle.terminate()


async def test_a_run_in_the_middle_of_an_effect_is_replayed_up_to_there(
    engine: Engine, replay: Replay, http_stub: HttpStub
) -> None:
    http_stub.answer("/", Answer(hang=True))
    run = await engine.start({"steps": [*WAITS["steps"], http("fetch", f"{http_stub.url}/", timeout="3s")]})
    await engine.at(run, "answer")
    await engine.send("crm.reply.received")
    await eventually(lambda: http_stub.requests, what="the effect is under way")
    await found(engine, 1)

    ended = await replay()

    assert ended.out == "1 of 1 replay\n"
    await (await engine.handle(run)).terminate()


async def test_a_limit_says_how_many_were_left_out(engine: Engine, replay: Replay) -> None:
    await waiting(engine, 2)

    ended = await replay("--limit", "1")

    assert ended.code == ExitCode.OK
    assert ended.out.splitlines() == ["1 of 1 replay", "1 more were left out; --limit 0 replays all"]


async def test_runs_that_are_over_are_replayed_when_asked_for(engine: Engine, replay: Replay) -> None:
    [run] = await waiting(engine, 1)
    await engine.send("crm.reply.received")
    await engine.end(run)
    await found(engine, 1, "Completed")

    still_open, over = await replay(), await replay("--closed")

    assert "no runs to replay" in still_open.err
    assert over.out == "1 of 1 replay\n"


async def test_a_query_that_is_none_is_refused_in_temporals_words(settings: Settings) -> None:
    ended = await holdfast("replay", "--query", "NoSuchThing = 1", environment=on_servers(settings))

    assert ended.code == ExitCode.REFUSED
    assert "NoSuchThing" in ended.err


async def test_a_temporal_that_is_away_replays_nothing(settings: Settings) -> None:
    address = f"127.0.0.1:{free_port()}"

    ended = await holdfast("replay", environment=on_servers(settings) | {"HOLDFAST_TEMPORAL_ADDRESS": address})

    assert ended.code == ExitCode.UNREACHABLE
    assert address in ended.err


async def test_the_database_of_the_runs_must_be_named() -> None:
    ended = await holdfast("replay", environment={"HOLDFAST_DATA_DIR": "/nonexistent"})

    assert ended.code == ExitCode.USAGE
    assert "HOLDFAST_DATABASE_URL" in ended.err
