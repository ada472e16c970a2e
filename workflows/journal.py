"""What has happened so far: step path to record, in the order steps began. The single source for resume and live view.

Everything in it is plain data, so that it can travel. It decides nothing: what a record means for the walk is the
interpreter's business.
"""

from dataclasses import dataclass, field

from app.json import Json
from app.temporal.messages import StepRecord

FINISHED = ("completed", "skipped")


@dataclass
class Progress:
    """What a loop began with and the results of the items it has finished, by index."""

    items: list[Json]
    results: dict[int, Json] = field(default_factory=dict)


class Journal:
    """The run's memory."""

    def __init__(self) -> None:
        self.records: dict[str, StepRecord] = {}
        self.progress: dict[str, Progress] = {}
        self.completed = 0
        """Steps that ended (completed, skipped, or failed with the failure handled), forgotten ones included."""
        self._begun = 0
        self._unwritten: dict[str, StepRecord] = {}
        self._closed_waits: list[str] = []

    def begin(self, fresh: StepRecord) -> StepRecord:
        """The record to walk the step with: the recorded one when the step is over or still under way, else `fresh`.

        A step that failed or was cancelled begins a new generation. After a failure its effect is a new one, which must
        not be answered with the old failure; after a cancellation nobody knows whether the effect happened, and the
        same key finds out.
        """
        old = self.records.get(fresh.path)
        if old is not None and (is_over(old) or old.status in ("running", "waiting")):
            return old
        if old is not None:
            fresh.generation = old.generation + 1
            fresh.effect = old.effect + (old.status == "failed")
        self._begun += 1
        fresh.order = self._begun
        self.records[fresh.path] = fresh
        return fresh

    def finish(self, record: StepRecord, *, written: bool) -> None:
        """Note that a step is over. `written`: its row is in the database already (an effect commits its own)."""
        if is_over(record):
            self.completed += 1
            self.progress.pop(record.path, None)
        if record.wait is not None and record.wait["kind"] == "event":
            self._closed_waits.append(record.path)
        if not written:
            self._unwritten[record.path] = record

    def forget(self, prefix: str) -> None:
        """Drop what lies below a finished loop item, so that the journal stays small. Unwritten rows are kept."""
        for memory in (self.records, self.progress):
            for path in [path for path in memory if path.startswith(prefix)]:
                del memory[path]

    @property
    def unwritten(self) -> int:
        """Finished steps whose rows are still to be written."""
        return len(self._unwritten)

    def take_unwritten(self) -> tuple[list[StepRecord], list[str]]:
        """Hand over rows to write and waits to close; the caller writes them, however long that takes."""
        rows, waits = list(self._unwritten.values()), self._closed_waits
        self._unwritten, self._closed_waits = {}, []
        return rows, waits

    def give_back(self, rows: list[StepRecord], waits: list[str]) -> None:
        """Take back what could not be written because the walk was cancelled meanwhile; writing twice is harmless."""
        self._unwritten = {row.path: row for row in rows} | self._unwritten
        self._closed_waits = waits + self._closed_waits


def is_over(record: StepRecord) -> bool:
    """Whether walking this step again would do nothing: it completed, was skipped, or its failure was handled."""
    return record.status in FINISHED or (record.status == "failed" and record.handled)
