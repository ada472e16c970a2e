"""Ending runs whose key is gone, where Temporal or the database say nothing."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from uuid_utils.compat import uuid7

from app.services import reconciling, unreadable
from app.services.platform import Platform
from app.services.unreadable import UnreadableRuns


async def never(*_: object, **__: object) -> Any:
    await asyncio.Event().wait()


async def at_once(*_: object, **__: object) -> None:
    """Answers."""


@pytest.mark.parametrize(("terminate", "fail"), [(never, at_once), (at_once, never)])
async def test_an_end_that_hangs_is_given_up_and_begun_again_by_the_runs_next_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, terminate: Any, fail: Any
) -> None:
    begun: list[object] = []

    async def client() -> object:
        begun.append(None)
        return SimpleNamespace(get_workflow_handle=lambda _: SimpleNamespace(terminate=terminate))

    monkeypatch.setattr(unreadable, "END_SECONDS", 0.01)
    monkeypatch.setattr(reconciling, "fail", fail)
    runs = UnreadableRuns(cast(Platform, SimpleNamespace(temporal=SimpleNamespace(client=client))))
    workspace_id, run_id = uuid7(), uuid7()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            runs.end(workspace_id, run_id)
            runs.end(workspace_id, run_id)
            async with asyncio.timeout(5):
                await asyncio.gather(*runs._ending.values())
    assert len(begun) == 2
    assert caplog.text.count("is still to be ended: no answer within") == 2
