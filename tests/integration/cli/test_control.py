"""`holdfast runs cancel|pause|resume|decide|signal` against a running API and worker: one run, or all that match."""

import io
import json
from collections.abc import Awaitable, Callable

import pytest

from app.cli.exits import ExitCode
from app.json import JsonObject
from tests.integration.cli.conftest import Cli
from tests.support.cli import Ended
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

NOBODY = "01930000-0000-7000-8000-000000000000"
WAITING = """
name: Waiting
steps:
  - {id: won, type: wait_for_event, event: crm.deal.won, timeout: 90d}
output: "{{ steps.won.output }}"
"""
HELD = """
name: Held
variables: {url: "", known: null}
steps:
  - id: charge
    type: action
    action: http.request
    inputs: {method: POST, url: "{{ vars.url }}"}
    retry: {max_attempts: 1}
    on_error: hold
output: "{{ steps.charge.output.body | default(steps.charge.output) }}"
"""
TWO_EFFECTS = """
name: Two effects
variables: {url: ""}
steps:
  - {id: book, type: action, action: http.request, inputs: {method: POST, url: "{{ vars.url }}/book"}}
  - {id: charge, type: action, action: http.request, inputs: {method: POST, url: "{{ vars.url }}/charge"}}
"""

Publish = Callable[[str], Awaitable[None]]


