"""Texts that must not be kept are hidden in every usual spelling, and nothing else is."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from app.security.masking import Mask

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


def test_a_pattern_is_compiled_once_for_all_attempts() -> None:
    masks = [Mask(), Mask()]
    for mask, order in zip(masks, (("first-secret", "second"), ("second", "first-secret")), strict=True):
        for text in order:
            mask.add(text)
        assert mask.hidden("first-secret, second") == "***, ***"
    assert masks[0]._pattern is masks[1]._pattern
