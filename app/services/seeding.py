"""What a redriven run begins with: the old run's journal up to the step it goes on from. Pure; refuses or answers.

Three things make a seed. What is *cut*: the chosen step and all that comes after it. What is *kept*: whatever else is
over, with the steps around it that are not. What is *walked anew*: every other step that was under way, which needs no
choice: it has no record in the seed, and the walk begins it when it gets there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.catalog.errors import ErrorType
from app.definition.durations import format_moment, parse_moment
from app.definition.model import Definition
from app.definition.parse import dump_step
from app.definition.steps import ActionStep, Step
from app.services.cutting import Cut, Walked, cut_at, is_over, undone_steps
from app.services.sites import CONTAINERS, Site, sites_of, step_id_of
from app.services.version_fit import check_fit
from app.temporal.messages import JournalState, LoopProgress, StepRecord

_OUTCOME_UNKNOWN = (ErrorType.TIMEOUT, ErrorType.WORKER_LOST, ErrorType.CONNECTION_FAILED)
"""The provider gave no answer, so that it may have done what it was asked."""


@dataclass(frozen=True)
class Row:
    """What the database says of a step of the old run. `effect_key`: its effect was done, under this key."""

    path: str
    status: str
    effect_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Before:
    """The run that is redriven, as it ended. `error_path` is where it failed."""

    run_id: str
    journal: JournalState
    definition: Definition
    error_path: str | None = None
    rows: Sequence[Row] = ()


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What the new run begins with.

    `finished` are the old rows it takes over, `done` those of effects that were done without the old run knowing: they
    answer for the effect under its old key. `unwritten` are finished steps that have no row yet.
    """

    journal: JournalState
    from_step: str
    finished: list[str]
    done: list[str]
    unwritten: list[StepRecord]


@dataclass
class _Sorted:
    """The old run's records: those kept, as the new run has them, and those that are walked anew."""

    kept: dict[str, StepRecord] = field(default_factory=dict)
    anew: list[StepRecord] = field(default_factory=list)


def seed(
    before: Before,
    definition: Definition,
    *,
    version: int,
    from_step: str | None,
    now: datetime,
    run_started_at: str,
) -> Seed:
    """The seed of a run of `definition`, which is that of `before` or another version of it.

    `from_step` is a path or an id; None goes on wherever the old run was. `run_started_at` is what `since: run_start`
    means. Raises `Invalid` (`unknown_step`, `step_always_anew`) and `Conflict` (`step_not_reached`, `step_not_kept`,
    `step_compensated`, `version_differs`).
    """
    run = Walked(before.journal, before.definition)
    chosen = _default(run, before.error_path) if from_step is None else run.find(from_step)
    cut = cut_at(run, chosen)
    undone_steps(run, cut, (row.path for row in before.rows))
    sorted_ = _sort(run, cut, now)
    label = chosen or _label(run, before.error_path, sorted_, definition)
    target = run.sites
    if definition is not before.definition:
        target = sites_of(definition)
        going_on = [chosen] if chosen else []
        stale = check_fit(
            before.definition, definition, version=version, kept=sorted_.kept,
            open_paths=[*going_on, *(record.path for record in sorted_.anew)], from_step=label,
        )  # fmt: skip
        for path in stale:
            del sorted_.kept[path]
    on_purpose = from_step is not None and _was_done(run, before.rows, chosen)
    journal = _journal(before, run, cut, sorted_.kept, run_started_at)
    doubtful = sorted_.anew if on_purpose else [*sorted_.anew, *_cut_off(run, cut)]
    _keys_in_doubt(before, journal, doubtful, run.sites, target)
    finished, done = _rows(before, run, cut, sorted_.kept, target)
    journal.keys.update(_unheard_of(before, run, cut, target) | done)
    written = set(finished)
    unwritten = [record for record in sorted_.kept.values() if is_over(record) and record.path not in written]
    return Seed(journal=journal, from_step=label, finished=finished, done=list(done), unwritten=unwritten)


