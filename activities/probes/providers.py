"""Probes of providers by their own APIs: each asks for what the credentials belong to, as the provider describes it."""

import base64
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from activities.base import ActionError
from activities.http_client import HttpAnswer, HttpClient
from activities.probes.base import Found, Probe, ask, read, succeeded
from app.catalog.errors import ErrorType
from app.catalog.messaging_connections import (
    MessengerConfig,
    MessengerCredentials,
    SendGridCredentials,
    TwilioConfig,
    TwilioCredentials,
    WhatsAppConfig,
    WhatsAppCredentials,
)
from app.json import JsonObject
from app.services.connections import ResolvedConnection

ADDRESSES = MappingProxyType(
    {
        "twilio": "https://api.twilio.com",
        "sendgrid": "https://api.sendgrid.com",
        "graph": "https://graph.facebook.com",
    }
)
"""Where the providers' APIs are."""
GRAPH_VERSION = "v23.0"
_INVALID_TOKEN = 190
"""Graph API: the access token expired, was revoked or is none."""


def provider_probes(addresses: Mapping[str, str] = ADDRESSES) -> dict[str, Probe]:
    """The probes by kind, at these addresses."""

    async def twilio(connection: ResolvedConnection, http: HttpClient) -> Found:
        """Fetch the account (Api20100401, FetchAccount)."""
        config, credentials = read(TwilioConfig, connection.config), read(TwilioCredentials, connection.credentials)
        pair = base64.b64encode(f"{config.account_sid}:{credentials.auth_token}".encode()).decode()
        url = f"{addresses['twilio']}/2010-04-01/Accounts/{config.account_sid}.json"
        secrets = [credentials.auth_token, pair]
        answer = await ask(http, "GET", url, headers={"Authorization": f"Basic {pair}"}, secrets=secrets)
        account = succeeded(answer, "GET", secrets)
        if account.get("status") not in (None, "active"):
            raise ActionError(ErrorType.PROVIDER_REJECTED, f"the account is {account['status']} at Twilio")
        return Found(f"Twilio knows the account {str(account.get('friendly_name') or config.account_sid)[:100]}")

    async def sendgrid(connection: ResolvedConnection, http: HttpClient) -> Found:
        """List what the key may (GET /v3/scopes), which every key may."""
        credentials = read(SendGridCredentials, connection.credentials)
        if credentials.api_key is None:
            return Found("there is no api_key, which only sending needs", checked=False)
        scopes = await _bearer(http, f"{addresses['sendgrid']}/v3/scopes", credentials.api_key)
        may_send = "mail.send" in (scopes.get("scopes") or ())
        hint = "" if may_send else "The key may not send: give it the permission Mail Send at SendGrid."
        return Found("SendGrid takes the API key", hint)

    async def whatsapp(connection: ResolvedConnection, http: HttpClient) -> Found:
        """Fetch the number (GET /{Version}/{Phone-Number-ID})."""
        config, credentials = read(WhatsAppConfig, connection.config), read(WhatsAppCredentials, connection.credentials)
        if credentials.access_token is None:
            return Found("there is no access_token, which only sending needs", checked=False)
        url = f"{addresses['graph']}/{GRAPH_VERSION}/{config.phone_number_id}"
        number = await _bearer(http, url, credentials.access_token)
        return Found(f"WhatsApp knows the number {str(number.get('display_phone_number') or '')[:40]}".rstrip())

    async def messenger(connection: ResolvedConnection, http: HttpClient) -> Found:
        """Fetch the page's name."""
        config, credentials = (
            read(MessengerConfig, connection.config),
            read(MessengerCredentials, connection.credentials),
        )
        if credentials.page_access_token is None:
            return Found("there is no page_access_token, which only sending needs", checked=False)
        url = f"{addresses['graph']}/{GRAPH_VERSION}/{config.page_id}"
        page = await _bearer(http, url, credentials.page_access_token, [("fields", "name")])
        return Found(f"Facebook knows the page {str(page.get('name') or config.page_id)[:100]}")

    return {"twilio": twilio, "sendgrid": sendgrid, "whatsapp": whatsapp, "messenger": messenger}


async def _bearer(http: HttpClient, url: str, token: str, params: Sequence[tuple[str, str]] = ()) -> JsonObject:
    answer = await ask(http, "GET", url, headers={"Authorization": f"Bearer {token}"}, params=params, secrets=[token])
    try:
        return succeeded(answer, "GET", [token])
    except ActionError as error:
        if _is_invalid_token(answer):
            raise ActionError(ErrorType.PROVIDER_AUTH, error.message, provider_code=error.provider_code) from error
        raise


def _is_invalid_token(answer: HttpAnswer) -> bool:
    try:
        found = json.loads(answer.body)
        return bool(found["error"]["code"] == _INVALID_TOKEN)
    except (ValueError, KeyError, TypeError):
        return False
