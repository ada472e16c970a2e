"""A redrive of what was ended from outside, waited, or was never begun."""

import asyncio
from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import delete

from app.db.models import Journal, Run
from app.services import queues, redriving
from app.services.errors import Conflict
from app.services.launching import start_pending
from app.store import journals
from tests.integration.services.building import a_run
from tests.support.http_stub import Answer
from tests.support.redrives import NO, YES, Redrives
from tests.support.waiting import eventually


@pytest.fixture
def it(engine, http_stub) -> Redrives:
    return Redrives(engine, http_stub)


class TestEndedFromOutside:
    async def test_a_cancelled_run_keeps_the_key_of_what_was_in_flight(self, it, engine):
        it.stub.answer("/b", Answer(hang=True), YES)
        run = await engine.start({"steps": it.steps("abc"), "settings": {"dispatch": "scheduled"}})
        await engine.at(run, "b", "running")
        await it.asked("b")
        await engine.cancel(run)
        cancelled = await engine.end(run)
        assert cancelled.run.status == "cancelled"
        done = await it.to_the_end(cancelled.run)
        assert (done.run.status, it.counts("abc")) == ("completed", [1, 2, 1])
        assert it.keys("b") == [f"{run.id}/b"] * 2

    async def test_a_terminated_runs_journal_is_asked_of_temporal(self, it, engine):
        it.stub.answer("/b", Answer(hang=True), YES)
        run = await engine.start({"steps": it.steps("abc"), "settings": {"dispatch": "scheduled"}})
        await engine.at(run, "b", "running")
        ended = await it.terminate(run)
        done = await it.to_the_end(ended)
        assert (done.run.status, done.run.redriven_from) == ("completed", "b")
        assert len(it.stub.asked("/a")) == 1
        assert set(it.keys("b")) == {f"{run.id}/b"}

    async def test_effects_its_history_does_not_know_of_are_not_done_again(self, it, engine):
        """First attempts are local activities: until their task ends, Temporal has not heard of them."""
        it.stub.answer("/c", Answer(hang=True), YES)
        run = await engine.start({"steps": it.steps("abcd")})
        await it.asked("c")
        done = await it.to_the_end(await it.terminate(run))
        assert (done.run.status, it.counts("abd")) == ("completed", [1, 1, 1])
        assert done.statuses() == dict.fromkeys("abcd", "completed")

    async def test_a_worker_that_has_not_heard_of_its_end_does_nothing_more(self, it, engine):
        """It goes on with local activities until its task ends; another run does what is left by then."""
        it.stub.answer("/a", Answer(delay=1.0))
        run = await engine.start({"steps": it.steps("abc")})
        await it.asked("a")
        await engine.end(await it.again(await it.terminate(run)))
        assert [len(set(it.keys(id))) for id in "abc"] == [1, 1, 1]
        assert not any(key.startswith(str(run.id)) for key in it.keys("b") + it.keys("c"))

    async def test_a_redriven_run_goes_on_from_what_it_came_to_not_from_what_it_began_with(self, it, engine):
        it.stub.answer("/b", NO, YES)
        it.stub.answer("/c", Answer(hang=True), YES)
        first = await engine.run({"steps": it.steps("abc"), "settings": {"dispatch": "scheduled"}})
        second = await it.again(first.run)
        await it.asked("c")
        done = await it.to_the_end(await it.terminate(second))
        assert (done.run.status, done.run.redriven_from, it.counts("abc")) == ("completed", "c", [1, 2, 2])

    async def test_one_that_was_cancelled_before_it_began_goes_on_from_what_it_was_to_begin_with(
        self, it, engine, monkeypatch
    ):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("abc")})

        async def lost(platform, run, **_):
            return run

        with monkeypatch.context() as patched:
            patched.setattr(queues, "launch", lost)
            second = await it.again(first.run)
        assert (await engine.cancel(second)).status == "cancelled"
        done = await it.to_the_end(second)
        assert (done.run.status, it.counts("abc")) == ("completed", [1, 2, 1])

    async def test_a_local_attempt_under_way_keeps_its_key(self, it, engine):
        it.stub.answer("/b", Answer(hang=True), YES)
        run = await engine.start({"steps": it.steps("ab")})
        await it.asked("b")
        await eventually(lambda: it.shown(run, "b"), what="an attempt that takes its time is written down")
        await it.to_the_end(await it.terminate(run))
        assert set(it.keys("b")) == {f"{run.id}/b"}

    async def test_without_a_journal_anywhere_only_a_retry_is_left(self, it, engine):
        workflow_id = await engine.publish({"steps": it.steps("a")})
        run_id = await a_run(engine.platform, engine.workspace_id, workflow_id=workflow_id, status="cancelled")
        with pytest.raises(Conflict, match="retry it") as caught:
            await redriving.redrive(engine.platform, engine.workspace_id, run_id)
        assert caught.value.code == "journal_gone"


