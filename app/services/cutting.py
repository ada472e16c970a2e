"""Where a redrive goes on, and what is cut off there: the chosen step, all that comes after it, all below these.

Pure. A `Walked` is the old run as its journal tells; a `Cut` says of any path whether it is cut off.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from app.definition.model import Definition
from app.definition.problems import Problem
from app.definition.steps import ApprovalStep, LoopStep, RepeatStep
from app.services.errors import Conflict, Invalid
from app.services.sites import Level, Site, levels, sites_of, step_id_of, undone_by
from app.temporal.messages import JournalState, StepRecord

NAMED = 20
"""Most steps a refusal names."""


@dataclass
class Cut:
    """What is cut off: `roots` with all below them, and of a loop the items after the last one that stays.

    `reopened` are the steps around the place, which go on.
    """

    roots: set[str] = field(default_factory=set)
    last_items: dict[str, int] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)

    def covers(self, path: str) -> bool:
        """Whether the step at this path is cut off."""
        return any(
            level.path in self.roots or (level.index is not None and self.covers_item(level.path, level.index))
            for level in levels(path)
        )

    def covers_item(self, path: str, index: int) -> bool:
        """Whether this item of the loop at the path is cut off."""
        return f"{path}[{index}]" in self.roots or index > self.last_items.get(path, index)


class Walked:
    """The old run: its records by path, and where its steps stand."""

    def __init__(self, journal: JournalState, definition: Definition) -> None:
        self.journal = journal
        self.sites = sites_of(definition)
        self.records = {record.path: record for record in journal.records if record.step_id in self.sites}
        self._results = {path: {int(index) for index, _ in loop.results} for path, loop in journal.loops.items()}

    def is_body(self, path: str) -> bool:
        """Whether the step belongs to the body: it is neither in `finally` nor undoing another."""
        site = self.sites.get(step_id_of(path))
        return site is not None and not site.ending

    def is_settled(self, path: str, cut: Cut | None) -> bool:
        """Whether something around the step is done with, an item or a whole step: nothing below is walked again."""
        return self.settled_by(path, cut) is not None

    def settled_by(self, path: str, cut: Cut | None) -> str | None:
        """The outermost step around this one that is done with, or whose item around this one is."""
        for level, inner in pairwise(levels(path)):
            record = self.records.get(level.path)
            is_open = cut is not None and level.path in cut.reopened
            if record is not None and is_over(record) and not is_open and not self._goes_on(record, inner):
                return level.path
            if level.index is not None and self._item_is_done(level.path, level.index, cut):
                return level.path
        return None

    def _goes_on(self, record: StepRecord, inner: Level) -> bool:
        """A step whose failure was handled is over, and its error steps are walked after that."""
        site = self.sites.get(inner.step_id)
        return record.handled and site is not None and site.place == ("error_steps",)

    def _item_is_done(self, path: str, index: int, cut: Cut | None) -> bool:
        if path in self.journal.repeats:
            return index < self.journal.repeats[path].index
        return index in self._results.get(path, ()) and not (cut is not None and cut.covers_item(path, index))

    def has_begun_inside(self, record: StepRecord) -> bool:
        """Whether a step that holds others got as far as to have something to go on with."""
        inside = (f"{record.path}.", f"{record.path}[")
        chosen = record.type == "condition" and record.output is not None
        progress = record.path in self.journal.loops or record.path in self.journal.repeats
        return chosen or progress or any(path.startswith(inside) for path in self.records)

    def find(self, text: str) -> str:
        """The path that `from_step` means: a path, or the id of a step, whose latest record counts. Refuses others."""
        if text in self.records and self.is_body(text):
            return text
        site = self.sites.get(text) or self._site_at(text)
        if site is None:
            told = f"{text!r} is neither the path nor the id of a step; {self._choice()}"
            raise Invalid("unknown_step", told, [Problem("from_step", "there is no such step", self._choice())])
        if site.ending:
            told = f"{text!r} runs once the body has ended, and runs anew after every redrive; {self._choice()}"
            raise Invalid("step_always_anew", told, [Problem("from_step", "runs anew in any case", self._choice())])
        latest = [one for one in self.records.values() if one.step_id == text]
        if latest:
            return max(latest, key=lambda one: one.order).path
        if self._begins_item(text, site):
            return text
        raise self._not_there(text, site)

    def _site_at(self, text: str) -> Site | None:
        try:
            return self.sites.get(levels(text)[-1].step_id)
        except ValueError:
            return None

    def _begins_item(self, path: str, site: Site) -> bool:
        """The first step of a loop's finished item needs none of the item's records: the whole item is walked again."""
        above = levels(path)[:-1]
        if not above or site.position != 0 or site.around is None or not isinstance(site.around.step, LoopStep):
            return False
        index, loop = above[-1].index, above[-1].path
        return index is not None and self.is_item_finished(loop, index) and not self.is_settled(above[-1].path, None)

    def is_item_finished(self, loop: str, index: int) -> bool:
        """Whether the item of a loop under way is done, and kept as a result."""
        return index in self._results.get(loop, ()) and loop in self.records and not is_over(self.records[loop])

    def _not_there(self, text: str, site: Site) -> Conflict:
        """Without a record it was not reached, or what it gave has gone into the results of what is around it."""
        around = site.around
        while around is not None and not isinstance(around.step, LoopStep | RepeatStep):
            around = around.around
        absorbed = self.settled_by(text, None) if text not in self.sites else None
        if text in self.sites and around is not None:
            loops = [one.path for one in self.records.values() if one.step_id == around.step.id]
            absorbed = next((path for path in reversed(loops) if self._holds_results(path)), None)
        if absorbed is not None:
            return not_kept(text, absorbed)
        return Conflict("step_not_reached", f"The run did not get as far as {text!r}; {self._choice()}.")

    def _holds_results(self, path: str) -> bool:
        repeat = self.journal.repeats.get(path)
        return is_over(self.records[path]) or bool(self._results.get(path)) or (repeat is not None and repeat.index > 0)

    def _choice(self) -> str:
        paths = [one.path for one in sorted(self.records.values(), key=lambda one: one.order) if self.is_body(one.path)]
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        return f"steps to choose from: {', '.join(paths[-NAMED:])}{more}" if paths else "there is none to choose from"


def cut_at(run: Walked, chosen: str | None) -> Cut:
    """What is cut off when the run goes on from the chosen step; nothing when none is chosen."""
    cut = Cut()
    if chosen is None:
        _ask_anew(run, cut)
        return cut
    chain = levels(chosen)
    for level, inner in pairwise([*chain, None]):
        assert level is not None
        site = run.sites[level.step_id]
        cut.roots |= {f"{level.prefix}{later.id}" for later in site.siblings[site.position + 1 :]}
        if inner is not None:
            _open(run, cut, level, run.sites[inner.step_id], chosen)
    record = run.records.get(chosen)
    if record is None or is_over(record) or record.type != "wait_for_event":
        cut.roots.add(chosen)
    _ask_anew(run, cut)
    return cut


def _ask_anew(run: Walked, cut: Cut) -> None:
    """An approval that goes on in another run is another one, of which people are told again."""
    for record in run.records.values():
        step = run.sites[record.step_id].step
        goes_on = not is_over(record) or record.path in cut.reopened
        if isinstance(step, ApprovalStep) and goes_on and not run.is_settled(record.path, cut):
            cut.roots |= {f"{record.path}.{notice.id}" for notice in step.notify}


def _open(run: Walked, cut: Cut, level: Level, inner: Site, chosen: str) -> None:
    """The step at `level` is walked again, from the chosen step inside it on."""
    if inner.place == ("error_steps",):
        return
    step = run.sites[level.step_id].step
    cut.reopened.add(level.path)
    cut.roots |= {f"{level.path}.{each.id}" for each in step.error_steps}
    if isinstance(step, LoopStep):
        _open_item(run, cut, level, step, chosen)
    elif isinstance(step, RepeatStep):
        progress = run.journal.repeats.get(level.path)
        if progress is None or progress.index != level.index:
            raise not_kept(chosen, level.path)


def _open_item(run: Walked, cut: Cut, level: Level, step: LoopStep, chosen: str) -> None:
    """Items after this one go, unless they are walked side by side: then they know nothing of each other."""
    progress = run.journal.loops.get(level.path)
    if progress is None or level.index is None:
        raise not_kept(chosen, level.path)
    if run.is_item_finished(level.path, level.index):
        cut.roots.add(level.item)
    if step.concurrency == 1:
        cut.last_items[level.path] = level.index
    lost = any(cut.covers_item(level.path, int(index)) for index, _ in progress.results)
    if lost and level.path in run.journal.assignments:
        raise Conflict(
            "step_not_kept",
            f"Finished items of {level.path!r} have set variables, which cannot be taken back item by item: redrive "
            f"from {level.path!r}, or retry the run.",
        )


def undone_steps(run: Walked, cut: Cut, written: Iterable[str]) -> None:
    """Raises `Conflict` when a step was undone that the new run would take for done.

    `written` are the paths of the run's rows: of a run that was ended from outside they may know more than its journal.
    """
    owners = []
    for path in {**run.records, **dict.fromkeys(written)}:
        site = run.sites.get(step_id_of(path))
        owner = None if site is None else undone_by(site, path)
        if owner is not None:
            owners.append(owner)
    if all(cut.covers(owner) for owner in owners):
        return
    first = min(owners, key=lambda owner: run.records[owner].order if owner in run.records else 0)
    raise Conflict(
        "step_compensated",
        f"What {first!r} did was undone when the run ended, and the steps after it stand on it: "
        f"{_way_around(run, owners, first)}retry the run.",
    )


def _way_around(run: Walked, owners: list[str], first: str) -> str:
    for level in reversed(levels(first)):
        try:
            if level.path in run.records and all(map(cut_at(run, level.path).covers, owners)):
                return f"redrive from {level.path!r} or an earlier step, or "
        except Conflict:
            continue
    return ""


def not_kept(chosen: str, around: str) -> Conflict:
    """The refusal of a step of which only what came of it is kept."""
    return Conflict(
        "step_not_kept",
        f"What the steps inside {around!r} did is kept as its results, so that the run cannot go on from {chosen!r}: "
        f"redrive from {around!r}, or retry the run.",
    )


def is_over(record: StepRecord) -> bool:
    """Whether the walk takes the step as done: it completed, was skipped, or its failure was handled."""
    return record.status in ("completed", "skipped") or (record.status == "failed" and record.handled)
