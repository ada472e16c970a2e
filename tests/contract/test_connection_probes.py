"""Tests of connections ask providers for what their published descriptions know, and read what they answer."""

import base64
import json
from pathlib import Path

import pytest
import yaml

from activities.base import ActionError
from activities.http_client import HttpClient
from activities.probes.providers import GRAPH_VERSION, provider_probes
from app.catalog.errors import ErrorType
from app.json import JsonObject
from app.services.connections import ResolvedConnection
from tests.support.http_stub import Answer, HttpStub
from tests.support.invocations import ActionCaller, connection_of
from tests.support.providers import AUTH_TOKEN, MESSENGER, NUMBER_ID, TWILIO, WHATSAPP

CONTRACTS = Path(__file__).resolve().parents[3] / "shared" / "contracts"
SID = TWILIO["config"]["account_sid"]


def contract(name: str) -> JsonObject:
    if not (path := CONTRACTS / name).exists():
        pytest.skip(f"the provider's description {name} is not beside the project")
    loaded: JsonObject = json.loads(path.read_text()) if name.endswith("json") else yaml.safe_load(path.read_text())
    return loaded


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
    paths = contract("twilio_api_v2010.json")["paths"]
    assert paths["/2010-04-01/Accounts/{Sid}.json"]["get"]["operationId"] == "FetchAccount"
    graph = contract("whatsapp_cloud_v23.yaml")
    assert "get" in graph["paths"]["/{Version}/{Phone-Number-ID}"]
    assert graph["info"]["version"].lstrip("v") in GRAPH_VERSION


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
