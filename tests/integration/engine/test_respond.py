"""`respond`: the answer is kept before the run goes on, the first one of a run counts, and a bad one is a failure."""

from app.json import Json, JsonObject
from tests.support.engine import Engine
from tests.support.steps import loop, parallel, put


def respond(id: str = "answer", **fields: Json) -> JsonObject:
    return {"id": id, "type": "respond", **fields}


async def test_an_answer_is_kept_with_the_run(engine: Engine) -> None:
    done = await engine.steps(
        respond(status="{{ 200 + 1 }}", headers={"X-Order": "{{ 7 }}"}, body={"id": "{{ trigger.id }}"}),
        output="{{ steps.answer.output }}",
        input={"id": "a"},
    )
    assert done.output == {"answered": True, "status": 201}
    kept = done.run.response
    assert kept is not None
    assert (kept["path"], kept["status"], kept["body"]) == ("answer", 201, {"id": "a"})
    assert kept["headers"] == {"x-order": "7", "content-type": "application/json"}


async def test_only_the_first_answer_of_a_run_counts(engine: Engine) -> None:
    both = parallel("both", [loop("each", 3, respond(status="{{ 200 + item }}"))], [put("other")])
    done = await engine.steps(both, respond("late", status=500), output="{{ steps.late.output }}")
    assert done.output == {"answered": False, "status": 200}
    assert done.run.response is not None
    assert (done.run.response["path"], done.run.response["status"]) == ("both.each[0].answer", 200)


async def test_an_answer_that_cannot_be_sent_fails_the_step(engine: Engine) -> None:
    done = await engine.steps(
        respond("status", status="{{ 99 }}", on_error="continue"),
        respond("lines", headers={"X-A": "{{ 'a\\r\\nSet-Cookie: b' }}"}, on_error="continue"),
        respond("large", body="{{ 'x' * 9 }}", on_error="continue"),
        output=["{{ steps.status.error }}", "{{ steps.lines.error.message }}", "{{ steps.large.output.answered }}"],
    )
    status, lines, answered = done.output
    assert (status["type"], status["retryable"]) == ("invalid_input", False)
    assert "99" in status["message"]
    assert "X-A" in lines
    assert answered is True
