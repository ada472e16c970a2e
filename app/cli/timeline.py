"""A run drawn for people: what it is and where it stands, then its steps as a tree with all that happened to them."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console

from app.cli.client import Api
from app.cli.output import duration, moment, status, text
from app.cli.watch import ending, waiting_for
from app.json import Json, JsonObject

_PIPE_WIDTH = 160
_ICON = {
    "completed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "running": "[cyan]●[/]",
    "waiting": "[yellow]◷[/]",
    "held": "[magenta]‖[/]",
    "skipped": "[dim]-[/]",
}
_HERE = "[bold cyan]►[/]"
_ITERATION = re.compile(r"\[\d+\]$")


@dataclass(frozen=True)
class Steps:
    """The latest steps of a run, in the order they began, and how many came before them."""

    shown: Sequence[JsonObject]
    left_out: int


def latest_steps(api: Api, run_id: str, limit: int) -> Steps:
    """At most `limit` steps (0: all), each with its failed attempts."""
    kept = deque[JsonObject](maxlen=limit or None)
    count = 0
    for step in api.items(f"/v1/runs/{run_id}/steps", attempts="true"):
        kept.append(step)
        count += 1
    return Steps(kept, count - len(kept))


def draw(console: Console, run: JsonObject, steps: Steps, *, full: bool) -> None:
    """The whole timeline. Values are cut to the width unless `full`; a pipe is taken to be 160 wide."""
    width = console.width if console.is_terminal else _PIPE_WIDTH
    console.print(ending(run))
    for name, cell in _head(run, None if full else width - 12):
        if cell:
            label = f"[dim]{name.ljust(10)}[/]"
            console.print(f"{label} {cell}")
    if steps.left_out:
        console.print(f"\n[dim]{steps.left_out} earlier steps are left out; --limit 0 shows all[/]")
    elif steps.shown:
        console.print()
    for depth, step in _tree(steps.shown):
        here = step["path"] == run["current_step"] and run["finished_at"] is None
        console.print(_line(step, depth, here=here))
        room = None if full else width - 2 * depth - 13
        for label, detail in _details(step, room):
            console.print(f"{'  ' * depth}    [dim]{label:<8}[/] {detail}")


def _head(run: JsonObject, room: int | None) -> Iterator[tuple[str, str]]:
    trigger = run["trigger"]
    error = run["error"] or {}
    yield "workflow", f"{text(run['workflow_name'])}, version {run['version']}"
    yield "trigger", f"{text(trigger['type'])} {text(trigger['event_id'])}".strip()
    yield "steps", f"{run['steps_completed']} of {run['steps_total']}"
    yield "at", text(run["current_step"])
    yield "waits", waiting_for(run["waiting_for"]) if run["waiting_for"] else ""
    yield "failed at", text(error.get("path"))
    yield "error", text(error.get("type"))
    yield "retry of", text(run["retry_of"]) + (f" from {text(path)}" if (path := run.get("redriven_from")) else "")
    yield "attempt", str(run["attempt"]) if run["attempt"] > 1 else ""
    yield "parent", f"{text(parent)} at {text(run['parent_path'])}" if (parent := run.get("parent_run_id")) else ""
    yield "answered", _answered(response, room) if (response := run.get("response")) else ""
    yield "started", moment(run["started_at"])
    yield "ended", moment(run["finished_at"])
    yield "input", _value(run["input"], room)
    yield "output", _value(run["output"], room)
    yield "Temporal", text(run["temporal"]["url"])


def _answered(response: JsonObject, room: int | None) -> str:
    return f"{response['status']} at {text(response['path'])} {_value(response['body'], room)}".strip()


def _line(step: JsonObject, depth: int, *, here: bool) -> str:
    parts = [
        f"{_HERE if here else ' '} {'  ' * depth}{_ICON.get(step['status'], '[dim]·[/]')} {text(step['path'])}",
        status(step["status"]),
        f"[dim]{text(step['action'] or step['type'])}[/]",
    ]
    if step["name"] and step["name"] != step["step_id"]:
        parts.append(f'"{text(step["name"])}"')
    if step["attempt"] > 1:
        parts.append(f"attempt {step['attempt']}")
    if step["started_at"] and step["status"] != "skipped":
        parts.append(f"[dim]{moment(step['started_at'])}[/]")
        parts.append(duration(step["duration_ms"]))
    return "  ".join(part for part in parts if part)


def _details(step: JsonObject, room: int | None) -> Iterator[tuple[str, str]]:
    """What stands below a step: `(label, text)`."""
    if step["inputs"] not in (None, {}):
        yield "inputs", _value(step["inputs"], room)
    for attempt in step["attempts"] or []:
        yield f"try {attempt['attempt']}", _attempt(attempt, room)
    if step["wait"] and step["status"] in ("waiting", "held", "running"):
        yield "waits", waiting_for(step["wait"])
    elif step["wait"] and step["wait"].get("run_id"):
        yield "run", text(step["wait"]["run_id"])
    if step["error"]:
        yield "error", f"[red]{text(_cut(step['error']['type'] + ': ' + step['error']['message'], room))}[/]"
    if decision := step.get("decision"):
        yield "decided", " ".join(_decision(decision))
    if step["output"] is not None:
        yield "output", _value(step["output"], room)


def _attempt(attempt: JsonObject, room: int | None) -> str:
    due = f", next {moment(attempt['next_attempt_at'])}" if attempt["next_attempt_at"] else ""
    took = f" [dim]{moment(attempt['started_at'])} {duration(attempt['duration_ms'])}{due}[/]"
    error = attempt["error"]
    return f"[red]{text(_cut(error['type'] + ': ' + error['message'], room))}[/]{took}"


def _decision(decision: JsonObject) -> Iterator[str]:
    yield text(decision.get("decision"))
    if by := decision.get("by"):
        yield f"by {text(by)}"
    if at := decision.get("at"):
        yield moment(at)


def _tree(steps: Iterable[JsonObject]) -> Iterator[tuple[int, JsonObject]]:
    """Each step with its depth, the steps within another one below it, iteration by iteration."""
    below: dict[str, list[JsonObject]] = {}
    paths = set()
    for step in steps:
        paths.add(step["path"])
        below.setdefault(_parent(step["path"]), []).append(step)
    roots = [parent for parent in below if parent not in paths]

    def walk(parent: str) -> Iterator[tuple[int, JsonObject]]:
        # Sorting is stable: within an iteration steps stay in the order they began.
        for step in sorted(below.get(parent, []), key=lambda step: _iteration(step["path"])):
            yield step["path"].count("."), step
            yield from walk(step["path"])

    for root in roots:
        yield from walk(root)


def _parent(path: str) -> str:
    """`each` for `each[3].nudge`, also for `each.compensate.undo`; nothing at the top."""
    above = path.rpartition(".")[0]
    return _ITERATION.sub("", above.removesuffix(".compensate"))


def _iteration(path: str) -> int:
    found = _ITERATION.search(path.rpartition(".")[0])
    return int(found[0][1:-1]) if found else -1


def _value(value: Json, room: int | None) -> str:
    return "" if value is None else text(_cut(json.dumps(value, ensure_ascii=False), room))


def _cut(whole: str, room: int | None) -> str:
    """On one line, and within the room there is."""
    line = whole.replace("\n", " ") if room else whole
    return line if room is None or len(line) <= max(room, 20) else f"{line[: max(room, 20) - 1]}…"
