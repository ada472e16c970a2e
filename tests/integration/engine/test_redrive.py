"""A run that ended badly goes on in a new one: what it did is not done again, what it did not is."""

import pytest

from app.services import runs
from app.services.errors import Conflict, Invalid, NotFound
from tests.support.engine import http
from tests.support.http_stub import Answer
from tests.support.redrives import NO, YES, Redrives


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
        assert second.steps_completed >= 2
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
