"""The kinds of connection: what of each is configuration and what is secret. Where either is kept is not known here.

Those that messages come in over stand in `messaging_connections.py`.
"""

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from app.catalog.connection_base import ConnectionKind, ConnectionModel, NoConfig
from app.catalog.email import OneAddress
from app.catalog.messaging_connections import MESSAGING_KINDS
from app.catalog.web import Auth, Headers, NoAuth, Text, check_headers

_DEFAULT_PORTS = {"none": 25, "starttls": 587, "tls": 465}


class SmtpConfig(ConnectionModel):
    """A mail server that takes messages for delivery."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[^\s/@]+$", description="Host name or address.")
    port: int | None = Field(None, ge=1, le=65535, description="Default: 587, with tls 465, with none 25.")
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="TLS from the start, after STARTTLS (never without), or not at all."
    )
    from_: OneAddress = Field(
        None,
        alias="from",
        description="Default sender; a display name is allowed.",
        examples=["Shop <shop@example.com>"],
    )

    @property
    def resolved_port(self) -> int:
        """The port, or the usual one for this kind of security."""
        return self.port or _DEFAULT_PORTS[self.security]


class SmtpCredentials(ConnectionModel):
    """Leave both out for a server that asks for none."""

    username: str | None = Field(None, description="User name.")
    password: str | None = Field(None, repr=False, description="Password.")

    @model_validator(mode="after")
    def _come_together(self) -> "SmtpCredentials":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; give both or neither")
        return self


class HttpConfig(ConnectionModel):
    """An HTTP API."""

    base_url: str = Field(
        max_length=2048,
        description="Where relative URLs begin; credentials are sent to its origin alone.",
        examples=["https://api.example.com/v2"],
    )
    headers: Headers = Field(default_factory=dict, description="Headers of every request to it; not for secrets.")

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


class HttpCredentials(ConnectionModel):
    """`type` none, basic, bearer or api_key, and what it needs: as `auth` of `http.request`."""

    type: Literal["none", "basic", "bearer", "api_key"] = Field("none", description="How requests prove who they are.")
    username: Text | None = Field(None, description="For basic.")
    password: Text | None = Field(None, repr=False, description="For basic.")
    token: str | None = Field(None, repr=False, description="For bearer: the token, without the word Bearer.")
    name: str | None = Field(None, description="For api_key: name of the header or query parameter; default X-API-Key.")
    value: Text | None = Field(None, repr=False, description="For api_key: the key.")
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


class _AsAuth(ConnectionModel):
    auth: Auth = NoAuth(type="none")


class WebhookCredentials(ConnectionModel):
    """The secret both sides share, as Standard Webhooks write it: `whsec_` and 24 to 64 bytes in base64."""

    secret: str = Field(repr=False, description="Signing secret, whsec_ followed by base64.")

    @field_validator("secret")
    @classmethod
    def _is_a_signing_secret(cls, value: str) -> str:
        try:
            size = len(base64.b64decode(value.strip().removeprefix("whsec_"), validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if not 24 <= size <= 64:
            raise ValueError("the secret must be whsec_ followed by 24 to 64 bytes in base64")
        return value.strip()


CONNECTION_KINDS: Mapping[str, ConnectionKind] = MappingProxyType(
    {
        kind.kind: kind
        for kind in (
            ConnectionKind("smtp", "Mail server (SMTP)", SmtpConfig, SmtpCredentials),
            ConnectionKind("http", "HTTP API", HttpConfig, HttpCredentials),
            ConnectionKind("webhook", "Webhook receiver", NoConfig, WebhookCredentials),
            *MESSAGING_KINDS,
        )
    }
)

__all__ = ["CONNECTION_KINDS", "ConnectionKind", "ConnectionModel"]
