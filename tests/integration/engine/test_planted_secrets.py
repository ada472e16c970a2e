"""Secrets are planted in a full run, and then looked for wherever something of it is kept or told."""

import asyncio
import base64
import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from app.json import JsonObject
from app.services import connections, variables
from app.services.platform import Platform
from tests.conftest import DatabaseUrls
from tests.support.engine import Engine
from tests.support.http_stub import Answer, Asked, HttpStub

if TYPE_CHECKING:
    from tests.conftest import TestWorkspace

SECRET = "s3cr3t/vaLue+with-more"
TOKEN = "crm-t0ken-0f-connection"
PASSWORD = "p4ssw0rd-of-mailer"
PLAIN = "https://plain.example"


def echo(asked: Asked) -> Answer:
    """A provider that repeats whatever it was told: in headers, in text, as JSON and in base64."""
    said = {"headers": dict(asked.headers), "body": asked.body.decode(), "path": asked.path}
    told = {"echo": said, "encoded": base64.b64encode(json.dumps(said).encode()).decode(), "quoted": quote(str(said))}
    return Answer(status=400 if asked.path == "/fails" else 200, json=told)


def definition(url: str) -> JsonObject:
    auth = {"headers": {"X-Api-Key": "{{ secrets.api_key }}"}, "json": {"key": "Bearer {{ secrets['api_key'] }}!"}}
    return {
        "steps": [
            {"id": "own", "type": "action", "action": "http.request", "inputs": {"url": f"{url}/own", "method": "POST", **auth}},
            {"id": "over", "type": "action", "action": "http.request", "connection": "crm", "inputs": {"url": "/over"}},
            {
                "id": "fails",
                "type": "action",
                "action": "http.request",
                "connection": "crm",
                "inputs": {"url": "/fails", "query": {"q": "{{ secrets.api_key }}"}, "method": "POST"},
                "on_error": "continue",
            },
            {
                "id": "scheduled",
                "type": "parallel",
                "branches": [
                    {"name": "a", "steps": [{"id": "a", "type": "action", "action": "http.request", "inputs": {"url": f"{url}/a", "method": "POST", **auth}}]},
                    {"name": "b", "steps": [{"id": "b", "type": "delay", "duration": "10ms"}]},
                ],
            },
            {"id": "wait", "type": "wait_for_event", "event": "test.go"},
        ],
        "output": {"echo": "{{ steps.own.output }}", "error": "{{ steps.fails.error }}", "base": "{{ workspace.vars.base }}"},
    }  # fmt: skip


@pytest.fixture
async def planted(platform: Platform, workspace: "TestWorkspace", http_stub: HttpStub) -> list[str]:
    """All that must be nowhere. Each was given to the service that keeps it."""
    http_stub.otherwise(echo)
    own = workspace.id
    await variables.create(platform, own, {"name": "api_key", "value": SECRET, "is_secret": True})
    await variables.create(platform, own, {"name": "base", "value": PLAIN})
    await connections.create(
        platform,
        own,
        kind="http",
        name="crm",
        config={"base_url": http_stub.url},
        credentials={"type": "bearer", "token": TOKEN},
    )
    await connections.create(
        platform,
        own,
        kind="smtp",
        name="mailer",
        config={"host": "127.0.0.1", "security": "none", "from": "a@example.com"},
        credentials={"username": "me", "password": PASSWORD},
    )
    return [SECRET, TOKEN, PASSWORD, workspace.api_key]


async def test_no_planted_secret_is_kept_or_told_anywhere(
    engine: Engine,
    planted: list[str],
    http_stub: HttpStub,
    api_client: httpx.AsyncClient,
    database_urls: DatabaseUrls,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    workflow = await engine.publish(definition(http_stub.url))
    hook = (await api_client.post(f"/v1/workflows/{workflow}/webhooks", json={})).json()
    run = await engine.start(workflow)
    await engine.at(run, "wait")
    told = [str(await engine.timeline(run)), str(await engine.journal(run))]
    told += await answers(api_client, f"/v1/runs/{run.id}")
    await engine.send("test.go")
    done = await engine.end(run)
    # What was sent is what was planted; else nothing below would say anything.
    assert [one.headers["X-Api-Key"] for one in http_stub.asked("/own")] == [SECRET]
    assert json.loads(http_stub.asked("/own")[0].body) == {"key": f"Bearer {SECRET}!"}
    assert http_stub.asked("/over")[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert f"q={quote(SECRET, safe='')}" in http_stub.asked("/fails")[0].query_string
    assert done.output["echo"]["body"]["echo"]["headers"]["X-Api-Key"] == "***"
    assert done.output["base"] == PLAIN
    assert done.steps["own"].inputs["json"] == {"key": "Bearer ***!"}
    # A webhook's address and secret are shown when it is made, and kept by nobody.
    planted = [*planted, *[hook[name] for name in ("secret", "url") if hook.get(name)]]
    told += await answers(api_client, f"/v1/runs/{run.id}", f"/v1/workflows/{workflow}")
    places = {
        "history": "".join(str(one.history.events) for one in done.executions),
        "tables": await asyncio.to_thread(every_row, database_urls.owner),
        "log": caplog.text,
        "answers": "".join(told),
    }
    # The marks that stand for secrets open nothing, and are shown to nobody.
    assert "holdfast-secret." in places["history"]
    assert "holdfast-secret." not in places["answers"]
    for name, text in places.items():
        assert [secret for secret in planted if secret in text or encoded(secret) & chunks(text, secret)] == [], name
