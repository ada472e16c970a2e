"""Workflows that run workflows, as publishing sees them: circles are found wherever they close, and at little cost."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.db.models import Workflow
from app.json import JsonObject
from app.services import publishing, workflows
from app.services.errors import Invalid
from app.services.platform import Platform
from app.store import workflows as store
from tests.conftest import TestWorkspace

ONE: JsonObject = {"id": "one", "type": "set_variable", "variables": {"n": 1}}


def runs(*names: str) -> JsonObject:
    steps = [{"id": f"r{n}", "type": "run_workflow", "workflow": name} for n, name in enumerate(names)]
    return {"steps": steps or [ONE]}


class Workspace:
    def __init__(self, platform: Platform, id: UUID) -> None:
        self.platform, self.id = platform, id

    async def create(self, name: str, definition: JsonObject) -> UUID:
        return (await workflows.create(self.platform, self.id, name=name, definition=definition)).id

    async def publish(self, name: str, *names: str, activate: bool = True) -> UUID:
        """A workflow of this name that runs these, new or changed."""
        async with self.platform.database.transaction(self.id) as session:
            there = await store.with_slug(session, self.id, name)
            if there is not None:
                there.draft = {**runs(*names), "name": name}
        id = there.id if there is not None else await self.create(name, runs(*names))
        await publishing.publish(self.platform, self.id, id, activate=activate, published_by="test")
        return id

    async def activate(self, id: UUID) -> Workflow:
        return await publishing.activate(self.platform, self.id, id)


@pytest.fixture
def it(platform: Platform, workspace: TestWorkspace) -> Workspace:
    return Workspace(platform, workspace.id)


async def test_a_circle_does_not_close_by_what_is_published_and_not_active_yet(it: Workspace) -> None:
    await it.publish("a")
    await it.publish("b")
    await it.publish("a", "b", activate=False)
    with pytest.raises(Invalid, match="b → a → b"):
        await it.publish("b", "a")


async def test_a_circle_does_not_close_by_activating(it: Workspace) -> None:
    """What a version was checked against when it was published may have changed: here behind publishing's back."""
    a = await it.publish("a")
    b = await it.publish("b")
    await it.publish("a", "b", activate=False)
    async with it.platform.database.transaction(it.id) as session:
        workflow = await store.find(session, it.id, a)
        assert workflow is not None
        workflow.latest_version = 1
    await it.publish("b", "a")
    async with it.platform.database.transaction(it.id) as session:
        workflow = await store.find(session, it.id, a)
        assert workflow is not None
        workflow.latest_version = 2
    with pytest.raises(Invalid, match="a → b → a") as caught:
        await it.activate(a)
    assert [problem.path for problem in caught.value.problems] == ["steps[0].workflow"]
    assert (await it.activate(b)).status == "active"


async def test_of_two_that_close_a_circle_at_once_one_is_refused(it: Workspace) -> None:
    await it.publish("a")
    await it.publish("b")
    done = await asyncio.gather(it.publish("a", "b"), it.publish("b", "a"), return_exceptions=True)
    assert sorted(isinstance(each, Invalid) for each in done) == [False, True]


async def test_a_way_that_was_harmless_is_not_gone_again(it: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten workflows, each of which runs all before it, run by forty steps: each is looked up once."""
    names: list[str] = []
    for n in range(10):
        await it.publish(f"w{n}", *names)
        names.append(f"w{n}")
    top = await it.create("top", runs(*names * 4))
    asked: list[str] = []
    named = store.named

    async def counted(session: Any, workspace_id: UUID, name: str) -> Workflow | None:
        asked.append(name)
        return await named(session, workspace_id, name)

    monkeypatch.setattr(store, "named", counted)
    assert await publishing.validate(it.platform, it.id, top) == []
    assert sorted(asked) == sorted(names)


async def test_every_step_on_a_circle_is_named(it: Workspace) -> None:
    await it.publish("a")
    await it.publish("b", "a")
    await it.publish("c", "b")
    async with it.platform.database.transaction(it.id) as session:
        a = await store.with_slug(session, it.id, "a")
    assert a is not None
    found = await publishing.validate(it.platform, it.id, a.id, runs("c", "b", "a"))
    assert [(one.path, one.message.rpartition(": ")[2]) for one in found] == [
        ("steps[0].workflow", "a → c → b → a"),
        ("steps[1].workflow", "a → b → a"),
        ("steps[2].workflow", "a → a"),
    ]
