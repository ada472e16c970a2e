"""Steering runs: cancel, pause, resume, decide, retry, redrive, signal. `target` says which, alike for all."""

from collections.abc import Callable
from typing import Annotated
from uuid import uuid4

import typer

from app.cli.client import Api
from app.cli.documents import value
from app.cli.exits import CliError, ExitCode
from app.cli.target import Target, steering
from app.json import JsonObject

IdempotencyKey = Annotated[str | None, typer.Option(help="The same key does it to each run once; default a new one.")]

PLAIN = {
    "cancel": "Cancel runs: what they do is stopped, what is done is compensated, their `finally` steps are done.",
    "pause": "Pause runs before their next step. What is under way goes on and is kept.",
    "resume": "Let paused runs go on.",
}


def _plain(control: str) -> Callable[..., None]:
    def command(target: Target) -> None:
        target.control(control, {})

    return steering(command)


@steering
def decide(
    target: Target,
    step_path: Annotated[
        str | None, typer.Argument(metavar="STEP_PATH", help="The held step; not needed where there is only one.")
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--retry", help="Do the step again.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Go on without it.")] = False,
    fail: Annotated[bool, typer.Option("--fail", help="Let it fail, and the run with it.")] = False,
    inputs: Annotated[
        str | None, typer.Option(help="With --retry: inputs in place of those it failed with; JSON or @FILE.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="With --skip: what later steps see as its output; JSON or @FILE.")
    ] = None,
) -> None:
    """Say what becomes of held steps: try them again, skip them, or let them fail."""
    arguments = _decision(again=again, skip=skip, fail=fail, inputs=inputs, output=output)
    target.control("decide", {**arguments, **_given(step_path=step_path)}, complete=_at_held_step)


@steering
def approve(
    target: Target,
    step_path: Annotated[
        str | None, typer.Argument(metavar="STEP_PATH", help="The step that asks; not needed where only one does.")
    ] = None,
    *,
    reject: Annotated[bool, typer.Option("--reject", help="Reject it.")] = False,
    answer: Annotated[
        str | None, typer.Option(help="What is filled into the approval's form: JSON, @FILE, or - for standard input.")
    ] = None,
    comment: Annotated[str | None, typer.Option(help="Why.")] = None,
    approver: Annotated[
        str | None, typer.Option(help="For whom, one of those who are asked; default the name of the key.")
    ] = None,
) -> None:
    """Approve, or with --reject reject, what runs ask."""
    if answer is not None and reject:
        raise CliError(ExitCode.USAGE, "--answer goes with an approval; say with --comment why you reject")
    arguments = _given(step_path=step_path, comment=comment, approver=approver)
    arguments["decision"] = "reject" if reject else "approve"
    if answer is not None:
        arguments["answer"] = value(answer, what="--answer")
    target.control("approve", arguments)


@steering
def retry(
    target: Target,
    *,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Start runs that failed anew, from the start, with the same input and version."""
    target.control("retry", {}, key=idempotency_key or str(uuid4()))


@steering
def redrive(
    target: Target,
    *,
    from_step: Annotated[
        str | None, typer.Option("--from", metavar="STEP_PATH", help="Step to begin with; default the one that failed.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="A version whose finished part is the same; default the run's own.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Start runs that failed anew from a step on: what is done before it is taken over, not done again."""
    target.control("redrive", _given(from_step=from_step, version=version), key=idempotency_key or str(uuid4()))


@steering
def signal(
    target: Target,
    *,
    event: Annotated[str | None, typer.Option(help="The event's type; default the one the run waits for.")] = None,
    data: Annotated[str | None, typer.Option(help="The event's data: JSON, @FILE, or - for standard input.")] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP_PATH", help="Only for the wait there; default each it fits.")
    ] = None,
) -> None:
    """Give waiting runs an event of their own, as if it had come; no other run hears of it."""
    arguments = _given(event=event, step_path=step)
    if data is not None:
        arguments["data"] = value(data, what="--data")
    target.control("signal", arguments)


def _at_held_step(api: Api, run_id: str, arguments: JsonObject) -> JsonObject:
    """With the path of the only held step. Raises `CliError` when somebody has to choose, or there is none."""
    if "step_path" in arguments:
        return arguments
    held = [step["path"] for step in api.items(f"/v1/runs/{run_id}/steps") if step["status"] == "held"]
    if len(held) == 1:
        return {**arguments, "step_path": held[0]}
    if held:
        raise CliError(
            ExitCode.USAGE,
            f"several steps are held: say which after the run's id ({', '.join(held)})",
            code="which_step",
        )
    raise CliError(
        ExitCode.REFUSED,
        f"no step of run {run_id} is held, so there is nothing to decide: see `holdfast runs show {run_id}`",
        code="step_not_held",
    )


def _decision(*, again: bool, skip: bool, fail: bool, inputs: str | None, output: str | None) -> JsonObject:
    chosen = [name for name, given in (("retry", again), ("skip", skip), ("fail", fail)) if given]
    if len(chosen) != 1:
        raise CliError(ExitCode.USAGE, "decide one thing: --retry, --skip or --fail")
    if inputs is not None and not again:
        raise CliError(ExitCode.USAGE, "--inputs are for --retry: a step that is skipped or fails takes none")
    if output is not None and not skip:
        raise CliError(ExitCode.USAGE, "--output is for --skip: a step that is done again answers for itself")
    found: JsonObject = {"decision": chosen[0]}
    if inputs is not None:
        found["inputs"] = value(inputs, what="--inputs")
    if output is not None:
        found["output"] = value(output, what="--output")
    return found


def _given(**arguments: str | int | None) -> JsonObject:
    return {name: argument for name, argument in arguments.items() if argument is not None}


def add_to(runs_app: typer.Typer) -> None:
    """The commands, as `holdfast runs <control>`."""
    for control, text in PLAIN.items():
        runs_app.command(control, help=text)(_plain(control))
    for name, function in (
        ("decide", decide),
        ("approve", approve),
        ("retry", retry),
        ("redrive", redrive),
        ("signal", signal),
    ):
        runs_app.command(name)(function)
