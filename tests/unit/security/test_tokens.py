"""A token is believed when the configured issuer signed it for us and its time is not over; else it is refused."""

import hashlib
import hmac
import json
import time

import pytest
from joserfc.jwk import Key

from app.json import Json
from app.security.tokens import KEY_SET_ALGORITHMS, SECRET_ALGORITHMS, SecretKey, TokenReader, TokenRefused, TokenRules
from tests.support.tokens import AUDIENCE, ISSUER, KEYS, SECRET, claims, coded, part, public, token


class OneSet:
    """Keys by their names, whatever the algorithm."""

    async def find(self, algorithm: str, kid: str | None) -> Key | None:
        return KEYS.get(kid or "")

    async def close(self) -> None: ...


def with_secret(**clock: float) -> TokenReader:
    rules = TokenRules(ISSUER, AUDIENCE, 30, SECRET_ALGORITHMS)
    return TokenReader(rules, SecretKey(SECRET), clock=lambda: time.time() + clock.get("later", 0.0))


WITH_SET = TokenReader(TokenRules(ISSUER, AUDIENCE, 30, KEY_SET_ALGORITHMS), OneSet())


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("okp", "EdDSA"), ("okp", "Ed25519")],
)
async def test_each_algorithm_of_a_key_set_is_taken(name: str, algorithm: str) -> None:
    read = await WITH_SET.read(token(name, alg=algorithm))
    assert (read.subject, read.claims["aud"]) == ("ada", AUDIENCE)


async def test_a_token_of_the_shared_secret_says_who_and_until_when() -> None:
    said = claims(role="editor", exp=2_000_000_000, aud=["another", AUDIENCE])
    read = await with_secret().read(token(said=said, x_of_theirs="passed over"))
    assert (read.subject, read.expires_at.isoformat()) == ("ada", "2033-05-18T03:33:20+00:00")
    assert read.claims["role"] == "editor"


NOW = int(time.time())


@pytest.mark.parametrize(
    "said",
    [
        claims(exp=NOW - 3600),
        claims(exp=None),
        claims(exp="tomorrow"),
        claims(exp=True),
        claims(nbf=NOW + 3600),
        claims(iat=NOW + 3600),
        claims(iss="https://evil.example.com/"),
        claims(iss=None),
        claims(iss=[ISSUER]),
        claims(aud="another"),
        claims(aud=None),
        claims(aud=["another"]),
        claims(aud={AUDIENCE: 1}),
        claims(sub=None),
        claims(sub=""),
        claims(sub=7),
        claims(sub="x" * 256),
        claims(sub="a\x00b"),
        claims(sub="\ud800"),
    ],
    # By their place: what they say changes with the clock, and all processes of a session must name them alike.
    ids=[f"claims {number}" for number in range(1, 20)],
)
async def test_claims_that_are_not_for_us_or_not_for_now_are_refused(said: dict[str, Json]) -> None:
    with pytest.raises(TokenRefused):
        await with_secret().read(token(said=said))


async def test_the_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    text = token(said=claims(exp=NOW + 300))
    assert (await with_secret(later=320.0).read(text)).subject == "ada"
    with pytest.raises(TokenRefused):
        await with_secret(later=400.0).read(text)


def resealed(**head: Json) -> str:
    """Another head on a good token, whose signature is then no longer one."""
    _, payload, signature = token("rsa").split(".")
    return f"{part({'alg': 'RS256', 'kid': 'rsa', **head})}.{payload}.{signature}"


PEM = KEYS["rsa"].as_pem(private=False)
JWK = json.dumps(public("rsa")).encode()


def signed_with_public(material: bytes) -> str:
    """HS256 with what everybody knows of the RSA key: believed by a reader that lets the token choose."""
    sealed = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims())}"
    mac = hmac.new(material, sealed.encode(), hashlib.sha256).digest()
    return f"{sealed}.{coded(mac)}"


FORGED = {
    "alg none": f"{part({'alg': 'none'})}.{part(claims())}.",
    "alg None": f"{part({'alg': 'None', 'kid': 'rsa'})}.{part(claims())}.",
    "no alg": f"{part({'kid': 'rsa'})}.{part(claims())}.",
    "alg is a list": f"{part({'alg': ['RS256'], 'kid': 'rsa'})}.{part(claims())}.x",
    "HS256 with the public PEM": signed_with_public(PEM),
    "HS256 with the public JWK": signed_with_public(JWK),
    "HS256 with nothing": signed_with_public(b""),
    "another key": token("rsa", key=KEYS["rsa-2"]),
    "an unknown key": token("rsa", kid="nobody"),
    "the key of another algorithm": token("ec", kid="rsa"),
    "a key that came along": token("rsa-2", kid=None, jwk=public("rsa-2")),
    "crit": token("rsa", crit=["exp"], exp=1),
    "crit that is known": token("rsa", crit=["kid"]),
    "b64": resealed(b64=False),
    "crit of b64": resealed(b64=False, crit=["b64"]),
    "kid is no text": resealed(kid={"a": 1}),
    "another payload": ".".join([token("rsa").split(".")[0], part(claims(sub="eve")), token("rsa").split(".")[2]]),
    "no signature": token("rsa").rpartition(".")[0] + ".",
    "RS512": token("rsa", alg="RS512"),
    "too long": token("rsa", said=claims(fill="x" * 9000)),
    "payload is a list": token("rsa", said=[1]),  # type: ignore[arg-type]
    "deep payload": f"{token('rsa').split('.')[0]}.{'W1tb' * 1000}.x",
    "deep head": f"{'W1tb' * 1500}.e30.x",
    "no base64": "?.?.?",
    "not ASCII": "ä.ö.ü",
    "empty": "..",
    "head is a list": f"{part([1])}.{part(claims())}.x",
    "head is a text": f"{part('alg')}.{part(claims())}.x",
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
async def test_what_the_issuer_did_not_sign_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        await WITH_SET.read(text)
    with pytest.raises(TokenRefused):
        await with_secret().read(text)


async def test_a_secret_judges_no_token_of_a_key_pair_and_the_other_way_round() -> None:
    with pytest.raises(TokenRefused):
        await with_secret().read(token("rsa"))
    with pytest.raises(TokenRefused):
        await WITH_SET.read(token("secret"))
