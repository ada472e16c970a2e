"""Access tokens: fresh for whoever uses them, got by one of all processes, and none lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, text

from activities.http_client import HttpClient
from activities.token_client import HttpTokenClient
from app.catalog.errors import ErrorType
from app.db.models import Connection
from app.services import connections, oauth_tokens
from app.services.errors import Conflict, NotFound, Unavailable
from app.services.oauth_exchange import TokenError, Tokens
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform, open_platform
from app.store import oauth as store
from tests.conftest import TestWorkspace
from tests.support.authorization_server import AuthorizationServer
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.oauth_rows import expired, hold, status
from tests.support.waiting import eventually

FOREVER = store.Lifetimes(access=None, refresh=None)


@pytest.fixture
def server(http_stub: HttpStub) -> AuthorizationServer:
    return AuthorizationServer(http_stub)


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[HttpClient]:
    client = HttpClient(platform.settings)
    yield client
    await client.close()


@pytest.fixture
def tokens(platform: Platform, http: HttpClient) -> OAuthTokens:
    return OAuthTokens(platform, HttpTokenClient(platform, http))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a lease was asked for."""
    lease, event = store.lease, asyncio.Event()

    async def noted(*arguments: Any, **options: Any) -> bool:
        got = await lease(*arguments, **options)
        event.set()
        return got

    monkeypatch.setattr(store, "lease", noted)
    return event


@pytest.fixture
async def crm(platform: Platform, workspace: TestWorkspace, server: AuthorizationServer) -> Connection:
    """An authorized connection whose access token has expired."""
    row = await connections.create(platform, workspace.id, **server.connection())
    server.refresh.add("rt-first")
    await hold(platform, row, Tokens("at-first", "rt-first", 3600, None))
    await expired(platform, row)
    return row


async def test_two_processes_that_want_a_token_at_once_ask_for_one(
    platform: Platform, server: AuthorizationServer, crm: Connection
) -> None:
    async def when_both_want_it(asked: Asked) -> Answer:
        await eventually(lambda: all(each._under_way for each in both), what="both to want a token")
        return server._token(asked)

    server.stub.answer("/token", when_both_want_it)
    async with open_platform(platform.settings) as other:
        https = [HttpClient(platform.settings) for _ in range(2)]
        both = [
            OAuthTokens(each, HttpTokenClient(each, http)) for each, http in zip((platform, other), https, strict=True)
        ]
        wanted = [each.access_token(crm.workspace_id, crm.id) for each in both for _ in range(10)]
        got = set(await asyncio.gather(*wanted))
        for each in https:
            await each.close()
    assert (len(got), server.granted, got == server.access) == (1, ["refresh_token"], True)


