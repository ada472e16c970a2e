"""Tests of connections ask providers for what their published descriptions know, and read what they answer.

Refused credentials are looked for in every kind of connection that anybody can refuse, up to what people are told.
"""

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.base import ActionError
from activities.connection_tests import ConnectionTester
from activities.http_client import HttpClient
from activities.probes.providers import ADDRESSES, GRAPH_VERSION, provider_probes
from activities.token_client import HttpTokenClient
from app.catalog.connections import CONNECTION_KINDS
from app.catalog.errors import ErrorType
from app.json import JsonObject
from app.services import connections
from app.services.connections import ResolvedConnection
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.authorization_server import AuthorizationServer
from tests.support.http_stub import Answer, HttpStub
from tests.support.imap_server import open_imap_server
from tests.support.invocations import ActionCaller, connection_of
from tests.support.providers import AUTH_TOKEN, MESSENGER, NUMBER_ID, TWILIO, WHATSAPP
from tests.support.smtp_catcher import open_smtp_catcher

CONTRACTS = Path(__file__).resolve().parents[3] / "shared" / "contracts"
WHATSAPP_CONTRACT = "whatsapp_cloud_v23.yaml"
SID = TWILIO["config"]["account_sid"]


def contract(name: str) -> str:
    if not (path := CONTRACTS / name).exists():
        pytest.skip(f"the provider's description {name} is not beside the project")
    return path.read_text()


@pytest.fixture
def http(call: ActionCaller) -> HttpClient:
    return call.http


async def probe(http: HttpClient, stub: HttpStub, connection: ResolvedConnection) -> tuple[str, str, bool]:
    """What a test finds out at the stub, which plays every provider."""
    found = await provider_probes(dict.fromkeys(("twilio", "sendgrid", "graph"), stub.url))[connection.kind](
        connection, http
    )
    return found.message, found.hint, found.checked


def twilio() -> ResolvedConnection:
    return connection_of("twilio", TWILIO["config"], TWILIO["credentials"])


def whatsapp(**more: str) -> ResolvedConnection:
    return connection_of("whatsapp", WHATSAPP["config"], WHATSAPP["credentials"] | more)


async def test_twilio_is_asked_for_the_account(http: HttpClient, http_stub: HttpStub) -> None:
    http_stub.otherwise(Answer(json={"sid": SID, "status": "active", "friendly_name": "Shop"}))
    message, _, _ = await probe(http, http_stub, twilio())
    [asked] = http_stub.requests
    assert (asked.method, asked.path) == ("GET", f"/2010-04-01/Accounts/{SID}.json")
    given = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
    assert given == f"{SID}:{AUTH_TOKEN}"
    assert message == "Twilio knows the account Shop"


def test_twilios_and_whatsapps_descriptions_know_what_is_asked() -> None:
    paths = json.loads(contract("twilio_api_v2010.json"))["paths"]
    assert paths["/2010-04-01/Accounts/{Sid}.json"]["get"]["operationId"] == "FetchAccount"
    # All of it would take seconds to read.
    path = re.search(r"^  /\{Version\}/\{Phone-Number-ID\}:\n(.*?)^  /", contract(WHATSAPP_CONTRACT), re.M | re.S)
    assert path is not None
    assert re.search(r"^    get:", path[1], re.M)
    assert GRAPH_VERSION.partition(".")[0] in WHATSAPP_CONTRACT


async def test_a_suspended_account_does_not_work(http: HttpClient, http_stub: HttpStub) -> None:
    http_stub.otherwise(Answer(json={"sid": SID, "status": "suspended"}))
    with pytest.raises(ActionError, match="suspended"):
        await probe(http, http_stub, twilio())


async def test_a_refused_token_is_no_part_of_what_is_told(http: HttpClient, http_stub: HttpStub) -> None:
    http_stub.otherwise(Answer(401, json={"code": 20003, "message": f"Authenticate {AUTH_TOKEN}"}))
    with pytest.raises(ActionError) as caught:
        await probe(http, http_stub, twilio())
    assert caught.value.type is ErrorType.PROVIDER_AUTH
    assert AUTH_TOKEN not in caught.value.message


async def test_sendgrid_is_asked_what_the_key_may(http: HttpClient, http_stub: HttpStub) -> None:
    http_stub.answer("/v3/scopes", Answer(json={"scopes": ["mail.send"]}), Answer(json={"scopes": ["stats.read"]}))
    key = connection_of("sendgrid", {}, {"api_key": "SG.abc"})
    assert await probe(http, http_stub, key) == ("SendGrid takes the API key", "", True)
    assert "may not send" in (await probe(http, http_stub, key))[1]
    assert {asked.headers["Authorization"] for asked in http_stub.requests} == {"Bearer SG.abc"}
    assert (await probe(http, http_stub, connection_of("sendgrid", {}, {})))[2] is False


async def test_meta_is_asked_for_the_number_and_the_page(http: HttpClient, http_stub: HttpStub) -> None:
    http_stub.otherwise(Answer(json={"id": NUMBER_ID, "display_phone_number": "+1 555", "name": "Our page"}))
    page = MESSENGER["credentials"] | {"page_access_token": "EAA-page"}
    assert (await probe(http, http_stub, whatsapp(access_token="EAA-number")))[0].endswith("+1 555")
    assert (await probe(http, http_stub, connection_of("messenger", MESSENGER["config"], page)))[0].endswith("Our page")
    assert [asked.path for asked in http_stub.requests] == [f"/{GRAPH_VERSION}/{NUMBER_ID}"] * 2
    assert [asked.headers["Authorization"] for asked in http_stub.requests] == ["Bearer EAA-number", "Bearer EAA-page"]
    assert (await probe(http, http_stub, whatsapp()))[2] is False


