"""A workspace with a payload key: its runs leave nothing readable in Temporal, and end when the key is deleted."""

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from google.protobuf import json_format
from temporalio.client import WorkflowExecutionStatus

from api.main import create_app
from app.services import payload_keyring, payload_keys
from app.services.errors import Conflict
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from app.temporal import names
from tests.conftest import DatabaseUrls
from tests.support.engine import Engine
from tests.support.executions import replay
from tests.support.http_stub import Answer, HttpStub
from tests.support.own_worker import engine_without_worker, running_worker
from tests.support.payload_keys import retired_for

if TYPE_CHECKING:
    from tests.conftest import TestWorkspace

SECRET = "what-nobody-may-read"
WAITING = {
    "steps": [
        {"id": "call", "type": "action", "action": "http.request", "inputs": {"url": "{{ trigger.url }}"}},
        {"id": "wait", "type": "wait_for_event", "event": "test.go"},
        {"id": "big", "type": "transform", "mapping": {"again": "{{ trigger.big }}"}},
    ],
    "output": "{{ steps.wait.output.said }}",
}


@pytest.fixture
async def encrypting(settings: Settings) -> AsyncIterator[Platform]:
    """A process that encrypts."""
    async with open_platform(settings.model_copy(update={"payload_encryption": "on"})) as opened:
        yield opened


@pytest.fixture
def engine(encrypting: Platform, workspace: "TestWorkspace", monkeypatch: pytest.MonkeyPatch) -> Engine:
    return engine_without_worker(encrypting, workspace.id, monkeypatch)


async def history_of(engine: Engine, run: object) -> str:
    """All that Temporal keeps of the run, as text."""
    return "".join(str(one.history.events) for one in await engine.executions(run))  # type: ignore[arg-type]


async def test_a_run_of_a_workspace_with_a_key_shows_nothing_and_the_codec_shows_it_to_its_own(
    engine: Engine, http_stub: HttpStub, database_urls: DatabaseUrls, platform: Platform, workspace: "TestWorkspace"
) -> None:
    http_stub.answer("/secret", Answer(json={"told": SECRET}))
    key = await payload_keys.create(engine.platform, engine.workspace_id, created_by="test")
    given = {"url": http_stub.url + "/secret", "said": SECRET, "big": SECRET * 20_000}
    async with running_worker(engine):
        run = await engine.start(WAITING, input=given)
        await engine.at(run, "wait")
        # A newer key encrypts from now on; the process asks for its keys anew, as it does every minute.
        newer = await payload_keys.create(engine.platform, engine.workspace_id, created_by="test")
        assert (await engine.timeline(run)).status == "waiting"
        await engine.send("test.go", {"said": SECRET})
        done = await engine.end(run)
    assert done.output == SECRET
    history = await history_of(engine, run)
    assert SECRET not in history
    assert str(key.id) in history
    assert str(newer.id) in history
    await replay(await engine.platform.temporal.client(), done.executions)
    # A process with encryption switched off reads it all the same.
    handle = (await platform.temporal.client()).get_workflow_handle(names.workflow_id(str(run.id)))
    assert (await handle.result())["output"] == SECRET
    # What is too large for the history stands encrypted beside the run.
    with psycopg.connect(database_urls.owner) as connection:
        (stored,) = connection.execute("SELECT payload FROM payloads WHERE run_id = %s", [run.id]).fetchall()
    assert b"binary/encrypted" in stored[0][:200]
    await shown_by_the_codec(engine, platform, workspace, done.executions[0].history.events[-1])


async def shown_by_the_codec(engine: Engine, platform: Platform, workspace: "TestWorkspace", event: object) -> None:
    result = event.workflow_execution_completed_event_attributes.result  # type: ignore[attr-defined]
    body = json_format.MessageToDict(result)
    _, stranger = await create_workspace(platform, "Stranger")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(engine.platform)), base_url="http://holdfast.test"
    ) as client:
        answers = [
            (await client.post("/codec/decode", json=body, headers={"Authorization": f"Bearer {token}"})).json()
            for token in (workspace.api_key, stranger)
        ]
    assert answers[1] == body, "what is another workspace's stays as it is"
    (payload,) = json_format.ParseDict(answers[0], type(result)()).payloads
    assert json.loads(payload.data)["output"] == SECRET


async def test_without_its_key_a_run_fails_when_it_is_to_go_on(
    engine: Engine, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_keyring, "FRESH_SECONDS", 0)
    key = await payload_keys.create(engine.platform, engine.workspace_id, created_by="test")
    async with running_worker(engine):
        run = await engine.start(WAITING, input={"url": http_stub.url, "big": 1})
        await engine.at(run, "wait")
    await payload_keys.create(engine.platform, engine.workspace_id, created_by="test")
    await retired_for(engine.platform, engine.workspace_id)
    with pytest.raises(Conflict, match=r"1 run\(s\) are under way") as refused:
        await payload_keys.delete(engine.platform, engine.workspace_id, key.id, end_runs=False)
    assert refused.value.code == "payload_key_in_use"
    await payload_keys.delete(engine.platform, engine.workspace_id, key.id, end_runs=True)
    # Another worker, which has nothing of the run in memory.
    async with running_worker(engine):
        await engine.send("test.go", {"said": 1})
        row = await engine.is_(run, "failed")
    assert row.error is not None
    assert row.error["type"] == "payload_key_deleted"
    assert (await (await engine.handle(run)).describe()).status is WorkflowExecutionStatus.TERMINATED
    listed = await payload_keys.list_(engine.platform, engine.workspace_id)
    assert [one.id for one in listed if one.wrapped is None and one.deleted_at is not None] == [key.id]
