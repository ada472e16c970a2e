"""Hints: the nearest known name, or what there is."""

import time

from app.definition.errors import shorten
from app.definition.nearest import nearest, suggestion
from tests.support.bounds import SOON

KNOWN = ["email.send", "http.request", "transform.map"]


def test_the_nearest_name_is_found() -> None:
    assert nearest("emial.send", KNOWN) == "email.send"
    assert nearest("HTTP.Request", KNOWN) == "http.request"
    assert nearest("zz", KNOWN) is None
    assert nearest("x" * 10_000, KNOWN) is None


def test_a_suggestion_names_the_nearest_or_all() -> None:
    assert suggestion("http.reqest", KNOWN) == "did you mean 'http.request'?"
    assert suggestion("zz", KNOWN, what="actions") == "actions: email.send, http.request, transform.map"
    assert suggestion("zz", []) == ""
    assert suggestion("zz", [f"a{index}" for index in range(40)]).endswith("a11 and 28 more")


def test_long_texts_are_cut_for_messages() -> None:
    assert shorten("a\n  b") == "a b"
    assert len(shorten("x" * 1_000_000)) <= 121


def test_the_nearest_of_very_many_names_is_found_soon() -> None:
    names = ["".join(chr(97 + (7 * row + step) % 26) for step in range(60)) for row in range(499)]
    started = time.thread_time()
    assert nearest("customer_emial", ["customer_email", *names]) == "customer_email"
    nearest(names[0][::-1], names * 400)
    assert time.thread_time() - started < SOON
