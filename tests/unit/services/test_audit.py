"""Who asks, and when an act leaves an entry."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from app.services import audit
from app.services.audit import Asking, asked_by, asking

ADA = Asking("key", "1", "Ada")


def actor() -> str | None:
    written = audit.statement("workflow.pause", uuid7())
    return None if written is None else str(written.parameters["actor_name"])


def test_nobody_asks_but_within_a_request() -> None:
    assert actor() is None
    with asking(None):
        assert actor() is None
        asked_by(ADA)
        assert actor() == "Ada"
        with asking(Asking("link", None, "Bob")):
            assert actor() == "Bob"
        assert actor() == "Ada"
    assert actor() is None


async def test_requests_at_the_same_time_are_told_apart() -> None:
    async def request(name: str) -> str | None:
        with asking(None):
            asked_by(Asking("key", "1", name))
            await asyncio.sleep(0)
            return actor()

    names = [str(number) for number in range(20)]
    assert await asyncio.gather(*map(request, names)) == names


def test_an_act_that_changes_nothing_leaves_no_entry() -> None:
    with asking(ADA):
        assert audit.statement("workflow.pause", None, before={"a": 1}, after={"a": 1}) is None
        assert audit.statement("workflow.pause", None, before={"a": 1}, after={"a": 2}) is not None
        assert audit.statement("workflow.pause", None, after={}) is not None


def test_an_action_that_is_not_in_the_list_is_a_mistake_also_when_nobody_asks() -> None:
    with pytest.raises(KeyError):
        audit.statement("workflow.publsh", None)
