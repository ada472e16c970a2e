"""`retry`: which failures are worth another attempt, when it comes, who makes it, and that all of it is seen."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.db.models import StepAttempt
from app.json import JsonObject
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import BAD, ONCE, group, loop, put, wait
from tests.support.waiting import eventually

DISPATCH = pytest.mark.parametrize("dispatch", ["local_first", "scheduled"])


def policy(**more: object) -> JsonObject:
    return {"max_attempts": 3, "initial_interval": "5ms", "jitter": 0, **more}


def pause_after(attempt: StepAttempt) -> timedelta:
    assert attempt.next_attempt_at is not None
    return attempt.next_attempt_at - attempt.finished_at


@DISPATCH
async def test_retry_on_makes_worth_another_attempt_what_would_not_be(
    engine: Engine, http_stub: HttpStub, dispatch: str
) -> None:
    http_stub.answer("/", Answer(status=404), Answer(status=404), Answer(json="well"))
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/", retry=policy(retry_on=["provider_rejected"])),
        settings={"dispatch": dispatch},
        output=["{{ steps.fetch.output.body }}", "{{ steps.fetch.attempts }}"],
    )
    assert done.output == ["well", 3]
    assert http_stub.effects(done.run.id) == {"fetch": 3}
    attempts = await engine.attempts(done.run)
    assert [(row.attempt, row.error["type"]) for row in attempts] == [
        (1, "provider_rejected"), (2, "provider_rejected"),
    ]  # fmt: skip
    assert all(row.next_attempt_at is not None for row in attempts)


@DISPATCH
async def test_retry_on_leaves_out_what_it_does_not_name(engine: Engine, http_stub: HttpStub, dispatch: str) -> None:
    http_stub.answer("/", Answer(status=503))
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/", retry=policy(retry_on=["rate_limited", "timeout"])),
        settings={"dispatch": dispatch},
    )
    assert done.error["type"] == "provider_unavailable"
    assert len(http_stub.requests) == 1
    [attempt] = await engine.attempts(done.run)
    assert attempt.next_attempt_at is None


@DISPATCH
async def test_retry_on_looks_at_each_failure_anew(engine: Engine, http_stub: HttpStub, dispatch: str) -> None:
    http_stub.answer("/", Answer(status=503), Answer(status=404), Answer(json="never asked"))
    done = await engine.steps(
        http("fetch", f"{http_stub.url}/", retry=policy(retry_on=["provider_unavailable"])),
        settings={"dispatch": dispatch},
    )
    assert done.error["type"] == "provider_rejected"
    assert len(http_stub.requests) == 2


@DISPATCH
async def test_without_retry_on_the_table_decides(engine: Engine, http_stub: HttpStub, dispatch: str) -> None:
    http_stub.answer("/gone", Answer(status=410))
    http_stub.answer("/down", Answer(status=502))
    done = await engine.steps(
        http("gone", f"{http_stub.url}/gone", retry=policy(), on_error="continue"),
        http("down", f"{http_stub.url}/down", retry=policy(), on_error="continue"),
        settings={"dispatch": dispatch},
    )
    assert done.run.status == "completed"
    assert http_stub.effects(done.run.id) == {"gone": 1, "down": 3}
    assert [(row.path, row.attempt) for row in await engine.attempts(done.run)] == [
        ("down", 1), ("down", 2), ("down", 3), ("gone", 1),
    ]  # fmt: skip


async def test_retry_on_of_a_group_looks_at_what_failed_inside(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=404), Answer(status=404), Answer(json="well"))
    inner = http("fetch", f"{http_stub.url}/", retry=ONCE)
    done = await engine.steps(group("group", inner, retry=policy(retry_on=["provider_rejected"])))
    assert done.run.status == "completed"
    assert done.steps["group"].attempt == 3
    http_stub.answer("/", Answer(status=503))
    done = await engine.steps(group("group", inner, retry=policy(retry_on=["provider_rejected"])))
    assert done.steps["group"].attempt == 1


async def test_a_definitions_own_mistake_can_be_asked_to_be_tried_again(engine: Engine) -> None:
    """Named, it is tried again like any other type."""
    done = await engine.steps(group("group", BAD, retry=policy(retry_on=["expression"])))
    assert done.steps["group"].attempt == 3


async def test_failed_attempts_of_what_holds_steps_are_seen_too(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503), Answer(status=503), Answer())
    inner = http("fetch", f"{http_stub.url}/", retry=ONCE)
    done = await engine.steps(group("group", inner, retry=policy(initial_interval="20ms")))
    rows = [row for row in await engine.attempts(done.run) if row.path == "group"]
    assert [(row.generation, row.attempt, row.error["type"]) for row in rows] == [
        (1, 1, "provider_unavailable"),
        (1, 2, "provider_unavailable"),
    ]
    assert all(row.started_at <= row.finished_at for row in rows)
    assert all(row.next_attempt_at is not None and row.next_attempt_at >= row.finished_at for row in rows)


async def test_the_last_attempt_of_a_group_is_seen_and_none_comes_after(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503))
    inner = http("fetch", f"{http_stub.url}/", retry=ONCE)
    done = await engine.steps(group("group", inner, retry=policy(max_attempts=2)))
    assert done.run.status == "failed"
    rows = [row for row in await engine.attempts(done.run) if row.path == "group"]
    assert [(row.attempt, row.next_attempt_at is None) for row in rows] == [(1, False), (2, True)]


async def test_attempts_of_an_item_stay_when_the_item_is_finished(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/1", Answer(status=503), Answer())
    done = await engine.steps(loop("each", 3, http("fetch", f"{http_stub.url}/{{{{ item }}}}")))
    assert [(row.path, row.attempt) for row in await engine.attempts(done.run)] == [("each[1].fetch", 1)]


@DISPATCH
async def test_a_step_that_pauses_before_its_next_attempt_shows_the_failed_one(
    engine: Engine, http_stub: HttpStub, dispatch: str
) -> None:
    http_stub.answer("/", Answer(status=503, body="maintenance"))
    step = http("fetch", f"{http_stub.url}/", retry=policy(initial_interval="10m", max_interval="1h"))
    run = await engine.start({"settings": {"dispatch": dispatch}, "steps": [step]})

    async def seen() -> bool:
        return bool(await engine.attempts(run))

    await eventually(seen)
    [attempt] = await engine.attempts(run)
    assert (attempt.attempt, attempt.error["type"], attempt.error["retryable"]) == (1, "provider_unavailable", True)
    assert "maintenance" in attempt.error["message"]
    assert timedelta(minutes=9, seconds=59) < pause_after(attempt) < timedelta(minutes=10, seconds=1)
    row = (await engine.step_rows(run))["fetch"]
    assert row.status in ("running", "waiting")
    assert row.error is not None
    assert row.error["type"] == "provider_unavailable"
    await engine.cancel(run)
    await engine.end(run)


async def test_a_run_that_waits_for_its_second_attempt_says_so(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503))
    run = await engine.start(
        {"steps": [http("fetch", f"{http_stub.url}/", retry=policy(initial_interval="10m", max_interval="1h"))]}
    )
    row = await engine.is_(run, "waiting")
    assert row.waiting_for is not None
    assert (row.waiting_for["kind"], row.waiting_for["event"]) == ("retry", None)
    until = datetime.fromisoformat(row.waiting_for["until"])
    assert timedelta(minutes=9) < until - datetime.now(UTC) < timedelta(minutes=11)
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.steps["fetch"].status == "cancelled"


@DISPATCH
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured_by_the_first_attempt(
    engine: Engine, http_stub: HttpStub, dispatch: str, status: int
) -> None:
    http_stub.answer("/", Answer(status=status, headers={"Retry-After": "1800"}))
    run = await engine.start(
        {"settings": {"dispatch": dispatch}, "steps": [http("fetch", f"{http_stub.url}/", retry=policy())]}
    )

    async def seen() -> bool:
        return bool(await engine.attempts(run))

    await eventually(seen)
    [attempt] = await engine.attempts(run)
    assert timedelta(seconds=1799) < pause_after(attempt) < timedelta(seconds=1801)
    assert len(http_stub.requests) == 1
    await engine.cancel(run)
    await engine.end(run)
    assert len(http_stub.requests) == 1


@DISPATCH
async def test_retry_after_is_honoured_by_later_attempts(engine: Engine, http_stub: HttpStub, dispatch: str) -> None:
    """The second attempt is Temporal's: it must be told of the pause."""
    http_stub.answer("/", Answer(status=503), Answer(status=429, headers={"Retry-After": "1800"}))
    run = await engine.start(
        {"settings": {"dispatch": dispatch}, "steps": [http("fetch", f"{http_stub.url}/", retry=policy())]}
    )

    async def second_failed() -> bool:
        return len(await engine.attempts(run)) == 2

    await eventually(second_failed)
    second = (await engine.attempts(run))[1]
    assert timedelta(seconds=1799) < pause_after(second) < timedelta(seconds=1801)

    async def pending() -> datetime | None:
        found = (await (await engine.handle(run)).describe()).raw_description.pending_activities
        return found[0].next_attempt_schedule_time.ToDatetime(tzinfo=UTC) if found else None

    due = await eventually(pending)
    assert due is not None
    assert timedelta(minutes=29) < due - datetime.now(UTC) < timedelta(minutes=31)
    await engine.cancel(run)
    await engine.end(run)


