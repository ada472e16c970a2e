"""`python -m tests.chaos`: runs under chaos on this machine; exits with 1 when a promise was not kept."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from app.cli.exits import ExitCode
from app.cli.output import stderr
from app.embedded.errors import EmbeddedError
from tests.chaos.orders import Refused
from tests.chaos.plan import SHORT, Plan
from tests.chaos.program import Outcome, Watching, run
from tests.chaos.report import Progress, show, show_json

_PLANNED = ("runs", "workers", "rounds", "seconds", "seed")


def main() -> int:
    """The exit code."""
    arguments = _arguments()
    given = {name: value for name, value in vars(arguments).items() if name in _PLANNED and value is not None}
    plan = replace(SHORT if arguments.short else Plan(), **given)
    folder = arguments.data_dir or Path(tempfile.mkdtemp(prefix="holdfast-chaos-"))
    console = stderr()
    outcome = _played(plan, folder, console)
    if outcome is not None:
        if arguments.json:
            show_json(outcome)
        show(outcome, console)
    well = outcome is not None and not outcome.broken
    if well and arguments.data_dir is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        console.print(f"data and logs are in {folder}")
    return ExitCode.OK if well else ExitCode.RUN_FAILED


def _played(plan: Plan, folder: Path, console: Console) -> Outcome | None:
    progress = Progress(console, plan.effects)
    try:
        return asyncio.run(run(plan, folder, Watching(progress.say, progress.struck)))
    except (EmbeddedError, Refused) as error:
        progress.say(str(error))
    except KeyboardInterrupt:
        progress.say("interrupted")
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="twenty orders, and each kill once")
    parser.add_argument("--runs", type=int, help=f"orders, of five effects each ({Plan.runs})")
    parser.add_argument("--workers", type=int, help=f"worker processes ({Plan.workers})")
    parser.add_argument("--rounds", type=int, help=f"rounds of all strikes ({Plan.rounds})")
    parser.add_argument("--seconds", type=float, help=f"most seconds until all orders are done ({Plan.seconds:g})")
    parser.add_argument("--seed", type=int, help=f"what chance is drawn from ({Plan.seed})")
    parser.add_argument(
        "--data-dir", type=Path, help="empty folder in which data and logs stay (default: one that is removed)"
    )
    parser.add_argument("--json", action="store_true", help="figures and promises as JSON on standard output")
    arguments = parser.parse_args()
    if arguments.data_dir is not None and arguments.data_dir.exists() and any(arguments.data_dir.iterdir()):
        parser.error(f"{arguments.data_dir} is not empty: what is there would be taken for this run's")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
