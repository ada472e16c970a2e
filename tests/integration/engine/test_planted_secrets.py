"""Secrets are planted in a full run, and then looked for wherever something of it is kept or told."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.db.models import Run
from app.json import JsonObject
from app.observing import logs
from app.security.credentials import KeyRing
from app.security.signing import Signer
from app.services import connections, platform_keys, variables, workspace_values
from app.services.errors import Invalid
from app.services.platform import Platform
from tests.conftest import DatabaseUrls
from tests.integration.api.calls import made
from tests.support.approving import approve, ask, asked
from tests.support.authorization_server import CLIENT_SECRET, AuthorizationServer
from tests.support.engine import Engine
from tests.support.hooks import sent
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.operations import Operation, operations
from tests.support.searching import Haystack, history_text, table_texts
from tests.support.smtp_catcher import SmtpCatcher, open_smtp_catcher
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import TestWorkspace

SECRET = "s3cr3t/vaLue+with-more"
TOKEN = "crm-t0ken-0f-connection"
PASSWORD = "p4ssw0rd-of-mailer"
SIGNING = f"whsec_{base64.b64encode(b'what-receivers-check-with').decode()}"
PLAIN = "https://plain.example"
SAID, STORED = "harmless-and-said", "harmless-and-large"
"""Texts that are to be found: one in what starts the run, one in what is too large for a history."""

OTHERWISE = {
    "runs_stream": "ends with the run",
    "runs_input_of": "the workflow takes any input",
    "connections_show": "no messages come in over these connections",
}
"""GETs that answer with something else than 200, or not at once, and why."""
MORE = {"runs_steps": {"attempts": "true"}, "events_list_events": {"include": "data"}}
"""Queries that make an answer tell all it has."""
ADDRESSED = {
    "webhooks_list_webhooks": "whoever may read a webhook may hand its address on",
    "webhooks_list_of_workflow": "as the list of all",
    "webhooks_get": "as the list",
    "approvals_list_approvals": "whoever may answer an approval may hand its link on",
    "approvals_get": "as the list",
}
"""GETs that tell addresses which are secrets themselves, and why."""


def echo(asked: Asked) -> Answer:
    """A provider that repeats whatever it was told: in headers, in text, as JSON and in base64."""
    said = {"headers": dict(asked.headers), "body": asked.body.decode(), "path": asked.path}
    told = {"echo": said, "encoded": base64.b64encode(json.dumps(said).encode()).decode(), "quoted": quote(str(said))}
    return Answer(status=400 if asked.path == "/fails" else 200, json=told)


def call(*, url: str = "https://example.com", **inputs: Any) -> JsonObject:
    return {"type": "action", "action": "http.request", "inputs": {"url": url, "method": "POST", **inputs}}


def over(connection: str, action: str = "http.request", **inputs: Any) -> JsonObject:
    return {"type": "action", "action": action, "connection": connection, "inputs": inputs}


def definition(url: str) -> JsonObject:
    auth = {"headers": {"X-Api-Key": "{{ secrets.api_key }}"}, "json": {"said": "Bearer {{ secrets['api_key'] }}!"}}
    failing = {"url": "/fails", "query": {"q": "{{ secrets.api_key }}"}, "method": "POST"}
    mail = {"to": "ada@example.com", "subject": "Go on?"}
    telling = {"id": "mail", **over("mailer", "email.send", **mail, text="{{ approval.link }} {{ secrets.api_key }}")}
    return {
        "triggers": [{"type": "manual"}, {"type": "webhook"}, {"type": "schedule", "every": "1d"}],
        "steps": [
            {"id": "own", **call(url=f"{url}/own", **auth)},
            {"id": "over", **over("crm", url="/over")},
            {"id": "fails", **over("crm", **failing), "on_error": "continue"},
            {"id": "allowed", **over("partner", url="/allowed")},
            {"id": "signed", **over("receiver", "webhook.send", url=f"{url}/signed", body=auth["json"])},
            {"id": "refused", **over("mailer", "email.send", **mail, text="a"), "on_error": "continue"},
            {"id": "large", **call(url=f"{url}/large")},
            {
                "id": "scheduled",
                "type": "parallel",
                "branches": [
                    {"name": "a", "steps": [{"id": "a", **call(url=f"{url}/a", **auth)}]},
                    {"name": "b", "steps": [{"id": "b", "type": "delay", "duration": "10ms"}]},
                ],
            },
            ask(notify=[telling]),
            {"id": "wait", "type": "wait_for_event", "event": "test.go"},
        ],
        "output": {
            "echo": "{{ steps.own.output }}",
            "signed": "{{ steps.signed.output }}",
            "errors": "{{ [steps.fails.error, steps.refused.error] }}",
            "base": "{{ workspace.vars.base }}",
        },
    }


@pytest.fixture
async def mails() -> Any:
    """A mail server that repeats the password, as well, where it refuses."""
    async with open_smtp_catcher(credentials=("me", PASSWORD)) as catcher:
        catcher.answer_data = [f"550 5.7.1 not with {PASSWORD}"]
        yield catcher


@pytest.fixture
async def partner(http_stub: HttpStub) -> AuthorizationServer:
    http_stub.otherwise(echo)
    http_stub.answer("/large", Answer(json={"text": f"{STORED} {'.' * 70_000}"}))
    return AuthorizationServer(http_stub)


@pytest.fixture
async def planted(
    platform: Platform, workspace: "TestWorkspace", partner: AuthorizationServer, mails: SmtpCatcher
) -> list[str]:
    """All that must be nowhere. Each was given to the service that keeps it."""
    own, url = workspace.id, partner.stub.url
    await variables.create(platform, own, {"name": "api_key", "value": SECRET, "is_secret": True})
    await variables.create(platform, own, {"name": "base", "value": PLAIN})
    smtp = {"host": mails.host, "port": mails.port, "security": "none", "from": "a@example.com"}
    for kind, name, config, credentials in (
        ("http", "crm", {"base_url": url}, {"type": "bearer", "token": TOKEN}),
        ("smtp", "mailer", smtp, {"username": "me", "password": PASSWORD}),
        ("webhook", "receiver", {}, {"secret": SIGNING}),
    ):
        await connections.create(platform, own, kind=kind, name=name, config=config, credentials=credentials)
    await connections.create(platform, own, **partner.connection("partner", "client_credentials"))
    return [SECRET, TOKEN, PASSWORD, SIGNING, CLIENT_SECRET, workspace.api_key]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """What a process of Holdfast writes into its log, with the facts of each line."""
    caplog.set_level(logging.DEBUG)
    for name, least in {**logs._QUIET, "mail.log": logging.WARNING}.items():
        caplog.set_level(least, logger=name)
    handler = logs._Handler(io.StringIO())
    handler.setFormatter(logs._formatter(as_json=True, colors=False))
    logging.getLogger().addHandler(handler)
    yield handler.stream
    logging.getLogger().removeHandler(handler)


async def test_no_planted_secret_is_kept_or_told_anywhere(
    engine: Engine,
    planted: list[str],
    http_stub: HttpStub,
    partner: AuthorizationServer,
    mails: SmtpCatcher,
    api_app: FastAPI,
    api_client: httpx.AsyncClient,
    database_urls: DatabaseUrls,
    caplog: pytest.LogCaptureFixture,
    lines: io.StringIO,
) -> None:
    workflow = await engine.publish(definition(http_stub.url))
    hook = await made(api_client, f"/v1/workflows/{workflow}/webhooks", {})
    other = await made(api_client, "/v1/api-keys", {"name": "other", "role": "viewer"})
    _, of_platform = await platform_keys.create(engine.platform, "planted")
    member = await made(api_client, "/v1/members", {"subject": "ada", "role": "viewer"})
    body = {"text": f"{SAID} {'.' * 2_048}"}
    delivered = (await sent(api_client, hook, body, Authorization=f"Bearer {TOKEN}")).json()
    run = await started(engine, api_client, delivered["delivery_id"])
    await engine.at(run, "ask.mail", "completed")
    known = {
        "workflow_id": str(workflow), "number": "1", "step_id": "own", "run_id": str(run.id), "name": "api_key",
        "webhook_id": hook["id"], "delivery_id": delivered["delivery_id"], "key_id": other["id"],
        "member_id": member["id"], "workspace_id": str(engine.workspace_id), "action_id": "http.request",
        "approval_id": str((await asked(engine, run)).approval.id),
    }  # fmt: skip
    told = {"queries": str(await engine.timeline(run)) + str(await engine.journal(run))}
    await ask_all(api_client, operations(api_app), of_platform, known, told, waiting=True)
    await approve(engine, run)
    await engine.at(run, "wait")
    await engine.send("test.go")
    done = await engine.end(run)
    await ask_all(api_client, operations(api_app), of_platform, known, told, waiting=False)
    # What was sent is what was planted; else nothing below would say anything.
    assert [one.headers["X-Api-Key"] for one in http_stub.asked("/own")] == [SECRET]
    assert json.loads(http_stub.asked("/own")[0].body) == {"said": f"Bearer {SECRET}!"}
    assert http_stub.asked("/over")[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert http_stub.asked("/fails")[0].query == {"q": SECRET}
    assert SECRET in http_stub.asked("/signed")[0].body.decode()
    [mail] = mails.mails
    link, sent_by_mail = mail.part("text/plain").split()
    assert sent_by_mail == SECRET
    assert done.output["echo"]["body"]["echo"]["headers"]["X-Api-Key"] == "***"
    assert done.output["base"] == PLAIN
    assert done.steps["own"].inputs["json"] == {"said": "Bearer ***!"}
    assert "not with ***" in done.steps["refused"].error["message"]
    # These are shown when they are made, and kept by nobody.
    planted += [hook["secret"], other["key"], of_platform, *partner.access]
    addresses = [address.rpartition("/")[2] for address in (hook["path"], link)]
    columns = await asyncio.to_thread(table_texts, database_urls.owner, engine.workspace_id)
    history = history_text(done.executions)
    places = {
        "history": history,
        "tables": "\n".join(columns.values()),
        "log": lines.getvalue(),
        "captured": caplog.text,
        **told,
    }
    # The search sees into what is compressed, kept apart and wrapped, and into the facts of lines.
    assert SAID not in "".join(str(each.history.events) for each in done.executions)
    assert [text for text in (SAID, "holdfast-secret.") if text not in history] == []
    assert [STORED in columns[name] for name in ("payloads.payload", "steps.output")] == [True, True]
    assert [SAID in columns[name] for name in ("deliveries.body", "runs.input")] == [True, True]
    assert [SAID in told["runs_get"], STORED in told["runs_steps"], STORED in told["runs_stream"]] == [True] * 3
    assert f'"run_id": "{run.id}"' in places["log"]
    # The marks that stand for secrets open nothing, and are shown to nobody.
    assert [name for name, text in told.items() if "holdfast-secret." in text] == []
    for name, text in places.items():
        haystack = Haystack(text)
        assert [secret for secret in planted if secret in haystack] == [], name
        assert (name in ADDRESSED) == any(address in haystack for address in addresses), name


async def started(engine: Engine, client: httpx.AsyncClient, delivery_id: str) -> Run:
    """The run that a delivery started."""

    async def there() -> UUID | None:
        found = (await client.get(f"/v1/deliveries/{delivery_id}")).json()["run_ids"]
        return UUID(found[0]) if found else None

    run_id = await eventually(there, what="the run of the delivery")
    assert run_id is not None
    return await engine.row(Run(id=run_id))


async def ask_all(
    client: httpx.AsyncClient,
    all_: list[Operation],
    of_platform: str,
    ids: dict[str, str],
    told: dict[str, str],
    *,
    waiting: bool,
) -> None:
    """Add to `told` what the API tells of these things, by operation: all GETs, and tests of the connections."""
    for name, path in (("event_id", "events"), ("schedule_id", "schedules"), ("event_type", "catalog/events")):
        items = (await client.get(f"/v1/{path}")).json()["items"]
        ids = ids | {name: items[0]["id"]}
    addresses = set()
    for each in (await client.get("/v1/connections")).json()["items"]:
        told[each["name"]] = (await client.post(f"/v1/connections/{each['id']}/test")).text
        asked_for = [one for one in all_ if one.method == "GET" and not (waiting and one.id == "runs_stream")]
        addresses |= {(one, one.at(ids | {"connection_id": each["id"]})) for one in asked_for}
    for operation, address in addresses:
        headers = {"Authorization": f"Bearer {of_platform}"} if operation.of_platform else {}
        answer = await client.get(address, params=MORE.get(operation.id), headers=headers)
        assert answer.status_code == 200 or operation.id in OTHERWISE, (operation.id, answer.text)
        told[operation.id] = told.get(operation.id, "") + answer.text


def test_the_search_finds_what_it_looks_for() -> None:
    hidden = base64.b64encode(f"user:{SECRET} and more".encode()).decode()
    as_json = json.dumps(SECRET).replace("/", "\\/")
    found = (f"a{SECRET}b", quote(SECRET, safe=""), f"x={hidden}", f"xy{hidden}", as_json)
    assert all(SECRET in Haystack(text) for text in found)
    assert SECRET not in Haystack(f"{SECRET[:-1]} {base64.b64encode(SECRET[1:].encode()).decode()}")


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
    forged = "holdfast-secret." + "0" * 32 + ".api_key." + "A" * 32
    sent = (await engine.run(workflow, input={"text": forged})).output
    assert sent == f"{forged} ***"
    await variables.delete(engine.platform, engine.workspace_id, "api_key", force=True)
    gone = await engine.run(workflow, input={"text": ""})
    assert gone.error["type"] == "secret_missing"
    assert "no secret variable 'api_key'" in gone.error["message"]


async def test_a_run_whose_key_has_left_the_ring_fails_its_step_and_sends_no_mark(
    engine: Engine, planted: list[str], http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = call(body="{{ trigger.text }} {{ secrets.api_key }}", url=http_stub.url)
    forged = {"id": "forged", **call(body="{{ trigger.text }}", url=f"{http_stub.url}/forged")}
    wait = {"id": "wait", "type": "wait_for_event", "event": "test.go"}
    mark = "holdfast-secret." + "0" * 32 + ".api_key." + "A" * 32
    run = await engine.start({"steps": [wait, forged, {"id": "a", **step}]}, input={"text": mark})
    await engine.at(run, "wait")
    other = Signer((SecretStr(KeyRing.generate_key()),), "secret mark")
    monkeypatch.setattr(workspace_values, "_signer", lambda _keys: other)
    await engine.send("test.go")
    error = (await engine.end(run)).error
    assert (error["type"], error["step_id"]) == ("secret_missing", "a")
    assert "'api_key'" in error["message"]
    assert "HOLDFAST_ENCRYPTION_KEYS" in error["message"]
    assert [asked.body.decode() for asked in http_stub.requests] == [mark]
