"""What the command line asks of the API for many runs, and what it makes of the answers: a stub says them."""

import json
from collections.abc import Awaitable, Callable

import pytest

from app.cli.exits import ExitCode
from app.json import Json, JsonObject
from tests.support.cli import Ended, holdfast
from tests.support.http_stub import Answer, HttpStub

CONTROL = "/v1/runs/control"

Runs = Callable[..., Awaitable[Ended]]


@pytest.fixture
def runs(http_stub: HttpStub) -> Runs:
    """`holdfast runs ...` against the stub."""
    environment = {"HOLDFAST_API_URL": http_stub.url, "HOLDFAST_API_KEY": "hf_any"}

    async def call(*arguments: str) -> Ended:
        return await holdfast("runs", *arguments, environment=environment)

    return call


def item(run_id: str, outcome: str = "done", **more: Json) -> JsonObject:
    fields: JsonObject = {"run_id": run_id, "outcome": outcome, "status": "paused", "new_run_id": None, "problem": None}
    return fields | more


def page(*items: JsonObject, more: str | None = None, matched: int = 3) -> Answer:
    return Answer(json={"items": list(items), "next_cursor": more, "matched": matched})


def problem(code: str, title: str) -> JsonObject:
    return {"code": code, "title": title, "detail": f"{title}: do something else."}


async def test_pages_are_taken_until_none_is_left_each_with_the_same_order(runs: Runs, http_stub: HttpStub) -> None:
    http_stub.answer(CONTROL, page(item("r1"), item("r2"), more="next"), page(item("r3")))

    ended = await runs("decide", "--all", "--skip", "--output", "7", "--yes")

    first, second = [asked.json() for asked in http_stub.asked(CONTROL)]
    assert first["control"] == "decide"
    assert first["filter"] == {"status": "held"}
    assert first["arguments"] == {"decision": "skip", "output": 7}
    assert second == {**first, "cursor": "next"}
    assert ended.code == ExitCode.OK
    assert ended.out.splitlines()[-1] == "3 done, 0 refused, 0 failed"


@pytest.mark.parametrize(
    ("control", "statuses"),
    [
        ("cancel", "pending,running,waiting,paused,held"),
        ("pause", "running,waiting,held"),
        ("resume", "paused"),
        ("signal", "running,waiting,paused,held"),
        ("retry", "failed,timed_out,cancelled"),
        ("redrive", "failed,timed_out,cancelled"),
    ],
)
async def test_all_means_the_runs_it_can_be_done_to(
    runs: Runs, http_stub: HttpStub, control: str, statuses: str
) -> None:
    http_stub.answer(CONTROL, page())

    await runs(control, "--all", "--yes")
    await runs(control, "--status", "held", "--trigger", "event", "--query", "card", "--yes")

    asked = [request.json()["filter"] for request in http_stub.asked(CONTROL)]
    assert asked == [{"status": statuses}, {"status": "held", "trigger": "event", "q": "card"}]


async def test_a_time_without_a_zone_is_sent_with_this_machines(runs: Runs, http_stub: HttpStub) -> None:
    http_stub.answer(CONTROL, page())

    await runs("cancel", "--started-before", "2026-05-01T09:00", "--yes")

    sent = http_stub.asked(CONTROL)[0].json()["filter"]["started_before"]
    assert sent.startswith("2026-05-01T09:00:00")
    assert sent[-6] in "+-"


async def test_retries_go_under_one_key_that_takes_up_what_was_broken_off(runs: Runs, http_stub: HttpStub) -> None:
    down = Answer(status=503, json={"code": "database_unavailable", "title": "down", "detail": "The database is down."})
    http_stub.answer(CONTROL, page(item("r1", new_run_id="n1"), more="next"), down)

    ended = await runs("retry", "--status", "failed", "--yes")
    http_stub.answer(CONTROL, page(item("r1", new_run_id="n1")))
    await runs("retry", "--status", "failed", "--yes", "--idempotency-key", "k-1")

    first, second, third = [asked.headers["Idempotency-Key"] for asked in http_stub.asked(CONTROL)]
    assert first == second
    assert third == "k-1"
    assert ended.code == ExitCode.UNREACHABLE
    assert "run r1 paused, started n1" in ended.out
    assert "The database is down." in ended.err
    assert "broken off after 1 runs" in ended.err
    assert f"--idempotency-key {first}" in ended.err


