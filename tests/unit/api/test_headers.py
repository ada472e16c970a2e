"""Headers that change what a call does."""

import pytest

from api.headers import NEVER, idempotency_key, if_match, prefer_wait
from app.services.errors import Invalid


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("wait=30", 30),
        ("WAIT = 5", 5),
        ('wait="7"', 7),
        ("respond-async, wait=10; foo", 10),
        ("wait=100000", 60),
        ("wait=9999999999999999999999999", 60),
        ("wait=0", 0),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait", None),
        ("return=minimal", None),
        ("wait=٣", None),
    ],
)
async def test_prefer_says_how_long_to_wait(text: str | None, seconds: int | None) -> None:
    assert await prefer_wait(text) == seconds


@pytest.mark.parametrize(
    ("text", "revision"), [(None, None), ("*", None), ('"3"', 3), (' "12" ', 12), ('"x"', NEVER), ('"²"', NEVER)]
)
async def test_if_match_names_a_revision(text: str | None, revision: int | None) -> None:
    if text == '"²"':
        with pytest.raises(Invalid):
            await if_match(text)
    else:
        assert await if_match(text) == revision


@pytest.mark.parametrize("text", ["", "3", 'W/"3"', '"3", "4"', '"a b"'])
async def test_an_if_match_that_is_no_strong_tag_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        await if_match(text)


async def test_an_idempotency_key_is_visible_ascii() -> None:
    assert await idempotency_key("order 7/a") == "order 7/a"
    for wrong in ("", "x" * 256, "ä", "a\tb", "event:x"):
        with pytest.raises(Invalid):
            await idempotency_key(wrong)
