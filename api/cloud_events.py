"""From a request to events: CloudEvents 1.0 over HTTP, structured, in batches and binary, and plain JSON of that shape.

What an event must have is checked by the `cloudevents` library; this module knows the HTTP side
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md) and how to say what is
missing. Plain `application/json` without `specversion` is for people who have no CloudEvents at hand: there only `type`
is needed, and a misspelt field is refused instead of becoming an extension.
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from cloudevents.core.bindings.http import CE_PREFIX, HTTPMessage, from_binary
from cloudevents.core.exceptions import CloudEventValidationError, InvalidAttributeTypeError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from starlette.requests import Request
from uuid_utils.compat import uuid7

from api.bodies import media_type_of
from api.problems import Refused
from api.reading import check_value, read_json
from app.definition.durations import format_moment, parse_moment
from app.definition.errors import DurationError
from app.definition.problems import Problem
from app.json import Json, JsonObject
from app.services.errors import Invalid
from app.services.events import MAX_EVENTS

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PLAIN = "application/json"
OWN_SOURCE = "/v1/events"

_DATA = ("data", "data_base64")

_PLAIN_KEYS = {
    "id", "source", "type", "subject", "time", "data", "data_base64", "datacontenttype", "dataschema",
}  # fmt: skip


def read_events(request: Request, body: bytes) -> list[JsonObject]:
    """The events of a request as envelopes with `data`. Raises `Refused` (400, 415) or `Invalid` with all problems."""
    media_type = media_type_of(request)
    if not media_type.startswith("application/cloudevents") and _is_binary(request):
        return [_binary(request, body)]
    if media_type == STRUCTURED:
        return _all([read_json(body)], strict=True)
    if media_type == BATCH:
        return _all(_list(read_json(body)), strict=True)
    if media_type == PLAIN:
        value = read_json(body)
        return _all(value if isinstance(value, list) else [value], strict=False)
    raise Refused(
        415,
        "unsupported_media_type",
        f"The body is sent as {media_type}; events are taken as {STRUCTURED}, {BATCH} or {PLAIN}, or as any type with "
        "the headers ce-id, ce-source, ce-type and ce-specversion.",
    )


class _StrictFormat(JSONFormat):
    """The library takes JSON it cannot read for text; here it is an error that says where."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        if body and self.JSON_CONTENT_TYPE_PATTERN.match(datacontenttype or self.DEFAULT_CONTENT_TYPE):
            return read_json(body)
        return super().read_data(body, datacontenttype)


def _is_binary(request: Request) -> bool:
    return any(name in request.headers for name in ("ce-id", "ce-type", "ce-source", "ce-specversion"))


def _binary(request: Request, body: bytes) -> JsonObject:
    headers = {
        name: value for name, value in request.headers.items() if name == "content-type" or name.startswith(CE_PREFIX)
    }
    missing = [name for name in ("id", "source", "type", "specversion") if not headers.get(f"{CE_PREFIX}{name}")]
    if missing:
        _refuse([Problem(f"header.{CE_PREFIX}{name}", "is missing") for name in missing])
    try:
        event = from_binary(HTTPMessage(headers, body), _StrictFormat(), CloudEvent)
        envelope = _envelope(event.get_attributes(), event.get_data())
    except CloudEventValidationError as error:
        _refuse(_problems(error, f"header.{CE_PREFIX}"))
    except (ValueError, OverflowError):
        _refuse([Problem(f"header.{CE_PREFIX}time", "is no RFC 3339 moment")])
    check_value(envelope)
    return envelope


def _all(values: Sequence[Json], *, strict: bool) -> list[JsonObject]:
    if not 1 <= len(values) <= MAX_EVENTS:
        raise Invalid("invalid_event", f"Send 1 to {MAX_EVENTS} events at once, not {len(values)}.")
    problems: list[Problem] = []
    events: list[JsonObject] = []
    for index, value in enumerate(values):
        at = f"[{index}]." if len(values) > 1 else ""
        if not isinstance(value, dict):
            problems.append(Problem(at.rstrip("."), f"is {type(value).__name__}, not an object"))
            continue
        whole = strict or "specversion" in value
        found = _shape_problems(value, at, whole)
        event = None if found else _event(value if whole else _completed(value), at, found)
        problems += found
        if event is not None:
            events.append(event)
    if problems:
        _refuse(problems)
    return events


def _event(value: JsonObject, at: str, problems: list[Problem]) -> JsonObject | None:
    """The envelope, or None with what is wrong added to `problems`."""
    attributes = {name: item for name, item in value.items() if name not in _DATA and item is not None}
    data = value.get("data")
    try:
        if "time" in attributes:
            attributes["time"] = parse_moment(attributes["time"])
        if "data_base64" in value:
            data = base64.b64decode(value["data_base64"], validate=True)
        return _envelope(CloudEvent(attributes, data).get_attributes(), data)
    except CloudEventValidationError as error:
        problems += _problems(error, at)
    except DurationError as error:
        problems.append(Problem(f"{at}time", error.message, error.hint))
    except (TypeError, ValueError):
        problems.append(Problem(f"{at}data_base64", "is no base64"))
    return None


def _shape_problems(value: JsonObject, at: str, whole: bool) -> list[Problem]:
    """What the library does not look at: unknown keys of plain JSON, values that are no attribute, data given twice."""
    problems = []
    if whole:
        needed = ("id", "source", "type", "specversion")
        problems += [Problem(f"{at}{name}", "is missing") for name in needed if value.get(name) is None]
    else:
        hint = f"known: {', '.join(sorted(_PLAIN_KEYS))}; with specversion further ones are extension attributes"
        problems += [Problem(f"{at}{name}", "unknown field", hint) for name in value if name not in _PLAIN_KEYS]
    for name, item in value.items():
        if name not in _DATA and not isinstance(item, str | bool | int | None):
            problems.append(
                Problem(f"{at}{name}", f"is {type(item).__name__}; attributes are text, numbers or booleans")
            )
    if "data" in value and "data_base64" in value:
        problems.append(Problem(f"{at}data_base64", "stands beside data; give one of them"))
    return problems


def _completed(value: JsonObject) -> JsonObject:
    """Plain JSON with what its sender may leave out."""
    own = {
        "specversion": "1.0",
        "id": str(uuid7()),
        "source": OWN_SOURCE,
        "time": format_moment(datetime.now(UTC)),
    }
    return own | {name: item for name, item in value.items() if item is not None}


def _envelope(attributes: JsonObject, data: Any) -> JsonObject:
    """Attributes and data as JSON. Bytes become text where they are UTF-8, else base64 with a note that they are."""
    envelope = dict(attributes)
    if isinstance(moment := envelope.get("time"), datetime):
        envelope["time"] = format_moment(moment)
    if isinstance(data, bytes):
        try:
            data = data.decode()
        except UnicodeDecodeError:
            data = base64.b64encode(data).decode()
            envelope["datacontentencoding"] = "base64"
    return {**envelope, "data": data}


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise Invalid("invalid_event", f"{BATCH} is a list of events, not {type(value).__name__}.")
    return value


def _problems(error: CloudEventValidationError, at: str) -> list[Problem]:
    return [
        Problem(f"{at}{name}", "must be text" if isinstance(found[0], InvalidAttributeTypeError) else str(found[0]))
        for name, found in error.errors.items()
    ]


def _refuse(problems: Sequence[Problem]) -> NoReturn:
    detail = "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:10])
    raise Invalid("invalid_event", detail, problems)