class TestWaits:
    WON: ClassVar = {"id": "won", "type": "wait_for_event", "event": "deal.won", "timeout": "1h"}

    async def test_an_event_that_came_in_between_ends_a_wait_that_was_open(self, it, engine):
        run = await engine.start({"steps": [*it.steps("a"), self.WON], "output": "{{ steps.won.output.n }}"})
        await engine.at(run, "won")
        await engine.cancel(run)
        await engine.end(run)
        await engine.send("deal.won", {"n": 3})
        done = await it.to_the_end(run)
        assert (done.output, it.counts("a")) == (3, [1])

    async def test_one_that_goes_on_hears_of_events_as_before(self, it, engine):
        run = await engine.start({"steps": [self.WON], "output": "{{ steps.won.output.n }}"})
        await engine.at(run, "won")
        await engine.cancel(run)
        await engine.end(run)
        second = await it.again(run)
        await engine.at(second, "won")
        await engine.send("deal.won", {"n": 4})
        assert (await engine.end(second)).output == 4

    async def test_the_start_of_the_run_is_that_of_the_first_one(self, it, engine):
        it.stub.answer("/a", NO, NO, YES)
        steps = [*it.steps("a"), {**self.WON, "since": "run_start"}]
        first = await engine.run({"steps": steps, "output": "{{ steps.won.output.n }}"})
        await engine.send("deal.won", {"n": 5})
        second = await it.to_the_end(first.run)
        assert second.run.status == "failed"
        assert (await it.to_the_end(second.run)).output == 5


class TestStarting:
    async def test_a_start_that_was_lost_is_made_later_from_what_was_kept(self, it, engine, monkeypatch):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})

        async def lost(platform, run, **_):
            return run

        monkeypatch.setattr(queues, "launch", lost)
        second = await it.again(first.run)
        assert second.status == "pending"
        assert await start_pending(engine.platform, engine.workspace_id, 10, older_than=timedelta(0)) == 1
        done = await engine.end(second)
        assert (done.run.status, it.counts("ab")) == ("completed", [1, 2])

    async def test_without_what_it_goes_on_from_it_does_not_begin(self, it, engine, monkeypatch):
        """It would do everything again."""
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})

        async def lost(platform, run, **_):
            return run

        monkeypatch.setattr(queues, "launch", lost)
        second = await it.again(first.run)
        async with engine.platform.database.transaction(engine.workspace_id) as session:
            await session.execute(delete(Journal).where(Journal.run_id == second.id))
        await start_pending(engine.platform, engine.workspace_id, 10, older_than=timedelta(0))
        row = await engine.row(second)
        assert (row.status, row.error["message"]) == ("cancelled", "what the run was to go on from is gone")
        assert it.counts("ab") == [1, 1]

    async def test_temporals_ui_says_where_it_goes_on(self, it, engine):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})
        done = await it.to_the_end(first.run)
        description = await (await engine.handle(done.run)).describe()
        assert f"Redrive from `b` of run `{first.run.id}`" in str(await description.static_details())

    async def test_the_same_key_gives_the_same_run_and_another_request_is_refused(self, it, engine):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})
        second = await it.again(first.run, idempotency_key="k")
        assert (await it.again(first.run, idempotency_key="k")).id == second.id
        with pytest.raises(Conflict) as caught:
            await it.again(first.run, idempotency_key="k", from_step="a")
        assert caught.value.code == "idempotency_key_reused"
        await engine.end(second)

    async def test_a_run_is_not_redriven_twice_at_once(self, it, engine):
        it.stub.answer("/b", NO, Answer(hang=True))
        first = await engine.run({"steps": it.steps("ab")})
        answers = await asyncio.gather(*(it.again(first.run) for _ in range(5)), return_exceptions=True)
        made = [one for one in answers if isinstance(one, Run)]
        refused = [one for one in answers if isinstance(one, Conflict)]
        assert (len(made), {one.code for one in refused}) == (1, {"already_retried"})
        assert "redriven already" in refused[0].detail
        await engine.cancel(made[0])

    async def test_what_a_run_cannot_begin_with_is_refused(self, it, engine, monkeypatch):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})
        monkeypatch.setattr(redriving, "MOST_CARRIED", 100)
        with pytest.raises(Conflict, match="more than the 100") as caught:
            await it.again(first.run)
        assert caught.value.code == "journal_too_large"

    async def test_what_is_larger_than_temporals_messages_goes_along(self, it, engine):
        for id in "abcdefgh":
            it.stub.answer(f"/{id}", Answer(json={"text": id * 700_000}))
        it.stub.answer("/z", NO, YES)
        steps = it.steps("abcdefghz")
        first = await engine.run({"steps": steps, "output": "{{ steps.h.output.body.text | length }}"})
        assert first.error["path"] == "z"
        done = await it.to_the_end(first.run)
        assert (done.output, it.counts("ahz")) == (700_000, [1, 1, 2])

    async def test_the_journal_of_a_run_that_completed_is_not_kept(self, it, engine):
        done = await engine.run({"steps": it.steps("a")})
        async with engine.platform.database.transaction(engine.workspace_id) as session:
            assert await journals.find(session, engine.workspace_id, done.run.id) is None
