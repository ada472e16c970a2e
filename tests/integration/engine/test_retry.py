"""A run that ended badly is run once more from the start, as it was asked for the first time."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from app.services import retrying, workflows
from app.services.errors import Conflict, NotFound
from tests.integration.services.building import a_run
from tests.support.engine import http
from tests.support.http_stub import Answer

NO = Answer(status=402)
STEP = {"id": "a", "type": "transform", "mapping": {"x": 1}}


def paying(stub) -> dict:
    return {
        "variables": {"tries": 0, "plan": "free"},
        "steps": [
            {"id": "count", "type": "set_variable", "variables": {"tries": "{{ vars.tries + 1 }}", "plan": "none"}},
            http("pay", f"{stub.url}/pay"),
        ],
        "output": {"tries": "{{ vars.tries }}", "plan": "{{ vars.plan }}", "for": "{{ trigger.who }}"},
    }


@pytest.fixture
def retry(platform, workspace):
    async def again(run, **options):
        return await retrying.retry(platform, workspace.id, run.id, **options)

    return again


async def test_it_begins_with_what_the_run_was_given_not_with_what_became_of_it(engine, http_stub, retry):
    http_stub.answer("/pay", NO, Answer(json={}))
    first = await engine.run(paying(http_stub), input={"who": "ada"}, variables={"tries": 5})
    assert (first.run.status, first.run.variables) == ("failed", {"tries": 6, "plan": "none"})
    second = await retry(first.run)
    assert (second.retry_of, second.attempt, second.redriven_from) == (first.run.id, 2, None)
    assert (second.input, second.variables, second.version) == ({"who": "ada"}, {"tries": 5}, 1)
    done = await engine.end(second)
    assert done.output == {"tries": 6, "plan": "none", "for": "ada"}
    assert len({asked.headers["Idempotency-Key"] for asked in http_stub.asked("/pay")}) == 2


async def test_a_retry_of_a_retry_counts_on(engine, http_stub, retry):
    http_stub.answer("/pay", NO)
    first = await engine.run(paying(http_stub), input={"who": "ada"}, variables={"tries": 5})
    second = await engine.end(await retry(first.run))
    third = await retry(second.run)
    assert (third.retry_of, third.attempt, third.variables) == (second.run.id, 3, {"tries": 5})
    await engine.end(third)


async def test_it_takes_the_version_of_the_run_not_the_newest(engine, http_stub, retry, platform, workspace):
    http_stub.answer("/pay", NO, Answer(json={}))
    first = await engine.run(paying(http_stub), input={"who": "ada"})
    await workflows.pause(platform, workspace.id, first.run.workflow_id)
    await workflows.update(
        platform, workspace.id, first.run.workflow_id, {"definition": {"steps": [STEP], "output": 1}}
    )
    await workflows.publish(platform, workspace.id, first.run.workflow_id, published_by="test")
    second = await engine.end(await retry(first.run))
    assert (second.run.version, second.output["for"]) == (1, "ada")


async def test_a_run_that_was_cancelled_before_it_began_can_be_retried(engine, platform, workspace, retry):
    workflow_id = await engine.publish({"steps": [STEP], "variables": {"n": 0}, "output": "{{ vars.n }}"})
    given = {"workflow_id": workflow_id, "variables": {"n": 3}, "status": "cancelled"}
    run_id = await a_run(platform, workspace.id, **given)
    second = await retrying.retry(platform, workspace.id, run_id)
    assert (await engine.end(second)).output == 3


async def test_the_same_key_gives_the_same_run(engine, http_stub, retry):
    http_stub.answer("/pay", NO)
    first = await engine.run(paying(http_stub), input={"who": "ada"}, idempotency_key="k")
    second = await retry(first.run, idempotency_key="again")
    assert (await retry(first.run, idempotency_key="again")).id == second.id
    await engine.end(second)
    assert (await retry(first.run, idempotency_key="again")).id == second.id
    with pytest.raises(Conflict) as caught:
        await retry(first.run, idempotency_key="k")
    assert caught.value.code == "idempotency_key_reused"


async def test_of_ten_at_once_one_is_made(engine, http_stub, retry):
    http_stub.answer("/pay", NO, Answer(hang=True))
    first = await engine.run(paying(http_stub), input={"who": "ada"})
    answers = await asyncio.gather(*(retry(first.run) for _ in range(10)), return_exceptions=True)
    made = [one for one in answers if not isinstance(one, BaseException)]
    refused = [one for one in answers if isinstance(one, Conflict)]
    assert (len(made), len(refused)) == (1, 9)
    assert {one.code for one in refused} == {"already_retried"}
    assert str(made[0].id) in refused[0].detail
    await engine.cancel(made[0])


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "way"),
        [
            ("completed", "run_completed", "Start a new run"),
            ("pending", "run_under_way", "pending"),
            ("running", "run_under_way", "running: wait for its end, or cancel it"),
            ("held", "run_under_way", "held: decide about its held step"),
            ("paused", "run_under_way", "paused: resume it"),
        ],
    )
    async def test_a_run_that_has_nothing_to_repair(self, platform, workspace, status, code, way):
        run_id = await a_run(platform, workspace.id, status=status)
        with pytest.raises(Conflict, match=way) as caught:
            await retrying.retry(platform, workspace.id, run_id)
        assert caught.value.code == code

    async def test_a_run_that_is_not_there(self, platform, workspace):
        with pytest.raises(NotFound):
            await retrying.retry(platform, workspace.id, uuid7())

    async def test_a_run_of_another_workspace(self, platform, workspace):
        run_id = await a_run(platform, workspace.id, status="failed")
        with pytest.raises(NotFound):
            await retrying.retry(platform, uuid7(), run_id)

    async def test_a_workflow_that_is_archived_or_deleted(self, engine, platform, workspace):
        workflow_id = await engine.publish({"steps": [STEP]})
        run_id = await a_run(platform, workspace.id, status="failed", workflow_id=workflow_id)
        await workflows.archive(platform, workspace.id, workflow_id)
        with pytest.raises(Conflict) as caught:
            await retrying.retry(platform, workspace.id, run_id)
        assert caught.value.code == "workflow_archived"
        orphan = await a_run(platform, workspace.id, status="failed")
        with pytest.raises(Conflict) as caught:
            await retrying.retry(platform, workspace.id, orphan)
        assert caught.value.code == "workflow_deleted"


async def test_temporals_ui_says_of_which_run_it_is_a_retry(engine, http_stub, retry):
    http_stub.answer("/pay", NO)
    first = await engine.run(paying(http_stub), input={"who": "ada"})
    second = await engine.end(await retry(first.run))
    description = await (await engine.handle(second.run)).describe()
    assert f"Retry of run `{first.run.id}`, attempt 2" in str(await description.static_details())
