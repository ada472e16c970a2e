"""Running `holdfast` commands: in this process against a server in this loop, or as a program of its own."""

import asyncio
import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from app.cli.main import run
from app.json import Json

HOLDFAST = Path(sys.executable).with_name("holdfast")


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Json:
        """Standard output as one JSON value."""
        return json.loads(self.out)

    def json_lines(self) -> list[Json]:
        """Standard output as one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


async def holdfast(*arguments: str, environment: Mapping[str, str] | None = None, stdin: str = "") -> Ended:
    """Run a command in a thread of this process, so that the loop can serve what it asks."""

    def call() -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, environment or {}),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run(arguments)
        return Ended(code, out.getvalue(), err.getvalue())

    return await asyncio.to_thread(call)
