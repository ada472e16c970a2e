"""A run that ended badly goes on in a new one: what it did is not done again, what it did not is."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import delete

from app.db.models import Journal, Run
from app.json import JsonObject
from app.services import redriving, runs, workflows
from app.services.errors import Conflict, Invalid, NotFound
from app.services.launching import start_pending
from app.store import journals
from app.store import runs as run_store
from tests.integration.services.building import a_run
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, HttpStub
from tests.support.waiting import eventually

NO = Answer(status=402)
YES = Answer(json={"ok": True})


class Redrives:
    """Redriving in one workspace, and what the provider was asked."""

    def __init__(self, engine: Engine, stub: HttpStub) -> None:
        self.engine, self.stub = engine, stub

    def steps(self, ids: str) -> list[JsonObject]:
        return [http(id, f"{self.stub.url}/{id}") for id in ids]

    def counts(self, ids: Iterable[str]) -> list[int]:
        """How often the provider was asked, by step."""
        return [len(self.stub.asked(f"/{id}")) for id in ids]

    def keys(self, id: str) -> list[str]:
        return [asked.headers["Idempotency-Key"] for asked in self.stub.asked(f"/{id}")]

    async def asked(self, id: str) -> None:
        """Wait until the step's call is under way."""
        await eventually(lambda: self.stub.asked(f"/{id}"), what=f"{id} is under way")

    async def shown(self, run: Run, path: str) -> bool:
        return path in await self.engine.step_rows(run)

    async def again(self, run: Run, **options) -> Run:
        return await redriving.redrive(self.engine.platform, self.engine.workspace_id, run.id, **options)

    async def to_the_end(self, run: Run, **options):
        return await self.engine.end(await self.again(run, **options))

    async def publish(self, run: Run, definition: JsonObject) -> None:
        """Another version of the run's workflow."""
        platform, workspace_id = self.engine.platform, self.engine.workspace_id
        await workflows.pause(platform, workspace_id, run.workflow_id)
        await workflows.update(platform, workspace_id, run.workflow_id, {"definition": definition})
        await workflows.publish(platform, workspace_id, run.workflow_id, published_by="test")

    async def terminate(self, run: Run) -> Run:
        """End it from outside, and note that as upkeep does: it could write nothing itself."""
        await (await self.engine.handle(run)).terminate("by hand")
        error = {"type": "terminated", "message": "by hand", "step_id": None, "path": None}
        async with self.engine.platform.database.transaction(self.engine.workspace_id) as session:
            await run_store.end(session, self.engine.workspace_id, run.id, status="failed", error=error)
        return await self.engine.row(run)


@pytest.fixture
def it(engine, http_stub) -> Redrives:
    return Redrives(engine, http_stub)


