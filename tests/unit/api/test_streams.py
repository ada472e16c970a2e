"""Places for streams: nobody takes them all, and each is given back once."""

from uuid import UUID

import pytest

from api.streams import OF_A_KEY, OF_A_WORKSPACE, Streams
from app.services.actors import Actor
from app.services.errors import TooMany

MOST = 40


def key(number: int, workspace: int = 1) -> Actor:
    return Actor(UUID(int=workspace), UUID(int=number), "key")


def test_one_key_gets_its_part_and_others_still_get_theirs() -> None:
    streams = Streams()
    for _ in range(MOST // OF_A_KEY):
        streams.take(key(1), MOST)
    with pytest.raises(TooMany, match="your key"):
        streams.take(key(1), MOST)
    streams.take(key(2), MOST)


def test_one_workspace_gets_its_part_and_others_still_get_theirs() -> None:
    streams = Streams()
    for number in range(MOST // OF_A_WORKSPACE):
        streams.take(key(number), MOST)
    with pytest.raises(TooMany, match="your workspace") as refused:
        streams.take(key(1000), MOST)
    assert (refused.value.code, refused.value.retry_after > 0) == ("too_many_streams", True)
    streams.take(key(1, workspace=2), MOST)


def test_a_process_keeps_no_more_than_it_may() -> None:
    streams = Streams()
    for number in range(MOST):
        streams.take(key(number, workspace=number), MOST)
    with pytest.raises(TooMany, match="this process"):
        streams.take(key(1, workspace=1000), MOST)


def test_a_place_that_is_given_back_is_free_once() -> None:
    streams = Streams()
    places = [streams.take(key(1), MOST) for _ in range(MOST // OF_A_KEY)]
    for _ in range(2):
        places[0]()
    streams.take(key(1), MOST)
    with pytest.raises(TooMany):
        streams.take(key(1), MOST)
