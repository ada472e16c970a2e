"""The HTTP client itself: URLs as they may be shown, and the life of its sessions."""

import asyncio

import pytest

from activities.http_client import HttpClient, HttpError, parse_url, shown
from app.settings import Settings


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://ada:secret@api.example.com:8443/a/b?key=secret#secret", "https://api.example.com:8443/a/b"),
        ("https://token@api.example.com", "https://api.example.com"),
        ("/relative?key=secret", "/relative"),
        ("http://ada:secret@[::1?key=secret", "[::1"),
        ("http://example.com:99999/?key=secret", "http://example.com:99999/"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, text: str) -> None:
    assert shown(url) == text


def test_a_long_url_is_cut() -> None:
    assert len(shown("https://example.com/" + "x" * 1000)) == 200


@pytest.mark.parametrize(
    "url", ["https://bücher.example/ü", "http://127.0.0.1:1", "http://[::1]:80/", "HTTP://A_b.example"]
)
def test_a_url_that_can_be_called_is_read(url: str) -> None:
    assert parse_url(url).raw_host


def test_it_serves_one_event_loop_after_another() -> None:
    # A port nothing listens on is answer enough: the session is made and used.
    client = HttpClient(Settings(egress_allow=("127.0.0.1",)))

    async def use() -> None:
        with pytest.raises(HttpError):
            await client.request("GET", "http://127.0.0.1:1/", timeout=5)
        await client.close()

    for _ in range(2):
        asyncio.run(use())
