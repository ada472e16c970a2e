"""`approval`: who is asked, what an answer does, when it is too late, and that an answer counts once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.db.models import Approval, Run
from app.services import approvals, records, redriving
from app.services.approvals import Answer
from app.services.errors import Conflict, Invalid, NotFound
from tests.support.approving import approve, ask, asked
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer as Answered
from tests.support.http_stub import HttpStub
from tests.support.searching import history_text
from tests.support.steps import QUICK
from tests.support.waiting import eventually
from workflows import history

ALL = "{{ steps.ask.output }}"
FORM = {
    "type": "object",
    "required": ["amount"],
    "properties": {"amount": {"type": "integer", "minimum": 1}, "note": {"type": "string"}},
    "additionalProperties": False,
}


async def rows(engine: Engine, run: Run) -> list[Approval]:
    async with engine.platform.database.transaction(engine.workspace_id) as session:
        return list(await session.scalars(select(Approval).where(Approval.run_id == run.id).order_by(Approval.path)))


async def test_an_approval_goes_on_with_what_was_filled_in(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(form=FORM)], "output": ALL})
    await approve(engine, run, answer={"amount": 3}, comment="fine")
    done = await engine.end(run)
    at = done.output.pop("at")
    assert done.output == {
        "approved": True, "decision": "approved", "answer": {"amount": 3}, "comment": "fine", "by": "Ada",
        "via": "api", "timed_out": False,
    }  # fmt: skip
    [row] = await rows(engine, run)
    assert (row.status, row.answer["at"], row.answer["answer"]) == ("approved", at, {"amount": 3})
    assert row.closed_at is not None


async def test_a_rejection_goes_on_unless_it_is_to_fail(engine: Engine) -> None:
    run = await engine.start({"steps": [ask()], "output": ALL})
    await approve(engine, run, decision="reject", comment="too dear")
    output = (await engine.end(run)).output
    assert (output["approved"], output["decision"], output["answer"], output["comment"]) == (
        False, "rejected", None, "too dear",
    )  # fmt: skip
    run = await engine.start({"steps": [ask(on_reject="fail")]})
    await approve(engine, run, decision="reject", comment="too dear")
    error = (await engine.end(run)).error
    assert (error["type"], error["message"]) == ("rejected", "Ada rejected it: too dear")
    [row] = await rows(engine, run)
    assert row.status == "rejected"


async def test_nobody_answers_in_time(engine: Engine) -> None:
    done = await engine.steps(ask(timeout="50ms"), output=ALL)
    assert (done.output["approved"], done.output["decision"], done.output["timed_out"]) == (False, "timed_out", True)
    [row] = await rows(engine, done.run)
    assert row.status == "timed_out"
    done = await engine.steps(ask(timeout="50ms", on_timeout="fail"))
    assert (done.error["type"], "nobody answered" in done.error["message"]) == ("wait_timed_out", True)


async def test_the_same_answer_twice_is_one_and_another_is_told_who_was_first(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(), {"id": "later", "type": "delay", "duration": "1h"}]})
    await approve(engine, run)
    answer = Answer(decision="approve", by="Ada")
    for _ in range(2):
        await approvals.approve(engine.platform, engine.workspace_id, run.id, path="ask", answer=answer, approver=None)
    other = Answer(decision="reject", by="Bob")
    with pytest.raises(Conflict, match="Ada approved it") as told:
        await approvals.approve(engine.platform, engine.workspace_id, run.id, path="ask", answer=other, approver=None)
    assert told.value.code == "approval_answered"
    await engine.cancel(run)


async def test_of_many_answers_at_once_one_counts_and_all_others_hear_of_it(engine: Engine) -> None:
    run = await engine.start({"steps": [ask()], "output": ALL})
    found = await asked(engine, run)
    given = [approvals.give(engine.platform, found, Answer(decision="approve", by=f"P{n}")) for n in range(6)]
    answers = await asyncio.gather(*given, return_exceptions=True)
    taken = [one for one in answers if isinstance(one, dict)]
    assert (len(taken), {type(one) for one in answers}) == (1, {dict, Conflict})
    assert (await engine.end(run)).output["by"] == taken[0]["by"]


async def test_an_answer_that_does_not_fit_is_told_field_by_field(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(form=FORM)]})
    found = await asked(engine, run)
    for answer, path in (({}, "answer.amount"), ({"amount": 0}, "answer.amount"), ({"amount": 1, "x": 1}, "answer.x")):
        with pytest.raises(Invalid) as told:
            await approvals.give(engine.platform, found, Answer(decision="approve", by="Ada", answer=answer))
        assert [problem.path for problem in told.value.problems] == [path]
    with pytest.raises(Invalid, match="cannot be given with reject"):
        await approvals.give(engine.platform, found, Answer(decision="reject", by="Ada", answer={"amount": 1}))
    await engine.cancel(run)
    done = await engine.end(run)
    assert done.statuses() == {"ask": "cancelled"}
    [row] = await rows(engine, run)
    assert (row.status, row.answer) == ("cancelled", None)
    with pytest.raises(Conflict, match="cannot be answered any more"):
        await approvals.give(
            engine.platform, await approvals.get(engine.platform, engine.workspace_id, row.id),
            Answer(decision="approve", by="Ada", answer={"amount": 1}),
        )  # fmt: skip


async def test_everybody_who_is_asked_is_told_with_a_link_of_their_own(engine: Engine, http_stub: HttpStub) -> None:
    tell = {
        "id": "each",
        "type": "loop",
        "items": "{{ approval.links }}",
        "steps": [
            http(
                "tell",
                f"{http_stub.url}/tell",
                inputs={
                    "method": "POST",
                    "json": {"to": "{{ item.approver }}", "text": "{{ approval.title }} {{ item.link }}."},
                },
                retry=QUICK,
            )
        ],
    }
    # A provider that repeats what it is told, in a failure as in its answer.
    http_stub.answer(
        "/tell", lambda one: Answered(status=503, body=one.body), lambda one: Answered(json={"message": one.json()})
    )
    step = ask(title="Pay {{ trigger.sum }}?", approvers="{{ trigger.who }}", notify=[tell], timeout="1h")
    run = await engine.start({"steps": [step]}, input={"sum": 7, "who": ["ann@example.com", "bob@example.com"]})
    await asked(engine, run)
    await engine.at(run, "ask.each", "completed")
    told = [each.json() for each in http_stub.asked("/tell")][1:]
    assert [each["to"] for each in told] == ["ann@example.com", "bob@example.com"]
    steps, attempts = await engine.step_rows(run), await engine.attempts(run)
    kept = str([[row.inputs, row.output, row.error] for row in steps.values()] + [one.error for one in attempts])
    kept += history_text(await engine.executions(run))
    for each in told:
        text, link = each["text"].rsplit(" ", 1)
        token = link.rpartition("/")[2].rstrip(".")
        linked = await approvals.by_link(engine.platform, token)
        assert (text, linked.approver, linked.asked.approval.run_id) == ("Pay 7?", each["to"], run.id)
        assert token not in kept
    shown = steps["ask.each[0].tell"]
    assert "503" in str([one.error for one in attempts])
    assert "holdfast-approval-link." in str(shown.inputs)
    assert shown.output["body"]["message"]["text"].startswith("Pay 7? holdfast-approval-link.")
    await engine.cancel(run)


async def test_approvals_side_by_side_and_in_loops_are_each_their_own(engine: Engine) -> None:
    loop = {"id": "each", "type": "loop", "items": [1, 2], "concurrency": 2, "steps": [ask("one")]}
    branches = [{"name": "a", "steps": [loop]}, {"name": "b", "steps": [ask("two")]}]
    run = await engine.start({"steps": [{"id": "all", "type": "parallel", "branches": branches}]})
    for path in ("all.each[1].one", "all.two", "all.each[0].one"):
        await asked(engine, run, path)
    with pytest.raises(Conflict, match="several"):
        await approvals.approve(
            engine.platform, engine.workspace_id, run.id, path=None, answer=Answer(decision="approve", by="A"),
            approver=None,
        )  # fmt: skip
    for path in ("all.each[1].one", "all.two", "all.each[0].one"):
        await approve(engine, run, path)
    assert (await engine.end(run)).run.status == "completed"
    assert {row.status for row in await rows(engine, run)} == {"approved"}


async def test_an_answer_to_a_paused_run_counts_when_it_goes_on(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(), {"id": "after", "type": "transform", "mapping": {"a": 1}}]})
    await asked(engine, run)
    await engine.pause(run)
    await approve(engine, run)
    assert (await engine.row(run)).status == "paused"
    await engine.resume(run)
    assert (await engine.end(run)).statuses() == {"ask": "completed", "after": "completed"}


async def test_an_approval_is_answered_in_a_later_execution(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 25)
    busy = {"id": "busy", "type": "loop", "items": "{{ range(12) | list }}", "steps": [
        {"id": "pause", "type": "delay", "duration": "5ms"}]}  # fmt: skip
    tell = {"id": "tell", "type": "transform", "mapping": {"link": "{{ approval.link }}"}}
    branches = [{"name": "a", "steps": [ask(notify=[tell], timeout="1h")]}, {"name": "b", "steps": [busy]}]
    run = await engine.start({"steps": [{"id": "all", "type": "parallel", "branches": branches}], "output": ALL})
    await engine.at(run, "all.busy", "completed")
    before = await asked(engine, run, "all.ask")
    assert len(await engine.executions(run)) > 1
    await approve(engine, run, "all.ask")
    done = await engine.end(run)
    assert (done.output["approved"], len(await rows(engine, run))) == (True, 1)
    assert done.steps["all.ask.tell"].attempt == 1
    [row] = await rows(engine, run)
    assert row.until == before.approval.until


async def test_a_rejection_that_failed_is_asked_again_under_the_same_link(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(on_reject="fail", on_error="hold")], "output": ALL})
    first = await asked(engine, run)
    await approve(engine, run, decision="reject")
    await engine.is_(run, "held")
    [row] = await rows(engine, run)
    assert (row.status, row.answer["by"]) == ("rejected", "Ada")
    await engine.decide(run, "ask", "retry")
    again = await asked(engine, run)
    assert (again.approval.id, again.approval.generation, again.approval.answer) == (first.approval.id, 2, None)
    await approve(engine, run)
    assert (await engine.end(run)).output["approved"] is True


async def test_an_approval_with_retry_is_asked_again_and_tells_nobody_twice(
    engine: Engine, http_stub: HttpStub
) -> None:
    tell = http("tell", f"{http_stub.url}/tell")
    retry = {"max_attempts": 30, "initial_interval": "5ms"}
    run = await engine.start(
        {"steps": [ask(timeout="300ms", on_timeout="fail", retry=retry, notify=[tell])], "output": ALL}
    )

    async def again() -> bool:
        [row] = await rows(engine, run) or [None]
        return row is not None and row.attempt >= 2 and row.status == "open"

    await eventually(again, what="it is asked again")
    await approve(engine, run)
    assert (await engine.end(run)).output["approved"] is True
    assert len(http_stub.asked("/tell")) == 1


async def test_an_approval_that_is_given_up_is_closed_while_its_run_goes_on(engine: Engine) -> None:
    branches = [
        {"name": "a", "steps": [ask()]},
        {"name": "b", "steps": [{"id": "soon", "type": "delay", "duration": "300ms"}]},
    ]
    first = {"id": "first", "type": "parallel", "wait_for": "any", "branches": branches}
    long = [
        {"name": "c", "steps": [first]},
        {"name": "d", "steps": [{"id": "later", "type": "wait_for_event", "event": "x.y"}]},
    ]
    run = await engine.start({"steps": [{"id": "both", "type": "parallel", "branches": long}]})
    await asked(engine, run, "both.first.ask")

    async def closed() -> bool:
        return [row.status for row in await rows(engine, run)] == ["cancelled"]

    await eventually(closed, what="the approval is closed")
    await engine.cancel(run)


async def test_of_many_open_approvals_some_are_named_and_one_is_looked_up(engine: Engine) -> None:
    each = {"id": "each", "type": "loop", "items": list(range(7)), "concurrency": 7, "steps": [ask("one")]}
    run = await engine.start({"steps": [each]}, input={"much": "x" * 1_000})
    for index in range(7):  # in whatever order they come to be asked
        await asked(engine, run, f"each[{index}].one")
    yes = Answer(decision="approve", by="Ada")
    platform, workspace_id = engine.platform, engine.workspace_id
    with pytest.raises(Conflict, match="say which") as caught:
        await approvals.approve(platform, workspace_id, run.id, path=None, answer=yes, approver=None)
    assert (caught.value.code, caught.value.detail.count(".one"), ", …)" in caught.value.detail) == (
        "which_approval", 5, True,
    )  # fmt: skip
    with pytest.raises(NotFound, match="no approval at 'each'; open are: each"):
        await approvals.approve(platform, workspace_id, run.id, path="each", answer=yes, approver=None)
    await approvals.approve(platform, workspace_id, run.id, path="each[3].one", answer=yes, approver=None)
    page = await approvals.list_(platform, workspace_id, status="approved", run_id=run.id, limit=10)
    [one] = page.items
    assert (one.approval.path, "input" in vars(one.run)) == ("each[3].one", False)
    await engine.cancel(run)


async def test_an_approval_may_stand_in_finally(engine: Engine) -> None:
    run = await engine.start({"steps": [{"id": "end", "type": "stop", "status": "failed"}], "finally": [ask()]})
    await approve(engine, run)
    assert (await engine.end(run)).statuses() == {"end": "completed", "ask": "completed"}


async def test_a_redrive_asks_and_tells_anew(engine: Engine, http_stub: HttpStub) -> None:
    tell = http("tell", f"{http_stub.url}/tell", inputs={"method": "POST", "json": {"link": "{{ approval.link }}"}})
    run = await engine.start({"steps": [ask(notify=[tell])]})
    await engine.at(run, "ask.tell", "completed")
    await engine.cancel(run)
    await engine.end(run)
    again = await redriving.redrive(engine.platform, engine.workspace_id, run.id)
    await engine.at(again, "ask.tell", "completed")
    await approve(engine, again)
    assert (await engine.end(again)).run.status == "completed"
    links = [each.json()["link"] for each in http_stub.asked("/tell")]
    assert len(set(links)) == 2


async def test_a_redrive_asks_and_tells_anew_where_the_failure_was_elsewhere(
    engine: Engine, http_stub: HttpStub
) -> None:
    http_stub.answer("/work", Answered(status=404), Answered(json={}))
    tell = http("tell", f"{http_stub.url}/tell", inputs={"method": "POST", "json": {"link": "{{ approval.link }}"}})
    wait = {"id": "wait", "type": "wait_for_event", "event": "go.on"}
    branches = [
        {"name": "a", "steps": [ask(notify=[tell])]},
        {"name": "b", "steps": [wait, http("work", f"{http_stub.url}/work")]},
    ]
    run = await engine.start({"steps": [{"id": "both", "type": "parallel", "branches": branches}]})
    await engine.at(run, "both.ask.tell", "completed")
    await engine.at(run, "both.wait")
    await engine.send("go.on")
    assert (await engine.end(run)).run.status == "failed"
    again = await redriving.redrive(engine.platform, engine.workspace_id, run.id)
    await engine.at(again, "both.ask.tell", "completed")
    await approve(engine, again, "both.ask")
    assert (await engine.end(again)).run.status == "completed"
    links = [each.json()["link"] for each in http_stub.asked("/tell")]
    assert (len(links), len(set(links)), len(http_stub.asked("/work"))) == (2, 2, 2)


async def test_an_answer_that_the_api_did_not_live_to_record_is_recorded_by_the_run(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        """The process died."""

    monkeypatch.setattr("app.store.approvals.answered", never)
    run = await engine.start({"steps": [ask()]})
    await approve(engine, run)
    await engine.end(run)
    [row] = await rows(engine, run)
    assert (row.status, row.answer["by"]) == ("approved", "Ada")


async def test_registering_twice_takes_no_answer_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    open_approval = records.open_approval

    async def noted(platform: Any, asked_: Any) -> Any:
        opened.append(asked_)
        return await open_approval(platform, asked_)

    monkeypatch.setattr(records, "open_approval", noted)
    run = await engine.start({"steps": [ask(), {"id": "later", "type": "delay", "duration": "1h"}]})
    await approve(engine, run)
    await open_approval(engine.platform, opened[0])
    [row] = await rows(engine, run)
    assert row.status == "approved"
    await engine.cancel(run)


async def test_the_run_says_that_it_waits_for_an_approval(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(timeout="1d")]})
    await asked(engine, run)
    row = await engine.is_(run, "waiting")
    assert row.waiting_for is not None
    assert (row.waiting_for["kind"], row.waiting_for["until"] is not None) == ("approval", True)
    step = (await engine.step_rows(run))["ask"]
    assert step.wait is not None
    assert (step.status, step.wait["kind"]) == ("waiting", "approval")
    await engine.cancel(run)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("approvers", "{{ trigger.n }}"),
        ("approvers", "{{ trigger.nobody }}"),
        ("approvers", "{{ trigger.none }}"),
        ("title", "{{ 'x' * 301 }}"),
    ],
)
async def test_what_cannot_be_asked_fails_the_step_and_names_the_field(engine: Engine, field: str, value: str) -> None:
    done = await engine.steps(ask(**{field: value}), input={"n": 7, "nobody": None, "none": []})
    assert (done.error["type"], done.error["message"].partition(":")[0]) == ("expression", field)
    assert await rows(engine, done.run) == []
