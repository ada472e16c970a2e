"""Signatures of providers: theirs are taken, whatever was changed in what they signed is not."""

import base64
import hashlib
import hmac
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.security import message_addresses
from app.security.message_signatures import is_from_meta, is_from_sendgrid, is_from_twilio, same

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMETERS = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
"""What Twilio's documents and libraries have for these with the token 12345."""


def test_twilios_own_example_is_taken() -> None:
    assert is_from_twilio(SIGNATURE, URL, PARAMETERS, "12345")
    assert is_from_twilio(SIGNATURE, URL, reversed(PARAMETERS), "12345")


@pytest.mark.parametrize(
    ("signature", "url", "parameters", "secret"),
    [
        ("", URL, PARAMETERS, "12345"),
        (SIGNATURE[:-2], URL, PARAMETERS, "12345"),
        (SIGNATURE.lower(), URL, PARAMETERS, "12345"),
        ("\udcff" + SIGNATURE, URL, PARAMETERS, "12345"),
        (SIGNATURE, URL + "3", PARAMETERS, "12345"),
        (SIGNATURE, URL, PARAMETERS[1:], "12345"),
        (SIGNATURE, URL, [*PARAMETERS, ("Extra", "")], "12345"),
        (SIGNATURE, URL, PARAMETERS, "1234"),
    ],
)
def test_anything_else_is_not(signature: str, url: str, parameters: list[tuple[str, str]], secret: str) -> None:
    assert not is_from_twilio(signature, url, parameters, secret)


@pytest.mark.parametrize("signed", ["https://a.example:443/x?y=1", "https://a.example/x?y=1"])
@pytest.mark.parametrize("called", ["https://a.example:443/x?y=1", "https://a.example/x?y=1"])
def test_the_usual_port_may_stand_in_an_address_or_not(signed: str, called: str) -> None:
    signature = base64.b64encode(hmac.new(b"s", f"{signed}A1B2".encode(), hashlib.sha1).digest()).decode()
    assert is_from_twilio(signature, called, [("B", "2"), ("A", "1")], "s")
    assert not is_from_twilio(signature, called.replace("/x", "/z"), [("B", "2"), ("A", "1")], "s")


def test_metas_signature_is_of_the_body_as_it_came() -> None:
    body = b'{"object": "page", "text": "\\u00e4"}'
    signature = "sha256=" + hmac.new(b"secret", body, "sha256").hexdigest()
    assert is_from_meta(signature, body, "secret")
    assert not is_from_meta(signature, body + b" ", "secret")
    assert not is_from_meta(signature.removeprefix("sha256="), body, "secret")
    assert not is_from_meta("sha1=" + hmac.new(b"secret", body, "sha1").hexdigest(), body, "secret")
    assert not is_from_meta("", body, "secret")


def test_sendgrids_signature_is_of_time_and_body() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    shown = base64.b64encode(public).decode()
    signature = base64.b64encode(key.sign(b"1700000000body", ec.ECDSA(hashes.SHA256()))).decode()
    assert is_from_sendgrid(signature, "1700000000", b"body", shown)
    assert not is_from_sendgrid(signature, "1700000001", b"body", shown)
    assert not is_from_sendgrid(signature, "1700000000", b"bodies", shown)
    for wrong in ("", "!", "AAAA", signature[:-4]):
        assert not is_from_sendgrid(wrong, "1700000000", b"body", shown)


def test_the_token_of_an_address_names_its_workspace() -> None:
    workspace_id = uuid4()
    token = message_addresses.generate(workspace_id)
    assert message_addresses.workspace_of(token) == workspace_id
    assert message_addresses.generate(workspace_id) != token
    assert same(message_addresses.verify_token(token), message_addresses.verify_token(token))
    assert message_addresses.verify_token(token) not in token
    for wrong in ("", "msg__", "msg_a_b", token[:-2], token + "_x", token.replace("msg", "hf"), "msg_ä_ö", "x" * 5000):
        assert message_addresses.workspace_of(wrong) is None
