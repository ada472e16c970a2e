"""Events delivered to a run: for which wait, how often they count, and how they travel."""

from app.json import JsonObject
from workflows.inbox import Inbox


def event(id: str, source: str = "test") -> JsonObject:
    return {"id": id, "source": source}


def test_an_event_is_there_for_each_wait_it_was_put_for() -> None:
    inbox = Inbox()
    inbox.put("a", event("e1"))
    inbox.put("b", event("e1"))
    assert [inbox.has(path) for path in ("a", "b", "c")] == [True, True, False]
    assert inbox.take("a")["id"] == "e1"
    assert not inbox.has("a")
    assert inbox.has("b")


def test_the_same_event_twice_counts_once_even_after_it_was_taken() -> None:
    inbox = Inbox()
    inbox.put("a", event("e1"))
    inbox.take("a")
    inbox.put("a", event("e1"))
    assert not inbox.has("a")


def test_an_event_that_was_got_by_another_way_does_not_count_again() -> None:
    inbox = Inbox()
    inbox.note("a", event("e1"))
    inbox.put("a", event("e1"))
    assert not inbox.has("a")


def test_the_same_id_of_another_source_is_another_event() -> None:
    inbox = Inbox()
    inbox.put("a", event("e1", source="one"))
    inbox.take("a")
    inbox.put("a", event("e1", source="two"))
    assert inbox.has("a")


def test_a_wait_takes_the_first_event_and_the_others_are_dropped() -> None:
    inbox = Inbox()
    inbox.put("a", event("e1"))
    inbox.put("a", event("e2"))
    assert inbox.take("a")["id"] == "e1"
    assert not inbox.has("a")


def test_what_came_for_an_earlier_wait_can_be_forgotten() -> None:
    inbox = Inbox()
    inbox.put("a", event("e1"))
    inbox.clear("a")
    inbox.clear("never")
    assert not inbox.has("a")


def test_what_was_not_taken_and_what_was_seen_travels() -> None:
    inbox = Inbox()
    for path, id in (("a", "e1"), ("b", "e2")):
        inbox.put(path, event(id))
    inbox.take("a")
    travelled = Inbox(inbox.waiting(), inbox.seen())
    assert [travelled.has(path) for path in ("a", "b")] == [False, True]
    travelled.put("a", event("e1"))
    assert not travelled.has("a")


def test_a_finished_item_leaves_nothing_behind() -> None:
    inbox = Inbox()
    for path in ("each[1].a", "each[10].a"):
        inbox.put(path, event("e1"))
    inbox.forget("each[1].")
    assert [one.path for one in inbox.waiting()] == ["each[10].a"]
    assert inbox.seen() == [["each[10].a", "test", "e1"]]
