"""Connections to HTTP APIs: what of OAuth 2 is taken, and what would be unsafe or of no use."""

import pytest
from pydantic import ValidationError

from app.catalog.connection_base import fits
from app.catalog.http_connections import HttpConfig, OAuthConfig
from app.json import JsonObject

CRM: JsonObject = {
    "base_url": "https://api.crm.example",
    "authorization_url": "https://login.crm.example/authorize",
    "token_url": "https://login.crm.example/token",
    "client_id": "holdfast",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token_url": "http://login.crm.example/token"}, "https://"),
        ({"token_url": "ftp://127.0.0.1/token"}, "https://"),
        ({"authorization_url": "javascript:alert(1)"}, "https://"),
        ({"authorization_url": "https://user:pw@login.crm.example/"}, "no user name"),
        ({"authorization_url": "https://login.crm.example/#x"}, "fragment"),
        ({"authorization_url": None}, "authorization_url goes with"),
        ({"grant": "client_credentials"}, "authorization_url goes with"),
        ({"authorization_parameters": {"state": "mine"}}, "state"),
        ({"token_parameters": {"client_secret": "x"}}, "client_secret"),
        ({"scopes": ["two words"]}, "pattern"),
        ({"client_id": "a\nb"}, "pattern"),
        ({"test_path": "https://elsewhere.example"}, "begins with /"),
    ],
)
def test_what_is_unsafe_or_of_no_use_is_refused(changes: JsonObject, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OAuthConfig.model_validate(CRM | changes)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "[::1]:9", "localhost"])
def test_a_server_on_this_machine_needs_no_tls(host: str) -> None:
    assert OAuthConfig.model_validate(CRM | {"token_url": f"http://{host}/token"}).grant == "authorization_code"


def test_an_access_token_serves_as_the_credentials_of_an_api_and_nothing_else_does() -> None:
    assert fits("oauth2", "http")
    assert fits("smtp", "smtp")
    assert not fits("http", "oauth2")
    assert not fits("oauth2", "smtp")
    assert not fits("http", None)


def test_a_test_stays_below_the_base_url() -> None:
    with pytest.raises(ValidationError):
        HttpConfig.model_validate({"base_url": "https://api.example.com", "test_path": "me"})