class TestFromTheFailedStep:
    async def test_steps_before_it_are_not_done_again_and_the_run_finishes(self, it, engine):
        it.stub.answer("/c", NO, YES)
        it.stub.answer("/a", Answer(json={"n": 7}))
        first = await engine.run({"steps": it.steps("abcde"), "output": "{{ steps.a.output.body.n }}"})
        assert (first.run.status, it.counts("abcde")) == ("failed", [1, 1, 1, 0, 0])
        second = await it.again(first.run)
        assert (second.retry_of, second.attempt, second.redriven_from) == (first.run.id, 2, "c")
        assert second.steps_completed == 2
        done = await engine.end(second)
        assert (done.output, it.counts("abcde")) == (7, [1, 1, 2, 1, 1])
        assert it.keys("c") == [f"{first.run.id}/c", f"{second.id}/c"]

    async def test_the_new_run_shows_all_of_its_steps(self, it, engine):
        it.stub.answer("/c", NO, YES)
        first = await engine.run({"steps": it.steps("abc")})
        done = await it.to_the_end(first.run)
        assert done.statuses() == dict.fromkeys("abc", "completed")
        assert [step.sequence for step in done.steps.values()] == sorted(s.sequence for s in done.steps.values())
        assert (done.steps["a"].output, done.steps["a"].started_at) == (
            first.steps["a"].output,
            first.steps["a"].started_at,
        )
        assert [step.effect_key for step in done.steps.values()] == [None, None, f"{done.run.id}/c"]
        assert done.run.steps_completed == 3

    async def test_a_redrive_that_fails_can_be_redriven(self, it, engine):
        it.stub.answer("/b", NO, YES)
        it.stub.answer("/c", NO, YES)
        first = await engine.run({"steps": it.steps("abc")})
        second = await it.to_the_end(first.run)
        assert second.error["path"] == "c"
        third = await it.to_the_end(second.run)
        assert (third.run.status, third.run.attempt, it.counts("abc")) == ("completed", 3, [1, 2, 2])

    async def test_variables_are_as_the_kept_steps_left_them(self, it, engine):
        it.stub.answer("/b", NO, YES)
        steps = [
            {"id": "one", "type": "set_variable", "variables": {"n": "{{ vars.n + 1 }}"}},
            *it.steps("b"),
            {"id": "two", "type": "set_variable", "variables": {"n": "{{ vars.n * 10 }}"}},
        ]
        first = await engine.run({"steps": steps, "variables": {"n": 0}, "output": "{{ vars.n }}"}, variables={"n": 4})
        assert (await it.to_the_end(first.run)).output == 50
        assert (await engine.row(first.run)).given_variables == {"n": 4}

    async def test_the_branch_a_condition_took_is_not_chosen_anew(self, it, engine):
        it.stub.answer("/b", NO, YES)
        it.stub.answer("/a", Answer(json={"n": 1}), Answer(json={"n": 2}))
        ask = {
            "id": "ask",
            "type": "condition",
            "branches": [{"when": "{{ vars.n == 0 }}", "steps": [
                {"id": "set", "type": "set_variable", "variables": {"n": 1}}, *it.steps("b"),
            ]}],
            "else": it.steps("x"),
        }  # fmt: skip
        first = await engine.run({"steps": [ask], "variables": {"n": 0}})
        done = await it.to_the_end(first.run)
        assert (done.run.status, it.counts("bx")) == ("completed", [2, 0])
        assert done.statuses() == {"ask": "completed", "ask.set": "completed", "ask.b": "completed"}

    async def test_finished_items_of_a_loop_are_not_done_again(self, it, engine):
        it.stub.answer("/send", YES, YES, NO, YES)
        body = [http("send", f"{it.stub.url}/send"), http("note", f"{it.stub.url}/note")]
        each = {"id": "each", "type": "loop", "items": [1, 2, 3, 4], "steps": body, "collect": "{{ item }}"}
        first = await engine.run({"steps": [each], "output": "{{ steps.each.output.results }}"})
        assert first.error["path"] == "each[2].send"
        done = await it.to_the_end(first.run)
        assert (done.output, it.counts(["send", "note"])) == ([1, 2, 3, 4], [5, 4])
        assert len(done.steps) == 9

    async def test_branches_beside_the_one_that_failed_go_on(self, it, engine):
        it.stub.answer("/b", NO, YES)
        both = {
            "id": "both",
            "type": "parallel",
            "on_branch_error": "wait",
            "branches": [{"name": "one", "steps": it.steps("ab")}, {"name": "two", "steps": it.steps("xy")}],
        }
        first = await engine.run({"steps": [both]})
        done = await it.to_the_end(first.run)
        assert (done.run.status, it.counts("abxy")) == ("completed", [1, 2, 1, 1])

    async def test_steps_that_handle_an_error_go_on_where_they_failed(self, it, engine):
        it.stub.answer("/a", NO)
        it.stub.answer("/f", NO, YES)
        step = {**it.steps("a")[0], "on_error": "branch", "error_steps": it.steps("ef")}
        first = await engine.run({"steps": [step, *it.steps("b")]})
        done = await it.to_the_end(first.run)
        assert (done.run.status, it.counts("aefb")) == ("completed", [1, 1, 2, 1])

    async def test_a_repeat_goes_on_in_its_iteration(self, it, engine):
        it.stub.answer("/a", Answer(json={"n": 1}), Answer(json={"n": 2}), Answer(json={"n": 3}))
        it.stub.answer("/b", YES, NO, YES)
        poll = {"id": "poll", "type": "repeat", "steps": it.steps("ab"), "until": "{{ steps.a.output.body.n == 3 }}"}
        first = await engine.run({"steps": [poll], "output": "{{ steps.poll.output.iterations }}"})
        assert first.error["path"] == "poll[1].b"
        done = await it.to_the_end(first.run)
        assert (done.output, it.counts("ab")) == (3, [3, 4])

    async def test_finally_runs_at_the_end_of_each(self, it, engine):
        it.stub.answer("/a", NO, YES)
        first = await engine.run({"steps": it.steps("a"), "finally": it.steps("z")})
        done = await it.to_the_end(first.run)
        assert (done.run.status, it.counts("az")) == ("completed", [2, 2])


