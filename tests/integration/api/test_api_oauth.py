"""Authorizing a connection: over our page, the provider's and back, by one browser, once."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text, update

from app.db.models import OAuthAuthorization
from app.json import JsonObject
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.integration.api.calls import made, problem
from tests.support.authorization_server import AuthorizationServer
from tests.support.http_stub import HttpStub


@pytest.fixture
def server(http_stub: HttpStub) -> AuthorizationServer:
    return AuthorizationServer(http_stub)


async def begun(api_client: httpx.AsyncClient, connection: JsonObject) -> str:
    """The path of the page that an authorization begins at."""
    found = await made(api_client, f"/v1/connections/{connection['id']}/authorize")
    assert found["redirect_uri"] == "http://127.0.0.1:8000/oauth/callback"
    return urlsplit(found["authorization_url"]).path


async def sent_back(browser: httpx.AsyncClient, begin: str) -> str:
    """Where the browser is sent after it went on from the page to the provider."""
    left = await browser.post(begin)
    assert left.status_code == 303, left.text
    async with httpx.AsyncClient() as provider:
        answered = await provider.get(left.headers["location"])
    back = urlsplit(answered.headers["location"])
    return f"{back.path}?{back.query}"


async def status(api_client: httpx.AsyncClient, connection: JsonObject) -> tuple[str, str | None]:
    found = (await api_client.get(f"/v1/connections/{connection['id']}")).json()
    return found["status"], found["last_error"]


@pytest.mark.parametrize("client_auth", ["client_secret_basic", "client_secret_post", "none"])
async def test_somebody_authorizes_a_connection_and_it_can_be_used(
    api_client: httpx.AsyncClient,
    anybody: httpx.AsyncClient,
    platform: Platform,
    workspace: TestWorkspace,
    http_stub: HttpStub,
    client_auth: str,
) -> None:
    server = AuthorizationServer(http_stub, client_auth)
    connection = await made(
        api_client,
        "/v1/connections",
        server.connection(authorization_parameters={"prompt": "consent"}, test_path="/me"),
    )
    state, why = await status(api_client, connection)
    assert (state, "not been authorized" in str(why)) == ("error", True)
    untried = await made(api_client, f"/v1/connections/{connection['id']}/test")
    assert (untried["ok"], f"/v1/connections/{connection['id']}/authorize" in untried["hint"]) == (False, True)

    begin = await begun(api_client, connection)
    shown = await anybody.get(begin)
    done = await anybody.get(await sent_back(anybody, begin))

    assert (shown.status_code, "contacts.write" in shown.text, server.granted) == (200, True, ["authorization_code"])
    assert f"at <strong>{http_stub.url.removeprefix('http://')}</strong>" in shown.text
    assert f"form-action 'self' https: {http_stub.url};" in shown.headers["content-security-policy"]
    assert server.problems == []
    assert server.asked_for[0]["prompt"] == "consent"
    assert server.asked_for[0]["scope"] == "contacts.read contacts.write"
    assert (done.status_code, "crm is authorized" in done.text) == (200, True)
    assert await status(api_client, connection) == ("active", None)
    tested = await made(api_client, f"/v1/connections/{connection['id']}/test")
    assert (tested["ok"], tested["message"]) == (True, "GET /me answered 200")
    async with platform.database.transaction(workspace.id) as session:
        kept = str((await session.execute(text("SELECT * FROM oauth_tokens"))).one())
        assert (await session.execute(text("SELECT * FROM oauth_authorizations"))).all() == []
    for token in (*server.access, *server.refresh):
        assert token not in kept + done.text + str(tested)


async def test_only_the_browser_that_went_on_comes_back_and_only_once(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    connection = await made(api_client, "/v1/connections", server.connection())
    back = await sent_back(anybody, await begun(api_client, connection))
    other = httpx.AsyncClient(transport=anybody._transport, base_url="http://holdfast.test")
    elsewhere = await other.get(back)
    assert (elsewhere.status_code, server.granted) == (400, [])
    first, second = await anybody.get(back), await anybody.get(back)
    assert [first.status_code, second.status_code] == [200, 400]
    assert server.granted == ["authorization_code"]
    assert "leads nowhere" in second.text


async def test_a_browser_that_is_sent_on_again_ends_what_another_one_began(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    begin = await begun(api_client, await made(api_client, "/v1/connections", server.connection()))
    before = await sent_back(anybody, begin)
    after = await sent_back(anybody, begin)
    assert [(await anybody.get(back)).status_code for back in (before, after)] == [400, 200]


async def test_a_link_is_good_for_some_minutes(
    api_client: httpx.AsyncClient,
    anybody: httpx.AsyncClient,
    server: AuthorizationServer,
    platform: Platform,
    workspace: TestWorkspace,
) -> None:
    connection = await made(api_client, "/v1/connections", server.connection())
    begin = await begun(api_client, connection)
    back = await sent_back(anybody, begin)
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(update(OAuthAuthorization).values(expires_at=text("now() - interval '1 second'")))
    answers = [await anybody.get(back), await anybody.get(begin), await anybody.post(begin)]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert server.granted == []
    await begun(api_client, connection)
    async with platform.database.transaction(workspace.id) as session:
        assert len((await session.execute(text("SELECT 1 FROM oauth_authorizations"))).all()) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/oauth/callback",
        "/oauth/callback?state=state_x_y&code=c",
        "/oauth/callback?error=<script>alert(1)</script>&error_description=call+555-0100",
        f"/oauth/begin/ticket_{'a' * 26}_{'a' * 32}",
        "/oauth/begin/x",
    ],
)
async def test_what_belongs_to_nothing_is_told_nothing_and_repeats_nothing(
    anybody: httpx.AsyncClient, path: str
) -> None:
    answer = await anybody.get(path)
    assert answer.status_code == 400
    assert "leads nowhere" in answer.text
    assert "script" not in answer.text.replace("<style>", "")
    assert "555" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_refusal_is_told_as_text_and_leaves_the_connection_as_it_was(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    connection = await made(
        api_client, "/v1/connections", {**server.connection(), "description": "<img src=x onerror=alert(1)>"}
    )
    await anybody.get(await sent_back(anybody, await begun(api_client, connection)))
    server.denies = "<script>alert(1)</script>"
    begin = await begun(api_client, connection)
    shown = await anybody.get(begin)
    denied = await anybody.get(await sent_back(anybody, begin))
    assert "<img" not in shown.text
    assert (denied.status_code, "&lt;script&gt;" in denied.text, "<script>" in denied.text) == (403, True, False)
    assert await status(api_client, connection) == ("active", None)


async def test_a_page_that_another_website_sends_is_not_left(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    begin = await begun(api_client, await made(api_client, "/v1/connections", server.connection()))
    refused = await anybody.post(begin, headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, "location" in refused.headers, list(anybody.cookies)) == (400, False, [])
    left = await anybody.post(begin, headers={"Sec-Fetch-Site": "same-origin"})
    cookie = left.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/oauth/callback"))
    assert parse_qs(urlsplit(left.headers["location"]).query)["state"][0] not in cookie


async def test_a_provider_that_gives_no_token_is_told_on_the_page(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    connection = await made(
        api_client, "/v1/connections", {**server.connection(), "credentials": {"client_secret": "wrong-secret"}}
    )
    page = await anybody.get(await sent_back(anybody, await begun(api_client, connection)))
    assert (page.status_code, "invalid_client" in page.text, "wrong-secret" in page.text) == (502, True, False)


async def test_another_client_at_the_provider_needs_another_authorization(
    api_client: httpx.AsyncClient, anybody: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    connection = await made(api_client, "/v1/connections", server.connection())
    path = f"/v1/connections/{connection['id']}"
    pending = await sent_back(anybody, await begun(api_client, connection))
    await anybody.get(await sent_back(anybody, await begun(api_client, connection)))

    await api_client.patch(path, json={"config": {"headers": {"X-A": "1"}}})
    await api_client.patch(path, json={"credentials": {"client_secret": "another"}})
    assert await status(api_client, connection) == ("active", None)
    await api_client.patch(path, json={"config": {"client_id": "another"}})
    assert (await status(api_client, connection))[0] == "error"
    assert (await anybody.get(pending)).status_code == 400


async def test_only_what_people_authorize_is_authorized(
    api_client: httpx.AsyncClient, server: AuthorizationServer
) -> None:
    plain = {"kind": "http", "name": "plain", "config": {"base_url": "https://api.example.com"}}
    for body in (plain, server.connection("own", "client_credentials")):
        connection = await made(api_client, "/v1/connections", body)
        answer = await api_client.post(f"/v1/connections/{connection['id']}/authorize")
        problem(answer, 409, "connection_needs_no_authorization")
    missing = await api_client.post("/v1/connections/018f3c2e-7b1a-7c3d-9e4f-0a1b2c3d4e5f/authorize")
    problem(missing, 404, "connection_not_found")
