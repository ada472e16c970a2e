"""The door of webhooks: what is taken becomes a run once, what is not is refused, said and kept."""

import asyncio
import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.json import JsonObject
from app.security import webhook_tokens
from app.services.platform import Platform, open_platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import client_of, is_, made, problem
from tests.support.hooks import a_hook, deliveries, sent, slack, standard, twilio
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")


async def ran(client: httpx.AsyncClient, answer: httpx.Response) -> JsonObject:
    """The run that a delivery started, at its end."""
    assert answer.status_code == 202, answer.text

    async def started() -> str | None:
        delivery = (await client.get(f"/v1/deliveries/{answer.json()['delivery_id']}")).json()
        return delivery["run_ids"][0] if delivery["run_ids"] else None

    run_id = await eventually(started, what="the run of the delivery")
    assert run_id is not None
    return await is_(client, run_id, "completed")


async def test_a_signed_delivery_starts_a_run_that_sees_the_request(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    body = json.dumps({"id": 7, "tags": ["a"]})
    headers = standard(hook["secret"], body, id="msg_1") | {"content-type": "application/json", "cookie": "a=b"}
    answer = await api_client.post(f"{hook['path']}?a=1&a=2&b=", content=body, headers=headers)
    run = await ran(api_client, answer)
    got = run["output"]
    assert run["trigger"]["type"] == "webhook"
    assert run["trigger"]["event_id"] == f"{hook['id']}:msg_1"
    assert (got["body"], got["method"], got["files"]) == ({"id": 7, "tags": ["a"]}, "POST", [])
    assert got["query"] == {"a": ["1", "2"], "b": ""}
    assert got["headers"]["webhook-signature"] == got["headers"]["cookie"] == got["headers"]["authorization"] == "***"
    assert (got["content_type"], got["remote_address"]) == ("application/json", "127.0.0.1")
    [delivery] = await deliveries(api_client, hook)
    assert (delivery["status"], delivery["answer_status"], delivery["run_ids"]) == ("accepted", 202, [run["id"]])
    detail = (await api_client.get(f"/v1/deliveries/{delivery['id']}")).json()
    assert (detail["body"], detail["body_encoding"]) == (body, None)
    assert hook["path"].rpartition("_")[2] not in json.dumps([detail, run])


async def test_the_same_delivery_twice_starts_one_run(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    headers = standard(hook["secret"], "{}", id="msg_twice") | {"content-type": "application/json"}
    answers = await asyncio.gather(*(api_client.post(hook["path"], content="{}", headers=headers) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [202] * 5
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False, True, True, True, True]
    run = await ran(api_client, answers[0])
    again = await api_client.post(hook["path"], content="{}", headers=headers)
    assert (again.json()["duplicate"], again.json()["run_id"]) == (True, run["id"])
    assert len((await api_client.get(f"/v1/runs?workflow_id={hook['workflow_id']}")).json()["items"]) == 1
    assert (await api_client.get(f"/v1/webhooks/{hook['id']}")).json()["total_calls"] == 6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-signature": None}, "missing"),
        ({"webhook-signature": "v1,AAAA"}, "does not match"),
        ({"webhook-signature": "nonsense"}, "malformed"),
        ({"webhook-id": "another"}, "does not match"),
        ({"webhook-timestamp": "soon"}, "malformed"),
    ],
)
async def test_whatever_is_wrong_with_a_signature_is_told_the_owner_alone(
    api_client: httpx.AsyncClient, change: dict[str, str | None], reason: str
) -> None:
    hook = await a_hook(api_client)
    headers = standard(hook["secret"], "{}") | change
    answer = await api_client.post(hook["path"], content="{}", headers={k: v for k, v in headers.items() if v})
    found = problem(answer, 401, "invalid_signature")
    assert found["detail"] == "The signature of this delivery is missing or not right."
    [delivery] = await deliveries(api_client, hook, status="refused")
    assert reason in delivery["reason"]
    assert (delivery["problem"], delivery["answer_status"], delivery["run_ids"]) == ("invalid_signature", 401, [])
    problem(await api_client.post(f"/v1/deliveries/{delivery['id']}/replay"), 409, "delivery_not_replayable")
    shown = (await api_client.get(f"/v1/webhooks/{hook['id']}")).json()
    assert (shown["total_calls"], shown["refused_calls"]) == (1, 1)


@pytest.mark.parametrize(("minutes", "reason"), [(-6, "too old"), (6, "from the future")])
async def test_a_signature_of_another_time_is_refused(api_client: httpx.AsyncClient, minutes: int, reason: str) -> None:
    hook = await a_hook(api_client)
    headers = standard(hook["secret"], "{}", at=datetime.now(UTC) + timedelta(minutes=minutes))
    problem(await api_client.post(hook["path"], content="{}", headers=headers), 401, "invalid_signature")
    assert reason in (await deliveries(api_client, hook))[0]["reason"]


async def test_a_flood_of_wrong_signatures_is_counted_and_not_kept(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.keeping_deliveries.REFUSED_A_MINUTE", 3)
    monkeypatch.setattr("app.services.keeping_deliveries._minute", lambda: 1)
    hook = await a_hook(api_client)
    answers = await asyncio.gather(*(api_client.post(hook["path"], content=b"x" * 5000) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {401}
    kept = await deliveries(api_client, hook)
    assert (len(kept), kept[0]["size"]) == (3, 5000)
    assert (await api_client.get(f"/v1/deliveries/{kept[0]['id']}")).json()["body"] is None
    shown = (await api_client.get(f"/v1/webhooks/{hook['id']}")).json()
    assert (shown["total_calls"], shown["refused_calls"]) == (20, 20)


MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nReport\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\xff\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/vnd.api+json; charset=utf-8", b'{"a": "\xc3\xa9"}', {"body": {"a": "é"}}),
        ("application/x-www-form-urlencoded", b"a=1&a=2&b=x+y", {"body": {"a": ["1", "2"], "b": "x y"}}),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", {"body": "café", "body_encoding": None}),
        ("application/xml", b"<a>1</a>", {"body": "<a>1</a>"}),
        ("image/png", b"\x89PNG", {"body": base64.b64encode(b"\x89PNG").decode(), "body_encoding": "base64"}),
        (None, b'[1, "2"]', {"body": [1, "2"]}),
        (None, b"", {"body": None}),
        (
            "multipart/form-data; boundary=x",
            MULTIPART,
            {
                "body": {"title": "Report"},
                "files": [
                    {
                        "field": "file",
                        "filename": "a.bin",
                        "content_type": "application/octet-stream",
                        "size": 2,
                        "content": "AP8=",
                    }
                ],
            },
        ),
    ],
)
async def test_a_body_of_any_type_is_taken(
    api_client: httpx.AsyncClient, content_type: str | None, body: bytes, expected: JsonObject
) -> None:
    hook = await a_hook(api_client, signature="none", respond="when_finished")
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await api_client.post(hook["path"], content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("application/json", b'{"a": ', "malformed_json"),
        ("application/json", b"[NaN]", "malformed_json"),
        ("application/json", b"[" * 200 + b"]" * 200, "nested_too_deep"),
        ("application/json", b"[" * 100_000, "nested_too_deep"),
        ("multipart/form-data", b"x", "malformed_form"),
        ("multipart/form-data; boundary=x", MULTIPART[:-8], "malformed_form"),
        ("application/x-www-form-urlencoded", b"a=1&" * 1001, "malformed_form"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_and_kept(
    api_client: httpx.AsyncClient, content_type: str, body: bytes, code: str
) -> None:
    hook = await a_hook(api_client, signature="none")
    answer = await api_client.post(hook["path"], content=body, headers={"content-type": content_type})
    problem(answer, 400, code)
    [delivery] = await deliveries(api_client, hook)
    assert (delivery["status"], delivery["problem"], delivery["size"]) == ("refused", code, len(body))


async def test_methods_and_addresses_that_are_not_taken_are_refused(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, signature="none", methods=["GET", "PUT"], allowed_ips=["127.0.0.0/8"])
    assert (await api_client.get(hook["path"])).status_code == 202
    assert (await api_client.put(hook["path"], content="x")).status_code == 202
    wrong = await api_client.post(hook["path"])
    problem(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, PUT, HEAD, OPTIONS"
    for method in ("HEAD", "OPTIONS"):
        looked = await api_client.request(method, hook["path"])
        assert (looked.status_code, looked.headers["allow"]) == (204, "GET, PUT, HEAD, OPTIONS")
    elsewhere = await a_hook(api_client, signature="none", allowed_ips=["192.0.2.0/24"])
    # Nobody is believed who is no trusted proxy.
    answer = await api_client.post(elsewhere["path"], headers={"x-forwarded-for": "192.0.2.1"})
    problem(answer, 403, "address_not_allowed")
    assert [one["problem"] for one in await deliveries(api_client, elsewhere)] == ["address_not_allowed"]


async def test_an_oversized_body_is_refused_and_kept_without_it(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, signature="none", max_body_bytes=100)
    problem(await api_client.post(hook["path"], content="x" * 101), 413, "body_too_large")
    assert (await api_client.post(hook["path"], content="x" * 100)).status_code == 202
    large = await a_hook(api_client, signature="none")
    problem(await api_client.post(large["path"], content="x" * 600_000), 413, "event_too_large")
    for one in (hook, large):
        refused = (await deliveries(api_client, one, status="refused"))[0]
        assert refused["size"] in (101, 600_000)


async def test_addresses_that_lead_nowhere_are_answered_alike(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    token = hook["path"].removeprefix("/hooks/")
    for other in ("x", token[:-1], token[:-1] + ("a" if token[-1] != "a" else "b"), token.upper(), f"{token}é"):
        answer = await api_client.post(f"/hooks/{other}")
        assert problem(answer, 404, "webhook_not_found")["detail"] == "There is no webhook at this address."
    assert (await api_client.delete(f"/v1/webhooks/{hook['id']}")).status_code == 204
    problem(await sent(api_client, hook, {}), 404, "webhook_not_found")


async def test_a_disabled_webhook_says_so(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    assert (await sent(api_client, hook, {})).status_code == 202
    await api_client.patch(f"/v1/webhooks/{hook['id']}", json={"enabled": False})
    problem(await sent(api_client, hook, {}), 410, "webhook_disabled")
    await api_client.patch(f"/v1/webhooks/{hook['id']}", json={"enabled": True})
    assert (await sent(api_client, hook, {})).status_code == 202


@pytest.mark.parametrize("state", ["draft", "paused", "archived"])
async def test_what_comes_while_the_workflow_is_not_active_is_kept_and_can_be_replayed(
    api_client: httpx.AsyncClient, state: str
) -> None:
    hook = await a_hook(api_client, publish=state != "draft")
    workflow = f"/v1/workflows/{hook['workflow_id']}"
    if state != "draft":
        assert (await sent(api_client, hook, {})).status_code == 202
        await made(api_client, f"{workflow}/{'pause' if state == 'paused' else 'archive'}")
    problem(await sent(api_client, hook, {"n": 1}), 409, "workflow_not_active")
    [refused] = await deliveries(api_client, hook, status="refused")
    assert state in refused["reason"]
    problem(await api_client.post(f"/v1/deliveries/{refused['id']}/replay"), 409, "workflow_not_active")
    await made(api_client, f"{workflow}/{'publish' if state == 'draft' else 'activate'}")
    replayed = await api_client.post(f"/v1/deliveries/{refused['id']}/replay")
    run = await ran(api_client, replayed)
    assert run["output"]["body"] == {"n": 1}
    again = await ran(api_client, await api_client.post(f"/v1/deliveries/{refused['id']}/replay"))
    assert again["id"] != run["id"]
    assert (await deliveries(api_client, hook))[0]["replay_of"] == refused["id"]
    assert (await sent(api_client, hook, {})).status_code == 202


async def test_a_key_of_ones_own_tells_deliveries_apart(api_client: httpx.AsyncClient) -> None:
    key = "{{ body.order }}-{{ headers['x-shop'] }}"
    hook = await a_hook(api_client, idempotency_key=key)
    first = await ran(api_client, await sent(api_client, hook, {"order": 1}, **{"x-shop": "a"}))
    same = await sent(api_client, hook, {"order": 1, "more": 2}, **{"x-shop": "a"})
    assert (same.json()["duplicate"], same.json()["run_id"]) == (True, first["id"])
    assert (await sent(api_client, hook, {"order": 1}, **{"x-shop": "b"})).json()["duplicate"] is False
    missing = await sent(api_client, hook, {}, **{"x-shop": "b"})
    problem(missing, 422, "invalid_idempotency_key")
    assert "order" in (await deliveries(api_client, hook, status="refused"))[0]["reason"]


async def test_a_rotated_secret_stays_good_for_a_while(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    rotated = await made(api_client, f"/v1/webhooks/{hook['id']}/rotate")
    assert rotated["secret"] != hook["secret"]
    until = datetime.fromisoformat(rotated["previous_secret_until"]) - datetime.now(UTC)
    assert timedelta(hours=23) < until < timedelta(hours=25)
    for one in (hook, rotated):
        assert (await sent(api_client, one, {})).status_code == 202
    await made(api_client, f"/v1/webhooks/{hook['id']}/rotate", {"keep_old_for": "0s"})
    for one in (hook, rotated):
        problem(await sent(api_client, one, {}), 401, "invalid_signature")


async def test_a_secret_rotated_by_another_process_counts_at_once(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    hook = await a_hook(api_client)
    assert (await sent(api_client, hook, {})).status_code == 202
    [(key, remembered)] = [
        item for item in platform.hooks._entries.items() if item[1][1].id.hex in hook["id"].replace("-", "")
    ]
    rotated = await made(api_client, f"/v1/webhooks/{hook['id']}/rotate", {"keep_old_for": "0s"})
    platform.hooks.put(key, remembered[1])
    problem(await sent(api_client, hook, {}), 401, "invalid_signature")
    assert (await sent(api_client, rotated, {})).status_code == 202


async def test_slack_is_told_its_challenge_and_twilio_signs_the_public_address(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    hook = await a_hook(api_client, publish=False, secret="8f742231b10e8888abcd99yyyzzz85a5", signature="slack")
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}).encode()
    headers = slack(hook["secret"], body) | {"content-type": "application/json"}
    answer = await api_client.post(hook["path"], content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
    assert [one["status"] for one in await deliveries(api_client, hook)] == ["verification"]
    text = await a_hook(
        api_client,
        {"id": "reply", "type": "respond", "body": "<Response/>", "headers": {"Content-Type": "text/xml"}},
        signature="twilio", secret="12345678", respond="by_step",
    )  # fmt: skip
    fields = {"From": "+14158675309", "Body": "Hello & more", "MessageSid": "SM1"}
    url = f"{text['path']}?a=b%20c"
    signed = twilio(text["secret"], f"{platform.settings.resolved_public_url}{url}", fields)
    answer = await api_client.post(url, data=fields, headers={**signed, "host": "inside:1"})
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "<Response/>", "text/xml")


async def test_what_cannot_be_kept_is_replaced(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, signature="none", respond="when_finished", idempotency_key="{{ body.id }}")
    body = b'{"id": "a\\u0000b", "half": "\\ud800", "big": 12345678901234567890, "float": 1e300}'
    answer = await api_client.post(
        f"{hook['path']}?n=%00", content=body, headers={"content-type": "application/json", "x-odd": b"caf\xe9"}
    )
    assert answer.status_code == 200, answer.text
    got = answer.json()
    assert got["body"] == {"id": "a\ufffdb", "half": "\ufffd", "big": 12345678901234567890, "float": 1e300}
    assert (got["query"], got["headers"]["x-odd"]) == ({"n": "\ufffd"}, "caf\xe9")


async def test_a_trusted_proxy_is_believed_about_the_client(platform: Platform, workspace: TestWorkspace) -> None:
    trusting = dataclasses.replace(
        platform, settings=platform.settings.model_copy(update={"trusted_proxies": ("127.0.0.0/8",)})
    )
    async with client_of(trusting, workspace) as client:
        hook = await a_hook(client, signature="none", allowed_ips=["192.0.2.0/24"])
        path = hook["path"]
        for header, status in (("192.0.2.9", 202), ("192.0.2.9, 198.51.100.1", 403), ("", 403)):
            answer = await client.post(path, headers={"x-forwarded-for": header} if header else {})
            assert answer.status_code == status, header
        [first] = await deliveries(client, hook, status="accepted")
        assert first["remote_address"] == "192.0.2.9"


async def test_without_a_database_nothing_is_taken_and_no_log_has_the_address(
    platform: Platform, workspace: TestWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    away = platform.settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/none"})
    path = f"/hooks/{webhook_tokens.generate(workspace.id)}"
    with caplog.at_level("DEBUG"):
        async with open_platform(away) as opened, client_of(opened, workspace) as client:
            answer = await client.post(path, content="{}")
        async with client_of(platform, workspace) as client:
            problem(await client.post(path), 404, "webhook_not_found")
    problem(answer, 503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert any("/hooks/..." in text for text in ours)
    assert not any(path in text for text in ours)