class Terminal(io.StringIO):
    """Standard input with a person behind it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def publish(cli: Cli) -> Publish:
    async def published(definition: str) -> None:
        ended = await cli("apply", "-f", "-", stdin=definition)
        assert ended.code == ExitCode.OK, ended.err

    return published


async def started(cli: Cli, workflow: str, status: str, *arguments: str) -> str:
    """A run of it that has come to this status."""
    run_id: str = (await cli("run", workflow, *arguments, "--json")).json()["id"]
    await reaches(cli, run_id, status)
    return run_id


async def reaches(cli: Cli, run_id: str, status: str) -> None:
    """Until the run has this status, also where runs are listed."""

    async def there() -> bool:
        return run_id in [run["id"] for run in (await cli("runs", "list", "--status", status, "--json")).json()]

    await eventually(there, what=f"run {run_id} is {status}")


def refusal(ended: Ended) -> JsonObject:
    """The error of a command for scripts, which was refused."""
    assert ended.code == ExitCode.REFUSED, ended
    error: JsonObject = json.loads(ended.err)["error"]
    return error


async def test_a_run_is_paused_resumed_and_cancelled(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    run_id = await started(cli, "waiting", "waiting")

    paused = await cli("runs", "pause", run_id)
    again = await cli("runs", "pause", run_id, "--json")
    resumed = await cli("runs", "resume", run_id, "--json")
    cancelled = await cli("runs", "cancel", run_id)

    assert paused.code == ExitCode.OK, paused.err
    assert paused.out.startswith(f"run {run_id} paused")
    assert refusal(again)["code"] == "run_already_paused"
    assert "resume" in refusal(again)["message"]
    assert (resumed.code, resumed.json()["id"]) == (ExitCode.OK, run_id)
    assert cancelled.out.startswith(f"run {run_id} cancelled")


async def test_a_run_that_waits_is_signalled(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    run_id = await started(cli, "waiting", "waiting")

    other = await cli("runs", "signal", run_id, "--event", "crm.deal.lost", "--json")
    done = await cli("runs", "signal", run_id, "--event", "crm.deal.won", "--step", "won", "--data", '{"worth": 7}')

    assert refusal(other)["code"] in ("run_not_waiting", "event_does_not_match")
    assert done.code == ExitCode.OK, done.err
    await reaches(cli, run_id, "completed")
    assert (await cli("runs", "show", run_id, "--json")).json()["output"] == {"worth": 7}


async def test_a_held_step_is_tried_again_with_other_inputs(cli: Cli, publish: Publish, http_stub: HttpStub) -> None:
    await publish(HELD)
    http_stub.answer("/broken", Answer(status=422))
    http_stub.answer("/fine", Answer(json="paid"))
    run_id = await started(cli, "held", "held", "--variable", f"url={http_stub.url}/broken")

    shown = await cli("runs", "show", run_id)
    inputs = json.dumps({"method": "POST", "url": f"{http_stub.url}/fine"})
    decided = await cli("runs", "decide", run_id, "--retry", "--inputs", inputs)

    assert "► " in shown.out
    assert "charge  held" in shown.out
    assert "for a decision" in shown.out
    assert decided.code == ExitCode.OK, decided.err
    await reaches(cli, run_id, "completed")
    assert (await cli("runs", "show", run_id, "--json")).json()["output"] == "paid"


async def test_a_held_step_is_skipped_with_a_value_or_let_fail(cli: Cli, publish: Publish, http_stub: HttpStub) -> None:
    await publish(HELD)
    http_stub.answer("/broken", Answer(status=422))
    of_skipped, of_failed = [
        await started(cli, "held", "held", "--variable", f"url={http_stub.url}/broken") for _ in "12"
    ]

    skipped = await cli("runs", "decide", of_skipped, "charge", "--skip", "--output", '"by hand"')
    failed = await cli("runs", "decide", of_failed, "--fail")

    assert (skipped.code, failed.code) == (ExitCode.OK, ExitCode.OK)
    await reaches(cli, of_skipped, "completed")
    await reaches(cli, of_failed, "failed")
    after = (await cli("runs", "show", of_skipped, "--json")).json()
    assert after["output"] == "by hand"
    assert after["steps"][0]["decision"]["decision"] == "skip"
    assert "decided  skip by" in (await cli("runs", "show", of_skipped)).out


async def test_a_failed_run_is_retried_from_the_start_or_redriven_from_where_it_failed(
    cli: Cli, publish: Publish, http_stub: HttpStub
) -> None:
    await publish(TWO_EFFECTS)
    http_stub.answer("/charge", Answer(status=422), Answer(status=422), Answer(json="paid"))
    failed = await started(cli, "two-effects", "failed", "--variable", f"url={http_stub.url}")

    retried = (await cli("runs", "retry", failed, "--json")).json()["id"]
    await reaches(cli, retried, "failed")
    redriven = await cli("runs", "redrive", failed)
    run_id = redriven.out.split()[1]
    await reaches(cli, run_id, "completed")

    assert redriven.out.endswith(f", a redrive of {failed}\n")
    assert len(http_stub.asked("/book")) == 2, "once by the run itself and once by its retry"
    shown = await cli("runs", "show", run_id)
    assert f"retry of   {failed} from charge" in shown.out
    again = await cli("runs", "retry", run_id, "--json")
    assert refusal(again)["code"] == "run_completed"
    assert "Start a new run" in refusal(again)["message"]


async def test_there_is_nothing_to_decide_where_no_step_is_held(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    run_id = await started(cli, "waiting", "waiting")

    ended = await cli("runs", "decide", run_id, "--retry", "--json")

    assert refusal(ended)["code"] == "step_not_held"
    assert f"holdfast runs show {run_id}" in refusal(ended)["message"]


async def test_all_runs_that_wait_for_an_event_are_listed_paused_and_resumed(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    await publish(WAITING.replace("name: Waiting", "name: Other").replace("crm.deal.won", "crm.deal.lost"))
    wanted = {await started(cli, "waiting", "waiting") for _ in range(3)}
    other = await started(cli, "other", "waiting")

    listed = await cli("runs", "list", "--waiting-for", "crm.deal.won", "--json")
    paused = await cli("runs", "pause", "--waiting-for", "crm.deal.won", "--yes")
    resumed = await cli("runs", "resume", "--workflow", "waiting", "--yes", "--json")

    assert {run["id"] for run in listed.json()} == wanted
    assert paused.code == ExitCode.OK, paused.err
    *lines, last = paused.out.splitlines()
    assert {line.split()[1] for line in lines} == wanted
    assert last == "3 done, 0 refused, 0 failed"
    *told, done = resumed.json_lines()
    assert {item["data"]["run_id"] for item in told} == wanted
    assert all(item["data"]["outcome"] == "done" for item in told)
    assert done == {"event": "done", "data": {"done": 3, "refused": 0, "failed": 0, "reasons": {}}}
    assert other not in paused.out


async def test_several_statuses_and_a_time_narrow_the_list(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    of_waiting, of_cancelled, of_paused = [await started(cli, "waiting", "waiting") for _ in range(3)]
    await cli("runs", "cancel", of_cancelled)
    await cli("runs", "pause", of_paused)

    both = await cli("runs", "list", "--status", "waiting,paused", "--json")
    late = await cli("runs", "list", "--started-after", "2200-01-01", "--json")
    early = await cli("runs", "list", "--started-before", "2200-01-01", "--json")
    unreadable = await cli("runs", "list", "--started-after", "tomorrow")

    assert {run["id"] for run in both.json()} == {of_waiting, of_paused}
    assert (len(late.json()), len(early.json())) == (0, 3)
    assert unreadable.code == ExitCode.USAGE
    assert "2026-05-01" in unreadable.err


async def test_runs_that_refuse_are_grouped_by_reason_and_the_exit_code_says_so(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    run_ids = [await started(cli, "waiting", "waiting") for _ in range(2)]
    await cli("runs", "pause", run_ids[0])

    ended = await cli("runs", "pause", "--status", "waiting,paused", "--yes")
    for_scripts = await cli("runs", "pause", "--status", "waiting,paused", "--yes", "--json")

    assert ended.code == for_scripts.code == ExitCode.REFUSED
    assert "1 done, 1 refused, 0 failed" in ended.out
    [reason] = [line for line in ended.out.splitlines() if "×" in line]
    assert "run_already_paused" in reason
    assert run_ids[0] in reason
    assert for_scripts.json_lines()[-1]["data"]["reasons"] == {"run_already_paused": 2}


async def test_nobody_there_to_answer_is_a_usage_error_that_names_the_way_out(cli: Cli, publish: Publish) -> None:
    await publish(WAITING)
    run_id = await started(cli, "waiting", "waiting")

    ended = await cli("runs", "cancel", "--workflow", "waiting")

    assert ended.code == ExitCode.USAGE
    assert "--yes" in ended.err
    await reaches(cli, run_id, "waiting")


@pytest.mark.parametrize(("answer", "code", "status"), [("y\n", 0, "cancelled"), ("n\n", 130, "waiting")])
async def test_a_person_is_asked_first_with_the_number_of_runs(
    cli: Cli, publish: Publish, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, status: str
) -> None:
    await publish(WAITING)
    run_ids = [await started(cli, "waiting", "waiting") for _ in range(2)]
    monkeypatch.setattr(io, "StringIO", Terminal)

    ended = await cli("runs", "cancel", "--all", stdin=answer)

    assert ended.code == code
    assert "cancel 2 runs?" in ended.err
    for run_id in run_ids:
        await reaches(cli, run_id, status)


async def test_no_run_that_matches_is_said(cli: Cli) -> None:
    ended = await cli("runs", "resume", "--all", "--yes")

    assert (ended.code, ended.out) == (ExitCode.OK, "")
    assert "no runs match" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cancel"], ExitCode.USAGE, "--all"),
        (["pause", NOBODY, "--all"], ExitCode.USAGE, "not both"),
        (["decide", NOBODY], ExitCode.USAGE, "--retry, --skip or --fail"),
        (["decide", NOBODY, "--retry", "--skip"], ExitCode.USAGE, "one thing"),
        (["decide", NOBODY, "--skip", "--inputs", "{}"], ExitCode.USAGE, "--retry"),
        (["decide", NOBODY, "--fail", "--output", "1"], ExitCode.USAGE, "--skip"),
        (["signal", NOBODY, "--data", "@no-such-file.json"], ExitCode.NOT_FOUND, "no-such-file.json"),
        (["cancel", "--status", "gone", "--yes"], ExitCode.REFUSED, "gone"),
        (["cancel", "--workflow", "no-such-workflow", "--yes"], ExitCode.NOT_FOUND, "no-such-workflow"),
        *[
            ([name, NOBODY, *more], ExitCode.NOT_FOUND, NOBODY)
            for name, more in (
                ("cancel", []),
                ("pause", []),
                ("resume", []),
                ("decide", ["--fail"]),
                ("signal", []),
                ("retry", []),
                ("redrive", []),
            )
        ],
    ],
)
async def test_what_cannot_be_asked_for_is_said(cli: Cli, arguments: list[str], code: ExitCode, said: str) -> None:
    for_people, for_scripts = await cli("runs", *arguments), await cli("runs", *arguments, "--json")

    assert for_people.code == for_scripts.code == code, for_people
    assert said in for_people.err
    assert for_scripts.out == ""
    assert json.loads(for_scripts.err)["error"]["exit_code"] == code