def _default(run: Walked, error_path: str | None) -> str | None:
    """Where to go on when nobody says: None is wherever the run was. A `stop` and an exhausted repeat begin anew."""
    record = run.records.get(error_path or "")
    if record is None or run.sites[record.step_id].ending:
        return None
    exhausted = record.type == "repeat" and (record.error or {}).get("type") == ErrorType.LIMIT_EXCEEDED
    return record.path if is_over(record) or (exhausted and record.failed_path == record.path) else None


def _label(run: Walked, error_path: str | None, sorted_: _Sorted, definition: Definition) -> str:
    """The path to name as the one a redrive goes on from."""
    if error_path and error_path in run.records:
        return error_path
    under_way = sorted_.anew or [record for record in sorted_.kept.values() if not is_over(record)][::-1]
    if under_way:
        return under_way[0].path
    ahead = (step.id for step in definition.steps if step.id not in sorted_.kept)
    return next(ahead, "output")


# Records


def _sort(run: Walked, cut: Cut, now: datetime) -> _Sorted:
    found = _Sorted()
    for record in sorted(run.records.values(), key=lambda one: one.order):
        site = run.sites.get(record.step_id)
        if site is None or site.ending or cut.covers(record.path):
            continue
        kept = record
        if run.is_settled(record.path, cut):
            pass
        elif record.path in cut.reopened:
            kept = _reopened(record)
        elif not is_over(record):
            resumed = _resumed(run, record, site.step, now)
            if resumed is None:
                found.anew.append(record)
                continue
            kept = resumed
        found.kept[record.path] = kept
    return found


def _cut_off(run: Walked, cut: Cut) -> list[StepRecord]:
    return [record for record in run.records.values() if run.is_body(record.path) and cut.covers(record.path)]


def _resumed(run: Walked, record: StepRecord, step: Step, now: datetime) -> StepRecord | None:
    """The record of a step that goes on from where it was; None for one that begins anew."""
    if isinstance(step, CONTAINERS):
        return _reopened(record) if run.has_begun_inside(record) else None
    wait = record.wait or {}
    if record.type == "delay" and wait.get("kind") == "delay":
        return replace(_reopened(record), status="waiting", wait=wait)
    if record.type == "wait_for_event" and wait.get("kind") == "event" and _is_moment(wait.get("since")):
        # Events that came in between count; the time to wait for one begins anew.
        began = parse_moment(record.started_at) if record.started_at else now
        until = wait["until"] and format_moment(now + max(parse_moment(wait["until"]) - began, timedelta(0)))
        fresh = {name: wait[name] for name in ("kind", "event", "since", "match", "context")} | {"until": until}
        return replace(_reopened(record), status="waiting", wait=fresh, started_at=format_moment(now))
    return None


def _reopened(record: StepRecord) -> StepRecord:
    """As it was before it ended; what it began with (a condition's branch) stays."""
    return replace(
        record, status="running", output=record.output if record.type == "condition" else None, error=None,
        failed_path=None, finished_at=None, wait=None, handled=False, deadline=None, again_at=None, attempt=1,
        decision=None, renew=False,
    )  # fmt: skip


def _is_moment(since: str | None) -> bool:
    return since not in (None, "wait_start", "run_start")


def _was_done(run: Walked, rows: Sequence[Row], chosen: str | None) -> bool:
    """Whether the chosen step was over: what is done again then is done on purpose."""
    record = run.records.get(chosen or "")
    done = any(row.path == chosen and row.status == "completed" for row in rows)
    return record is None or is_over(record) or done


# The journal around them


def _journal(before: Before, run: Walked, cut: Cut, kept: dict[str, StepRecord], run_started_at: str) -> JournalState:
    old = before.journal

    def stays(path: str) -> bool:
        return not cut.covers(path) and (run.is_settled(path, cut) or path in kept)

    assignments = {path: one for path, one in old.assignments.items() if stays(path)}
    variables = dict(old.first_variables)
    for one in sorted(assignments.values(), key=lambda one: one.order):
        variables |= one.values
    return JournalState(
        records=list(kept.values()),
        loops={path: _progress(path, loop, cut) for path, loop in old.loops.items() if _under_way(kept, path)},
        repeats={path: repeat for path, repeat in old.repeats.items() if _under_way(kept, path)},
        assignments=assignments,
        compensations=[one for one in old.compensations if stays(one.path) and not _under_way(kept, one.path)],
        completed=max(0, old.completed - _no_longer_over(before, run, cut, kept)),
        begun_steps=old.begun_steps,
        variables=variables,
        first_variables=old.first_variables,
        run_started_at=run_started_at,
    )


