"""How many bytes wait to be sent with the next workflow task, so that it never answers with more than Temporal takes.

Results of local activities and inputs of regular ones come together until the task ends; a run whose task carries too
much is terminated. Counted from values alone, so that a replay counts the same.
"""

from temporalio import workflow

from app.temporal.payloads import LARGEST_LOCAL_ANSWER, LARGEST_TASK


class Outbox:
    """One run's count. Everything that was put in before a timer or a regular activity is sent once that has ended."""

    def __init__(self) -> None:
        self._put = 0
        self._sent = 0
        self._expected = 0
        """Local activities under way: each may answer with as much as one may."""

    def expect_answer(self) -> bool:
        """Keep room for the answer of a local activity; False when there is none and a regular one must do."""
        if self._waiting + LARGEST_LOCAL_ANSWER > LARGEST_TASK:
            return False
        self._expected += 1
        return True

    def answered(self, size: int) -> None:
        """The local activity has answered with so many bytes."""
        self._expected -= 1
        self._put += size

    async def put(self, size: int) -> int:
        """Wait until there is room for a command of so many bytes; answers a mark for `sent`."""
        while self._put > self._sent and self._waiting + size > LARGEST_TASK:
            mark = self._put
            await workflow.sleep(0.001, summary="before more is sent")
            self.sent(mark)
        self._put += size
        return self._put

    def sent(self, mark: int) -> None:
        """What was put in up to the mark is in the history."""
        self._sent = max(self._sent, mark)

    @property
    def _waiting(self) -> int:
        return self._put - self._sent + self._expected * LARGEST_LOCAL_ANSWER
