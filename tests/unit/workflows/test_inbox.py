"""Events delivered by signal: for whom, and how often they count."""

from app.temporal.messages import DeliveredEvent
from workflows.state import Inbox


def delivered(id: str, *paths: str, source: str = "test") -> DeliveredEvent:
    return DeliveredEvent(event={"id": id, "source": source}, paths=list(paths))


def test_an_event_is_there_for_each_wait_it_matches() -> None:
    inbox = Inbox()
    inbox.put(delivered("e1", "a", "b"))
    assert [inbox.has(path) for path in ("a", "b", "c")] == [True, True, False]
    assert inbox.take("a")["id"] == "e1"
    assert not inbox.has("a")
    assert inbox.has("b")


def test_the_same_event_twice_counts_once_even_after_it_was_taken() -> None:
    inbox = Inbox()
    inbox.put(delivered("e1", "a"))
    inbox.take("a")
    inbox.put(delivered("e1", "a"))
    assert not inbox.has("a")


def test_the_same_id_of_another_source_is_another_event() -> None:
    inbox = Inbox()
    inbox.put(delivered("e1", "a", source="one"))
    inbox.take("a")
    inbox.put(delivered("e1", "a", source="two"))
    assert inbox.has("a")


def test_a_wait_takes_the_first_event_and_the_others_are_dropped() -> None:
    inbox = Inbox()
    inbox.put(delivered("e1", "a"))
    inbox.put(delivered("e2", "a"))
    assert inbox.take("a")["id"] == "e1"
    assert not inbox.has("a")


def test_what_came_for_an_earlier_wait_can_be_forgotten() -> None:
    inbox = Inbox()
    inbox.put(delivered("e1", "a"))
    inbox.clear("a")
    inbox.clear("never")
    assert not inbox.has("a")
