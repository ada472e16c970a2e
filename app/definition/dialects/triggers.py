"""`trigger_type` and `trigger_config` as triggers of ours, and the settings that stand beside them.

A type that is not known is left to the checks of the language, at its own place.
"""

from app.definition.dialects.made import Made
from app.definition.dialects.names import snake
from app.definition.dialects.source import Source

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
"""`trigger_type`, or `triggerType` of a linked trigger step -> type of our trigger."""

FORM_EVENT = "form.submission.received"


def trigger(source: Source, type_keys: tuple[str, ...], config: Source) -> Made | None:
    """The trigger, or None when the document names none."""
    named = source.text(*type_keys)
    if not named:
        return None
    at = source.at(source.key(*type_keys))
    made = Made(config.place if config.value else at)
    kind = TRIGGER_TYPES.get(named, named)
    made.make("type", kind, at)
    if named == "form_submission":
        _form(made, config)
    elif kind == "event":
        _event(made, config)
    elif kind == "message":
        made.make("channel", named, at)
        _copied(made, config, {"filter": ("filter",)})
    else:
        _copied(made, config, _KEYS.get(kind, {}))
        if config.has("secret_key"):
            config.error(
                "secret_key", "a secret has no place in a definition", "leave it out; secrets belong to connections"
            )
        config.ignore("endpoint_path", "secret_key")
    for key, value in config.rest():
        made.take(snake(key) or key, value, config.at(key))
    return made


_KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "schedule": {"cron": ("cron_expression", "cron", "cronExpression"), "timezone": ("timezone",)},
    "webhook": {
        "methods": ("allowed_methods", "methods", "allowedMethods"),
        "allowed_ips": ("allowed_ips", "allowedIps"),
    },
    "manual": {"input_schema": ("input_schema", "inputSchema")},
}


def _copied(made: Made, config: Source, keys: dict[str, tuple[str, ...]]) -> None:
    for ours, theirs in keys.items():
        made.take(ours, config.any(*theirs), config.at(config.key(*theirs)))


def _event(made: Made, config: Source) -> None:
    _copied(
        made,
        config,
        {"event": ("event_type", "event", "eventType"), "source": ("source_module", "source", "sourceModule")},
    )
    match = config.any("filter", "event_filter")
    if match not in (None, {}):
        made.take("filter", match, config.at(config.key("filter", "event_filter")))


def _form(made: Made, config: Source) -> None:
    made.make("event", FORM_EVENT, made.places["type"][0])
    match = config.any("filter", "event_filter")
    form = config.any("form_id")
    parts = [{"field": "data.form_id", "operator": "equals", "value": form}] if form is not None else []
    if match not in (None, {}):
        if parts:
            config.error("filter", "a form_id and a filter cannot both stand here", "put form_id into the filter")
        made.take("filter", match, config.at(config.key("filter", "event_filter")))
    elif parts:
        made.make("filter", parts[0], config.at("form_id"))


def settings(source: Source, starts: Made | None) -> Made | None:
    """Limits of a run and of the workflow, where the document says some."""
    made = Made(source.place)
    if (seconds := source.whole("timeout_seconds")) is not None:
        made.make("timeout", f"{seconds}s", source.at("timeout_seconds"))
    if (runs := source.whole("max_executions_per_hour", "max_runs_per_hour")) is not None:
        made.make("max_runs_per_hour", runs, source.at(source.key("max_executions_per_hour", "max_runs_per_hour")))
    if source.flag("run_once", False):
        if starts is not None and starts.get("type") == "event":
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
