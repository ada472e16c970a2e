"""The timeline of a run as it is drawn: its steps as a tree, with what happened to each."""

import io
from typing import Any

from rich.console import Console

from app.cli.client import Api
from app.cli.timeline import Steps, draw, latest_steps
from app.json import Json, JsonObject

RUN: JsonObject = {
    "id": "0193",
    "workflow_name": "Win back",
    "version": 3,
    "status": "held",
    "trigger": {"type": "event", "event_id": "e-1", "data": None},
    "input": {"email": "ada@example.com"},
    "output": None,
    "error": {"type": "provider_rejected", "message": "no such card", "step_id": "charge", "path": "each[1].charge"},
    "current_step": "each[1].charge",
    "waiting_for": {"kind": "decision", "event": None, "until": None},
    "retry_of": "0192",
    "redriven_from": "each",
    "attempt": 2,
    "steps_completed": 3,
    "steps_total": 4,
    "started_at": "2026-05-01T09:00:00+00:00",
    "finished_at": None,
    "duration_ms": None,
    "temporal": {"url": "http://127.0.0.1:8233/run-0193"},
}


def step(path: str, status: str = "completed", **more: Any) -> JsonObject:
    """A step record as the API gives it."""
    step_id = path.rpartition(".")[2]
    fields: JsonObject = {
        "path": path,
        "step_id": step_id,
        "name": step_id,
        "type": "action",
        "action": "http.request",
        "status": status,
        "attempt": 1,
        "inputs": None,
        "output": None,
        "error": None,
        "wait": None,
        "decision": None,
        "attempts": [],
        "started_at": "2026-05-01T09:00:00+00:00",
        "finished_at": None,
        "duration_ms": 12,
    }
    return fields | more


def drawn(*steps: JsonObject, run: JsonObject = RUN, left_out: int = 0, full: bool = False) -> list[str]:
    """The lines of the timeline in a pipe."""
    file = io.StringIO()
    draw(Console(file=file, width=1000, soft_wrap=True), run, Steps(steps, left_out), full=full)
    return file.getvalue().splitlines()


def line_of(lines: list[str], path: str) -> str:
    """The one line that is about the step itself."""
    [found] = [line for line in lines if f" {path}  " in line]
    return found


def test_steps_stand_below_the_one_that_holds_them_iteration_by_iteration() -> None:
    paths = ["first", "each", "each[0].fetch", "each[1].fetch", "each[0].charge", "each[1].charge", "last"]

    lines = drawn(*map(step, paths))

    shown = [path for line in lines for path in paths if f" {path}  " in line]
    assert shown == ["first", "each", "each[0].fetch", "each[0].charge", "each[1].fetch", "each[1].charge", "last"]
    indents = [line.index("✓") for line in lines if "✓" in line]
    assert indents == [2, 2, 4, 4, 4, 4, 2]


def test_what_undoes_a_step_stands_below_it() -> None:
    lines = drawn(step("book"), step("pay", "failed"), step("book.compensate.unbook"))

    order = [line.split()[1] for line in lines if "http.request" in line]
    assert order == ["book", "book.compensate.unbook", "pay"]


def test_the_step_the_run_is_at_is_marked_until_the_run_is_over() -> None:
    steps = (step("each"), step("each[1].charge", "held"))
    over = {**RUN, "finished_at": "2026-05-01T10:00:00+00:00"}

    assert [line for line in drawn(*steps) if line.startswith("►")] == [line_of(drawn(*steps), "each[1].charge")]
    assert [line for line in drawn(*steps, run=over) if line.startswith("►")] == []


def test_the_head_says_where_the_run_stands_and_where_it_came_from() -> None:
    text = "\n".join(drawn())

    for part in (
        "Win back, version 3",
        "event e-1",
        "each[1].charge",
        "for a decision",
        "provider_rejected",
        "no such card",
        "0192 from each",
        '{"email": "ada@example.com"}',
        "http://127.0.0.1:8233/run-0193",
    ):
        assert part in text, part


def test_failed_attempts_stand_with_their_errors_and_when_the_next_is_due() -> None:
    attempt = {
        "attempt": 1,
        "error": {"type": "rate_limited", "message": "slow down"},
        "started_at": "2026-05-01T09:00:00+00:00",
        "duration_ms": 40,
        "next_attempt_at": "2026-05-01T09:05:00+00:00",
    }
    waits = {"kind": "retry", "event": None, "until": "2026-05-01T09:05:00+00:00"}

    lines = drawn(step("charge", "waiting", attempt=2, attempts=[attempt], wait=waits, inputs={"to": "x"}))

    [tried] = [line for line in lines if "try 1" in line]
    assert "rate_limited: slow down" in tried
    assert ", next 2026-05-01" in tried
    assert "attempt 2" in line_of(lines, "charge")
    assert any("waits" in line and "for the next attempt until 2026-05-01" in line for line in lines)
    assert any("inputs" in line and '{"to": "x"}' in line for line in lines)


def test_a_decision_says_what_who_and_when() -> None:
    decision = {"decision": "skip", "by": "console", "at": "2026-05-01T09:00:00+00:00"}

    [decided] = [line for line in drawn(step("charge", "skipped", decision=decision)) if "decided" in line]

    assert "skip by console 2026-05-01" in decided


def test_values_are_cut_to_the_width_unless_all_is_asked_for() -> None:
    long = step("fetch", output={"body": "x" * 5000})

    assert max(map(len, drawn(long))) <= 160
    assert any("x" * 5000 in line for line in drawn(long, full=True))


def test_text_of_a_provider_is_never_read_as_markup() -> None:
    error = {"type": "provider_rejected", "message": "[red]bad[/] value"}

    assert any("[red]bad[/] value" in line for line in drawn(step("charge", "failed", error=error)))


def test_what_was_left_out_is_said() -> None:
    assert "12 earlier steps are left out; --limit 0 shows all" in drawn(step("last"), left_out=12)


class Pages(Api):
    """An API whose run has this many steps."""

    def __init__(self, count: int) -> None:
        self._count = count

    def items(self, path: str, *, limit: int | None = None, **query: Json) -> Any:
        assert query == {"attempts": "true"}
        return iter([step(f"s{number}") for number in range(self._count)])


def test_of_a_long_run_the_latest_steps_are_kept() -> None:
    latest, everything = latest_steps(Pages(7), "0193", 3), latest_steps(Pages(7), "0193", 0)

    assert [found["path"] for found in latest.shown] == ["s4", "s5", "s6"]
    assert (latest.left_out, everything.left_out, len(everything.shown)) == (4, 0, 7)
