"""The codec of Temporal's UI: who may read what, from which page, and how much at once."""

import base64
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from api.codec_cors import ui_origin
from api.routes import codec as codec_routes
from app.db.models import ApiKey
from app.security.permissions import Role
from app.services import decoding, payload_keys, plans, platform_keys, workspace_values
from app.services.actors import Actor
from app.services.platform import Platform
from app.services.workspaces import create_api_key, create_workspace
from app.settings import Settings
from app.temporal import codec, names
from app.temporal.codec import COMPRESSED, ENCRYPTED, KEY, WORKSPACE
from tests.conftest import TestWorkspace
from tests.integration.api.calls import problem
from tests.integration.api.operations import a_key
from tests.integration.services.building import a_run


def sent(*payloads: Payload) -> dict[str, Any]:
    return {
        "payloads": [
            {
                "metadata": {name: base64.b64encode(value).decode() for name, value in one.metadata.items()},
                "data": base64.b64encode(one.data).decode(),
            }
            for one in payloads
        ]
    }


def compressed(size: int) -> Payload:
    inner = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"a" * size + b'"')
    return Payload(metadata={"encoding": COMPRESSED}, data=zlib.compress(inner.SerializeToString()))


async def test_payloads_are_read_with_a_key_that_may(api_client: httpx.AsyncClient) -> None:
    answer = await api_client.post("/codec/decode", json=sent(compressed(5)), headers={"X-Namespace": "default"})
    assert answer.json() == sent(Payload(metadata={"encoding": b"json/plain"}, data=b'"aaaaa"'))
    problem(await api_client.post("/codec/decode", json={"payloads": 1}), 400, "invalid_payloads")
    problem(await api_client.post("/codec/decode", content=b"[" * 100_000), 400, "invalid_payloads")
    elsewhere = {"X-Namespace": "theirs"}
    problem(await api_client.post("/codec/decode", json=sent(), headers=elsewhere), 404, "wrong_namespace")
    problem(await api_client.post("/codec/encode", json=sent()), 403, "codec_only_decodes")


async def test_nobody_reads_without_a_key_or_with_one_that_may_not(
    anybody: httpx.AsyncClient, api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace
) -> None:
    problem(await anybody.post("/codec/decode", json=sent(compressed(5))), 401, "missing_api_key")
    wrong = {"Authorization": "Bearer hf_wrong"}
    problem(await anybody.post("/codec/decode", json=sent(), headers=wrong), 401, "invalid_api_key")
    narrow = await narrowed(platform, workspace)
    only_runs = {"Authorization": f"Bearer {narrow}"}
    problem(await anybody.post("/codec/decode", json=sent(), headers=only_runs), 403, "not_permitted")
    [refusal] = (await api_client.get("/v1/audit-log?outcome=refused")).json()["items"]
    assert (refusal["action"], refusal["actor"]["name"]) == ("permission.refuse", "narrow")
    assert refusal["after"] == {"permission": "payloads:read"}


@pytest.mark.parametrize("signed_in", [False, True], ids=["key", "cookie"])
async def test_what_is_asked_counts_as_other_requests_with_the_key_do(
    anybody: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform, signed_in: bool
) -> None:
    if signed_in:
        anybody.headers["Origin"] = ui_origin(platform.settings)
        assert (await anybody.post("/codec/sign-in", data={"key": workspace.api_key})).status_code == 200
    else:
        anybody.headers["Authorization"] = f"Bearer {workspace.api_key}"
    await plans.set_plan(platform, workspace.id, "free", {"rate_limit": "3/hour"})
    first = await anybody.post("/codec/decode", json=sent(compressed(5)))
    assert first.headers["ratelimit-policy"].endswith('"workspace";q=3;w=3600')
    assert first.headers["ratelimit"].partition(", ")[2].startswith('"workspace";r=2;')
    problem(await anybody.post("/codec/encode", json=sent()), 403, "codec_only_decodes")
    known = {"Authorization": f"Bearer {workspace.api_key}"}
    assert (await anybody.get("/v1/workspace", headers=known)).status_code == 200
    refused = await anybody.post("/codec/decode", json=sent())
    assert "3 requests in 3,600 seconds are taken (workspace)" in problem(refused, 429, "rate_limited")["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= 7200
    assert '"workspace";r=0' in refused.headers["ratelimit"]
    page = await anybody.post("/codec/sign-in", data={"key": workspace.api_key})
    assert page.status_code == 429
    assert 0 < int(page.headers["retry-after"]) <= 7200
    assert "set-cookie" not in page.headers


async def narrowed(platform: Platform, workspace: TestWorkspace) -> str:
    """A key of the workspace that may look at runs and at nothing else."""
    key = await create_api_key(platform, workspace.id, "narrow")
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(ApiKey).where(ApiKey.name == "narrow").values(scopes=["runs:read"]))
    return key