@DISPATCH
async def test_a_short_retry_after_comes_before_the_policys_own_pause(
    engine: Engine, http_stub: HttpStub, dispatch: str
) -> None:
    http_stub.answer("/", Answer(status=429, headers={"Retry-After": "0"}), Answer(json="well"))
    step = http("fetch", f"{http_stub.url}/", retry=policy(initial_interval="10m", max_interval="1h"))
    done = await engine.steps(step, settings={"dispatch": dispatch}, output="{{ steps.fetch.output.body }}")
    assert done.output == "well"


@DISPATCH
async def test_pauses_grow_up_to_the_longest(engine: Engine, http_stub: HttpStub, dispatch: str) -> None:
    http_stub.answer("/", Answer(status=503))
    retry = policy(max_attempts=5, initial_interval="20ms", backoff=3, max_interval="100ms")
    done = await engine.steps(http("fetch", f"{http_stub.url}/", retry=retry), settings={"dispatch": dispatch})
    assert done.run.status == "failed"
    rows = await engine.attempts(done.run)
    pauses = [round(pause_after(row).total_seconds() * 1000) for row in rows[:-1]]
    assert pauses == [20, 60, 100, 100]
    assert rows[-1].next_attempt_at is None
    assert all(later.started_at >= row.finished_at for row, later in pairwise(rows))


