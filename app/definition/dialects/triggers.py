"""`trigger_type` and `trigger_config` as triggers of ours, and the settings that stand beside them.

A type that is not known is left to the checks of the language, at its own place.
"""

from collections.abc import Callable, Sequence

from app.definition.dialects.conditions import grouped
from app.definition.dialects.made import Made
from app.definition.dialects.names import snake
from app.definition.dialects.placeholders import dotted
from app.definition.dialects.source import Source
from app.json import Json

TRIGGER_TYPES: dict[str, str] = {
    "event": "event",
    "schedule": "schedule",
    "webhook": "webhook",
    "manual": "manual",
    "form_submission": "event",
    "whatsapp": "message",
    "sms": "message",
    "email": "message",
    "voice": "message",
    "messenger": "message",
}
"""`trigger_type`, or `triggerType` of a linked trigger step -> type of our trigger. A `form_submission` that says its
fields is a `form`."""

FORM_EVENT = "form.submission.received"
FORM_DATA = ("form_id", "form_name", "submission_id", "submitted_at", "fields")
"""What the data of that event holds; what was filled in is in `fields`."""

_WITH_EVENT = ("event", "webhook", "form", "message")
_ROW = ("id", "site_id", "workflow_id", "created_at", "updated_at")
_OF_A_ROW: dict[str, tuple[str, ...]] = {
    "schedule": ("last_run_at", "next_run_at", "last_status", "consecutive_failures"),
    "webhook": ("endpoint_path", "total_calls", "last_called_at"),
}
"""Columns of the tables such a trigger is kept in elsewhere, which say nothing to a run."""


def trigger(source: Source, type_keys: tuple[str, ...], config: Source) -> Made | None:
    """The trigger, or None when the document names none."""
    named = source.text(*type_keys)
    if not named:
        return None
    at = source.at(source.key(*type_keys))
    made = Made(config.place if config.value else at)
    kind = _kind(named, config)
    made.make("type", kind, at)
    if kind == "message":
        made.make("channel", named, at)
    if named == "form_submission" and kind == "event":
        made.make("event", FORM_EVENT, at)
    if fill := _FILL.get(kind):
        fill(made, config)
    if not config.flag("is_active", True):
        config.error("is_active", "a trigger cannot rest by itself", "leave it out, or pause the workflow")
    config.ignore(*_ROW, *_OF_A_ROW.get(kind, ()))
    for key, value in config.rest():
        made.take(snake(key) or key, value, config.at(key))
    return made


def _kind(named: str, config: Source) -> str:
    if named == "form_submission" and config.has("fields"):
        return "form"
    return TRIGGER_TYPES.get(named, named)


def _copied(made: Made, config: Source, keys: dict[str, tuple[str, ...]]) -> None:
    for ours, theirs in keys.items():
        made.take(ours, config.any(*theirs), config.at(config.key(*theirs)))


def _event(made: Made, config: Source) -> None:
    if "event" not in made:
        _copied(made, config, {"event": ("event_type", "event", "eventType")})
    _copied(made, config, {"source": ("source_module", "source", "sourceModule")})
    form = config.any("form_id", "formId") if made.get("event") == FORM_EVENT else None
    _filter(made, config, form)


def _message(made: Made, config: Source) -> None:
    _filter(made, config)


def _filter(made: Made, config: Source, form: Json = None) -> None:
    """What is asked of the event: conditions, a filter, or which form it is; in one of these ways alone."""
    names = ("filter", "event_filter", "eventFilter")
    ways: list[tuple[str, Json]] = []
    if (match := config.any(*names)) not in (None, {}):
        ways.append((config.key(*names), match))
    if config.has("conditions"):
        found = grouped(config, _of_data)
        ways += [] if found is None else [("conditions", found)]
    if form is not None:
        by_id = {"field": "data.form_id", "operator": "equals", "value": form}
        ways.append((config.key("form_id", "formId"), by_id))
    config.known("conditions", "operator", "logic")
    if len(ways) > 1:
        told = " and ".join(key for key, _ in ways)
        config.error(ways[0][0], f"{told} cannot both stand here", "put all of it into filter")
    for key, value in ways[:1]:
        (made.take if key in names else made.make)("filter", value, config.at(key))


def _of_data(parts: Sequence[str]) -> str:
    """Whatever a condition names, before there is a run, is part of the event's data."""
    return dotted(["data", *(parts[1:] if len(parts) > 1 and parts[0] in ("trigger", "data") else parts)])


def _schedule(made: Made, config: Source) -> None:
    _copied(
        made,
        config,
        {
            "cron": ("cron_expression", "cron", "cronExpression"),
            "timezone": ("timezone",),
            "max_failures": ("max_consecutive_failures", "max_failures", "maxConsecutiveFailures"),
        },
    )


def _webhook(made: Made, config: Source) -> None:
    names = ("allowed_methods", "methods", "allowedMethods")
    methods = config.any(*names)
    if isinstance(methods, list):
        methods = [each.upper() if isinstance(each, str) else each for each in methods]
    made.take("methods", methods, config.at(config.key(*names)))
    _copied(made, config, {"allowed_ips": ("allowed_ips", "allowedIps")})
    for key in ("secret_key", "secretKey", "secret"):
        if config.has(key):
            config.error(
                key,
                "a secret has no place in a definition",
                "leave it out: a secret is made with the webhook's address (POST /v1/workflows/{id}/webhooks)",
            )
        config.known(key)


def _manual(made: Made, config: Source) -> None:
    _copied(made, config, {"input_schema": ("input_schema", "inputSchema")})


_FILL: dict[str, Callable[[Made, Source], None]] = {
    "event": _event,
    "message": _message,
    "schedule": _schedule,
    "webhook": _webhook,
    "manual": _manual,
}


def started_with(name: str, *, by_form_event: bool) -> list[str]:
    """Where a name of one flat context is in what started the run; of a form's event that is what was filled in."""
    inside = ["fields"] if by_form_event and name not in FORM_DATA else []
    return ["trigger", *inside, name]


def settings(source: Source, starts: Made | None) -> Made | None:
    """Limits of a run and of the workflow, where the document says some."""
    made = Made(source.place)
    if (seconds := source.whole("timeout_seconds")) is not None:
        made.make("timeout", f"{seconds}s", source.at("timeout_seconds"))
    if (runs := source.whole("max_executions_per_hour", "max_runs_per_hour")) is not None:
        made.make("max_runs_per_hour", runs, source.at(source.key("max_executions_per_hour", "max_runs_per_hour")))
    if source.flag("run_once", False):
        if starts is not None and starts.get("type") in _WITH_EVENT:
            made.make("run_once_per", "{{ event.id }}", source.at("run_once"))
        else:
            source.error("run_once", "once per what? no event starts this workflow", "leave it out, or start by event")
    return made if made else None


def attempts(source: Source) -> Made | None:
    """`retry_on_failure` and `max_retries` of a workflow: how often each of its actions is tried."""
    wanted, retries = source.flag("retry_on_failure", True), source.whole("max_retries")
    if wanted and retries is None:
        return None
    key = "max_retries" if wanted else "retry_on_failure"
    made = Made(source.at(key))
    made.make("max_attempts", 1 + (retries or 0) if wanted else 1, source.at(key))
    return made
