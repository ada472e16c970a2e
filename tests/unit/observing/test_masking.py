"""Secrets are taken out of texts, and what is none stays readable."""

import base64
import time
from urllib.parse import quote

import pytest

from app.observing.masking import LONGEST_TEXT, mask

SECRET = "s3cr3t-Wert/+\"'ü"
KEY = "hf_AZxkZ3J0cXl6YWJjZGVmZw_kJ2mN4pQ7rS9tV1wX3yZ5aB8cD0eF2gH"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization=Basic {}",
        "{{'Authorization': 'Bearer {}'}}",
        '{{"headers": {{"X-Api-Key": "{}"}}}}',
        '{{\\"password\\": \\"{}\\"}}',
        "https://api.example.com/v1?token={}&page=2",
        "https://api.example.com/callback?code={}&state=x",
        "postgresql://holdfast_app:{}@db.example.com/holdfast",
        "https://{}@api.example.com/",
        "GET /hooks/{} failed",
        "POST /approvals/{}?answer=yes",
        "'/messages/{}'",
        "/forms/{} is not there",
        "Client(secret={}, name='x')",
        "set-cookie: session_token={}; Path=/",
        "[parameters: {{'value': '{}'}}]",
        "DETAIL:  Failing row contains (1, {}, null).",
        "input_value={{'pin': '{}'}}, input_type=dict",
    ],
)
@pytest.mark.parametrize("secret", [KEY, "plain0word1without2form3"])
def test_a_secret_is_known_by_where_it_stands(text: str, secret: str) -> None:
    assert secret not in mask(text.format(secret))


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "wh_AZxkZ3J0cXl6YWJjZGVmZw_kJ2mN4pQ7rS9",
        "msg_AZxkZ3J0cXl6YWJjZGVmZw_kJ2mN4pQ7rS9",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
        "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc1s5cr",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
    ],
)
def test_a_secret_is_known_by_its_form(secret: str) -> None:
    masked = mask(f"the provider said: {secret}")

    assert masked.startswith("the provider said: ")
    assert secret[12:30] not in masked


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        repr(SECRET)[1:-1],
        SECRET.replace('"', '\\"'),
        quote(SECRET),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_that_is_named_is_hidden_however_it_is_spelled(spelled: str) -> None:
    assert mask(f"<{spelled}> was refused", [SECRET]) == "<***> was refused"


def test_the_lines_of_a_named_secret_are_hidden_one_by_one() -> None:
    assert mask("at line 2: second line of it", ["first line of it\nsecond line of it"]) == "at line 2: ***"


@pytest.mark.parametrize(
    "text",
    [
        "run 0197e1f2-7b8c-7d3e-9f10-112233445566 stays pending: Temporal did not take it (RPCError)",
        "worker polls holdfast on 127.0.0.1:7233",
        "POST /v1/workflows/{workflow_id}/runs 202",
        "GET https://api.example.com/items?page=2: no answer within 5 s",
        "upkeep: events: 3 events dispatched",
        "GET '/v1/approvals/0197e1f2-7b8c-7d3e-9f10-112233445566': 404 not_found",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


def test_control_characters_are_spelled_out() -> None:
    assert mask("a\x1b[2Jb\rc\x00\x85") == "a\\x1b[2Jb\\x0dc\\x00\\x85"


def test_a_long_text_is_cut_after_it_was_masked() -> None:
    masked = mask("x" * (LONGEST_TEXT - 10) + f" {KEY} and so on")

    assert "AZxk" not in masked
    assert masked.endswith(" characters)")


@pytest.mark.parametrize("unit", ["a", "password", "://", "eyJa.", "'", '\\"', "token=", "hf_", "?key=", "bearer "])
def test_a_hostile_text_takes_time_in_proportion(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "secret" + unit * (size // len(unit))
        started = time.process_time()
        mask(text)
        return time.process_time() - started

    seconds(1000)
    # Eight times the text; time in its square would be sixty-four times.
    assert seconds(160_000) < 30 * max(seconds(20_000), 0.001)