@pytest.mark.parametrize("role", Role)
async def test_a_role_that_may_reads_what_is_of_its_own_workspace_and_nobody_writes(
    anybody: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, role: Role
) -> None:
    other, _ = await create_workspace(platform, "Other")
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')
    mine, theirs = [await encrypted(platform, where, plain) for where in (workspace.id, other.workspace_id)]
    if role is Role.PLATFORM:
        _, key = await platform_keys.create(platform, "codec")
    else:
        key = await a_key(platform, workspace.id, role)
    signed = {"Authorization": f"Bearer {key}"}
    answer = await anybody.post("/codec/decode", json=sent(mine, theirs), headers=signed)
    if role in (Role.VIEWER, Role.PLATFORM):
        problem(answer, 403, "not_permitted")
    else:
        assert answer.json() == sent(plain, theirs)
    problem(await anybody.post("/codec/encode", json=sent(plain), headers=signed), 403, "codec_only_decodes")


async def encrypted(platform: Platform, workspace_id: UUID, payload: Payload) -> Payload:
    """The payload as a run of the workspace keeps it, by a new key."""
    encrypting = replace(platform, settings=platform.settings.model_copy(update={"payload_encryption": "on"}))
    await payload_keys.create(encrypting, workspace_id, created_by="tests")
    run_id = await a_run(platform, workspace_id)
    context = WorkflowSerializationContext(namespace="default", workflow_id=names.workflow_id(str(run_id)))
    [found] = await codec.Codec(platform.payload_keys, encrypts=True).with_context(context).encode([payload])
    assert found.metadata["encoding"] == ENCRYPTED
    return found


async def test_what_cannot_be_read_comes_back_as_it_was(
    api_client: httpx.AsyncClient, workspace: TestWorkspace
) -> None:
    nobody = {WORKSPACE: str(workspace.id).encode(), KEY: b"01900000-0000-7000-8000-000000000000"}
    odd = sent(
        Payload(metadata={"encoding": ENCRYPTED, **nobody}, data=b"x" * 40),
        Payload(metadata={"encoding": ENCRYPTED}, data=b"x"),
        Payload(metadata={"encoding": COMPRESSED}, data=b"no zlib"),
        Payload(metadata={"encoding": b"json/plain"}, data=b"1"),
    )
    assert (await api_client.post("/codec/decode", json=odd)).json() == odd


async def test_what_is_read_at_once_is_bounded(api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LARGEST_DECODED", 100_000)
    monkeypatch.setattr(decoding, "MOST_PAYLOADS", 3)
    monkeypatch.setattr(codec_routes, "LARGEST_BODY", 50_000)
    bomb = sent(compressed(10_000_000))
    assert (await api_client.post("/codec/decode", json=bomb)).json() == bomb, "a bomb stays packed"
    several = sent(*[compressed(60_000)] * 2)
    answer = (await api_client.post("/codec/decode", json=several)).json()
    assert [len(one["data"]) > 60_000 for one in answer["payloads"]] == [True, False]
    named = Payload(metadata={"encoding": b"json/plain", "more": b"a" * 60_000}, data=b"1").SerializeToString()
    several = sent(*[Payload(metadata={"encoding": COMPRESSED}, data=zlib.compress(named))] * 2)
    answer = (await api_client.post("/codec/decode", json=several)).json()
    assert ["more" in one["metadata"] for one in answer["payloads"]] == [True, False], "metadata counts as well"
    problem(await api_client.post("/codec/decode", json=sent(*[Payload()] * 4)), 413, "payloads_too_large")
    problem(await api_client.post("/codec/decode", content=b" " * 50_001), 413, "body_too_large")


async def test_what_stands_for_a_secret_is_read_by_nobody(
    api_client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    mark = workspace_values.mark(platform.settings.encryption_keys, workspace.id, uuid4(), "api_key")
    inner = Payload(metadata={"encoding": b"json/plain"}, data=f'{{"key":"Bearer {mark}"}}'.encode())
    packed = Payload(metadata={"encoding": COMPRESSED}, data=zlib.compress(inner.SerializeToString()))
    answer = await api_client.post("/codec/decode", json=sent(inner, packed))
    assert answer.json() == sent(*[Payload(metadata=inner.metadata, data=b'{"key":"Bearer ***"}')] * 2)


async def test_bombs_are_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def counted(payload: Payload, _key: object, *, largest: int) -> Payload:
        tried.append(largest)
        return codec.decoded(payload, None, largest=largest)

    monkeypatch.setattr(decoding, "decoded", counted)
    monkeypatch.setattr(decoding, "LARGEST_DECODED", 100_000)
    bombs = [compressed(1_000_000)] * 50
    assert decoding._decoded(Actor(UUID(int=1), None, "tests"), bombs, [None] * 50) == bombs
    assert sum(tried) <= 500_000


async def test_only_pages_of_temporals_ui_may_ask(api_client: httpx.AsyncClient, settings: Settings) -> None:
    ui, evil = ui_origin(settings), "https://evil.example"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-namespace"}
    preflight = await api_client.options("/codec/decode", headers={"Origin": ui, **asked})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, ui)
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    refused = await api_client.post("/codec/decode", content=b"{", headers={"Origin": ui})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, ui)
    for path, origin in (("/codec/decode", evil), ("/v1/workspace", ui)):
        for method in ("OPTIONS", "POST"):
            answer = await api_client.request(method, path, headers={"Origin": origin})
            assert "access-control-allow-origin" not in answer.headers