async def test_pauses_differ_with_jitter(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503))
    retry = policy(max_attempts=6, initial_interval="100ms", backoff=1, jitter=1)
    done = await engine.steps(http("fetch", f"{http_stub.url}/", retry=retry))
    pauses = [pause_after(row) for row in (await engine.attempts(done.run))[:-1]]
    assert len(set(pauses)) > 1
    assert all(timedelta(0) <= pause <= timedelta(milliseconds=101) for pause in pauses)


async def test_the_first_attempt_is_local_and_the_others_are_temporals(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503), Answer(status=503), Answer())
    done = await engine.steps(http("fetch", f"{http_stub.url}/", retry=policy()))
    types = done.executions[0].types
    assert types.count("ACTIVITY_TASK_SCHEDULED") == 1
    assert types.index("MARKER_RECORDED") < types.index("TIMER_STARTED") < types.index("ACTIVITY_TASK_SCHEDULED")
    assert [(row.attempt, row.generation) for row in await engine.attempts(done.run)] == [(1, 1), (2, 1)]
    assert done.steps["fetch"].attempt == 3


async def test_scheduled_attempts_are_all_temporals(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=503), Answer())
    done = await engine.steps(http("fetch", f"{http_stub.url}/", retry=policy()), settings={"dispatch": "scheduled"})
    types = done.executions[0].types
    assert types.count("ACTIVITY_TASK_SCHEDULED") == 1
    assert "TIMER_STARTED" not in types
    assert done.steps["fetch"].attempt == 2


async def test_a_step_looks_the_same_whoever_made_its_attempts(engine: Engine, http_stub: HttpStub) -> None:
    seen = []
    for dispatch in ("local_first", "scheduled"):
        http_stub.answer("/", Answer(status=503), Answer(json="well"))
        done = await engine.steps(
            http("fetch", f"{http_stub.url}/", retry=policy()), put("after"), settings={"dispatch": dispatch}
        )
        row = done.steps["fetch"]
        seen.append(
            {
                "row": (row.name, row.action, row.status, row.attempt, row.generation, row.inputs, row.error),
                "body": row.output["body"],
                "key": http_stub.requests[-1].headers["Idempotency-Key"].removeprefix(str(done.run.id)),
                "attempts": [(one.attempt, one.error) for one in await engine.attempts(done.run)],
            }
        )
    assert seen[0] == seen[1]


async def test_a_wait_that_may_be_tried_again_keeps_its_attempts(engine: Engine) -> None:
    waiting = wait("wait", timeout="50ms", on_timeout="fail", retry=policy(max_attempts=2))
    done = await engine.steps(waiting)
    assert done.error["type"] == "wait_timed_out"
    assert [(row.path, row.attempt, row.error["type"]) for row in await engine.attempts(done.run)] == [
        ("wait", 1, "wait_timed_out"),
        ("wait", 2, "wait_timed_out"),
    ]
