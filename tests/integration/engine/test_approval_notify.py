"""`notify` of an approval beside its answer: what was answered counts, however far people were told."""

from app.json import JsonObject
from app.services import approvals, connections
from tests.support.approving import approve, ask
from tests.support.engine import Engine, http
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.steps import delay, put, wait

LATER: JsonObject = {"max_attempts": 2, "initial_interval": "1h", "jitter": 0}
OUTPUT = "{{ [steps.ask.output.decision, steps.ask.output.by] }}"


async def test_an_answer_is_not_lost_by_a_telling_that_cannot_be_done(engine: Engine, http_stub: HttpStub) -> None:
    """It would be tried again in an hour, and fail the step then."""
    http_stub.answer("/tell", Answer(status=503))
    tell = http("tell", f"{http_stub.url}/tell", retry=LATER)
    run = await engine.start({"steps": [ask(notify=[tell, put("next")]), put("after")], "output": OUTPUT})
    await engine.at(run, "ask.tell")
    await approve(engine, run)
    done = await engine.end(run)
    assert done.output == ["approved", "Ada"]
    assert done.statuses() == {"ask": "completed", "ask.tell": "cancelled", "after": "completed"}
    page = await approvals.list_(engine.platform, engine.workspace_id, status="approved", run_id=run.id, limit=2)
    assert [one.status for one in page.items] == ["approved"]
    await replay(await engine.platform.temporal.client(), done.executions)


async def test_a_telling_that_fails_before_anybody_answered_fails_the_step(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/tell", Answer(status=404))
    done = await engine.steps(ask(notify=[http("tell", f"{http_stub.url}/tell")], timeout="1h"))
    assert (done.error["type"], done.error["path"]) == ("provider_rejected", "ask.tell")


async def test_a_link_that_a_refused_sign_in_repeats_is_not_kept_with_the_connection(
    engine: Engine, http_stub: HttpStub
) -> None:
    http_stub.answer("/tell", lambda asked: Answer(status=401, body=asked.body))
    await connections.create(
        engine.platform, engine.workspace_id, kind="http", name="chat", config={"base_url": http_stub.url},
        credentials=None,
    )  # fmt: skip
    told = {"method": "POST", "json": {"text": "{{ approval.link }}"}}
    done = await engine.steps(ask(notify=[http("tell", "/tell", connection="chat", inputs=told)]))
    token = http_stub.asked("/tell")[0].json()["text"].rpartition("/")[2]
    [connection] = (await connections.list_(engine.platform, engine.workspace_id)).items
    assert "holdfast-approval-link." in (connection.last_error or "")
    assert [text for text in (connection.last_error, str(done.error)) if token in (text or "")] == []


async def test_the_deadline_ends_a_telling_that_takes_longer(engine: Engine) -> None:
    done = await engine.steps(ask(notify=[delay("pause", "1h")], timeout="200ms"), output=OUTPUT)
    assert done.output == ["timed_out", None]
    assert done.statuses() == {"ask": "completed", "ask.pause": "cancelled"}


async def test_a_stop_in_a_telling_ends_the_run(engine: Engine) -> None:
    done = await engine.steps(ask(notify=[{"id": "end", "type": "stop", "reason": "nobody is there"}]))
    assert (done.run.status, done.statuses()["ask.end"]) == ("completed", "completed")


async def test_a_run_that_is_cancelled_while_people_are_told_ends(engine: Engine) -> None:
    run = await engine.start({"steps": [ask(notify=[wait("gate", "open")])]})
    await engine.at(run, "ask.gate")
    assert (await engine.cancel(run)).status == "cancelled"
    assert (await engine.end(run)).statuses() == {"ask": "cancelled", "ask.gate": "cancelled"}
