"""The kinds of connection: what of each is configuration and what is secret. Where either is kept is not known here.

Those of HTTP APIs stand in `http_connections.py`, those that messages come in over in `messaging_connections.py`.
"""

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field, field_validator, model_validator

from app.catalog.connection_base import ConnectionKind, ConnectionModel, Credential, NoConfig
from app.catalog.email import OneAddress
from app.catalog.http_connections import HttpConfig, HttpCredentials, OAuthConfig, OAuthCredentials
from app.catalog.messaging_connections import MESSAGING_KINDS

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

    def destination(self) -> Mapping[str, object]:
        """They go to this server, in clear text if it says so."""
        return {"host": self.host.lower(), "port": self.resolved_port, "security": self.security}


class SmtpCredentials(ConnectionModel):
    """Leave both out for a server that asks for none."""

    username: Credential | None = Field(None, description="User name.")
    password: Credential | None = Field(None, repr=False, description="Password.")

    @model_validator(mode="after")
    def _come_together(self) -> "SmtpCredentials":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; give both or neither")
        return self


class WebhookCredentials(ConnectionModel):
    """The secret both sides share, as Standard Webhooks write it: `whsec_` and 24 to 64 bytes in base64."""

    secret: Credential = Field(repr=False, description="Signing secret, whsec_ followed by base64.")

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
            ConnectionKind("oauth2", "HTTP API (OAuth 2)", OAuthConfig, OAuthCredentials),
            ConnectionKind("webhook", "Webhook receiver", NoConfig, WebhookCredentials),
            *MESSAGING_KINDS,
        )
    }
)

__all__ = ["CONNECTION_KINDS", "ConnectionKind", "ConnectionModel", "HttpConfig", "HttpCredentials"]
