"""Steps of ours from what several dialects write alike: actions with their inputs, delays, waits, stops, variables.

Each function fills a step that has its id already. How steps follow each other is each dialect's own.
"""

import json
from collections.abc import Callable

from app.definition.dialects import times
from app.definition.dialects.conditions import comparison, group
from app.definition.dialects.made import Made
from app.definition.dialects.names import INPUT_NAMES, Ids, action_id, snake
from app.definition.dialects.placeholders import Meaning, dotted, translated
from app.definition.dialects.source import Source
from app.definition.errors import Path
from app.definition.syntax import is_template
from app.json import Json

Fill = Callable[[Made, Source, Meaning], None]


def untouched(_parts: object) -> None:
    """The meaning of names that stay as they are."""


def head(source: Source, ids: Ids, *wishes: str) -> Made:
    """A step with its id, and what people read of it."""
    made = Made(source.place)
    made.make("id", ids.take(*wishes), source.at("id"))
    for key, others in (("name", ("action_name",)), ("description", ())):
        if text := source.text(key, *others):
            made.take(key, text, source.at(source.key(key, *others)))
    for flag in ("is_active", "is_enabled", "enabled"):
        if not source.flag(flag, True):
            made.take("enabled", False, source.at(flag))
    if connection := source.text("connection"):
        made.take("connection", connection, source.at("connection"))
    return made


def fill(made: Made, name: str, at: Path, config: Source, meaning: Meaning, *, mapped: Made | None = None) -> None:
    """Make a step do what an action of this name does; `mapped` are inputs that come from elsewhere."""
    kind = FLOW_ACTIONS.get(name)
    if kind is not None:
        kind(made, config, meaning)
        config.done(name)
        return
    made.make("type", "action", at)
    action = action_id(name)
    made.make("action", action, at)
    if connection := config.text("connection"):
        if made.get("connection", connection) != connection:
            config.error("connection", "the step names another connection", "keep one of the two")
        made.take("connection", connection, config.at("connection"))
    inputs = Made(config.place)
    if mapped is not None:
        inputs.update(mapped)
        inputs.places.update(mapped.places)
    special = _SPECIAL.get(action)
    if special is not None:
        special(inputs, config, meaning)
    renamed = INPUT_NAMES.get(action, {})
    for key, value in config.rest():
        name = renamed.get(key, key if key.islower() else snake(key) or key)
        if inputs.places.get(name, (made.origin, True))[0][: len(config.place)] == config.place:
            config.error(key, f"the input {name} is given twice", "keep one of the two")
        _put(inputs, name, translated(value, meaning), config.at(key))
    made.take("inputs", inputs, config.place)


def _put(inputs: Made, name: str, value: Json, at: Path) -> None:
    """Set an input, null included."""
    inputs[name] = value
    inputs.places[name] = (at, True)


def _http(inputs: Made, config: Source, meaning: Meaning) -> None:
    """`body` is JSON unless it is a text; `timeout_ms` and the paths of `response_mapping` are ours."""
    body = config.any("body")
    if isinstance(body, str) and not (is_template(body) and body.strip().startswith("{{")):
        _put(inputs, "body", translated(body, meaning), config.at("body"))
    elif body is not None:
        _put(inputs, "json", translated(body, meaning), config.at("body"))
    if (milliseconds := config.whole("timeout_ms")) is not None:
        inputs.make("timeout", f"{milliseconds}ms", config.at("timeout_ms"))
    mapping = config.any("response_mapping")
    if isinstance(mapping, dict):
        paths = {name: _answer_path(path) for name, path in mapping.items()}
        inputs.take("response_mapping", paths, config.at("response_mapping"))
    elif mapping is not None:
        _put(inputs, "response_mapping", translated(mapping, meaning), config.at("response_mapping"))


def _answer_path(path: Json) -> Json:
    if not isinstance(path, str):
        return path
    bare = path.removeprefix("$.").removeprefix("response.")
    return bare if bare.startswith(("body", "headers", "status_code")) else f"body.{bare}"


def _map(inputs: Made, config: Source, meaning: Meaning) -> None:
    """A target that is no template is a path inside the source."""
    mapping = config.any("mapping")
    if isinstance(mapping, dict):
        made = {key: _from_source(value, meaning) for key, value in mapping.items()}
        inputs.take("mapping", made, config.at("mapping"))


def _from_source(value: Json, meaning: Meaning) -> Json:
    if isinstance(value, str) and value and not is_template(value):
        return f"{{{{ source.{dotted(['x', *value.split('.')])[2:]} | default(none) }}}}"
    return translated(value, lambda parts: None if parts[0] == "source" else meaning(parts))


def _filter(inputs: Made, config: Source, meaning: Meaning) -> None:
    parts = [comparison(each, meaning, fields=untouched) for each in config.objects("conditions")]
    if parts:
        inputs.take("conditions", list(parts), config.at("conditions"))


