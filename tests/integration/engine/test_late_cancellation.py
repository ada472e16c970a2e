"""A cancellation that comes while the run's own records are being written: nothing of the end may be lost."""

import asyncio
from typing import Any

import pytest

from app.services import records
from tests.support.engine import Engine
from tests.support.waiting import eventually


async def test_a_cancellation_that_comes_while_records_are_written(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is about to wait, another has ended but for its record. Both at once: a worker hears of it in seconds."""
    held: dict[str, list[Any]] = {"open_wait": [], "record_batch": []}
    release = asyncio.Event()
    open_wait, record_batch = records.open_wait, records.record_batch

    async def slow_open_wait(platform: Any, wait: Any) -> Any:
        held["open_wait"].append(wait)
        await asyncio.sleep(3600)
        return await open_wait(platform, wait)

    async def slow_record_batch(platform: Any, batch: Any) -> None:
        if batch.run.status == "completed" and not release.is_set():
            held["record_batch"].append(batch)
            await asyncio.sleep(3600)
        await record_batch(platform, batch)

    monkeypatch.setattr(records, "open_wait", slow_open_wait)
    monkeypatch.setattr(records, "record_batch", slow_record_batch)
    wait = {"id": "wait", "type": "wait_for_event", "event": "never"}
    last = {"id": "last", "type": "transform", "mapping": {"status": "{{ status }}"}}
    waiting = await engine.start({"steps": [wait], "finally": [last]})
    ending = await engine.start(
        {"steps": [last | {"mapping": {"done": True}}], "output": "{{ steps.last.output.done }}"}
    )
    await eventually(lambda: held["open_wait"] and held["record_batch"])
    for run in (waiting, ending):
        await (await engine.handle(run)).cancel()
    release.set()

    cancelled, completed = await asyncio.gather(engine.end(waiting), engine.end(ending))
    assert cancelled.run.status == "cancelled"
    assert cancelled.statuses() == {"wait": "cancelled", "last": "completed"}
    assert cancelled.steps["last"].output == {"status": "cancelled"}
    assert all(row.closed_at is not None for row in await engine.waits(waiting))
    assert completed.output is True, "it had come to its end before"
    assert completed.statuses() == {"last": "completed"}
