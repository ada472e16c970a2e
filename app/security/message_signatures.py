"""Whether a request comes from the provider it says it comes from: Twilio's, Meta's and SendGrid's signatures. Pure.

Each answers yes or no and nothing else, after comparing in constant time: neither answer nor time tells how close a
wrong signature was. Rules: "Webhooks security" (Twilio), "Validate payloads" (Meta), "Signed event webhook" (SendGrid).
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

_PORTS = {"https": 443, "http": 80}


def is_from_twilio(signature: str, url: str, parameters: Iterable[tuple[str, str]], secret: str) -> bool:
    """Whether it is one of those that Twilio may make."""
    # All of them, whichever it is.
    found = [same(signature, each) for each in twilio_signatures(url, parameters, secret)]
    return any(found)


def twilio_signatures(url: str, parameters: Iterable[tuple[str, str]], secret: str) -> Sequence[str]:
    """`X-Twilio-Signature`: HMAC-SHA1, in base64, of the address Twilio called and the sorted parameters of the form.

    Twilio writes the port of an address or leaves it out, whatever was entered: both are right, as in its libraries.
    """
    told = "".join(name + value for name, value in sorted(set(parameters)))
    return [
        base64.b64encode(hmac.digest(secret.encode(), (each + told).encode(), "sha1")).decode()
        for each in _with_and_without_port(url)
    ]


def is_from_meta(signature: str, body: bytes, secret: str) -> bool:
    """`X-Hub-Signature-256` as Meta makes it."""
    return same(signature, hub_signature(body, secret))


def hub_signature(body: bytes, secret: str) -> str:
    """`X-Hub-Signature-256`: `sha256=` and HMAC-SHA256, in hexadecimal, of the body."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def is_from_sendgrid(signature: str, timestamp: str, body: bytes, public_key: str) -> bool:
    """`X-Twilio-Email-Event-Webhook-Signature`: ECDSA with SHA-256 of timestamp and body. The key is DER in base64."""
    try:
        given = base64.b64decode(signature, validate=True)
        sendgrid_key(public_key).verify(given, timestamp.encode() + body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def sendgrid_key(public_key: str) -> ec.EllipticCurvePublicKey:
    """The key as SendGrid shows it. Raises `ValueError`."""
    key = load_der_public_key(base64.b64decode(public_key, validate=True))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not a key of an elliptic curve")
    return key


def same(given: str, expected: str) -> bool:
    """Whether two texts are the same, in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _with_and_without_port(url: str) -> Sequence[str]:
    parts = urlsplit(url)
    bare = parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return [url, *(parts._replace(netloc=host).geturl() for host in (bare, f"{bare}:{port}"))]
