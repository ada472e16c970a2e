"""Connections to HTTP APIs: those with credentials of their own, and those whose access somebody authorizes (OAuth 2).

Shapes alone: how a token is had is not known here.
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from app.catalog.connection_base import ConnectionModel, Credential
from app.catalog.web import Auth, Headers, NoAuth, Text, as_text, check_headers

_OWN_PARAMETERS = frozenset(
    {
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "grant_type",
        "redirect_uri",
        "refresh_token",
        "response_type",
        "scope",
        "state",
    }
)
"""Parameters of OAuth 2 that are made here and nowhere else."""


class HttpConfig(ConnectionModel):
    """An HTTP API."""

    base_url: str = Field(
        max_length=2048,
        description="Where relative URLs begin; credentials are sent to its origin alone.",
        examples=["https://api.example.com/v2"],
    )
    headers: Headers = Field(default_factory=dict, description="Headers of every request to it; not for secrets.")
    test_path: str | None = Field(
        None,
        max_length=2048,
        description="What a test of the connection gets, below base_url: something only the right credentials may see.",
        examples=["/me"],
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_origin_and_a_path(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must begin with https:// or http:// and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("base_url must hold no user name, password, query or fragment")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_are_safe(cls, value: dict[str, str]) -> dict[str, str]:
        return check_headers(value)

    @field_validator("test_path")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("/", "?")):
            raise ValueError("test_path begins with /; it is a path below base_url")
        return value

    def destination(self) -> Mapping[str, object]:
        """They go to the origin of `base_url`."""
        return {"base_url": _origin(self.base_url)}


CredentialText = Annotated[Credential, BeforeValidator(as_text)]


class HttpCredentials(ConnectionModel):
    """`type` none, basic, bearer or api_key, and what it needs: as `auth` of `http.request`."""

    type: Literal["none", "basic", "bearer", "api_key"] = Field("none", description="How requests prove who they are.")
    username: CredentialText | None = Field(None, description="For basic.")
    password: CredentialText | None = Field(None, repr=False, description="For basic.")
    token: Credential | None = Field(None, repr=False, description="For bearer: the token, without the word Bearer.")
    name: Credential | None = Field(
        None, description="For api_key: name of the header or query parameter; default X-API-Key."
    )
    value: CredentialText | None = Field(None, repr=False, description="For api_key: the key.")
    in_: Literal["header", "query"] | None = Field(
        None, alias="in", description="For api_key: header (default) or query."
    )

    @model_validator(mode="after")
    def _fit_their_type(self) -> "HttpCredentials":
        self.as_auth()
        return self

    def as_auth(self) -> Auth:
        """The same as the `auth` a request takes; raises `ValueError` when something is missing or too much."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        try:
            return _AsAuth.model_validate({"auth": {"type": self.type, **given}}).auth
        except ValidationError as error:
            told = (f"{each['loc'][-1]}: {each['msg']}" for each in error.errors(include_input=False))
            raise ValueError(f"for {self.type}, {'; '.join(told)}") from None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class _AsAuth(ConnectionModel):
    auth: Auth = NoAuth(type="none")


def _endpoint(value: str) -> str:
    """RFC 6749, 3.1 and 3.2: TLS, no fragment. This machine is let off TLS, as RFC 8252 does."""
    parts = urlsplit(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("must begin with https://; http:// is for this machine alone")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise ValueError("must name a host, and hold no user name, password or fragment")
    if parts.port == 0 or not all("!" <= character <= "~" for character in value):
        raise ValueError("must be written in visible ASCII characters, with a port of 1 to 65535 if it has one")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parameters(value: dict[str, str]) -> dict[str, str]:
    if own := sorted(_OWN_PARAMETERS & value.keys()):
        raise ValueError(f"{', '.join(own)}: set by Holdfast itself, cannot be given")
    return value


Endpoint = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_endpoint)]
Parameters = Annotated[dict[str, Text], AfterValidator(_parameters)]
Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$", max_length=500)]
Visible = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$", max_length=1000)]


class OAuthConfig(HttpConfig):
    """An HTTP API that takes access tokens of an OAuth 2 authorization server (RFC 6749)."""

    grant: Literal["authorization_code", "client_credentials"] = Field(
        "authorization_code",
        description="Whether somebody authorizes the access (with PKCE, RFC 7636), or the client has it of its own.",
    )
    authorization_url: Endpoint | None = Field(None, description="Where people authorize; for authorization_code.")
    token_url: Endpoint = Field(description="Where tokens are had.")
    client_id: Visible = Field(description="Id of the client that is registered there.")
    client_auth: Literal["client_secret_basic", "client_secret_post"] = Field(
        "client_secret_basic", description="How the client secret is sent: in a header, or in the body."
    )
    scopes: list[Scope] = Field(default_factory=list, max_length=100, description="What access is asked for.")
    authorization_parameters: Parameters = Field(
        default_factory=dict, description="More of authorization_url's query.", examples=[{"prompt": "consent"}]
    )
    token_parameters: Parameters = Field(
        default_factory=dict,
        description="More of what token_url is sent; not for secrets.",
        examples=[{"audience": "x"}],
    )

    @model_validator(mode="after")
    def _says_where_people_authorize(self) -> "OAuthConfig":
        if (self.grant == "authorization_code") != (self.authorization_url is not None):
            raise ValueError("authorization_url goes with grant authorization_code, which cannot do without")
        return self

    def destination(self) -> Mapping[str, object]:
        """The client's secret goes to `token_url`, the tokens it gets to `base_url`."""
        return {**super().destination(), "token_url": _origin(self.token_url)}


class OAuthCredentials(ConnectionModel):
    """The tokens are had from the authorization server, and never given."""

    client_secret: Visible | None = Field(
        None, repr=False, description="Secret of the client; a public client has none."
    )