async def test_a_browser_signs_in_once_and_only_the_ui_uses_it(
    anybody: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    ui = {"Origin": ui_origin(platform.settings)}
    assert "API key" in (await anybody.get("/codec/sign-in")).text
    assert (await anybody.post("/codec/sign-in", data={"key": "hf_wrong"})).status_code == 401
    assert (await anybody.post("/codec/sign-in", data={"key": await narrowed(platform, workspace)})).status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    given = {"key": workspace.api_key}
    assert (await anybody.post("/codec/sign-in", data=given, headers=elsewhere)).status_code == 403
    answer = await anybody.post("/codec/sign-in", data=given)
    cookie = answer.headers["set-cookie"]
    assert workspace.api_key not in cookie
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/codec"))
    assert (await anybody.post("/codec/decode", json=sent(compressed(5)), headers=ui)).status_code == 200
    for origin in ({}, {"Origin": "https://evil.example"}):
        problem(await anybody.post("/codec/decode", json=sent(), headers=origin), 401, "missing_api_key")
    over = platform.keyring.encrypt({"token": workspace.api_key, "until": 1}, context="codec session")
    for bad in (over, "forged"):
        anybody.cookies.clear()
        anybody.cookies.set(codec_routes.COOKIE, bad)
        problem(await anybody.post("/codec/decode", json=sent(), headers=ui), 401, "invalid_api_key")


async def test_the_audit_log_says_once_who_was_shown_payloads(
    api_client: httpx.AsyncClient, workspace: TestWorkspace
) -> None:
    async def entries() -> list[dict[str, Any]]:
        answer = await api_client.get("/v1/audit-log", params={"action": "payload.read"})
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    await api_client.post("/codec/decode", json=sent(Payload(data=b"plain")))
    assert await entries() == [], "nothing was shown that was not seen before"
    for _ in range(3):
        await api_client.post("/codec/decode", json=sent(compressed(5)))
    [entry] = await entries()
    assert (entry["actor"]["kind"], entry["actor"]["name"]) == ("key", "first key")
    assert (entry["target"]["type"], entry["target"]["name"]) == ("payload", "codec")
    assert (entry["outcome"], entry["before"], entry["after"]) == ("done", None, None)


async def test_payload_keys_are_made_listed_and_deleted(
    api_client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/workspace/payload-keys"
    problem(await api_client.post(path), 409, "payload_encryption_off")
    monkeypatch.setitem(platform.settings.__dict__, "payload_encryption", "on")
    first = (await api_client.post(path)).json()
    second = (await api_client.post(path)).json()
    listed = (await api_client.get(path)).json()["items"]
    assert [(one["id"], one["status"]) for one in listed] == [(second["id"], "active"), (first["id"], "retired")]
    assert set(first) == {"id", "status", "created_by", "created_at", "deleted_at"}
    problem(await api_client.delete(f"{path}/{second['id']}"), 409, "payload_key_active")
    problem(await api_client.delete(f"{path}/{first['id']}"), 409, "payload_key_retiring")
    monkeypatch.setattr(payload_keys, "LAG", timedelta(0))
    for _time in range(2):
        assert (await api_client.delete(f"{path}/{first['id']}")).status_code == 204
    listed = (await api_client.get(path)).json()["items"]
    assert [one["status"] for one in listed] == ["active", "deleted"]
    problem(await api_client.delete(f"{path}/{workspace.id}"), 404, "payload_key_not_found")
    monkeypatch.setattr(payload_keys, "MOST_KEYS", 1)
    problem(await api_client.post(path), 409, "too_many_payload_keys")
