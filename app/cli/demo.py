"""`holdfast demo`: the main job from nothing, in the terminal. Which servers it needs and uses is decided here; what
happens on them is the story's.
"""

from typing import Annotated

import typer

from app.cli.options import DataDir, JsonOutput, load_settings


def demo(
    data_dir: DataDir = None,
    keep: Annotated[bool, typer.Option(help="Leave the servers up afterwards, until Ctrl-C.")] = False,
    json_output: JsonOutput = False,
) -> None:
    """Play examples/new-lead.yaml from its first event to its last e-mail, and check every step.

    Starts what is not up and stops it again; a `holdfast dev` that runs in the data folder is used and left running.
    """
    settings = load_settings(data_dir=data_dir)
    from app.cli.demo_run import run_demo  # noqa: PLC0415 - loads every server's client; other commands need none

    raise typer.Exit(run_demo(settings, keep=keep, as_json=json_output))
