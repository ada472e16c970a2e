"""Secrets are planted in a full run, and then looked for wherever something of it is kept or told."""

import asyncio
import base64
import json
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg import sql

from app.json import JsonObject
from app.services import connections, variables
from app.services.errors import Invalid
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


def call(*, url: str = "https://example.com", **inputs: Any) -> JsonObject:
    return {"type": "action", "action": "http.request", "inputs": {"url": url, "method": "POST", **inputs}}


def definition(url: str) -> JsonObject:
    auth = {"headers": {"X-Api-Key": "{{ secrets.api_key }}"}, "json": {"said": "Bearer {{ secrets['api_key'] }}!"}}
    return {
        "triggers": [{"type": "manual"}, {"type": "webhook"}],
        "steps": [
            {"id": "own", **call(url=f"{url}/own", **auth)},
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
                    {"name": "a", "steps": [{"id": "a", **call(url=f"{url}/a", **auth)}]},
                    {"name": "b", "steps": [{"id": "b", "type": "delay", "duration": "10ms"}]},
                ],
            },
            {"id": "wait", "type": "wait_for_event", "event": "test.go"},
        ],
        "output": {
            "echo": "{{ steps.own.output }}",
            "error": "{{ steps.fails.error }}",
            "base": "{{ workspace.vars.base }}",
        },
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
    assert json.loads(http_stub.asked("/own")[0].body) == {"said": f"Bearer {SECRET}!"}
    assert http_stub.asked("/over")[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert http_stub.asked("/fails")[0].query == {"q": SECRET}
    assert done.output["echo"]["body"]["echo"]["headers"]["X-Api-Key"] == "***"
    assert done.output["base"] == PLAIN
    assert done.steps["own"].inputs["json"] == {"said": "Bearer ***!"}
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
        assert [secret for secret in planted if is_in(secret, text)] == [], name


async def answers(client: httpx.AsyncClient, *paths: str) -> list[str]:
    """What the API tells: of these, and of everything there is a list of."""
    lists = ("/v1/runs", "/v1/workflows", "/v1/connections", "/v1/variables", "/v1/webhooks", "/v1/events")
    below = [f"{path}/steps?attempts=true" for path in paths if "/runs/" in path]
    found = [await client.get(path) for path in (*paths, *below, *lists)]
    assert [one.status_code for one in found] == [200] * len(found), [one.text for one in found]
    return [one.text for one in found]


def every_row(url: str) -> str:
    """All columns of all rows of all tables, as the owner of the tables sees them."""
    with psycopg.connect(url) as connection:
        # Fails rather than leave rows out.
        connection.execute("SET row_security = off")
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = ""
        for (name,) in names:
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name))).fetchall()
            found += "\n".join(row for (row,) in rows)
    return found


def is_in(secret: str, text: str) -> bool:
    """Whether the text holds it, as it is or in a usual spelling."""
    spellings = (secret, quote(secret), quote(secret, safe=""), quote(secret, safe="").lower())
    if any(each in text for each in spellings):
        return True
    for chunk in re.findall(r"[A-Za-z0-9+/]{24,}", text):
        for skipped in range(4):
            part = chunk[skipped : skipped + (len(chunk) - skipped) // 4 * 4]
            if secret.encode() in base64.b64decode(part):
                return True
    return False


def test_the_search_finds_what_it_looks_for() -> None:
    hidden = base64.b64encode(f"user:{SECRET} and more".encode()).decode()
    assert all(is_in(SECRET, text) for text in (f"a{SECRET}b", quote(SECRET, safe=""), f"x={hidden}", f"xy{hidden}"))
    assert not is_in(SECRET, f"{SECRET[:-1]} {base64.b64encode(SECRET[1:].encode()).decode()}")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"type": "transform", "mapping": {"a": "{{ secrets.api_key }}"}}, "only be placed in the inputs of an action"),
        ({"type": "delay", "duration": "1s", "when": "{{ secrets.api_key == 'a' }}"}, "only be placed in the inputs"),
        (
            {"type": "delay", "duration": "1s", "when": {"field": "secrets.api_key", "operator": "exists"}},
            "only be placed",
        ),
        (call(body="{{ secrets.api_key | upper }}"), "placed as it is"),
        (call(body="{% if secrets.api_key %}a{% endif %}"), "placed as it is"),
        (call(body="{{ secrets }}"), "placed as it is"),
        (call(body="{{ secrets.api_kye }}"), "no secret 'api_kye'"),
        (call(body="{{ secrets.base }}"), "'base' is no secret"),
        (call(body="{{ workspace.vars.api_key }}"), "'api_key' is a secret"),
        (call(body="{{ workspace.vars.bsae }}"), "no variable 'bsae'"),
        (call(body="{{ workspace.vars }}"), "named as it stands"),
        (
            {
                "type": "action",
                "action": "event.emit",
                "inputs": {"type": "a.b", "data": {"a": "{{ secrets.api_key }}"}},
            },
            "keeps what it is given",
        ),
    ],
)
async def test_what_a_run_could_leak_or_branch_on_is_not_published(
    engine: Engine, planted: list[str], step: JsonObject, told: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await engine.publish({"steps": [{"id": "a", **step}]})
    assert told in str([problem.as_json() for problem in refused.value.problems])


async def test_a_mark_of_somebody_else_stays_what_it_is_and_a_secret_that_is_gone_is_said(
    engine: Engine, planted: list[str], http_stub: HttpStub
) -> None:
    step = {"id": "a", **call(body="{{ trigger.text }} {{ secrets.api_key }}", url=http_stub.url)}
    workflow = await engine.publish({"steps": [step], "output": "{{ steps.a.output.body.echo.body }}"})
    forged = "holdfast-secret.api_key." + "A" * 32
    sent = (await engine.run(workflow, input={"text": forged})).output
    assert sent == f"{forged} ***"
    await variables.delete(engine.platform, engine.workspace_id, "api_key", force=True)
    gone = await engine.run(workflow, input={"text": ""})
    assert gone.error["type"] == "secret_missing"
    assert "no secret variable 'api_key'" in gone.error["message"]
