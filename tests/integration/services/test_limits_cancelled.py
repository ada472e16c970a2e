"""Cancelling many runs of a workflow with limits: what waits in its queue does not begin on the way."""

from collections.abc import Sequence
from uuid import UUID

from app.db.models import Run
from app.services import bulk, runs
from app.store.runs import RunFilter
from tests.integration.services.limited import KEY, a_workflow, ended, rows, under_way
from tests.support.engine import Engine


async def cancel_all(engine: Engine, filter_: RunFilter, *, limit: int) -> list[list[UUID]]:
    """The pages of the walk. The runs under way end at once, as runs do that have nothing to tidy up."""

    async def cancel(run_id: UUID) -> Run:
        run = await runs.get(engine.platform, engine.workspace_id, run_id, live=False)
        assert run.queue is None
        await ended(engine, run, "cancelled")
        return await engine.row(run)

    async def queued(run_ids: Sequence[UUID]) -> Sequence[UUID]:
        return await runs.cancel_queued(engine.platform, engine.workspace_id, run_ids)

    pages, cursor = [], None
    while True:
        page = await bulk.control_all(
            engine.platform,
            engine.workspace_id,
            filter_,
            cancel,
            limit=limit,
            cursor=cursor,
            queued=queued,
        )
        assert {each.status for each in page.outcomes} == {"cancelled"}
        pages.append([each.run_id for each in page.outcomes])
        if (cursor := page.next_cursor) is None:
            return pages


async def test_who_waits_ends_before_anybody_leaves_a_place_to_it(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 2})
    asked = [(await engine.start(workflow_id, input=number)).id for number in range(7)]
    pages = await cancel_all(engine, RunFilter(workflow_id=workflow_id), limit=3)
    assert pages == [[asked[6], asked[5], asked[4]], [asked[3], asked[2], asked[0]], [asked[1]]]
    assert [run.started_at is not None for run in await rows(engine)] == [True, True, *[False] * 5]


async def test_who_waits_for_the_hour_leaves_its_place_to_nobody_who_is_cancelled_too(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"key": KEY, "limit": 1}, max_runs_per_hour=1)
    for contact in ("ada", "bob", "bob", "bob"):
        await engine.start(workflow_id, input={"contact": contact})
    assert [run.queue for run in await rows(engine)] == [None, "rate", "concurrency", "concurrency"]
    await cancel_all(engine, RunFilter(statuses=["pending", "running"]), limit=2)
    assert [run.started_at is not None for run in await rows(engine)] == [True, False, False, False]


async def test_who_was_not_to_be_cancelled_has_its_turn(engine: Engine) -> None:
    workflow_id = await a_workflow(engine, concurrency={"limit": 1})
    await engine.start(workflow_id, input=0)
    await engine.send("shop.order.placed", {"contact": "ada"})
    await engine.start(workflow_id, input=1)
    await cancel_all(engine, RunFilter(trigger="manual"), limit=100)
    assert [run.trigger_type for run in under_way(await rows(engine))] == ["event"]
