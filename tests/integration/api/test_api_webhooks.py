"""Webhooks over the API: made, listed, changed, rotated, deleted; secrets are shown once."""

import httpx
import pytest
from standardwebhooks import Webhook as Library

from app.json import Json
from app.services.platform import Platform
from tests.integration.api.calls import a_workflow, an_active_workflow, made, paths, problem
from tests.support.hooks import a_hook, deliveries, sent

HOOK = {"type": "webhook"}


async def test_a_webhook_has_an_address_and_a_secret_that_is_shown_once(
    api_client: httpx.AsyncClient, platform: Platform
) -> None:
    workflow_id = await an_active_workflow(api_client, triggers=[{"type": "manual"}, HOOK])
    answer = await api_client.post(f"/v1/workflows/{workflow_id}/webhooks", json={"name": "Shop"})
    assert answer.status_code == 201
    hook = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{hook['id']}"
    assert hook["address"] == platform.settings.resolved_public_url + hook["path"]
    assert hook["path"].startswith("/hooks/wh_")
    assert Library(hook["secret"])
    assert (hook["name"], hook["trigger"], hook["status"], hook["signature"]) == (
        "Shop", 1, "active", "standard_webhooks",
    )  # fmt: skip
    without = {name: value for name, value in hook.items() if name != "secret"}
    assert (await api_client.get(f"/v1/webhooks/{hook['id']}")).json() == without
    for path in (f"/v1/workflows/{workflow_id}/webhooks", "/v1/webhooks"):
        assert (await api_client.get(path)).json() == {"items": [without], "next_cursor": None}
    changed = await api_client.patch(f"/v1/webhooks/{hook['id']}", json={"name": "Till"})
    assert (changed.json()["name"], changed.json()["enabled"]) == ("Till", True)
    assert (await api_client.delete(f"/v1/webhooks/{hook['id']}")).status_code == 204
    problem(await api_client.get(f"/v1/webhooks/{hook['id']}"), 404, "webhook_not_found")


async def test_a_secret_of_the_senders_own_is_taken_if_it_is_of_use(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, signature="github", secret="It's-a-Secret-to-Everybody")
    assert hook["secret"] == "It's-a-Secret-to-Everybody"
    workflow_id = await an_active_workflow(api_client, trigger=HOOK)
    path = f"/v1/workflows/{workflow_id}/webhooks"
    refused: list[tuple[Json, str]] = [
        ({"secret": "not!base64"}, "secret"),
        ({"secret": "short"}, "secret"),
        ({"trigger": 3}, "trigger"),
        ({"name": "x" * 201}, "name"),
    ]
    for body, place in refused:
        assert paths(problem(await api_client.post(path, json=body), 422, "invalid_webhook")) == [place]
    problem(await api_client.post(path, json={"secrets": 1}), 422, "invalid_request")


async def test_a_workflow_without_a_webhook_trigger_gets_none(api_client: httpx.AsyncClient) -> None:
    workflow_id = await a_workflow(api_client)
    problem(await api_client.post(f"/v1/workflows/{workflow_id}/webhooks"), 409, "no_webhook_trigger")
    nowhere = "/v1/workflows/01890000-0000-7000-8000-000000000000/webhooks"
    problem(await api_client.post(nowhere), 404, "workflow_not_found")
    problem(await api_client.get(nowhere), 404, "workflow_not_found")


async def test_what_does_not_fit_a_rotation_is_said(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client)
    path = f"/v1/webhooks/{hook['id']}/rotate"
    for length in ("soon", "31d"):
        found = problem(await api_client.post(path, json={"keep_old_for": length}), 422, "invalid_webhook")
        assert paths(found) == ["keep_old_for"]
    given = await made(api_client, path, {"secret": hook["secret"][:-4]})
    assert given["secret"] == hook["secret"][:-4]


async def test_the_log_is_read_in_pages_and_by_what_became_of_deliveries(api_client: httpx.AsyncClient) -> None:
    hook = await a_hook(api_client, signature="none")
    sent_ids = [(await sent(api_client, hook, {"n": n})).json()["delivery_id"] for n in range(3)]
    await api_client.get(hook["path"])
    first = (await api_client.get(f"/v1/webhooks/{hook['id']}/deliveries?limit=2")).json()
    second = (
        await api_client.get(f"/v1/webhooks/{hook['id']}/deliveries?limit=2&cursor={first['next_cursor']}")
    ).json()
    assert [one["problem"] for one in first["items"]] == ["method_not_allowed", None]
    assert [one["id"] for one in (*first["items"], *second["items"])][1:] == sent_ids[::-1]
    assert second["next_cursor"] is None
    assert len(await deliveries(api_client, hook, status="accepted")) == 3
    moment = first["items"][1]["received_at"]
    assert len(await deliveries(api_client, hook, received_after=moment)) == 2
    assert len(await deliveries(api_client, hook, received_before=moment)) == 2
    missing = "01890000-0000-7000-8000-000000000000"
    problem(await api_client.get(f"/v1/webhooks/{missing}/deliveries"), 404, "webhook_not_found")
    problem(await api_client.get(f"/v1/deliveries/{missing}"), 404, "delivery_not_found")
    problem(await api_client.post(f"/v1/deliveries/{missing}/replay"), 404, "delivery_not_found")


@pytest.mark.parametrize("path", ["/v1/webhooks", "/v1/deliveries/01890000-0000-7000-8000-000000000000"])
async def test_the_log_is_for_those_who_have_a_key(api_client: httpx.AsyncClient, path: str) -> None:
    problem(await api_client.get(path, headers={"authorization": ""}), 401, "missing_api_key")
