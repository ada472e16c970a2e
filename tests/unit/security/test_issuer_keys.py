"""An issuer's keys are asked for when they must be and no more often, and an issuer that is away changes nothing."""

import asyncio
import json

import pytest
from joserfc.jwk import ECKey, RSAKey

from app.json import Json
from app.security.egress import EgressPolicy
from app.security.fetching import MOST_BYTES, FetchFailed, fetch
from app.security.issuer_keys import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, IssuerKeys, KeysUnavailable
from tests.support.http_stub import Answer, HttpStub
from tests.support.tokens import key_set, public

LOOPBACK = EgressPolicy(("127.0.0.0/8",))


class Issuer:
    """Serves what it is told to, and counts how often it is asked; `now` is the clock of who asks."""

    def __init__(self, served: Json) -> None:
        self.served = served
        self.asked = 0
        self.now = 1000.0
        self.slow: asyncio.Event | None = None
        self.keys = IssuerKeys(self.fetch, clock=lambda: self.now)

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.served is None:
            raise FetchFailed("away")
        return self.served if isinstance(self.served, bytes) else json.dumps(self.served).encode()

    async def has(self, kid: str | None, algorithm: str = "RS256") -> bool:
        return await self.keys.find(algorithm, kid) is not None


async def test_the_set_is_asked_for_once_and_then_known() -> None:
    issuer = Issuer(key_set("rsa", "ec"))
    assert [await issuer.has("rsa"), await issuer.has("ec", "ES256"), await issuer.has("rsa", "PS256")] == [True] * 3
    assert issuer.asked == 1


async def test_a_key_opens_only_what_is_of_its_kind() -> None:
    issuer = Issuer(key_set("rsa", "ec", "okp"))
    assert not await issuer.has("rsa", "ES256")
    assert not await issuer.has("ec", "RS256")
    assert not await issuer.has("okp", "HS256")
    issuer = Issuer(key_set("rsa", alg="PS256"))
    assert [await issuer.has("rsa"), await issuer.has("rsa", "PS256")] == [False, True]


async def test_a_token_that_names_no_key_means_the_only_one() -> None:
    assert await Issuer(key_set("rsa", "ec")).has(None)
    assert not await Issuer(key_set("rsa", "rsa-2")).has(None)


async def test_an_unknown_key_has_the_set_fetched_again_but_not_all_the_time() -> None:
    issuer = Issuer(key_set("rsa"))
    await issuer.has("rsa")
    issuer.served = key_set("rsa-2")
    assert not await issuer.has("rsa-2")
    issuer.now += PAUSE_SECONDS
    assert await issuer.has("rsa-2")
    assert not await issuer.has("rsa")
    for number in range(1000):
        assert not await issuer.has(f"made up {number}")
    assert issuer.asked == 2


async def test_many_who_ask_at_once_ask_the_issuer_once_and_one_who_leaves_takes_nothing_from_them() -> None:
    issuer = Issuer(key_set("rsa"))
    issuer.slow = asyncio.Event()
    asking = [asyncio.create_task(issuer.has("rsa")) for _ in range(20)]
    await asyncio.sleep(0)
    asking.pop(0).cancel()
    issuer.slow.set()
    assert await asyncio.gather(*asking) == [True] * 19
    assert issuer.asked == 1


async def test_a_set_that_is_no_longer_fresh_is_used_while_it_is_fetched_anew() -> None:
    issuer = Issuer(key_set("rsa"))
    await issuer.has("rsa")
    issuer.now += FRESH_SECONDS + 1
    issuer.slow = asyncio.Event()
    issuer.served = key_set("rsa-2")
    assert await issuer.has("rsa")
    issuer.slow.set()
    assert await issuer.has("rsa-2")
    assert not await issuer.has("rsa")
    assert issuer.asked == 2


@pytest.mark.parametrize("served", [None, b"<html>", b"[]", {"keys": 7}, {"keys": [{}] * 101}, b"[" * 100_000])
async def test_an_issuer_that_is_away_or_broken_leaves_what_it_said_last_for_a_day(served: Json) -> None:
    issuer = Issuer(key_set("rsa"))
    await issuer.has("rsa")
    issuer.served = served
    issuer.now += STALE_SECONDS - 1
    assert await issuer.has("rsa")
    await issuer.keys.close()
    issuer.now += PAUSE_SECONDS
    with pytest.raises(KeysUnavailable):
        await issuer.has("rsa")
    with pytest.raises(KeysUnavailable):
        await issuer.has("rsa")
    issuer.now += PAUSE_SECONDS
    issuer.served = key_set("rsa")
    assert await issuer.has("rsa")


async def test_an_issuer_without_keys_is_believed() -> None:
    issuer = Issuer(key_set("rsa"))
    await issuer.has("rsa")
    issuer.served = {"keys": []}
    issuer.now += PAUSE_SECONDS
    await issuer.has("another")
    assert not await issuer.has("rsa")


SMALL = RSAKey.generate_key(1024).as_dict(private=False) | {"kid": "k"}
P384 = ECKey.generate_key("P-384").as_dict(private=False) | {"kid": "k"}


@pytest.mark.parametrize(
    ("given", "algorithm"),
    [
        (SMALL, "RS256"),
        (P384, "ES256"),
        ({"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k"}, "HS256"),
        (public("rsa") | {"kid": "k", "use": "enc"}, "RS256"),
        (public("rsa") | {"kid": "k", "key_ops": ["sign"]}, "RS256"),
        (public("rsa") | {"kid": "k", "alg": "RS512"}, "RS256"),
        (public("rsa") | {"kid": "k", "n": "!"}, "RS256"),
        (public("rsa") | {"kid": "k", "n": None}, "RS256"),
        (public("ec") | {"kid": "k", "x": "AA"}, "ES256"),
        (public("ec") | {"kid": "k", "kty": ["EC"]}, "ES256"),
        ("k", "RS256"),
    ],
)
async def test_a_key_that_will_not_do_is_passed_over_and_the_others_are_used(given: Json, algorithm: str) -> None:
    issuer = Issuer({"keys": [given, *key_set("rsa")["keys"]]})
    assert not await issuer.has("k", algorithm)
    assert await issuer.has("rsa")


async def test_a_document_is_fetched_from_where_the_rule_allows_it(http_stub: HttpStub) -> None:
    http_stub.answer("/jwks", Answer(json=key_set("rsa")))
    assert json.loads(await fetch(f"{http_stub.url}/jwks", LOOPBACK)) == key_set("rsa")
    by_name = EgressPolicy(("localhost",))
    assert await fetch(f"http://localhost:{http_stub.port}/jwks", by_name)
    for url in (f"{http_stub.url}/jwks", f"http://localhost:{http_stub.port}/jwks"):
        with pytest.raises(FetchFailed, match="no public address"):
            await fetch(url, EgressPolicy())
    assert len(http_stub.asked("/jwks")) == 2


async def test_a_document_that_is_not_there_too_large_too_slow_or_elsewhere_is_none(http_stub: HttpStub) -> None:
    http_stub.answer("/gone", Answer(status=404))
    http_stub.answer("/large", Answer(size=MOST_BYTES + 1))
    http_stub.answer("/slow", Answer(hang=True))
    http_stub.answer("/drop", Answer(drop=True))
    http_stub.answer("/moved", Answer(status=302, headers={"Location": f"{http_stub.url}/else"}))
    for path in ("/gone", "/large", "/slow", "/drop", "/moved"):
        with pytest.raises(FetchFailed):
            await fetch(f"{http_stub.url}{path}", LOOPBACK, seconds=0.3 if path == "/slow" else 5)
    assert http_stub.asked("/else") == []
