"""What a command steers: one run, or all that a selection means; and the options that say so, for all such commands."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.bulk import Order, control_all
from app.cli.client import Api, open_api
from app.cli.exits import CliError, ExitCode
from app.cli.options import ApiUrl, DataDir, JsonOutput
from app.cli.output import note, print_json, say, status
from app.cli.selection import (
    OfStatus,
    OfTrigger,
    OfWorkflow,
    Selection,
    StartedAfter,
    StartedBefore,
    WaitingFor,
    WithText,
)
from app.cli.watch import ending
from app.json import JsonObject

Complete = Callable[[Api, str, JsonObject], JsonObject]

_ONE_SECONDS = 30.0
"""A run answers when a worker has its task in hand; the API says so itself when none does."""


class Target:
    """The run of this id, or all that the selection, or `--all`, means."""

    def __init__(
        self,
        run_id: str | None,
        selection: Selection,
        *,
        all_: bool,
        yes: bool,
        api_url: str | None,
        data_dir: Path | None,
        as_json: bool,
    ) -> None:
        """Raises `CliError` (usage) unless it is exactly one of the two."""
        if run_id is None and not selection and not all_:
            raise CliError(
                ExitCode.USAGE,
                "which runs? Name the id of one, or narrow them down (--workflow, --status, --waiting-for, --query, "
                "--trigger, --started-after, --started-before), or say --all",
            )
        if run_id is not None and (selection or all_):
            raise CliError(ExitCode.USAGE, "name one run or say which by the options, not both")
        self._run_id = run_id
        self._selection = selection
        self._yes = yes
        self._api_url = api_url
        self._data_dir = data_dir
        self._as_json = as_json

    def control(
        self, control: str, arguments: JsonObject, *, complete: Complete | None = None, key: str | None = None
    ) -> None:
        """Do it and say what became of it; `complete` adds what the arguments lack for one run. With the same `key` it
        is done once.

        Raises `CliError`, and `typer.Exit` when not all of several runs took it.
        """
        with open_api(self._api_url, self._data_dir) as api:
            if self._run_id is None:
                wanted = Order(control, arguments, key)
                control_all(api, wanted, self._selection, yes=self._yes, as_json=self._as_json)
                return
            if complete is not None:
                arguments = complete(api, self._run_id, arguments)
            headers = {"Idempotency-Key": key} if key else None
            found = api.post(f"/v1/runs/{self._run_id}/{control}", arguments, headers, wait=_ONE_SECONDS)
        if self._as_json:
            print_json(found)
        elif found["id"] == self._run_id:
            say(ending(found))
        else:
            say(f"run {found['id']} {status(found['status'])}, a {control} of {self._run_id}")
            note(f"[dim]follow it: holdfast runs watch {found['id']}[/]")


def steering(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options below beside its own; it is given the target they mean as `target`."""
    of_target = inspect.signature(_target).parameters
    own = [part for part in inspect.signature(command).parameters.values() if part.name != "target"]

    @functools.wraps(command)
    def steered(**given: Any) -> None:
        target = _target(**{name: given.pop(name) for name in of_target})
        command(target=target, **given)

    arguments = [part for part in own if part.kind is part.POSITIONAL_OR_KEYWORD]
    options = [part for part in own if part.kind is part.KEYWORD_ONLY]
    first, *rest = of_target.values()
    parameters = [first, *arguments, *options, *rest]
    # The command line reads a function by these two.
    steered.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    steered.__annotations__ = {part.name: part.annotation for part in parameters}
    return steered


def _target(
    run_id: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Id of the run; without it say which by the options.")
    ] = None,
    *,
    workflow: OfWorkflow = None,
    status_: OfStatus = None,
    trigger: OfTrigger = None,
    waiting_for: WaitingFor = None,
    query: WithText = None,
    started_after: StartedAfter = None,
    started_before: StartedBefore = None,
    all_: Annotated[bool, typer.Option("--all", help="All runs of the workspace that it can be done to.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> Target:
    selection = Selection(
        workflow=workflow,
        status=status_,
        trigger=trigger,
        waiting_for=waiting_for,
        query=query,
        started_after=started_after,
        started_before=started_before,
    )
    return Target(run_id, selection, all_=all_, yes=yes, api_url=api_url, data_dir=data_dir, as_json=json_output)
