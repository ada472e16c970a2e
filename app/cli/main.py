"""`holdfast`: the commands and what an error of theirs looks like. Each command has a module of its own."""

import importlib.metadata
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer
from typer._click.exceptions import ClickException

from app.cli.api_keys import api_keys_app
from app.cli.apply import apply
from app.cli.audit import audit_app
from app.cli.connections import connections_app
from app.cli.demo import demo
from app.cli.deploy import deploy_app
from app.cli.dev import dev
from app.cli.events import events_app
from app.cli.exits import EPILOG, CliError, ExitCode
from app.cli.forms import forms_app
from app.cli.keys import keys_app
from app.cli.members import members_app
from app.cli.options import JsonOutput
from app.cli.output import print_json, say, show_error
from app.cli.processes import api, health, worker
from app.cli.replay import replay
from app.cli.runs import run as start_run
from app.cli.runs import runs_app
from app.cli.schedules import schedules_app
from app.cli.setup import migrate, temporal_setup
from app.cli.webhooks import webhooks_app
from app.cli.workflows import workflows_app
from app.cli.workspaces import workspaces_app

app = typer.Typer(
    name="holdfast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    help="Durable workflow automation: run the servers, publish workflows, start and follow runs.",
)

SERVERS = "Servers"
WORKFLOWS = "Workflows"


def version(json_output: JsonOutput = False) -> None:
    """Say which version this is."""
    found = importlib.metadata.version("holdfast")
    if json_output:
        print_json({"version": found})
    else:
        say(f"holdfast {found}")


for _function, _name, _panel in (
    (dev, "dev", SERVERS),
    (demo, "demo", SERVERS),
    (api, "api", SERVERS),
    (worker, "worker", SERVERS),
    (migrate, "migrate", SERVERS),
    (temporal_setup, "temporal-setup", SERVERS),
    (health, "health", SERVERS),
    (replay, "replay", SERVERS),
    (version, "version", SERVERS),
    (apply, "apply", WORKFLOWS),
    (start_run, "run", WORKFLOWS),
):
    app.command(_name, rich_help_panel=_panel, epilog=EPILOG)(_function)
for _group, _name, _panel in (
    (keys_app, "keys", SERVERS),
    (workspaces_app, "workspaces", SERVERS),
    (deploy_app, "deploy", SERVERS),
    (audit_app, "audit", SERVERS),
    (runs_app, "runs", WORKFLOWS),
    (workflows_app, "workflows", WORKFLOWS),
    (events_app, "events", WORKFLOWS),
    (forms_app, "forms", WORKFLOWS),
    (webhooks_app, "webhooks", WORKFLOWS),
    (connections_app, "connections", WORKFLOWS),
    (schedules_app, "schedules", WORKFLOWS),
    (api_keys_app, "api-keys", WORKFLOWS),
    (members_app, "members", WORKFLOWS),
):
    app.add_typer(_group, name=_name, rich_help_panel=_panel, epilog=EPILOG)
    for _command in _group.registered_commands:
        _command.epilog = EPILOG


def run(arguments: Sequence[str]) -> int:
    """Run one command; answers its exit code."""
    as_json = "--json" in arguments
    try:
        return int(app(list(arguments), standalone_mode=as_json is False, prog_name="holdfast") or 0)
    except CliError as error:
        show_error(error, as_json=as_json)
        return error.exit_code
    except ClickException as error:
        show_error(CliError(ExitCode.USAGE, error.format_message()), as_json=True)
        return ExitCode.USAGE
    except SystemExit as end:
        if isinstance(end.code, str):
            show_error(CliError(ExitCode.USAGE, end.code), as_json=as_json)
            return ExitCode.USAGE
        return end.code or ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def main() -> None:
    """Entry of the `holdfast` program."""
    code = run(sys.argv[1:])
    if "temporalio.bridge" not in sys.modules:
        sys.exit(code)
    # Threads of the SDK's runtime outlive a connection. One that wants to be Python again while the interpreter is
    # taken down panics, with words of its own below ours (sdk-python 300): so nothing is taken down.
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
