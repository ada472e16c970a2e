"""What keeps a run's records notes which run it is for, before anything there can log."""

from types import SimpleNamespace
from typing import Any

import pytest

from activities import children, record
from activities.children import ChildActivities
from activities.record import RecordActivities
from app.observing import context

OF_A_RUN = {"workspace_id": "w", "run_id": "r"}
ASKED: Any = SimpleNamespace(**OF_A_RUN, path="a.b", batch=SimpleNamespace(**OF_A_RUN))


@pytest.mark.parametrize(
    ("activities", "name", "module", "service"),
    [
        (RecordActivities, "open_wait", record.records, "open_wait"),
        (RecordActivities, "open_approval", record.records, "open_approval"),
        (RecordActivities, "set_workflow_variables", record.records, "set_workflow_variables"),
        (RecordActivities, "lost_effects", record.records, "lost_effects"),
        (ChildActivities, "start_child", children.children, "start_child"),
        (ChildActivities, "cancel_child", children.children, "cancel_child"),
        (ChildActivities, "respond", children.answering, "keep"),
    ],
)
async def test_it_is_known_whose_run_it_is(
    activities: Any, name: str, module: Any, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def facts(*_: object) -> context.Facts:
        told.append(context.facts())
        return told[-1]

    told: list[context.Facts] = []
    monkeypatch.setattr(module, service, facts)
    with context.bound():
        await getattr(activities(None), name)(ASKED)
    assert OF_A_RUN.items() <= told[0].items()
