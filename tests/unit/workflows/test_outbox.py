"""How much may come together before a workflow task is sent."""

from app.temporal.payloads import LARGEST_LOCAL_ANSWER, LARGEST_TASK
from workflows.outbox import Outbox


def test_local_answers_are_expected_only_as_far_as_there_is_room() -> None:
    outbox = Outbox()
    granted = 0
    while outbox.expect_answer():
        granted += 1
    assert granted == LARGEST_TASK // LARGEST_LOCAL_ANSWER
    outbox.answered(10)
    assert outbox.expect_answer(), "small answers make room"


async def test_what_was_sent_makes_room_again() -> None:
    outbox = Outbox()
    mark = await outbox.put(LARGEST_TASK)
    assert not outbox.expect_answer()
    outbox.sent(mark)
    assert outbox.expect_answer()


async def test_what_was_put_in_after_the_mark_still_waits() -> None:
    outbox = Outbox()
    mark = await outbox.put(100)
    await outbox.put(LARGEST_TASK - 100)
    outbox.sent(mark)
    assert outbox.expect_answer() is False
    outbox.sent(mark - 50)
    assert outbox.expect_answer() is False, "an older mark changes nothing"
