"""A step over a connection of kind oauth2: its token goes along, is renewed when refused, and is seen nowhere."""

from app.json import JsonObject
from app.services import connections
from tests.support.authorization_server import AuthorizationServer
from tests.support.engine import Engine
from tests.support.http_stub import Answer, Asked, HttpStub


def a_request(id: str, **more: object) -> JsonObject:
    step = {"id": id, "type": "action", "action": "http.request", "connection": "crm", "retry": {"max_attempts": 1}}
    return {**step, "inputs": {"url": "/me"}, **more}


async def test_a_refused_token_is_renewed_once_and_the_step_goes_on(engine: Engine, http_stub: HttpStub) -> None:
    server = AuthorizationServer(http_stub)
    await connections.create(engine.platform, engine.workspace_id, **server.connection("crm", "client_credentials"))
    first = await engine.steps(a_request("one"), output="{{ steps.one.output.body.name }}")
    server.revoke_access()
    second = await engine.steps(a_request("two"), output="{{ steps.two.output.body.name }}")

    assert (first.output, second.output) == ("Ada", "Ada")
    assert server.granted == ["client_credentials"] * 2
    assert [asked.headers["Authorization"][:10] for asked in http_stub.asked("/api/me")] == ["Bearer at-"] * 3
    keys = {asked.headers["Idempotency-Key"] for asked in http_stub.asked("/api/me")[1:]}
    assert keys == {f"{second.run.id}/two"}
    assert "at-" not in str(second.steps["two"].output) + str(second.steps["two"].inputs)


async def test_tokens_that_an_api_repeats_are_hidden_the_renewed_one_as_well(
    engine: Engine, http_stub: HttpStub
) -> None:
    server = AuthorizationServer(http_stub)
    await connections.create(engine.platform, engine.workspace_id, **server.connection("crm", "client_credentials"))
    seen: list[str] = []

    def echo(asked: Asked) -> Answer:
        seen.append(asked.headers["Authorization"].removeprefix("Bearer "))
        return Answer(200 if seen[-1] in server.access else 401, json={"you": f"said {' and '.join(seen)}"})

    http_stub.answer("/api/echo", echo)
    first = await engine.steps(a_request("one", inputs={"url": "/echo"}))
    server.revoke_access()
    second = await engine.steps(a_request("two", inputs={"url": "/echo"}))
    assert first.steps["one"].output["body"] == {"you": "said ***"}
    assert second.steps["two"].output["body"] == {"you": "said *** and *** and ***"}
    assert len(set(seen)) == 2


async def test_a_token_that_is_refused_again_fails_the_step_and_shows_at_the_connection(
    engine: Engine, http_stub: HttpStub
) -> None:
    server = AuthorizationServer(http_stub)
    row = await connections.create(
        engine.platform, engine.workspace_id, **server.connection("crm", "client_credentials", base_url=http_stub.url)
    )
    http_stub.answer("/me", server._me)
    server.access = Refusing()
    done = await engine.steps(a_request("one"))
    assert (done.run.status, done.error["type"]) == ("failed", "provider_auth")
    assert len(http_stub.asked("/me")) == 2
    found = await connections.get(engine.platform, engine.workspace_id, row.id)
    assert (found.status, "401" in str(found.last_error)) == ("error", True)


async def test_what_nobody_authorized_yet_fails_its_step_with_the_way_out(engine: Engine, http_stub: HttpStub) -> None:
    server = AuthorizationServer(http_stub)
    row = await connections.create(engine.platform, engine.workspace_id, **server.connection("crm"))
    done = await engine.steps(a_request("one"))
    assert done.error["type"] == "provider_auth"
    assert f"/v1/connections/{row.id}/authorize" in done.error["message"]
    assert http_stub.requests == []


async def test_another_origin_gets_no_token_and_its_401_renews_none(engine: Engine, http_stub: HttpStub) -> None:
    server = AuthorizationServer(http_stub)
    own = server.connection("crm", "client_credentials", base_url="http://localhost:1/api")
    await connections.create(engine.platform, engine.workspace_id, **own)
    done = await engine.steps(a_request("one", inputs={"url": f"{http_stub.url}/api/me"}))
    assert done.error["type"] == "provider_auth"
    [asked] = http_stub.asked("/api/me")
    assert ("Authorization" in asked.headers, server.granted) == (False, ["client_credentials"])


class Refusing(set[str]):
    """Access tokens of which none is good."""

    def __contains__(self, token: object) -> bool:
        return False
