"""What a running `holdfast dev` leaves in its data folder for others: addresses, process ids, the lock.

The next start reads it to end what was left over; commands and `holdfast demo` read it to find the API.
"""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

from app.cli.exits import CliError, ExitCode
from app.embedded.child import end_process
from app.settings import Settings

_STATE = "dev.json"
_LOCK = "dev.lock"
API_KEY = "api-key"
PLATFORM_KEY = "platform-key"
ENCRYPTION_KEY = "encryption-key"
WORKSPACE_NAME = "Main"


@dataclass(frozen=True)
class ProcessMark:
    """A process id with the time it began, since ids are used again."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "ProcessMark":
        return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    def here(cls) -> "ProcessMark":
        """This process."""
        return cls.of(os.getpid())

    def alive(self) -> bool:
        """Whether that very process still runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        return False


@dataclass(frozen=True)
class DevState:
    """A running group: who supervises it and where its parts answer."""

    supervisor: ProcessMark
    api_url: str
    temporal_address: str
    temporal_ui_url: str
    database_url: str
    children: Mapping[str, ProcessMark] = field(default_factory=dict)


def private_file(path: Path, content: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    unfinished.replace(path)


def write_state(data_dir: Path, state: DevState) -> None:
    """Leave the group's state for others."""
    private_file(data_dir / _STATE, json.dumps(asdict(state), indent=2))


def clear_state(data_dir: Path) -> None:
    """The group is down."""
    (data_dir / _STATE).unlink(missing_ok=True)


def running_group(data_dir: Path) -> DevState | None:
    """The group that runs in this data folder, if one does."""
    state = _read(data_dir)
    return state if state is not None and state.supervisor.alive() else None


def where_it_runs(settings: Settings) -> Settings:
    """The settings with the addresses of the running `dev`, unless the environment or a flag names others."""
    group = running_group(settings.data_dir)
    named = settings.model_fields_set
    if group is None or named & {"api_url", "api_port", "temporal_address", "temporal_port"}:
        return settings
    found = {"api_url": group.api_url, "temporal_address": group.temporal_address}
    if settings.database_url is None:
        found["database_url"] = group.database_url
    return settings.model_copy(update=found)


def end_leftovers(data_dir: Path) -> list[str]:
    """End what a killed supervisor left; answers the names. To be called with the lock held."""
    state = _read(data_dir)
    left = {name: mark for name, mark in state.children.items() if mark.alive()} if state else {}
    for name, mark in left.items():
        number = signal.SIGINT if name == "PostgreSQL" else signal.SIGTERM
        end_process(mark.pid, number, within=10)
    return list(left)


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data folder; raises `CliError` when another `holdfast dev` does. The lock ends with the process."""
    with _lock_file(data_dir) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CliError(
                ExitCode.REFUSED,
                f"another `holdfast dev` (process {file.read().strip() or 'unknown'}) uses {data_dir}: "
                "stop it with Ctrl-C, or choose another folder with --data-dir and other ports",
                code="already_running",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _lock_file(data_dir: Path) -> IO[str]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / _LOCK).open("a+")
    except OSError as error:
        raise CliError(
            ExitCode.REFUSED,
            f"the data folder {data_dir} cannot be used ({error.strerror}): choose another one with --data-dir",
            code="data_dir",
        ) from error


def _read(data_dir: Path) -> DevState | None:
    try:
        found = json.loads((data_dir / _STATE).read_text())
        return DevState(
            **{
                **found,
                "supervisor": ProcessMark(**found["supervisor"]),
                "children": {name: ProcessMark(**mark) for name, mark in found["children"].items()},
            }
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