async def test_metas_400_for_an_old_token_is_one_about_credentials(http: HttpClient, http_stub: HttpStub) -> None:
    http_stub.otherwise(Answer(400, json={"error": {"type": "OAuthException", "code": 190, "message": "expired"}}))
    with pytest.raises(ActionError) as caught:
        await probe(http, http_stub, whatsapp(access_token="EAA-old"))
    assert caught.value.type is ErrorType.PROVIDER_AUTH


@dataclass(frozen=True)
class Refusing:
    """Every provider there is, on loopback. None of them knows the credentials they are sent."""

    stub: HttpStub
    smtp_port: int
    imap_port: int

    def connection(self, kind: str) -> JsonObject:
        """A connection of the kind, with credentials that look right and say `WRONG` somewhere."""
        made = {
            "smtp": ({"host": "127.0.0.1", "port": self.smtp_port, "security": "none"}, LOGIN),
            "imap": ({"host": "127.0.0.1", "port": self.imap_port, "security": "none"}, LOGIN),
            "http": ({"base_url": self.stub.url, "test_path": "/me"}, {"type": "bearer", "token": WRONG}),
            "twilio": (TWILIO["config"], {"auth_token": WRONG}),
            "sendgrid": ({}, {"api_key": WRONG}),
            "messenger": (MESSENGER["config"], MESSENGER["credentials"] | {"page_access_token": WRONG}),
            "whatsapp": (WHATSAPP["config"], WHATSAPP["credentials"] | {"access_token": WRONG}),
        }
        if kind == "oauth2":
            server = AuthorizationServer(self.stub)
            return server.connection(kind, "client_credentials") | {"credentials": {"client_secret": WRONG}}
        config, credentials = made[kind]
        return {"kind": kind, "name": kind, "config": config, "credentials": credentials}


WRONG = "nobody-knows-this"
LOGIN = {"username": "shop", "password": WRONG}
META = Answer(401, json={"error": {"type": "OAuthException", "code": 190, "message": f"Bad signature: {WRONG}"}})
ANEW = "Enter the credentials anew: PATCH /v1/connections/{id}."
MAIL = "Enter the user name and password anew."
REFUSALS: dict[str, tuple[Answer, str, str]] = {
    "smtp": (Answer(), "refused the user name or password", MAIL),
    "imap": (Answer(), "refused the user name or password", MAIL),
    "http": (Answer(401, json={"error": f"who is {WRONG}?"}), "/me answered 401 Unauthorized: ", ANEW),
    "oauth2": (Answer(), "invalid_client", "a refused client is mended in client_id and client_secret."),
    "twilio": (
        Answer(401, json={"code": 20003, "message": f"Authenticate {WRONG}"}),
        f"/2010-04-01/Accounts/{SID}.json answered 401 Unauthorized: ",
        "Is account_sid the one the auth token is of?",
    ),
    "sendgrid": (
        Answer(401, json={"errors": [{"field": None, "message": f"authorization required, not {WRONG}"}]}),
        "/v3/scopes answered 401 Unauthorized: ",
        ANEW,
    ),
    "messenger": (META, f"/{GRAPH_VERSION}/{NUMBER_ID} answered 401 Unauthorized: ", ANEW),
    "whatsapp": (META, f"/{GRAPH_VERSION}/{NUMBER_ID} answered 401 Unauthorized: ", ANEW),
}
"""By kind: what its provider answers, what the message then says, and the hint."""


def trying(platform: Platform, http: HttpClient, stub: HttpStub) -> ConnectionTester:
    tokens = OAuthTokens(platform, HttpTokenClient(platform, http))
    return ConnectionTester(platform, http, tokens, dict.fromkeys(ADDRESSES, stub.url))


def test_every_kind_has_a_test_and_every_one_that_can_be_refused_is_refused_below(
    platform: Platform, http: HttpClient, http_stub: HttpStub
) -> None:
    assert trying(platform, http, http_stub).kinds == set(CONNECTION_KINDS)
    assert set(REFUSALS) == set(CONNECTION_KINDS) - {"webhook"}, "what is only signed for is refused by nobody"


@pytest.fixture
async def refusing(http_stub: HttpStub) -> AsyncIterator[Refusing]:
    async with open_smtp_catcher(credentials=("shop", "right")) as smtp, open_imap_server() as imap:
        yield Refusing(http_stub, smtp.port, imap.port)


@pytest.mark.parametrize("kind", REFUSALS)
async def test_credentials_that_are_refused_are_told_with_the_way_out(
    platform: Platform, workspace: TestWorkspace, http: HttpClient, refusing: Refusing, kind: str
) -> None:
    answer, said, hint = REFUSALS[kind]
    refusing.stub.otherwise(answer)
    row = await connections.create(platform, workspace.id, **refusing.connection(kind))
    told = await trying(platform, http, refusing.stub).test(workspace.id, row.id)
    after = await connections.get(platform, workspace.id, row.id)
    assert (told.ok, after.status) == (False, "error")
    assert said in told.message
    assert hint.replace("{id}", str(row.id)) in told.hint
    assert WRONG not in f"{told.message} {told.hint} {after.last_error}"
