"""`holdfast run`, `runs` and `events` against a running API and worker."""

from collections.abc import Awaitable, Callable

import pytest

from app.cli.exits import ExitCode
from tests.integration.cli.conftest import Cli
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

GREETING = """
name: Greeting
variables: {greeting: Hello}
steps:
  - {id: shape, type: transform, mapping: {text: "{{ vars.greeting }} {{ trigger.name }}"}}
output: "{{ steps.shape.output.text }}"
"""
FAILING = """
name: Failing
steps:
  - {id: give_up, type: stop, status: failed, reason: out of stock}
"""
WAITING = """
name: Waiting
trigger: {type: event, event: crm.contact.created}
steps:
  - {id: answer, type: wait_for_event, event: crm.reply.received, timeout: 1h}
"""


@pytest.fixture
def publish(cli: Cli) -> Callable[[str], Awaitable[None]]:
    async def published(definition: str) -> None:
        ended = await cli("apply", "-f", "-", stdin=definition)
        assert ended.code == ExitCode.OK, ended.err

    return published


async def test_a_run_that_is_waited_for_prints_its_output(cli: Cli, publish: Callable[[str], Awaitable[None]]) -> None:
    await publish(GREETING)

    ended = await cli("run", "greeting", "--input", '{"name": "Ada"}', "--variable", "greeting=Hi", "--wait", "30")

    assert ended.code == ExitCode.OK
    assert ended.out.splitlines()[-1] == '"Hi Ada"'


async def test_a_watched_run_shows_each_step_as_it_goes(cli: Cli, publish: Callable[[str], Awaitable[None]]) -> None:
    await publish(GREETING)

    ended = await cli("run", "Greeting", "--input", "name: Ada", "--watch")

    assert ended.code == ExitCode.OK
    first, *steps, last, output = ended.out.splitlines()
    assert first.endswith("of Greeting, version 1")
    assert any("completed" in line and "shape" in line for line in steps)
    assert " completed" in last
    assert output == '"Hello Ada"'


async def test_a_watched_run_for_scripts_is_json_lines_that_end_with_the_run(
    cli: Cli, publish: Callable[[str], Awaitable[None]]
) -> None:
    await publish(GREETING)

    ended = await cli("run", "greeting", "--input", '{"name": "Ada"}', "--watch", "--json")

    lines = ended.json_lines()
    assert {line["event"] for line in lines} == {"run", "step", "done"}
    assert lines[-1]["event"] == "done"
    assert (lines[-1]["data"]["status"], lines[-1]["data"]["output"]) == ("completed", "Hello Ada")


async def test_the_exit_code_says_that_a_run_failed(cli: Cli, publish: Callable[[str], Awaitable[None]]) -> None:
    await publish(FAILING)

    waited = await cli("run", "failing", "--wait", "30")
    watched = await cli("run", "failing", "--watch")

    assert (waited.code, watched.code) == (ExitCode.RUN_FAILED, ExitCode.RUN_FAILED)
    assert "out of stock" in waited.out


async def test_a_run_that_does_not_end_in_time_is_said_to_go_on(
    cli: Cli, publish: Callable[[str], Awaitable[None]]
) -> None:
    await publish(WAITING.replace("type: event, event: crm.contact.created", "type: manual"))

    ended = await cli("run", "waiting", "--wait", "1", "--json")

    assert ended.code == ExitCode.STILL_RUNNING
    await cli("runs", "cancel", ended.json()["id"])


async def test_the_same_idempotency_key_starts_one_run(cli: Cli, publish: Callable[[str], Awaitable[None]]) -> None:
    await publish(GREETING)

    first, second = [
        await cli("run", "greeting", "--input", '{"name": "Ada"}', "--idempotency-key", "k-1", "--json") for _ in "12"
    ]

    assert first.json()["id"] == second.json()["id"]


async def test_an_event_starts_a_run_that_is_listed_shown_and_cancelled(
    cli: Cli, publish: Callable[[str], Awaitable[None]]
) -> None:
    await publish(WAITING)

    [sent] = (await cli("events", "send", "crm.contact.created", "--data", '{"id": 7}', "--json")).json()
    [run_id] = sent["started"]
    await eventually(lambda: _waits(cli, run_id), what="the run waits")

    listed = await cli("runs", "list", "--workflow", "waiting", "--status", "waiting")
    shown = await cli("runs", "show", run_id)
    steps = await cli("runs", "steps", run_id)
    cancelled = await cli("runs", "cancel", run_id)

    assert run_id in listed.out
    assert "crm.reply.received" in shown.out
    assert "answer" in steps.out
    assert cancelled.code == ExitCode.OK
    assert "cancelled" in cancelled.out
    again = await cli("runs", "cancel", run_id, "--json")
    assert again.code == ExitCode.REFUSED
    assert '"run_finished"' in again.err


async def test_an_event_sent_twice_says_that_it_came_before(cli: Cli) -> None:
    arguments = ("events", "send", "crm.contact.created", "--id", "e-1", "--data", "{}")

    first, second = await cli(*arguments), await cli(*arguments)

    assert first.out == "event e-1: nobody waits for it\n"
    assert "came before" in second.out


async def test_events_of_a_file_are_sent_in_order(cli: Cli) -> None:
    events = '[{"id": "e-2", "type": "a.b"}, {"id": "e-3", "type": "a.c", "data": {"n": 1}}]'

    ended = await cli("events", "send", "-f", "-", "--json", stdin=events)

    assert [result["id"] for result in ended.json()] == ["e-2", "e-3"]


async def _waits(cli: Cli, run_id: str) -> bool:
    return bool((await cli("runs", "show", run_id, "--json")).json()["status"] == "waiting")
