"""What every answer tells browsers, who may call from other origins, and that links are the installation's own."""

import re
from dataclasses import replace

import httpx
import pytest

from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import SET_ONE, WAIT, a_workflow, client_of, made, problem

APPROVE = {"id": "ask", "type": "approval", "message": "May we?"}


def directives(answer: httpx.Response) -> dict[str, str]:
    """The policy of an answer, by directive."""
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/workspace",
        "/v1/runs?nonsense=1",
        "/v1/nowhere",
        "/nowhere",
        "/healthz",
        "/openapi.json",
        "/problems",
        "/problems/not_found",
        "/problems/nonsense",
        "/docs",
        "/redoc",
        "/static-offline-docs/swagger-ui.css",
        "/forms/nobody",
        "/approvals/nobody",
        "/hooks/nobody",
        "/messages/nobody",
    ],
)
async def test_every_answer_says_what_browsers_must_not_do(api_client: httpx.AsyncClient, path: str) -> None:
    answer = await api_client.get(path)
    policy = directives(answer)
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers.get("cache-control") == (None if "static" in path else "no-store")
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/problems", "/problems/not_found"])
async def test_a_page_runs_nothing_but_what_it_was_made_with(api_client: httpx.AsyncClient, path: str) -> None:
    page = await api_client.get(path)
    policy = directives(page)
    inline = len(re.findall("<script>", page.text))
    assert policy.get("script-src", "").count("sha256-") == inline
    assert "unsafe-inline" not in policy.get("script-src", "")
    for source in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert source.startswith("/"), "everything comes from this server"
        if "." in source:
            assert (await api_client.get(source)).status_code == 200
    assert not re.search(r"\s(style|on\w+)=", page.text), "a policy by digest does not reach attributes"


async def test_what_breaks_is_answered_with_the_same_headers_and_nothing_of_the_inside(
    api_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr("app.services.workspaces.get_workspace", broken)
    answer = await api_client.get("/v1/workspace")
    problem(answer, 500, "internal_error")
    assert directives(answer)["default-src"] == "'none'"
    for word in ("secret", "Traceback", ".py", "KeyError"):
        assert word not in answer.text


async def test_an_installation_behind_https_asks_browsers_to_keep_to_it(
    platform: Platform, workspace: TestWorkspace
) -> None:
    settings = platform.settings.model_copy(update={"public_url": "https://flows.example.com"})
    async with client_of(replace(platform, settings=settings), workspace) as client:
        for path in ("/v1/workspace", "/docs", "/nowhere"):
            answer = await client.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_what_a_run_answers_belongs_to_an_origin_of_its_own(
    api_client: httpx.AsyncClient, worker: object
) -> None:
    html = {"content-type": "text/html", "content-security-policy": "default-src https:"}
    step = {"id": "answer", "type": "respond", "headers": html, "body": "<script>parent.secret</script>"}
    workflow = await a_workflow(api_client, step)
    await made(api_client, f"/v1/workflows/{workflow}/publish")
    answer = await api_client.post(f"/v1/workflows/{workflow}/runs", headers={"Prefer": "wait=30"})
    own, ours = answer.headers.get_list("content-security-policy")
    assert own == "default-src https:"
    assert ours.startswith("sandbox ")
    assert "allow-same-origin" not in ours


async def test_no_link_is_made_of_what_the_request_calls_the_host(
    api_client: httpx.AsyncClient, worker: object
) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    trigger = {"type": "webhook", "form": {"fields": [{"key": "name", "type": "text", "label": "Name"}]}}
    workflow = await a_workflow(api_client, WAIT, SET_ONE)
    hooked = await a_workflow(api_client, SET_ONE, trigger={"type": trigger["type"]}, name="Hooked")
    for each in (workflow, hooked):
        await made(api_client, f"/v1/workflows/{each}/publish", headers=forged)
    run = await made(api_client, f"/v1/workflows/{workflow}/runs", headers=forged)
    answers = [await api_client.post(f"/v1/workflows/{hooked}/webhooks", headers=forged)]
    for path in (f"/v1/runs/{run['id']}", "/v1/webhooks", "/docs", "/openapi.json", "/v1/nowhere", "/v1/workflows/"):
        answers.append(await api_client.get(path, headers=forged))
    answers.append(await api_client.put("/v1/workflows", headers=forged))
    for answer in answers:
        assert "evil" not in answer.text
        assert "evil" not in str(answer.headers)
    await made(api_client, f"/v1/runs/{run['id']}/cancel")


# Other origins

LISTED = "https://app.example.com"


async def test_no_other_origin_is_let_in_unless_it_is_listed(api_client: httpx.AsyncClient) -> None:
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "GET"}
    preflight = await api_client.options("/v1/workspace", headers=asked)
    problem(preflight, 405, "method_not_allowed")
    for answer in (preflight, await api_client.get("/v1/workspace", headers={"Origin": LISTED})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_listed_origin_is_let_in_and_its_neighbours_are_not(
    platform: Platform, workspace: TestWorkspace
) -> None:
    settings = platform.settings.model_copy(update={"cors_origins": (LISTED,)})
    async with client_of(replace(platform, settings=settings), workspace) as client:
        asked = {
            "Origin": LISTED,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,holdfast-workspace,if-match,idempotency-key",
        }
        preflight = await client.options("/v1/workspace", headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, LISTED)
        for path, status in (("/v1/workspace", 200), ("/v1/nowhere", 404)):
            answer = await client.get(path, headers={"Origin": LISTED})
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, LISTED)
            assert "access-control-allow-credentials" not in answer.headers
            assert {"ETag", "RateLimit", "RateLimit-Policy"} <= set(
                answer.headers["access-control-expose-headers"].split(", ")
            )
            assert "Origin" in answer.headers["vary"]
        for origin in (
            "https://app.example.com.evil.com",
            "https://evil.com",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://APP.example.com",
            "null",
            "*",
        ):
            answer = await client.get("/v1/workspace", headers={"Origin": origin})
            assert "access-control-allow-origin" not in answer.headers, origin
        for path in ("/hooks/nobody", "/forms/nobody", "/approvals/nobody"):
            answer = await client.get(path, headers={"Origin": LISTED})
            assert "access-control-allow-origin" not in answer.headers, path