def _under_way(kept: dict[str, StepRecord], path: str) -> bool:
    return path in kept and not is_over(kept[path])


def _progress(path: str, loop: LoopProgress, cut: Cut) -> LoopProgress:
    results = [result for result in loop.results if not cut.covers_item(path, int(result[0]))]
    return LoopProgress(items=loop.items, results=results)


def _no_longer_over(before: Before, run: Walked, cut: Cut, kept: dict[str, StepRecord]) -> int:
    """Steps the old run counts as over and the new one does not."""
    lost = sum(is_over(one) and not (path in kept and is_over(kept[path])) for path, one in run.records.items())
    for row in before.rows:
        # Below a finished item the journal has no records: there the rows tell.
        if row.path not in run.records and row.status in ("completed", "skipped", "failed"):
            lost += run.is_settled(row.path, None) and not (
                run.is_body(row.path) and _stays_settled(run, row.path, cut)
            )
    return lost


def _stays_settled(run: Walked, path: str, cut: Cut) -> bool:
    return not cut.covers(path) and run.is_settled(path, cut)


def _keys_in_doubt(
    before: Before, journal: JournalState, records: Sequence[StepRecord], old: dict[str, Site], new: dict[str, Site]
) -> None:
    """Effects of which nobody knows whether they happened keep key and inputs: the provider can tell by the key."""
    for record in records:
        if record.type != "action" or not _in_doubt(record) or not _same_action(record.step_id, old, new):
            continue
        number = f"#{record.effect}" if record.effect > 1 else ""
        journal.keys[record.path] = before.journal.keys.get(record.path) or f"{before.run_id}/{record.path}{number}"
        begun = before.journal.begun.get(record.path)
        if begun is not None and dump_step(old[record.step_id].step) == dump_step(new[record.step_id].step):
            journal.begun[record.path] = begun


def _in_doubt(record: StepRecord) -> bool:
    if record.status in ("failed", "held"):
        return (record.error or {}).get("type") in _OUTCOME_UNKNOWN
    return record.status in ("pending", "running", "waiting", "cancelled")


def _same_action(step_id: str, old: dict[str, Site], new: dict[str, Site]) -> bool:
    if step_id not in old or step_id not in new:
        return False
    was, now = old[step_id].step, new[step_id].step
    return isinstance(was, ActionStep) and isinstance(now, ActionStep) and was.action == now.action


def _rows(
    before: Before, run: Walked, cut: Cut, kept: dict[str, StepRecord], target: dict[str, Site]
) -> tuple[list[str], dict[str, str]]:
    """Paths of the rows that go along as finished, and the keys of those whose effect the old run did not hear of."""
    finished: list[str] = []
    done: dict[str, str] = {}
    for row in before.rows:
        if not run.is_body(row.path) or cut.covers(row.path):
            continue
        record = kept.get(row.path)
        if record is not None:
            if row.status == record.status and is_over(record):
                finished.append(row.path)
        elif run.is_settled(row.path, cut):
            finished.append(row.path)
        elif row.effect_key and row.status == "completed" and _same_action(step_id_of(row.path), run.sites, target):
            done[row.path] = row.effect_key
    return finished, done


def _unheard_of(before: Before, run: Walked, cut: Cut, target: dict[str, Site]) -> dict[str, str]:
    """Keys of effects that were under way without the old run's history knowing yet that they had begun."""
    return {
        row.path: f"{before.run_id}/{row.path}"
        for row in before.rows
        if row.status == "running" and row.path not in run.records and run.is_body(row.path)
        if not cut.covers(row.path) and not run.is_settled(row.path, cut)
        if _same_action(step_id_of(row.path), run.sites, target)
    }
