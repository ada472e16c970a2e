"""What runs and effects write as they go stays right when it is written twice, late, or for a run that has ended."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.db.models import Run, Step, StepAttempt, Wait
from app.json import Json
from app.services import records
from app.services.live import views_of
from app.services.platform import Platform
from app.store import workflow_variables
from app.temporal.record_messages import OpenWait, WorkflowVariables
from tests.conftest import TestWorkspace
from tests.integration.services.building import a_batch, a_call, a_record, a_run, an_event, an_outcome, now


@pytest.fixture
async def run_id(platform: Platform, workspace: TestWorkspace) -> UUID:
    return await a_run(platform, workspace.id)


async def step_row(platform: Platform, workspace: TestWorkspace, run_id: UUID, path: str) -> Step:
    async with platform.database.transaction(workspace.id) as session:
        row = await session.get(Step, (workspace.id, run_id, path))
    assert row is not None
    return row


async def run_row(platform: Platform, workspace: TestWorkspace, run_id: UUID) -> Run:
    async with platform.database.transaction(workspace.id) as session:
        row = await session.get(Run, (workspace.id, run_id))
    assert row is not None
    return row


async def wait_row(platform: Platform, workspace: TestWorkspace, run_id: UUID, path: str) -> Wait:
    async with platform.database.transaction(workspace.id) as session:
        row = await session.get(Wait, (run_id, path, workspace.id))
    assert row is not None
    return row


class TestOutcomes:
    async def test_a_committed_outcome_answers_a_repeat(self, platform, workspace, run_id):
        call, outcome = a_call(workspace.id, run_id), an_outcome({"status_code": 200, "body": [1, None, 2.5]})
        assert await records.stored_outcome(platform, call) is None
        await records.commit_outcome(platform, call, outcome)
        assert await records.stored_outcome(platform, call) == outcome

    async def test_the_outcome_row_is_the_step_record(self, platform, workspace, run_id):
        await records.commit_outcome(platform, a_call(workspace.id, run_id), an_outcome("done", attempt=2))
        row = await step_row(platform, workspace, run_id, "fetch")
        assert (row.status, row.attempt, row.output, row.action) == ("completed", 2, "done", "http.request")
        assert (row.effect_key, row.sequence) == (f"{run_id}/fetch", 1)
        assert row.started_at.isoformat() == "2030-01-01T10:00:00.250000+00:00"

    async def test_the_first_outcome_under_a_key_stays(self, platform, workspace, run_id):
        call = a_call(workspace.id, run_id)
        await records.commit_outcome(platform, call, an_outcome("first"))
        await records.commit_outcome(platform, call, an_outcome("second"))
        stored = await records.stored_outcome(platform, call)
        assert stored is not None
        assert stored.output == "first"

    async def test_a_new_generation_is_not_answered_by_the_old_outcome(self, platform, workspace, run_id):
        await records.commit_outcome(platform, a_call(workspace.id, run_id), an_outcome("old"))
        again = a_call(workspace.id, run_id, key=f"{run_id}/fetch#2", generation=2)
        assert await records.stored_outcome(platform, again) is None
        await records.commit_outcome(platform, again, an_outcome("new"))
        assert (await step_row(platform, workspace, run_id, "fetch")).output == "new"

    async def test_a_late_outcome_of_an_old_generation_does_not_replace_the_new_one(self, platform, workspace, run_id):
        await records.commit_outcome(platform, a_call(workspace.id, run_id, key="new", generation=2), an_outcome("new"))
        await records.commit_outcome(platform, a_call(workspace.id, run_id), an_outcome("old"))
        assert (await step_row(platform, workspace, run_id, "fetch")).output == "new"

    async def test_an_output_of_none_is_an_outcome(self, platform, workspace, run_id):
        call = a_call(workspace.id, run_id)
        await records.commit_outcome(platform, call, an_outcome(None))
        assert await records.stored_outcome(platform, call) == an_outcome(None)

    async def test_twenty_commits_at_once_leave_one_row(self, platform, workspace, run_id):
        call = a_call(workspace.id, run_id)
        await asyncio.gather(*(records.commit_outcome(platform, call, an_outcome(number)) for number in range(20)))
        async with platform.database.transaction(workspace.id) as session:
            rows = (await session.scalars(select(Step).where(Step.run_id == run_id))).all()
        assert len(rows) == 1

    async def test_an_effect_of_a_run_that_has_ended_is_answered_with_its_outcome_or_not_done(
        self, platform, workspace, run_id
    ):
        await records.commit_outcome(platform, a_call(workspace.id, run_id), an_outcome("done"))
        await records.record_batch(platform, a_batch(workspace.id, run_id, status="failed"))
        assert await records.stored_outcome(platform, a_call(workspace.id, run_id)) == an_outcome("done")
        for other in ({"path": "next"}, {"key": "another"}):
            with pytest.raises(records.RunEnded):
                await records.stored_outcome(platform, a_call(workspace.id, run_id, **other))

    async def test_a_commit_tells_that_the_run_has_ended(self, platform, workspace, run_id):
        assert not await records.commit_outcome(platform, a_call(workspace.id, run_id), an_outcome("done"))
        await records.record_batch(platform, a_batch(workspace.id, run_id, status="failed"))
        call = a_call(workspace.id, run_id, path="next", key="another")
        assert await records.commit_outcome(platform, call, an_outcome("late"))
        assert await records.stored_outcome(platform, call) == an_outcome("late")

    async def test_an_outcome_of_a_run_that_is_gone_is_let_go(self, platform, workspace):
        call = a_call(workspace.id, uuid7())
        assert await records.commit_outcome(platform, call, an_outcome("done"))
        assert await records.stored_outcome(platform, call) is None


class TestFailedAttempts:
    async def fail(self, platform, call, attempt, message="refused"):
        started = now()
        await records.record_failed_attempt(
            platform,
            call,
            attempt=attempt,
            error={"type": "connection_failed", "message": message},
            started_at=started,
            finished_at=started + timedelta(seconds=1),
            next_attempt_at=started + timedelta(seconds=3),
        )

    async def test_a_failed_attempt_is_kept_and_its_step_shown_as_running(self, platform, workspace, run_id):
        await self.fail(platform, a_call(workspace.id, run_id), 1)
        await self.fail(platform, a_call(workspace.id, run_id), 2, "refused again")
        row = await step_row(platform, workspace, run_id, "fetch")
        assert (row.status, row.attempt) == ("running", 2)
        assert row.error == {"type": "connection_failed", "message": "refused again"}
        async with platform.database.transaction(workspace.id) as session:
            kept = (await session.scalars(select(StepAttempt).order_by(StepAttempt.attempt))).all()
        assert [(each.attempt, each.error["message"]) for each in kept] == [(1, "refused"), (2, "refused again")]
        assert all(each.next_attempt_at is not None for each in kept)

    async def test_one_that_fails_while_its_step_is_being_shown_is_the_steps(self, platform, workspace, run_id):
        await self.fail(platform, a_call(workspace.id, run_id), 1)
        step, run = await step_row(platform, workspace, run_id, "fetch"), await run_row(platform, workspace, run_id)
        await self.fail(platform, a_call(workspace.id, run_id), 2, "refused again")
        [view] = await views_of(platform, run, [step], shown=True)
        assert [each.attempt for each in view.attempts or ()] == [1, 2]
        assert (view.step.attempt, view.step.error) == (2, {"type": "connection_failed", "message": "refused again"})

    async def test_the_same_attempt_written_twice_is_kept_once(self, platform, workspace, run_id):
        for message in ("refused", "said again"):
            await self.fail(platform, a_call(workspace.id, run_id), 1, message)
        async with platform.database.transaction(workspace.id) as session:
            kept = (await session.scalars(select(StepAttempt))).all()
        assert [each.error["message"] for each in kept] == ["refused"]

    async def test_a_late_failure_does_not_hide_a_completed_step(self, platform, workspace, run_id):
        call = a_call(workspace.id, run_id)
        await records.commit_outcome(platform, call, an_outcome("done", attempt=2))
        await self.fail(platform, call, 1)
        row = await step_row(platform, workspace, run_id, "fetch")
        assert (row.status, row.output, row.error) == ("completed", "done", None)

    async def test_success_after_failures_clears_the_error(self, platform, workspace, run_id):
        call = a_call(workspace.id, run_id)
        await self.fail(platform, call, 1)
        await records.commit_outcome(platform, call, an_outcome("done", attempt=2))
        row = await step_row(platform, workspace, run_id, "fetch")
        assert (row.status, row.attempt, row.error) == ("completed", 2, None)

    async def test_a_failed_attempt_of_a_run_that_is_gone_is_let_go(self, platform, workspace):
        await self.fail(platform, a_call(workspace.id, uuid7()), 1)


class TestBatches:
    async def test_steps_and_the_run_are_written_together(self, platform, workspace, run_id):
        steps = [
            a_record("a", order=1, output={"n": 1}, started_at="2030-01-01T10:00:00Z"),
            a_record("each[3].b", "failed", order=2, error={"type": "expression", "message": "no"}),
        ]
        batch = a_batch(workspace.id, run_id, *steps, steps_completed=1, current_step="c")
        await records.record_batch(platform, batch)
        run = await run_row(platform, workspace, run_id)
        assert (run.status, run.steps_completed, run.current_step) == ("running", 1, "c")
        assert run.started_at.isoformat() == "2030-01-01T10:00:00+00:00"
        async with platform.database.transaction(workspace.id) as session:
            rows = (await session.scalars(select(Step).order_by(Step.sequence))).all()
        assert [(row.path, row.step_id, row.status, row.output) for row in rows] == [
            ("a", "a", "completed", {"n": 1}),
            ("each[3].b", "b", "failed", None),
        ]

    async def test_writing_a_batch_twice_changes_nothing(self, platform, workspace, run_id):
        batch = a_batch(
            workspace.id, run_id, a_record("a", output=1), status="completed", steps_completed=1, output={"ok": True}
        )
        await records.record_batch(platform, batch)
        first = await run_row(platform, workspace, run_id), await step_row(platform, workspace, run_id, "a")
        await records.record_batch(platform, batch)
        second = await run_row(platform, workspace, run_id), await step_row(platform, workspace, run_id, "a")
        for before, after in zip(first, second, strict=True):
            assert {c.name: getattr(before, c.name) for c in before.__table__.c} == {
                c.name: getattr(after, c.name) for c in after.__table__.c
            }

    @pytest.mark.parametrize("ended", ["completed", "failed", "cancelled", "timed_out"])
    async def test_a_run_that_ended_is_never_moved(self, platform, workspace, run_id, ended):
        await records.record_batch(platform, a_batch(workspace.id, run_id, status=ended, output="as it ended"))
        at = (await run_row(platform, workspace, run_id)).finished_at
        for late in ("running", "failed", "completed"):
            await records.record_batch(platform, a_batch(workspace.id, run_id, status=late, output="too late"))
        run = await run_row(platform, workspace, run_id)
        assert (run.status, run.output, run.finished_at) == (ended, "as it ended", at)

    async def test_an_older_state_does_not_replace_an_effects_outcome(self, platform, workspace, run_id):
        await records.commit_outcome(platform, a_call(workspace.id, run_id), an_outcome("done"))
        for status in ("running", "cancelled", "completed"):
            await records.record_batch(platform, a_batch(workspace.id, run_id, a_record("fetch", status)))
        row = await step_row(platform, workspace, run_id, "fetch")
        assert (row.status, row.output, row.effect_key) == ("completed", "done", f"{run_id}/fetch")

    async def test_a_delayed_batch_does_not_reopen_a_finished_step(self, platform, workspace, run_id):
        await records.record_batch(
            platform, a_batch(workspace.id, run_id, a_record("w", "completed"), steps_completed=2)
        )
        await records.record_batch(platform, a_batch(workspace.id, run_id, a_record("w", "waiting"), steps_completed=1))
        assert (await step_row(platform, workspace, run_id, "w")).status == "completed"
        assert (await run_row(platform, workspace, run_id)).steps_completed == 2

    async def test_a_step_walked_again_stands_as_it_is_now(self, platform, workspace, run_id):
        again = a_record("w", "waiting", generation=2, order=9)
        await records.record_batch(platform, a_batch(workspace.id, run_id, again, a_record("w", "failed")))
        row = await step_row(platform, workspace, run_id, "w")
        assert (row.status, row.generation, row.sequence) == ("waiting", 2, 9)

    async def test_ending_closes_every_wait(self, platform, workspace, run_id):
        for path in ("one", "two"):
            batch = a_batch(workspace.id, run_id, a_record(path, "waiting"), status="waiting")
            await records.open_wait(platform, OpenWait(batch=batch, path=path, event="a.b"))
        await records.record_batch(platform, a_batch(workspace.id, run_id, closed_waits=["one"]))
        assert (await wait_row(platform, workspace, run_id, "one")).closed_at is not None
        assert (await wait_row(platform, workspace, run_id, "two")).closed_at is None
        await records.record_batch(platform, a_batch(workspace.id, run_id, status="cancelled"))
        assert (await wait_row(platform, workspace, run_id, "two")).closed_at is not None

    async def test_what_postgresql_cannot_hold_costs_one_character(self, platform, workspace, run_id):
        odd = {"nul\0": "a\0b", "half": "\ud83d", "escaped": "\\u0000", "list": ["\0"]}
        await records.record_batch(platform, a_batch(workspace.id, run_id, a_record("a", output=odd, name="n\0")))
        row = await step_row(platform, workspace, run_id, "a")
        assert row.output == {"nul�": "a�b", "half": "�", "escaped": "\\u0000", "list": ["�"]}
        assert row.name == "n�"

    @pytest.mark.parametrize(
        "value",
        [{"a": [None, {"b": [1.5]}]}, 2**80, -(10**300), 0.1, -1e16, 1e300, 5e-324, True, None, "", "1e+16", [], {}],
    )
    async def test_json_values_come_back_as_they_went(self, platform, workspace, run_id, value: Json):
        await records.record_batch(platform, a_batch(workspace.id, run_id, a_record("a", output=value)))
        stored = (await step_row(platform, workspace, run_id, "a")).output
        assert stored == value
        assert type(stored) is type(value)

    async def test_records_of_a_run_that_is_gone_are_let_go(self, platform, workspace):
        await records.record_batch(platform, a_batch(workspace.id, uuid7(), a_record("a")))
        async with platform.database.transaction(workspace.id) as session:
            assert (await session.scalars(select(Step))).all() == []

    async def test_a_run_of_another_workspace_is_not_touched(self, platform, workspace, run_id):
        stranger = uuid7()
        await records.record_batch(platform, a_batch(stranger, run_id, a_record("a"), status="failed"))
        assert (await run_row(platform, workspace, run_id)).status == "running"


class TestWaits:
    def wait(self, workspace, run_id, **changes):
        batch = a_batch(workspace.id, run_id, a_record("w", "waiting"), status="waiting", waiting_for={"kind": "event"})
        return OpenWait(**{"batch": batch, "path": "w", "event": "crm.deal.won", **changes})

    async def test_a_wait_is_registered_with_the_records_before_it(self, platform, workspace, run_id):
        opened = await records.open_wait(
            platform, self.wait(workspace, run_id, until="2099-01-01T00:00:00Z", context={"trigger": {"id": 1}})
        )
        row = await wait_row(platform, workspace, run_id, "w")
        assert opened.found is None
        assert (row.event, row.closed_at, row.context) == ("crm.deal.won", None, {"trigger": {"id": 1}})
        assert row.since.isoformat() == opened.since.replace("Z", "+00:00")
        run = await run_row(platform, workspace, run_id)
        assert (run.status, run.waiting_for) == ("waiting", {"kind": "event"})
        assert (await step_row(platform, workspace, run_id, "w")).status == "waiting"

    async def test_an_event_from_before_the_wait_does_not_count(self, platform, workspace, run_id):
        await an_event(platform, workspace.id, "crm.deal.won")
        assert (await records.open_wait(platform, self.wait(workspace, run_id))).found is None

    async def test_with_run_start_the_earliest_matching_event_of_the_run_counts(self, platform, workspace, run_id):
        await an_event(platform, workspace.id, "crm.deal.won", {"deal": 7}, received_at=now() - timedelta(days=1))
        await an_event(platform, workspace.id, "crm.deal.lost", {"deal": 7})
        await an_event(platform, workspace.id, "crm.deal.won", {"deal": 1})
        wanted = await an_event(platform, workspace.id, "crm.deal.won", {"deal": 7}, subject="deal-7")
        await an_event(platform, workspace.id, "crm.deal.won", {"deal": 7})
        match = {"field": "data.deal", "operator": "equals", "value": 7}
        opened = await records.open_wait(platform, self.wait(workspace, run_id, since="run_start", match=match))
        assert opened.found is not None
        assert (opened.found["id"], opened.found["data"]) == (wanted.id, {"deal": 7})
        assert opened.found["subject"] == "deal-7"

    async def test_a_wildcard_takes_every_type_below_it(self, platform, workspace, run_id):
        await an_event(platform, workspace.id, "crm.dealer.won")
        wanted = await an_event(platform, workspace.id, "crm.deal.stage.changed")
        opened = await records.open_wait(platform, self.wait(workspace, run_id, event="crm.deal.*", since="run_start"))
        assert opened.found is not None
        assert opened.found["id"] == wanted.id

    async def test_a_match_is_found_beyond_the_first_page(self, platform, workspace, run_id):
        for number in range(205):
            await an_event(platform, workspace.id, "crm.deal.won", {"deal": number})
        match = {"field": "data.deal", "operator": "equals", "value": 204}
        opened = await records.open_wait(platform, self.wait(workspace, run_id, since="run_start", match=match))
        assert opened.found is not None
        assert opened.found["data"] == {"deal": 204}

    async def test_an_event_after_the_deadline_does_not_count(self, platform, workspace, run_id):
        start, until = now() - timedelta(hours=2), now() - timedelta(hours=1)
        await an_event(platform, workspace.id, "crm.deal.won")
        opened = await records.open_wait(
            platform, self.wait(workspace, run_id, since=start.isoformat(), until=until.isoformat())
        )
        assert opened.found is None

    async def test_an_event_the_condition_cannot_be_applied_to_is_passed_over(self, platform, workspace, run_id):
        await an_event(platform, workspace.id, "crm.deal.won", {"total": "many"})
        wanted = await an_event(platform, workspace.id, "crm.deal.won", {"total": 12})
        match = {"field": "data.total", "operator": "greater_than", "value": 10}
        opened = await records.open_wait(platform, self.wait(workspace, run_id, since="run_start", match=match))
        assert opened.found is not None
        assert opened.found["id"] == wanted.id

    async def test_registering_twice_keeps_the_moment_it_began(self, platform, workspace, run_id):
        first = await records.open_wait(platform, self.wait(workspace, run_id))
        event = await an_event(platform, workspace.id, "crm.deal.won")
        second = await records.open_wait(platform, self.wait(workspace, run_id))
        assert second.since == first.since
        assert second.found is not None
        assert second.found["id"] == event.id

    async def test_a_wait_that_was_closed_begins_anew_with_a_generation_of_its_step(self, platform, workspace, run_id):
        first = await records.open_wait(platform, self.wait(workspace, run_id))
        again = a_record("w", "waiting", generation=2)
        batch = a_batch(workspace.id, run_id, again, status="waiting", closed_waits=["w"])
        second = await records.open_wait(platform, self.wait(workspace, run_id, batch=batch))
        assert second.since > first.since
        assert (await wait_row(platform, workspace, run_id, "w")).closed_at is None

    async def test_what_a_worker_took_before_it_died_is_found_again(self, platform, workspace, run_id):
        first = await records.open_wait(platform, self.wait(workspace, run_id))
        event = await an_event(platform, workspace.id, "crm.deal.won")
        taken = a_batch(workspace.id, run_id, a_record("w", "completed"), closed_waits=["w"])
        await records.record_batch(platform, taken)
        second = await records.open_wait(platform, self.wait(workspace, run_id))
        assert second.since == first.since
        assert second.found is not None
        assert second.found["id"] == event.id

    async def test_a_wait_of_a_run_that_is_gone_is_let_go(self, platform, workspace):
        assert (await records.open_wait(platform, self.wait(workspace, uuid7()))).found is None


class TestKeptVariables:
    async def test_values_are_kept_and_replaced_by_name(self, platform, workspace, a_workflow):
        for values in ({"count": 1, "seen": ["a"]}, {"count": 2, "none": None}):
            await records.set_workflow_variables(
                platform,
                WorkflowVariables(
                    workspace_id=str(workspace.id), workflow_id=str(a_workflow), run_id="r", path="p", values=values
                ),
            )
        async with platform.database.transaction(workspace.id) as session:
            kept = await workflow_variables.kept(session, workspace.id, a_workflow)
        assert kept == {"count": 2, "seen": ["a"], "none": None}

    async def test_those_of_a_deleted_workflow_are_let_go(self, platform, workspace):
        await records.set_workflow_variables(
            platform,
            WorkflowVariables(
                workspace_id=str(workspace.id), workflow_id=str(uuid7()), run_id="r", path="p", values={"a": 1}
            ),
        )
