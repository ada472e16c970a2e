"""What a batch holds besides finished steps: failed attempts, dropped rows, a journal, decisions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db.models import Journal, Run, Step, StepAttempt, Wait
from app.services import records
from app.services.platform import Platform
from app.store import journals
from app.temporal.messages import Assignment, JournalState, LoopProgress
from app.temporal.record_messages import FailedAttempt, OpenWait, RecordBatch
from tests.conftest import TestWorkspace
from tests.integration.services.building import a_batch, a_call, a_record, a_run, an_outcome

LATER = "2030-01-01T10:05:00Z"


@pytest.fixture
async def run_id(platform: Platform, workspace: TestWorkspace) -> UUID:
    return await a_run(platform, workspace.id, variables={"given": 1})


class _Rows:
    """Writes batches of one run and reads what is in the database then."""

    def __init__(self, platform: Platform, workspace_id: UUID, run_id: UUID) -> None:
        self.platform, self.workspace_id, self.run_id = platform, workspace_id, run_id

    def batch(self, *steps: Any, **update: Any) -> RecordBatch:
        return a_batch(self.workspace_id, self.run_id, *steps, **update)

    async def write(self, *steps: Any, **update: Any) -> None:
        await records.record_batch(self.platform, self.batch(*steps, **update))

    async def end(self, status: str, journal: JournalState, *steps: Any) -> None:
        batch = replace(self.batch(*steps, status=status), journal=journal)
        await records.record_batch(self.platform, batch)

    async def of(self, model: Any) -> Sequence[Any]:
        async with self.platform.database.transaction(self.workspace_id) as session:
            found = await session.scalars(select(model).order_by(*model.__table__.primary_key.columns))
            return found.all()

    async def run(self) -> Run:
        [row] = await self.of(Run)
        return row

    async def step(self, path: str) -> Step:
        [row] = [row for row in await self.of(Step) if row.path == path]
        return row


@pytest.fixture
def rows(platform: Platform, workspace: TestWorkspace, run_id: UUID) -> _Rows:
    return _Rows(platform, workspace.id, run_id)


def a_failure(path: str, attempt: int, message: str = "no") -> FailedAttempt:
    return FailedAttempt(
        path=path,
        generation=1,
        attempt=attempt,
        error={"type": "expression", "message": message},
        started_at="2030-01-01T10:00:00Z",
        finished_at="2030-01-01T10:00:01Z",
        next_attempt_at="2030-01-01T10:00:02Z",
    )


class TestFailedAttemptsOfContainers:
    async def test_they_are_kept_like_those_of_effects(self, rows):
        batch = replace(rows.batch(), attempts=[a_failure("each", 1), a_failure("each", 2)])
        await records.record_batch(rows.platform, batch)
        kept = await rows.of(StepAttempt)
        assert [(each.path, each.attempt, each.error["message"]) for each in kept] == [
            ("each", 1, "no"),
            ("each", 2, "no"),
        ]
        assert kept[0].next_attempt_at.isoformat() == "2030-01-01T10:00:02+00:00"

    async def test_one_that_is_kept_already_stays_as_it_is(self, rows):
        for message in ("first", "second"):
            batch = replace(rows.batch(), attempts=[a_failure("each", 1, message)])
            await records.record_batch(rows.platform, batch)
        assert [each.error["message"] for each in await rows.of(StepAttempt)] == ["first"]


class TestDroppedRows:
    async def test_what_begins_so_goes_and_all_else_stays(self, rows):
        paths = ["poll", "poll[1].check", "poll[1].deep.er", "poll[10].check", "poll_1", "pollx1].check", "other"]
        await rows.write(*(a_record(path) for path in paths))
        batch = replace(rows.batch(), dropped=["poll[1]."], attempts=[a_failure("poll[1].check", 1)])
        await records.record_batch(rows.platform, batch)
        assert {row.path for row in await rows.of(Step)} == set(paths) - {"poll[1].check", "poll[1].deep.er"}
        assert await rows.of(StepAttempt) == []

    async def test_no_character_is_a_pattern(self, rows):
        await rows.write(a_record("a%b"), a_record("axb"), a_record("a_c"))
        await records.record_batch(rows.platform, replace(rows.batch(), dropped=["a%", "a_"]))
        assert [row.path for row in await rows.of(Step)] == ["axb"]

    async def test_waits_that_are_over_go_and_open_ones_stay(self, rows):
        for path in ("poll[1].w", "poll[1].open"):
            batch = rows.batch(a_record(path, "waiting"), status="waiting")
            await records.open_wait(rows.platform, OpenWait(batch=batch, path=path, event="a.b"))
        await rows.write(closed_waits=["poll[1].w"])
        await records.record_batch(rows.platform, replace(rows.batch(), dropped=["poll[1]."]))
        assert [wait.path for wait in await rows.of(Wait)] == ["poll[1].open"]

    async def test_another_runs_rows_stay(self, rows, platform, workspace):
        other = await a_run(platform, workspace.id)
        await records.record_batch(platform, a_batch(workspace.id, other, a_record("poll[1].check")))
        await records.record_batch(platform, replace(rows.batch(), dropped=["poll[1]."]))
        assert [row.run_id for row in await rows.of(Step)] == [other]


class TestJournals:
    async def test_the_journal_of_a_runs_end_is_kept(self, rows):
        state = JournalState(
            records=[a_record("a", output={"n": 1})],
            loops={"each": LoopProgress(items=[1, 2], results=[[0, "x"]])},
            assignments={"set": Assignment(order=3, values={"a": None})},
            completed=2,
        )
        await rows.end("failed", state)
        [row] = await rows.of(Journal)
        assert (row.journal["completed"], row.is_seed) == (2, False)
        assert row.journal["records"][0]["output"] == {"n": 1}
        assert row.journal["loops"] == {"each": {"items": [1, 2], "results": [[0, "x"]]}}
        assert row.journal["assignments"] == {"set": {"order": 3, "values": {"a": None}}}

    async def test_it_takes_the_place_of_what_a_redriven_run_began_with(self, rows):
        async with rows.platform.database.transaction(rows.workspace_id) as session:
            await journals.seed(session, rows.workspace_id, rows.run_id, JournalState(completed=1))
        await rows.end("failed", JournalState(completed=2))
        [row] = await rows.of(Journal)
        assert (row.journal["completed"], row.is_seed) == (2, False)

    async def test_a_step_that_was_begun_in_a_lost_task_is_over_with_its_run(self, rows):
        await rows.write(a_record("wait", "waiting"), a_record("fetch"))
        await rows.end("cancelled", JournalState(), a_record("other", "failed"))
        assert {step.path: step.status for step in await rows.of(Step)} == {
            "wait": "cancelled",
            "fetch": "completed",
            "other": "failed",
        }
        assert (await rows.step("wait")).finished_at is not None

    async def test_another_end_that_a_task_made_again_comes_to_changes_nothing(self, rows):
        await rows.end("failed", JournalState(completed=3), a_record("b", "failed"))
        await rows.end("cancelled", JournalState(completed=1), a_record("b", "cancelled"), a_record("c"))
        [row] = await rows.of(Journal)
        assert row.journal["completed"] == 3
        assert [(step.path, step.status) for step in await rows.of(Step)] == [("b", "failed")]

    async def test_without_one_none_is_kept(self, rows):
        await rows.write(a_record("a"), status="completed")
        assert await rows.of(Journal) == []


class TestTheRunsRow:
    @pytest.mark.parametrize("status", ["paused", "held"])
    async def test_paused_and_held_runs_are_under_way(self, rows, status):
        await rows.write(status=status)
        assert ((await rows.run()).status, (await rows.run()).finished_at) == (status, None)
        await rows.write(status="running")
        assert (await rows.run()).status == "running"

    async def test_a_held_run_shows_its_steps_error_until_it_goes_on(self, rows):
        error = {"type": "provider_rejected", "message": "402", "step_id": "pay", "path": "pay"}
        await rows.write(status="held", error=error)
        assert (await rows.run()).error == error
        await rows.write(status="running")
        assert (await rows.run()).error is None

    async def test_it_names_the_execution_the_run_is_in_now(self, rows):
        await rows.write(temporal_run_id="first")
        await rows.write()
        assert (await rows.run()).temporal_run_id == "first"
        await rows.write(temporal_run_id="second")
        assert (await rows.run()).temporal_run_id == "second"

    async def test_an_older_report_that_comes_late_changes_nothing(self, rows):
        await rows.write(status="held", number=2, error={"type": "x", "message": "no"})
        await rows.write(a_record("a"), status="running", number=1)
        row = await rows.run()
        assert (row.status, row.error) == ("held", {"type": "x", "message": "no"})
        assert (await rows.step("a")).status == "completed"
        await rows.write(status="running", number=3)
        assert (await rows.run()).status == "running"

    async def test_the_same_report_twice_is_one(self, rows):
        for _ in range(2):
            await rows.write(status="waiting", number=2)
        row = await rows.run()
        assert (row.status, row.reports) == ("waiting", 2)

    async def test_what_the_run_was_given_is_kept_beside_what_it_made_of_it(self, rows):
        await rows.write()
        assert (await rows.run()).given_variables is None
        for value in (2, 3):
            await rows.write(variables={"given": value})
        row = await rows.run()
        assert (row.variables, row.given_variables) == ({"given": 3}, {"given": 1})


class TestStepRows:
    async def test_a_step_that_pauses_between_attempts_says_until_when(self, rows):
        await rows.write(a_record("each", "running", again_at=LATER))
        assert (await rows.step("each")).wait == {"kind": "retry", "event": None, "until": LATER}
        await rows.write(a_record("each", "failed", again_at=LATER))
        assert (await rows.step("each")).wait is None

    async def test_what_was_decided_about_a_held_step_stays_to_be_seen(self, rows, workspace, run_id):
        decision = {"decision": "retry", "by": "ada", "at": LATER}
        await rows.write(a_record("fetch", "held", error={"type": "x", "message": "no"}))
        assert ((await rows.step("fetch")).status, (await rows.step("fetch")).decision) == ("held", None)
        await rows.write(a_record("fetch", "running", decision=decision, generation=2))
        await records.commit_outcome(rows.platform, a_call(workspace.id, run_id, generation=2), an_outcome("done"))
        row = await rows.step("fetch")
        assert (row.status, row.output, row.decision) == ("completed", "done", decision)
