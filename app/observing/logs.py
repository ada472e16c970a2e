"""How the processes log: one line an event, for people at a terminal or as JSON for machines, with the ids of what is
worked on and without secrets. Whatever logs (our code, uvicorn, temporalio, SQLAlchemy) does it through the standard
library and ends here. What is a secret is `masking`'s to say.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from app.observing import context
from app.observing.masking import SECRET_NAME, mask
from app.security.masking import HIDDEN
from app.settings import Settings

# What these say below that holds whole values: statements, answers, activations with all that a run was given.
_QUIET: Mapping[str, int] = {
    "aiohttp": logging.INFO,
    "asyncio": logging.INFO,
    "httpcore": logging.INFO,
    "httpx": logging.WARNING,
    "imapclient": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "psycopg": logging.INFO,
    "sqlalchemy": logging.WARNING,
    "sse_starlette": logging.INFO,
    "temporalio": logging.INFO,
    "urllib3": logging.INFO,
}
_UNMASKED = frozenset(
    {"timestamp", "level", "logger", "method", "route", "action", "workspace_id", "workflow", "run_id", "key_id"}
)
"""What is never anybody's text: ids and templates of our own."""
_SEVERAL_LINES = frozenset({"exception", "stack"})
_RUN = "run-"

trace_of: Callable[[], str | None] = lambda: None  # noqa: E731 - a name `traces` puts its own function to


def configure(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send all that is logged in this process to `stream` (default: standard error) in the format of the settings.
    Without one: for people on a terminal, else JSON."""
    # A process that was started with standard error closed has none: it must work all the same.
    stream = stream or sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - open as long as the process
    as_json = (settings.log_format or ("console" if stream.isatty() else "json")) == "json"
    handler = _Handler(stream)
    handler.setFormatter(_formatter(as_json=as_json, colors=stream.isatty()))
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _formatter(*, as_json: bool, colors: bool) -> logging.Formatter:
    read: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _facts,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    ]
    # Tracebacks are texts by then, made without the values of variables: the renderer must not make its own.
    render: list[Processor] = (
        [_masked, structlog.processors.JSONRenderer(default=repr, ensure_ascii=False)]
        if as_json
        else [
            _masked,
            _in_one_line,
            structlog.dev.ConsoleRenderer(
                colors=colors, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    return structlog.stdlib.ProcessorFormatter(processors=[*read, *render])


def _facts(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the ids of what is worked on, those the line brings along, and those temporalio knows."""
    record = event["_record"]
    event.update(context.facts())
    event.update(getattr(record, "facts", {}))
    about = getattr(record, "temporal_workflow", None) or getattr(record, "temporal_activity", None)
    if isinstance(about, Mapping):
        _add_temporal(event, about)
    if (trace := trace_of()) is not None:
        event["trace_id"] = trace
    return event


def _add_temporal(event: MutableMapping[str, Any], about: Mapping[str, Any]) -> None:
    id = str(about.get("workflow_id", ""))
    if id.startswith(_RUN):
        event.setdefault("run_id", id.removeprefix(_RUN))
    else:
        event.setdefault("temporal_workflow_id", id)
    for name, key in (("workflow", "workflow_type"), ("action", "activity_type"), ("attempt", "attempt")):
        if key in about:
            event.setdefault(name, about[key])


def _masked(_: Any, __: str, event: EventDict) -> EventDict:
    secrets = context.secrets()
    return {name: value if name in _UNMASKED else _without(name, value, secrets) for name, value in event.items()}


def _without(name: str, value: Any, secrets: tuple[str, ...]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {mask(str(key), secrets): _without(str(key), item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without(name, item, secrets) for item in value]
    return mask(value if isinstance(value, str) else str(value), secrets)


def _in_one_line(_: Any, __: str, event: EventDict) -> EventDict:
    """JSON spells line breaks out; at a terminal only tracebacks may have some."""
    for name, value in event.items():
        if name not in _SEVERAL_LINES and isinstance(value, str) and "\n" in value:
            event[name] = value.replace("\n", "\\n")
    return event


class _Handler(logging.StreamHandler[TextIO]):
    """Where a line cannot be made or written, the standard library would print its arguments beside it, unmasked."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name there
        kind = sys.exc_info()[0]
        try:
            self.stream.write(
                f"a line of {record.name} at {record.module}:{record.lineno} cannot be logged: "
                f"{kind.__name__ if kind else 'unknown'}\n"
            )
        except (OSError, ValueError):
            return


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    found: ExcInfo = (kind, error, traceback)
    logging.getLogger("holdfast").critical("the process ends by an error", exc_info=found)


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None:
        _uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    if found.exc_value is not None:
        raised: ExcInfo = (found.exc_type, found.exc_value, found.exc_traceback)
        logging.getLogger("holdfast").error("an error that nobody could be told of", exc_info=raised)
