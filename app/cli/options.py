"""Options several commands share, and how they become `Settings`. A flag has the name of its environment variable."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from app.cli.exits import CliError, ExitCode
from app.json import Json
from app.settings import Settings

JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON alone, for scripts.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", readable=False, help="Data folder of `holdfast dev` (HOLDFAST_DATA_DIR, default .holdfast)."
    ),
]
ApiUrl = Annotated[
    str | None, typer.Option("--api-url", help="Address of the API (HOLDFAST_API_URL; default: the running `dev`).")
]


def load_settings(**flags: Json) -> Settings:
    """Settings from the environment, with the flags that were given over them. Raises `CliError` (usage)."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        problems = [
            {"path": f"HOLDFAST_{found['loc'][0]}".upper(), "message": found["msg"], "hint": ""}
            for found in error.errors()
        ]
        raise CliError(ExitCode.USAGE, "the settings are not usable", problems=problems) from error