class TestFromAChosenStep:
    async def test_it_and_what_comes_after_it_is_done_again_under_new_keys(self, it, engine):
        it.stub.answer("/c", NO, YES)
        first = await engine.run({"steps": it.steps("abcd")})
        done = await it.to_the_end(first.run, from_step="b")
        assert (done.run.redriven_from, it.counts("abcd")) == ("b", [1, 2, 2, 1])
        assert it.keys("b") == [f"{first.run.id}/b", f"{done.run.id}/b"]

    async def test_a_step_that_is_not_there_changes_nothing(self, it, engine):
        it.stub.answer("/a", NO)
        first = await engine.run({"steps": it.steps("ab")})
        with pytest.raises(Invalid):
            await it.again(first.run, from_step="z")
        with pytest.raises(Conflict):
            await it.again(first.run, from_step="b")
        page = await runs.list_(engine.platform, engine.workspace_id, runs.RunFilter())
        assert [run.id for run in page.items] == [first.run.id]

    async def test_what_was_undone_is_done_again_from_there(self, it, engine):
        it.stub.answer("/c", NO, YES)
        steps = it.steps("abc")
        steps[1]["compensate"] = it.steps("u")
        first = await engine.run({"steps": steps})
        assert it.counts("abcu") == [1, 1, 1, 1]
        with pytest.raises(Conflict, match="redrive from 'b'") as caught:
            await it.again(first.run)
        assert caught.value.code == "step_compensated"
        done = await it.to_the_end(first.run, from_step="b")
        assert (done.run.status, it.counts("abcu")) == ("completed", [1, 2, 2, 1])

    async def test_what_was_kept_is_undone_when_the_new_run_fails(self, it, engine):
        """The run before undid nothing, for it was terminated."""
        it.stub.answer("/c", Answer(hang=True), NO)
        steps = it.steps("abc")
        steps[0]["compensate"] = it.steps("u")
        run = await engine.start({"steps": steps})
        await it.asked("c")
        done = await it.to_the_end(await it.terminate(run))
        assert (done.run.status, it.counts("abcu")) == ("failed", [1, 1, 2, 1])


class TestAnotherVersion:
    async def test_a_mended_step_is_walked_as_it_is_now(self, it, engine):
        it.stub.answer("/c", NO)
        first = await engine.run({"steps": it.steps("abc"), "variables": {"n": 1}})
        mended = [*it.steps("ab"), http("c", f"{it.stub.url}/mended"), *it.steps("d")]
        new = {"steps": mended, "variables": {"n": 1, "m": "{{ trigger.who | default('nobody') }}"}}
        await it.publish(first.run, {**new, "output": "{{ vars.m }}"})
        done = await it.to_the_end(first.run, version=2)
        assert (done.output, done.run.version, it.counts(["a", "b", "c", "mended", "d"])) == (
            "nobody",
            2,
            [1, 1, 1, 1, 1],
        )
        assert done.run.steps_total == 4

    async def test_without_being_asked_for_it_is_the_one_the_run_had(self, it, engine):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})
        await it.publish(first.run, {"steps": it.steps("axb")})
        done = await it.to_the_end(first.run)
        assert (done.run.version, it.counts("abx")) == (1, [1, 2, 0])

    async def test_a_finished_part_that_differs_is_refused(self, it, engine):
        it.stub.answer("/b", NO, YES)
        first = await engine.run({"steps": it.steps("ab")})
        await it.publish(first.run, {"steps": [http("a", f"{it.stub.url}/other"), *it.steps("b")]})
        with pytest.raises(Conflict, match="'a': version 2 gives it another `inputs`") as caught:
            await it.again(first.run, version=2)
        assert caught.value.code == "version_differs"
        done = await it.to_the_end(first.run, version=2, from_step="a")
        assert done.run.status == "completed"

    async def test_one_that_is_not_there_is_not_found(self, it, engine):
        it.stub.answer("/a", NO)
        first = await engine.run({"steps": it.steps("a")})
        with pytest.raises(NotFound) as caught:
            await it.again(first.run, version=7)
        assert caught.value.code == "version_not_found"


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
            patched.setattr(redriving, "launch", lost)
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

        monkeypatch.setattr(redriving, "launch", lost)
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

        monkeypatch.setattr(redriving, "launch", lost)
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