async def test_no_connection_of_the_pool_is_held_while_the_server_is_asked(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    busy: list[int] = []

    def counting(asked: Asked) -> Answer:
        busy.append(platform.database._engine.pool.checkedout())  # type: ignore[attr-defined]
        return server._token(asked)

    server.stub.answer("/token", counting)
    await tokens.access_token(crm.workspace_id, crm.id)
    assert busy == [0]


async def test_each_refresh_token_is_used_once_and_the_next_one_kept(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    for _ in range(3):
        await tokens.access_token(crm.workspace_id, crm.id)
        await expired(platform, crm)
    assert server.granted == ["refresh_token"] * 3
    assert len(server.refresh) == 1


async def test_a_refresh_token_stays_when_the_server_gives_no_other(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    server.rotates = False
    for _ in range(2):
        await tokens.access_token(crm.workspace_id, crm.id)
        await expired(platform, crm)
    assert (server.granted, server.refresh) == (["refresh_token"] * 2, {"rt-first"})


async def test_a_token_is_renewed_shortly_before_it_expires_and_not_earlier(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    hour = {"obtained_at": func.now() - text("interval '1 hour'")}
    await expired(platform, crm, expires_at=func.now() + text("interval '70 seconds'"), **hour)
    assert await tokens.access_token(crm.workspace_id, crm.id) == "at-first"
    await expired(platform, crm, expires_at=func.now() + text("interval '50 seconds'"), **hour)
    assert await tokens.access_token(crm.workspace_id, crm.id) in server.access


async def test_another_one_is_had_in_place_of_one_the_provider_refused(
    server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    first = await tokens.access_token(crm.workspace_id, crm.id)
    second = await tokens.access_token(crm.workspace_id, crm.id, rejected=first)
    assert second != first
    # Whoever was refused the first one as well takes what is there by now.
    assert await tokens.access_token(crm.workspace_id, crm.id, rejected=first) == second
    assert len(server.granted) == 2


async def test_the_lease_of_a_process_that_died_runs_out(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection, tried: asyncio.Event
) -> None:
    await expired(platform, crm, lease_holder="gone", lease_until=func.now() + text("interval '1 hour'"))
    waiting = asyncio.create_task(tokens.access_token(crm.workspace_id, crm.id))
    await tried.wait()
    assert server.granted == []
    await expired(platform, crm, lease_until=func.now() - text("interval '1 second'"))
    assert await waiting in server.access


async def test_one_that_waits_takes_what_another_process_got(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection, tried: asyncio.Event
) -> None:
    await expired(platform, crm, lease_holder="busy", lease_until=func.now() + text("interval '1 hour'"))
    waiting = asyncio.create_task(tokens.access_token(crm.workspace_id, crm.id))
    await tried.wait()
    await hold(platform, crm, Tokens("at-theirs", "rt-theirs", 3600, None))
    assert await waiting == "at-theirs"
    assert server.granted == []


async def test_a_lease_that_never_ends_is_given_up_on(
    platform: Platform, tokens: OAuthTokens, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth_tokens, "WAIT_SECONDS", 0.0)
    await expired(platform, crm, lease_holder="busy", lease_until=func.now() + text("interval '1 hour'"))
    with pytest.raises(TokenError, match="another process") as caught:
        await tokens.access_token(crm.workspace_id, crm.id)
    assert caught.value.type is ErrorType.TIMEOUT


async def test_who_gives_up_waiting_does_not_lose_the_next_refresh_token(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(request: Asked) -> Answer:
        asked.set()
        await answer.wait()
        return server._token(request)

    server.stub.answer("/token", slow)
    waiting = asyncio.create_task(tokens.access_token(crm.workspace_id, crm.id))
    await asked.wait()
    waiting.cancel()
    answer.set()
    await asyncio.wait([waiting])
    assert waiting.cancelled()

    async def kept() -> bool:
        return (await tokens._held(crm.workspace_id, crm.id)).tokens["refresh_token"] in server.refresh

    await eventually(kept, what="the tokens to be kept")


async def test_new_tokens_are_kept_once_the_database_is_back(
    server: AuthorizationServer, tokens: OAuthTokens, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, failures = store.keep, [Unavailable("database_unavailable", "away")]

    async def away(*arguments: Any, **options: Any) -> bool:
        if failures:
            raise failures.pop()
        return await keep(*arguments, **options)

    monkeypatch.setattr(store, "keep", away)
    token = await tokens.access_token(crm.workspace_id, crm.id)
    assert (await tokens._held(crm.workspace_id, crm.id)).access_token == token
    assert server.granted == ["refresh_token"]


async def test_an_authorization_that_ends_meanwhile_is_newer(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    async def overtaken(asked: Asked) -> Answer:
        await hold(platform, crm, Tokens("at-newer", "rt-newer", 3600, None))
        return server._token(asked)

    server.stub.answer("/token", overtaken)
    assert await tokens.access_token(crm.workspace_id, crm.id) == "at-newer"
    assert (await tokens._held(crm.workspace_id, crm.id)).tokens["refresh_token"] == "rt-newer"


async def test_a_revoked_authorization_is_said_at_the_connection_and_asked_for_no_more(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    server.revoke()
    for _ in range(2):
        with pytest.raises(TokenError, match="authorize it again") as caught:
            await tokens.access_token(crm.workspace_id, crm.id)
        assert caught.value.type is ErrorType.PROVIDER_AUTH
        assert "rt-first" not in caught.value.message
    state, why = await status(platform, crm)
    assert (state, f"/v1/connections/{crm.id}/authorize" in str(why)) == ("revoked", True)
    assert len(server.stub.asked("/token")) == 1
    await connections.note_use(platform, crm.workspace_id, crm.name, error="refused")
    assert (await status(platform, crm))[0] == "revoked"


async def test_an_authorization_whose_time_is_over_has_expired(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    server.revoke()
    await expired(platform, crm, refresh_expires_at=func.now() - text("interval '1 day'"))
    with pytest.raises(TokenError):
        await tokens.access_token(crm.workspace_id, crm.id)
    assert (await status(platform, crm))[0] == "expired"


async def test_an_access_token_alone_is_used_to_its_end(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    await hold(platform, crm, Tokens("at-alone", None, 30, None))
    assert await tokens.access_token(crm.workspace_id, crm.id) == "at-alone"
    await expired(platform, crm)
    with pytest.raises(TokenError, match="cannot be renewed"):
        await tokens.access_token(crm.workspace_id, crm.id)
    assert (await status(platform, crm))[0] == "expired"
    assert server.stub.asked("/token") == []


async def test_a_server_that_has_trouble_is_no_reason_to_leave_a_token_that_is_still_good(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    server.stub.answer("/token", Answer(503, body="<html>"))
    soon = {"expires_at": func.now() + text("interval '50 seconds'"), "obtained_at": func.now() - text("interval '1h'")}
    await expired(platform, crm, **soon)
    assert await tokens.access_token(crm.workspace_id, crm.id) == "at-first"
    await expired(platform, crm)
    with pytest.raises(TokenError, match="answered 503") as caught:
        await tokens.access_token(crm.workspace_id, crm.id)
    assert caught.value.type is ErrorType.PROVIDER_UNAVAILABLE
    assert (await status(platform, crm))[0] == "active"


@pytest.mark.parametrize(
    ("answer", "type", "said"),
    [
        (Answer(401, json={"error": "invalid_client"}), ErrorType.PROVIDER_AUTH, "invalid_client"),
        (Answer(200, json={"error": "bad_verification_code"}), ErrorType.PROVIDER_AUTH, "bad_verification_code"),
        (Answer(429, headers={"Retry-After": "7"}), ErrorType.RATE_LIMITED, "429"),
        (Answer(302, headers={"Location": "/elsewhere"}), ErrorType.PROVIDER_REJECTED, "302"),
        (Answer(200, body="no json"), ErrorType.PROVIDER_REJECTED, "200"),
        (Answer(200, json={"access_token": "a\r\nX: 1"}), ErrorType.PROVIDER_REJECTED, "no header can carry"),
        (Answer(200, json={"access_token": "a" * 16_385}), ErrorType.PROVIDER_REJECTED, "more than 16,384 characters"),
        (Answer(200, json={"access_token": "a", "token_type": "mac"}), ErrorType.PROVIDER_REJECTED, "mac"),
        (Answer(drop=True), ErrorType.CONNECTION_FAILED, "/token"),
        (
            Answer(400, json={"error": "invalid_request", "error_description": "rt-first"}),
            ErrorType.PROVIDER_AUTH,
            "***",
        ),
    ],
)
async def test_an_answer_without_a_token_is_told(
    server: AuthorizationServer, tokens: OAuthTokens, crm: Connection, answer: Answer, type: ErrorType, said: str
) -> None:
    server.stub.answer("/token", answer)
    with pytest.raises(TokenError) as caught:
        await tokens.access_token(crm.workspace_id, crm.id)
    assert (caught.value.type, said in caught.value.message) == (type, True)
    assert "rt-first" not in caught.value.message
    assert server.stub.asked("/elsewhere") == []


async def test_a_client_has_tokens_of_its_own(
    platform: Platform, workspace: TestWorkspace, server: AuthorizationServer, tokens: OAuthTokens
) -> None:
    server.expires_in = "3600"
    row = await connections.create(platform, workspace.id, **server.connection("own", "client_credentials"))
    first = await tokens.access_token(workspace.id, row.id)
    assert await tokens.access_token(workspace.id, row.id) == first
    await expired(platform, row)
    assert await tokens.access_token(workspace.id, row.id) != first
    assert server.granted == ["client_credentials"] * 2


async def test_tokens_copied_to_another_connection_are_refused(
    platform: Platform, workspace: TestWorkspace, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    other = await connections.create(platform, workspace.id, **server.connection("other"))
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(
            text(
                "INSERT INTO oauth_tokens (workspace_id, connection_id, tokens) "
                "SELECT workspace_id, :to, tokens FROM oauth_tokens"
            ),
            {"to": other.id},
        )
    with pytest.raises(Conflict, match="saved for another connection"):
        await tokens.access_token(workspace.id, other.id)


async def test_a_connection_that_is_deleted_meanwhile_has_no_token(
    platform: Platform, server: AuthorizationServer, tokens: OAuthTokens, crm: Connection
) -> None:
    async def deleted(asked: Asked) -> Answer:
        await connections.delete(platform, crm.workspace_id, crm.id)
        return server._token(asked)

    server.stub.answer("/token", deleted)
    for _ in range(2):
        with pytest.raises(NotFound):
            await tokens.access_token(crm.workspace_id, crm.id)


async def test_a_redirect_of_a_token_endpoint_is_not_followed(
    platform: Platform, workspace: TestWorkspace, server: AuthorizationServer, tokens: OAuthTokens, http_stub: HttpStub
) -> None:
    other = f"http://localhost:{http_stub.port}/elsewhere"
    for number, status_ in enumerate((301, 303, 307, 308)):
        http_stub.answer(f"/{number}", Answer(status_, headers={"Location": other}))
        own = server.connection(f"crm-{number}", "client_credentials", token_url=f"{http_stub.url}/{number}")
        row = await connections.create(platform, workspace.id, **own)
        with pytest.raises(TokenError, match=str(status_)) as caught:
            await tokens.access_token(workspace.id, row.id)
        assert caught.value.type is ErrorType.PROVIDER_REJECTED
    assert http_stub.asked("/elsewhere") == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "' + b"x" * 300_000 + b'"}',
        b"[" * 200_000,
        b'{"access_token": "at", "expires_in": ' + b"9" * 4000 + b', "refresh_token": "\\ud800"}',
    ],
    ids=["long", "deep", "odd"],
)
async def test_no_answer_of_a_token_endpoint_does_harm(
    platform: Platform,
    workspace: TestWorkspace,
    server: AuthorizationServer,
    tokens: OAuthTokens,
    http_stub: HttpStub,
    body: bytes,
) -> None:
    http_stub.answer("/answers", Answer(body=body))
    own = server.connection("crm", "client_credentials", token_url=f"{http_stub.url}/answers")
    row = await connections.create(platform, workspace.id, **own)
    with pytest.raises(TokenError) as caught:
        await tokens.access_token(workspace.id, row.id)
    assert caught.value.type is ErrorType.PROVIDER_REJECTED
    assert len(caught.value.message) < 300
