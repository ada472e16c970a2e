"""What a provider says is told without secrets, wherever it is cut off."""

import base64

import pytest

from activities.exchange import refused
from activities.http_client import HttpAnswer

SECRET = "s3cr3t-vaLue-of-the-workspace"


def told(body: str, secrets: list[str], **more: object) -> str:
    answer = HttpAnswer(url="https://api.example.com/", status=400, headers={}, body=body.encode(), duration_ms=1.0)
    return refused("GET", answer, secrets, **more).message  # type: ignore[arg-type]


@pytest.mark.parametrize("before", [0, 280, 290, 296])
@pytest.mark.parametrize("spelling", [SECRET, base64.b64encode(SECRET.encode()).decode()])
def test_a_secret_at_the_cut_is_hidden_before_it_is_cut(before: int, spelling: str) -> None:
    message = told("x" * before + spelling, [SECRET])
    assert spelling[:6] not in message
    assert "***" in message


def test_what_only_the_attempt_knows_is_hidden_before_the_cut_too() -> None:
    message = told("x" * 290 + SECRET, [], hide=lambda text: text.replace(SECRET, "***"))
    assert message.endswith("x***")


@pytest.mark.parametrize("before", ["", " " * 10_000, f"{SECRET} " * 1000])
def test_a_secret_is_hidden_however_long_it_is_and_whatever_stands_before_it(before: str) -> None:
    long = "".join(f"{number:x}-" for number in range(3000))
    for spelling in (long, base64.b64encode(long.encode()).decode(), "".join(f"%{ord(one):x}" for one in long)):
        assert told(before + spelling, [SECRET, long]).count("0-1-2-3-") == 0
        assert spelling[:40] not in told(before + spelling, [SECRET, long])
