"""Texts that must not be kept are hidden in every usual spelling, and nothing else is."""

import base64
import gc
import json
import time
import weakref
from threading import current_thread
from urllib.parse import quote, quote_plus

import pytest

from app.security import masking, spellings
from app.security.masking import LONG, Mask

SECRET = 'p ä/+"s\nword'


@pytest.fixture
def mask() -> Mask:
    mask = Mask()
    mask.add(SECRET)
    mask.add("12345678")
    mask.add("abc")
    return mask


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET, safe="/"),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(mask: Mask, spelling: str) -> None:
    assert mask.hidden({f"<{spelling}>": [f"a{spelling}b"]}) == {"<***>": ["a***b"]}


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_a_secret_is_hidden_in_base64_wherever_it_begins(mask: Mask, before: str, encode: object) -> None:
    text = encode(f"{before}{SECRET} and more".encode()).decode()  # type: ignore[operator]
    hidden = mask.hidden(f"Basic {text}")
    assert hidden.count("***") == 1
    assert len(hidden.removeprefix("Basic ")) < len(text) - len(SECRET)


def test_a_number_that_is_a_secret_is_hidden_and_the_rest_stays(mask: Mask) -> None:
    value = {"a": [12345678, 1234567, True, None, 1.5], "b": "abc pass word"}
    assert mask.hidden(value) == {"a": ["***", 1234567, True, None, 1.5], "b": "abc pass word"}
    assert Mask().hidden(value) is value


@pytest.mark.parametrize(
    "spelling",
    [
        'p%20\\u00e4/%2B\\"s%0Aword',
        "p+\\u00C3\\u00a4/+\\u0022s\\nword".replace("\\u00C3\\u00a4", "%C3%a4"),
        quote(quote(SECRET)),
        quote(json.dumps(SECRET)[1:-1]),
        json.dumps(json.dumps(SECRET))[3:-3],
        repr(SECRET)[1:-1],
        "".join(f"%{byte:02X}" for byte in SECRET.encode()),
        quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
    ],
)
def test_a_secret_is_hidden_in_a_mix_of_spellings(mask: Mask, spelling: str) -> None:
    assert mask.hidden([f"100%\\{spelling}%4", "100%"]) == ["100%\\***%4", "100%"]


@pytest.mark.parametrize(
    "secret", ["50%41 off", "C:\\new\\", "%%%%25", "\\u0041bc", "\\\\\\\\", "\U0001f511\U0001f511!!", "\ud800abc"]
)
def test_a_secret_may_look_like_an_escape(secret: str) -> None:
    mask = Mask()
    mask.add(secret)
    percent = quote(secret.encode("utf-8", "surrogatepass"), safe="")
    for spelling in (secret, percent, json.dumps(secret)[1:-1], f"\\{secret}", f"%{secret}"):
        assert mask.hidden(f"\U0001f512 <{spelling}>").replace("\\", "").replace("%", "") == "\U0001f512 <***>"


def test_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    mask = Mask()
    for text in ("first-secret", "secret-second", "secret"):
        mask.add(text)
    assert mask.hidden("a first-secret-second b secretsecret") == "a *** b ******"


SIZE = 1_000_000
LONG_SECRET = "\\n%41" * 3000


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        (["x" * SIZE], "x" * (SIZE - 1)),
        (["a" * 16_000 + "b"], "a" * SIZE),
        (["b" + "a" * 16_000], "a" * SIZE),
        (["hunter2"], "\\n%41" * (SIZE // 5)),
        ([f"{number}{LONG_SECRET}" for number in range(20)], "a" * SIZE),
        ([f"secret {number}" for number in range(100)], "secret " * (SIZE // 7)),
    ],
    ids=["a secret as long as the text", "late miss", "early miss", "escapes", "long secrets", "many secrets"],
)
def test_time_is_in_proportion(secrets: list[str], text: str) -> None:
    mask = Mask()
    for secret in secrets:
        mask.add(secret)
    began = time.process_time()
    assert mask.hidden(text) == text
    # Ten times what it takes; one pattern a character took from tens of seconds to minutes.
    assert time.process_time() - began < 5


def test_nothing_keeps_a_secret_when_its_mask_is_gone() -> None:
    class Watched(str):
        """A text that can be watched, as none of the built-in ones can."""

    secret = Watched("hunter2-hunter2")
    gone = weakref.ref(secret)
    mask = Mask()
    mask.add(secret)
    assert mask.hidden("a hunter2-hunter2 b") == "a *** b"
    del secret, mask
    gc.collect()
    assert gone() is None
    parts = [cell for module in (masking, spellings) for cell in vars(module).values() if hasattr(cell, "cache_info")]
    assert parts == []


async def test_what_takes_long_is_done_in_a_thread_and_the_rest_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    hidden = Mask.hidden
    monkeypatch.setattr(Mask, "hidden", lambda *given: (threads.append(current_thread().name), hidden(*given))[1])
    mask = Mask()
    many = ["x" * 10] * (LONG // 10)
    assert await mask.hidden_aside(many) is many
    mask.add("hunter2")
    assert await mask.hidden_aside([1, "a hunter2 b"]) == [1, "a *** b"]
    assert threads == [current_thread().name] * 2
    assert await mask.hidden_aside([*many, "hunter2"]) == [*many, "***"]
    mask.add("y" * LONG)
    assert await mask.hidden_aside("hunter2") == "***"
    assert [name.rpartition("_")[0] for name in threads[2:]] == ["masks", "masks"]
