"""A run's stream of server-sent events (WHATWG HTML, section 9.2), read until it says the run is done."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import httpx

from app.cli.client import Api
from app.cli.exits import CliError, ExitCode
from app.json import Json

DONE = "done"
_TRIES = 6
_FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Message:
    """One event of the stream: `step` with a step record, `run` with the run, `done`."""

    event: str
    data: Json


def follow(api: Api, run_id: str) -> Iterator[Message]:
    """Messages until `done`. Connects again when the stream breaks off; raises `CliError` when that does not help.

    A stream that begins anew tells the whole state once more, so a message may come again.
    """
    broken = 0
    while True:
        try:
            with api.stream(f"/v1/runs/{run_id}/stream") as lines:
                for message in messages(lines):
                    broken = 0
                    yield message
                    if message.event == DONE:
                        return
        except httpx.TransportError as error:
            problem: Exception | None = error
        except CliError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
            problem = error
        else:
            problem = None
        broken += 1
        if broken >= _TRIES:
            raise CliError(
                ExitCode.UNREACHABLE, f"the stream of run {run_id} broke off; the run goes on without us"
            ) from problem
        time.sleep(_FIRST_PAUSE_SECONDS * broken)


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Messages of a stream given line by line; comments and fields nobody needs here are passed over."""
    event, data = "message", list[str]()
    for line in lines:
        field, _, rest = line.partition(":")
        text = rest.removeprefix(" ")
        if not line:
            if data:
                yield Message(event, json.loads("\n".join(data)))
            event, data = "message", []
        elif field == "event":
            event = text
        elif field == "data":
            data.append(text)
