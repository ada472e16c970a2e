"""What the process logs while a test looks, as `app.observing.logs` writes it; afterwards logging is as it was."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog

from app.observing import context, logs
from app.settings import Settings


@contextmanager
def logged(
    format: Literal["json", "console"] = "json", level: Literal["DEBUG", "INFO"] = "DEBUG"
) -> Iterator[io.StringIO]:
    """The stream that all lines of this process go to inside the block. No ids are known there yet."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, least = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    stream = io.StringIO()
    logs.configure(Settings(log_format=format, log_level=level), stream=stream)
    try:
        with context.bound():
            yield stream
    finally:
        logging.captureWarnings(False)
        structlog.reset_defaults()
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        root.handlers[:] = handlers
        root.setLevel(least)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """The lines so far, which must be JSON."""
    return [json.loads(line) for line in written.getvalue().splitlines()]
