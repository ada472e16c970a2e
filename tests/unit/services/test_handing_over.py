"""Handing events over to dispatch: in turn, some at a time, and no workspace before all others."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.services import handing_over
from app.services.handing_over import HandingOver, Key


class Calls:
    """What was dispatched, in order."""

    def __init__(self) -> None:
        self.made: list[tuple[UUID, list[int]]] = []

    async def dispatch(self, _platform: Any, workspace_id: UUID, keys: list[Key]) -> list[list[str]]:
        await asyncio.sleep(0)
        numbers = [int(id) for _source, id in keys]
        if any(number < 0 for number in numbers):
            raise RuntimeError("away")
        self.made.append((workspace_id, numbers))
        return [[f"run {number}"] for number in numbers]


class Quiet:
    deliveries = SimpleNamespace(crowded=False)


async def settled(work: HandingOver) -> None:
    assert work._task is not None
    await work._task


async def test_workspaces_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "MOST_TOGETHER", 2)
    work, calls, platform, one, two = HandingOver(), Calls(), Quiet(), uuid4(), uuid4()
    answers = [
        work.later(platform, workspace, ("s", str(n)), calls.dispatch)  # type: ignore[arg-type]
        for workspace, n in [(one, 1), (one, 2), (one, 3), (one, 4), (two, 5)]
    ]
    await settled(work)
    assert calls.made == [(one, [1, 2]), (two, [5]), (one, [3, 4])]
    assert answers[0] is not None
    assert (answers[0].result(), answers[1:]) == (["run 1"], [None] * 4)


async def test_what_is_too_much_is_left_to_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "MOST_WAITING", 2)
    work, calls, platform, one = HandingOver(), Calls(), Quiet(), uuid4()
    for n in (1, 2, 3):
        work.later(platform, one, ("s", str(n)), calls.dispatch)  # type: ignore[arg-type]
    await settled(work)
    assert calls.made == [(one, [1, 2])]
    assert work.later(platform, one, ("s", "4"), calls.dispatch) is not None  # type: ignore[arg-type]
    await settled(work)


async def test_what_fails_is_left_to_upkeep_and_nobody_waits_for_it() -> None:
    work, calls, platform, one = HandingOver(), Calls(), Quiet(), uuid4()
    answer = work.later(platform, one, ("s", "-1"), calls.dispatch)  # type: ignore[arg-type]
    await settled(work)
    assert answer is not None
    assert answer.cancelled()
    await work.close()
