"""Handing events over to dispatch: in turn, some at a time, and no workspace before all others."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.json import JsonObject
from app.services import handing_over
from app.services.handing_over import HandingOver


class Calls:
    """What was dispatched, in order."""

    def __init__(self) -> None:
        self.made: list[tuple[UUID, list[int]]] = []

    async def ingest(self, _platform: Any, workspace_id: UUID, events: list[JsonObject]) -> list[list[str]]:
        await asyncio.sleep(0)
        if any(event["n"] < 0 for event in events):
            raise RuntimeError("away")
        self.made.append((workspace_id, [event["n"] for event in events]))
        return [[f"run {event['n']}"] for event in events]


class Quiet:
    deliveries = SimpleNamespace(crowded=False)


async def settled(work: HandingOver) -> None:
    assert work._task is not None
    await work._task


async def test_workspaces_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "MOST_TOGETHER", 2)
    work, calls, platform, one, two = HandingOver(), Calls(), Quiet(), uuid4(), uuid4()
    answers = [
        work.later(platform, workspace, {"n": n}, calls.ingest, size=1)  # type: ignore[arg-type]
        for workspace, n in [(one, 1), (one, 2), (one, 3), (one, 4), (two, 5)]
    ]
    await settled(work)
    assert calls.made == [(one, [1, 2]), (two, [5]), (one, [3, 4])]
    assert answers[0] is not None
    assert (answers[0].result(), answers[1:]) == (["run 1"], [None] * 4)


async def test_what_is_too_much_is_left_to_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "MOST_BYTES", 10)
    work, calls, platform, one = HandingOver(), Calls(), Quiet(), uuid4()
    for n, size in ((1, 8), (2, 8), (3, 2)):
        work.later(platform, one, {"n": n}, calls.ingest, size=size)  # type: ignore[arg-type]
    await settled(work)
    assert calls.made == [(one, [1, 3])]
    assert work.later(platform, one, {"n": 4}, calls.ingest, size=10) is not None  # type: ignore[arg-type]
    await settled(work)


async def test_what_fails_is_left_to_upkeep_and_nobody_waits_for_it() -> None:
    work, calls, platform, one = HandingOver(), Calls(), Quiet(), uuid4()
    answer = work.later(platform, one, {"n": -1}, calls.ingest, size=1)  # type: ignore[arg-type]
    await settled(work)
    assert answer is not None
    assert answer.cancelled()
    await work.close()
