"""Providers of messages as they call an address: each signs by its own rule, written down here a second time."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx

from app.json import Json, JsonObject

AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
APP_SECRET = "fedcba9876543210"
NUMBER_ID = "106540352242922"

TWILIO: JsonObject = {
    "kind": "twilio",
    "name": "line",
    "config": {"account_sid": "AC" + "0" * 32, "from": "+15017122661"},
    "credentials": {"auth_token": AUTH_TOKEN},
}
MESSENGER: JsonObject = {
    "kind": "messenger",
    "name": "our-page",
    "config": {"page_id": NUMBER_ID},
    "credentials": {"app_secret": APP_SECRET},
}
WHATSAPP: JsonObject = {
    "kind": "whatsapp",
    "name": "wa",
    "config": {"phone_number_id": NUMBER_ID},
    "credentials": {"app_secret": APP_SECRET},
}
SENDGRID: JsonObject = {"kind": "sendgrid", "name": "parse", "config": {}}


@dataclass
class Receiver:
    """A connection that messages come in over."""

    client: httpx.AsyncClient
    connection_id: str
    address: str
    enter: list[JsonObject]

    async def twilio(self, form: dict[str, str], part: str = "", *, query: str = "", **headers: str) -> httpx.Response:
        """Twilio calls the address with these parameters, signed unless a signature is given."""
        url = f"{self.address}{part}{query}"
        told = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        signature = base64.b64encode(hmac.new(AUTH_TOKEN.encode(), told.encode(), hashlib.sha1).digest()).decode()
        sent = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.post(f"{part}{query}", urlencode(form).encode(), **sent)

    async def meta(self, body: Json, **headers: str) -> httpx.Response:
        """Meta calls the address with this body, signed unless a signature is given."""
        content = json.dumps(body).encode()
        signature = "sha256=" + hmac.new(APP_SECRET.encode(), content, hashlib.sha256).hexdigest()
        sent = {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}
        return await self.post("", content, **{**sent, **{k.replace("_", "-"): v for k, v in headers.items()}})

    async def post(self, part: str, content: bytes, **headers: str) -> httpx.Response:
        """A request without an API key."""
        request = self.client.build_request("POST", self.path + part, content=content, headers=headers)
        request.headers.pop("Authorization", None)
        return await self.client.send(request)

    @property
    def path(self) -> str:
        """The address without its host."""
        return urlsplit(self.address).path


async def receiving(client: httpx.AsyncClient, connection: JsonObject) -> Receiver:
    """Make the connection and let messages come in."""
    made = await client.post("/v1/connections", json=connection)
    assert made.status_code == 201, made.text
    opened = await client.post(f"/v1/connections/{made.json()['id']}/inbound")
    assert opened.status_code == 201, opened.text
    found = opened.json()
    return Receiver(client, made.json()["id"], found["address"], found["enter"])