def _crm(inputs: Made, config: Source, meaning: Meaning) -> None:
    """Fields may come as JSON in a text."""
    fields = config.any("fields")
    if isinstance(fields, str) and fields.strip().startswith("{") and not fields.strip().startswith("{{"):
        try:
            fields = json.loads(fields)
        except (ValueError, RecursionError):
            config.error("fields", "the text is no JSON object", "write the fields as an object")
    if fields is not None:
        inputs.make("fields", translated(fields, meaning), config.at("fields"))


_SPECIAL: dict[str, Fill] = {
    "http.request": _http,
    "transform.map": _map,
    "transform.filter": _filter,
    "crm.update": _crm,
}
"""Actions whose inputs are written otherwise elsewhere, beyond a name."""


def delay(made: Made, config: Source, meaning: Meaning) -> None:
    """A fixed length, however it is said."""
    made.make("type", "delay", made.origin)
    told = len(config.log.problems)
    found = times.length(config, "value", "duration", "amount", meaning=meaning)
    if found is None and len(config.log.problems) == told:
        config.error(None, "the delay says no duration", "write duration: 2 and unit: hours, or value: 2h")
    made.make("duration", found, config.at(config.key("value", "duration", "amount")))


def wait_until(made: Made, config: Source, meaning: Meaning) -> None:
    """A moment, or a field of the contact that holds one."""
    made.make("type", "delay", made.origin)
    names, fields = ("value", "until", "date", "datetime", "target_date"), ("contact_field", "date_field", "field")
    told = len(config.log.problems)
    found = times.moment(config, *names, fields=fields, meaning=meaning)
    if found is None and len(config.log.problems) == told:
        config.error(None, "the wait says no date", "write date: 2030-01-31, or an expression that yields a moment")
    made.make("until", found, config.at(config.key(*names) if config.text(*names) else config.key(*fields)))


def wait_for_event(made: Made, config: Source, meaning: Meaning) -> None:
    """An event by its type; filter, time limit and what it means when that is over."""
    made.make("type", "wait_for_event", made.origin)
    names = ("event_type", "event", "event_name")
    if not (event := config.text(*names)):
        config.error(None, "the wait names no event", "write event_type: crm.deal.won")
    made.take("event", event, config.at(config.key(*names)))
    conditions = config.objects("conditions")
    match = translated(config.any("filter", "match", "event_filter"), meaning)
    if conditions and match not in (None, {}):
        key = config.key("filter", "match", "event_filter")
        config.error(key, "'conditions' say already which event is meant", "put all of it into one of the two")
    if conditions:
        made.take(
            "match",
            group([comparison(each, meaning, fields=untouched) for each in conditions], "all"),
            config.at("conditions"),
        )
    elif match not in (None, {}):
        made.take("match", match, config.at(config.key("filter", "match", "event_filter")))
    made.make("timeout", times.length(config, "timeout", meaning=meaning), config.at(config.key("timeout")))
    outcomes = {"continue": "continue", "proceed": "continue", "fail": "fail", "stop": "fail"}
    made.make(
        "on_timeout",
        config.choice(outcomes, "on_timeout", "timeout_action", default="continue"),
        config.at(config.key("on_timeout", "timeout_action")),
    )


def stop(made: Made, config: Source, meaning: Meaning) -> None:
    made.make("type", "stop", made.origin)
    if reason := config.text("reason"):
        made.take("reason", translated(reason, meaning), config.at("reason"))
    for key in ("status", "output"):
        if config.has(config.key(key)):
            made.take(key, translated(config.any(key), meaning), config.at(key))


def set_variable(made: Made, config: Source, meaning: Meaning) -> None:
    """`{key, value}`, or several as `variables`."""
    made.make("type", "set_variable", made.origin)
    variables = Made(config.place)
    if key := config.text("key", "name"):
        variable(variables, key, translated(config.any("value"), meaning), config, "value")
    several = config.object("variables")
    for name, value in several.rest():
        variable(variables, name, translated(value, meaning), several, name)
    if not variables:
        config.error(None, "no variable is set", "write key and value")
    made.make("variables", variables, config.place)


def variable(made: Made, name: str, value: Json, source: Source, key: str) -> None:
    """Set one variable from what stands at a key."""
    ours = variable_name(name)
    if ours in made:
        source.error(key, f"the variable '{name[:60]}' is called {ours} here, as another one is", "rename one of them")
    made[ours] = value
    made.places[ours] = (source.at(key), True)


def variable_name(name: str) -> str:
    """A variable's name in the letters ours have."""
    return Ids().take(name)


FLOW_ACTIONS: dict[str, Fill] = {
    "flow.delay": delay,
    "wait_time": delay,
    "flow.wait_until": wait_until,
    "wait_until_date": wait_until,
    "flow.wait_for_event": wait_for_event,
    "wait_for_event": wait_for_event,
    "flow.stop": stop,
    "set_variable": set_variable,
}
"""What others call an action and we a kind of step of its own."""
