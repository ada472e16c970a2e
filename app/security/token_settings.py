"""What the settings of JWT bearer tokens must be to belong together. `app.settings` reads them and asks here."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.security.egress import EgressBlocked, EgressPolicy

SHORTEST_SECRET = 32
"""Bytes: as many as HS256 gives (RFC 7518, 3.2)."""


def check_address(url: str) -> None:
    """Raises `ValueError` unless it is an address a key set may be fetched from."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
        raise ValueError("must be an address such as https://id.example.com/.well-known/jwks.json")


def check_secret(secret: str) -> None:
    """Raises `ValueError` for one that is too short, or no secret at all."""
    if len(secret.encode()) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} bytes: `openssl rand -base64 48` makes one")
    if "-----BEGIN " in secret:
        raise ValueError("is a key whose other half is public: name its key set in HOLDFAST_JWT_JWKS_URL instead")


def check_together(given: Mapping[str, object]) -> None:
    """Raises `ValueError` unless none of the four is given, or issuer, audience and one of key set and secret; and for
    a key set that would come unencrypted from a host that the allow-list does not name."""
    url, secret = given.get("jwt_jwks_url"), given.get("jwt_secret")
    if url and secret:
        raise ValueError("HOLDFAST_JWT_JWKS_URL and HOLDFAST_JWT_SECRET exclude each other: keep one")
    named = [bool(given.get("jwt_issuer")), bool(given.get("jwt_audience")), bool(url or secret)]
    if any(named) and not all(named):
        raise ValueError(
            "tokens take HOLDFAST_JWT_ISSUER, HOLDFAST_JWT_AUDIENCE and either HOLDFAST_JWT_JWKS_URL or "
            "HOLDFAST_JWT_SECRET: set these three, or none"
        )
    allowed = given.get("egress_allow")
    if isinstance(url, str) and isinstance(allowed, tuple) and not _is_safe(url, EgressPolicy(allowed)):
        raise ValueError(
            "HOLDFAST_JWT_JWKS_URL must begin with https://, else whoever stands in between puts in keys of their own; "
            "plain http is for private hosts that HOLDFAST_EGRESS_ALLOW names"
        )


def _is_safe(url: str, policy: EgressPolicy) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or policy.allows_host(host):
        return True
    try:
        policy.check(host)
        return not ipaddress.ip_address(host).is_global
    except (EgressBlocked, ValueError):
        return False