async def test_what_failed_and_what_was_refused_is_counted_by_reason(runs: Runs, http_stub: HttpStub) -> None:
    paused = problem("run_already_paused", "The run is paused")
    lost = problem("worker_unavailable", "No worker answered")
    refused = [item(f"r{number}", "refused", problem=paused) for number in range(5)]
    http_stub.answer(CONTROL, page(item("r9"), *refused, item("r6", "failed", problem=lost), matched=7))

    for_people = await runs("pause", "--all", "--yes")
    for_scripts = await runs("pause", "--all", "--yes", "--json")

    assert for_people.code == for_scripts.code == ExitCode.BROKEN
    *lines, counts, first, second = for_people.out.splitlines()
    assert len(lines) == 7
    assert "run r0 refused: The run is paused: do something else." in lines
    assert counts == "1 done, 5 refused, 1 failed"
    assert first == "  5 × The run is paused (run_already_paused): r0, r1, r2, ..."
    assert second == "  1 × No worker answered (worker_unavailable): r6"
    assert for_scripts.json_lines()[-1]["data"] == {
        "done": 1,
        "refused": 5,
        "failed": 1,
        "reasons": {"run_already_paused": 5, "worker_unavailable": 1},
    }


async def test_a_new_run_is_told_with_the_one_it_repeats(runs: Runs, http_stub: HttpStub) -> None:
    http_stub.answer("/v1/runs/r1/redrive", Answer(status=202, json={"id": "r2", "status": "running"}))

    for_people = await runs("redrive", "r1", "--from", "each[3].charge", "--version", "4")
    for_scripts = await runs("redrive", "r1", "--json")

    assert for_people.out == "run r2 running, a redrive of r1\n"
    assert "holdfast runs watch r2" in for_people.err
    assert for_scripts.json() == {"id": "r2", "status": "running"}
    bodies = [asked.json() for asked in http_stub.asked("/v1/runs/r1/redrive")]
    assert bodies == [{"from_step": "each[3].charge", "version": 4}, {}]


async def test_a_refusal_is_shown_with_its_way_out(runs: Runs, http_stub: HttpStub) -> None:
    refusal = {"code": "version_differs", "title": "no", "detail": "Version 4 differs at charge: redrive from there."}
    http_stub.answer("/v1/runs/r1/redrive", Answer(status=409, json=refusal))

    for_people, for_scripts = await runs("redrive", "r1"), await runs("redrive", "r1", "--json")

    assert for_people.code == for_scripts.code == ExitCode.REFUSED
    assert "redrive from there" in for_people.err
    assert json.loads(for_scripts.err)["error"]["code"] == "version_differs"


async def test_one_of_several_held_steps_must_be_named(runs: Runs, http_stub: HttpStub) -> None:
    steps = [{"path": path, "status": "held"} for path in ("a.one", "a.two")]
    http_stub.answer("/v1/runs/r1/steps", Answer(json={"items": steps, "next_cursor": None}))

    ended = await runs("decide", "r1", "--fail")

    assert ended.code == ExitCode.USAGE
    assert "a.one, a.two" in ended.err
    assert http_stub.asked("/v1/runs/r1/decide") == []


@pytest.mark.parametrize("control", ["cancel", "pause", "resume", "retry", "redrive", "signal"])
async def test_an_api_that_is_away_is_named(control: str) -> None:
    environment = {"HOLDFAST_API_URL": "http://127.0.0.1:1", "HOLDFAST_API_KEY": "hf_any"}

    one = await holdfast("runs", control, "r1", environment=environment)
    many = await holdfast("runs", control, "--all", "--yes", environment=environment)

    assert (one.code, many.code) == (ExitCode.UNREACHABLE, ExitCode.UNREACHABLE)
    assert "http://127.0.0.1:1" in one.err
    assert "broken off" not in many.err
