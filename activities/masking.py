"""Hiding secrets in what is kept of a step's inputs, whatever shape they have: an attempt may fail for just that."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from app.json import Json, JsonObject
from app.security.masking import HIDDEN
from app.security.secret_names import WORDS

_SECRET_NAME = re.compile(rf"{WORDS}|^x-auth|^(key|sig|auth|pwd)$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a header or parameter of this name usually holds a secret. `Idempotency-Key` and the like do not."""
    return bool(_SECRET_NAME.search(name))


def mask_named(value: Json) -> Json:
    """The value with what stands under secret names hidden, at any depth."""
    if isinstance(value, list):
        return [mask_named(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: HIDDEN if is_secret_name(str(name)) and item is not None else mask_named(item)
        for name, item in value.items()
    }


def mask_url(url: Json) -> Json:
    """A URL with its password and the values of secret query parameters hidden; anything else unchanged."""
    if not isinstance(url, str) or ("@" not in url and "?" not in url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    userinfo, at, host = parts.netloc.rpartition("@")
    netloc = f"{userinfo.partition(':')[0]}:{HIDDEN}@{host}" if at and ":" in userinfo else parts.netloc
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    query = parts.query
    if any(is_secret_name(name) for name, _ in parameters):
        query = urlencode([(name, HIDDEN if is_secret_name(name) else value) for name, value in parameters], safe="*")
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def mask_request(inputs: JsonObject) -> JsonObject:
    """Inputs of a request: all of `auth` but its type and names, secret names anywhere else, the URL's password."""
    masked = dict(inputs)
    for name in ("headers", "query", "json", "form"):
        if name in masked:
            masked[name] = mask_named(masked[name])
    if "url" in masked:
        masked["url"] = mask_url(masked["url"])
    if "auth" in masked:
        masked["auth"] = _mask_auth(masked["auth"])
    return masked


def _mask_auth(auth: Json) -> Json:
    if not isinstance(auth, dict):
        return auth if auth is None else HIDDEN
    shown = ("type", "username", "name", "in")
    return {name: value if name in shown else HIDDEN for name, value in auth.items()}
