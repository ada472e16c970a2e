"""Events of a wizard: `event_trigger`, conditions with a word between neighbours, actions in `execution_order`.

The run starts by an event whose data is what the wizard knows: `responses` by field, and `target_id`. What an action's
`output_handling` says to show becomes the run's output, for the wizard to show.
"""

from collections.abc import Mapping, Sequence

from app.definition.dialects import kinds
from app.definition.dialects.conditions import chained
from app.definition.dialects.made import Made
from app.definition.dialects.names import Ids
from app.definition.dialects.placeholders import Meaning, constant, dotted, names_in, translated
from app.definition.dialects.source import Source
from app.definition.syntax import is_template
from app.json import Json

EVENT_TYPES: dict[str, str] = {
    "step.onEntry": "wizard.step.on_entry",
    "step.onExit": "wizard.step.on_exit",
    "step.onValidate": "wizard.step.on_validate",
    "optionSet.onLoad": "wizard.option_set.on_load",
    "optionSet.onChange": "wizard.option_set.on_change",
    "optionSet.onApply": "wizard.option_set.on_apply",
    "option.onClick": "wizard.option.on_click",
    "option.onSelect": "wizard.option.on_select",
    "option.onDeselect": "wizard.option.on_deselect",
    "option.onChange": "wizard.option.on_change",
    "wizard.onStart": "wizard.on_start",
    "wizard.onComplete": "wizard.on_complete",
}
"""`event_trigger` -> the type of the event that starts a run."""

SOURCES = ("option_set", "context", "action_output", "static", "event_data")
"""Every `source` of an input mapping."""

_LEFT_OUT = ("id", "wizard_id", "target_type", "created_at", "updated_at")
_ACTION_LEFT_OUT = (
    "event_id", "is_async", "loading_message", "show_loading_spinner", "created_at", "updated_at",
)  # fmt: skip
_POLICIES = {"continue": "continue", "stop": "stop", "retry": "retry"}
_OURS = frozenset({"trigger", "event", "run", "secrets", "now", "vars"})


class Reader:
    """Reads the actions of one event. `keys` are ids of steps by the ids of the actions."""

    def __init__(self, ids: Ids, fallback: Source | None = None) -> None:
        self.ids, self.fallback = ids, fallback
        self.keys: dict[str, str] = {}
        self.shown: list[Made] = []
        self.mapped: dict[str, str] = {}

    def meaning(self, parts: Sequence[str]) -> str | None:
        """A mapped input, or part of what the wizard knows."""
        if parts[0] in self.mapped:
            inner = self.mapped[parts[0]]
            inside = dotted(["x", *parts[1:]])[1:]
            return f"{inner}{inside}" if " " not in inner or not inside else f"({inner}){inside}"
        return None if parts[0] in _OURS else dotted(["trigger", *parts])

    def steps(self, sources: Sequence[Source]) -> list[Made]:
        """The actions by `execution_order`; those of the same number as they stand."""
        numbers = [source.whole("execution_order") for source in sources]
        order = sorted(range(len(sources)), key=lambda index: 1 if (at := numbers[index]) is None else at)
        heads = {}
        for index in order:
            source = sources[index]
            wish = source.text("action_name", "name")
            heads[index] = kinds.head(source, self.ids, source.text("id"), wish, source.text("action_type"))
            self.keys[source.text("id")] = str(heads[index]["id"])
        self.keys.pop("", None)
        for index in order:
            self._fill(sources[index], heads[index])
        return [heads[index] for index in order]

    def _fill(self, source: Source, step: Made) -> None:
        name = source.text("action_type")
        config = source.object("config")
        self.mapped = self._mapping(source)
        used = names_in(config.value)
        if not name:
            source.error("action_type", "the action has no type", "write action_type: api_call")
        elif name == "transform_data":
            _transform(step, source, config, self.meaning, self.mapped)
            used |= set(self.mapped)
        elif name == "custom_script":
            used |= set(self.mapped)
            given = Made(source.at("input_mapping"), **{k: f"{{{{ {v} }}}}" for k, v in self.mapped.items()})
            extra = Made(source.at("input_mapping"))
            extra.make("input", given or None, source.at("input_mapping"))
            kinds.fill(step, name, source.at("action_type"), config, self.meaning, mapped=extra)
        else:
            kinds.fill(step, name, source.at("action_type"), config, self.meaning)
        for unused in sorted(set(self.mapped) - used):
            place = source.at("input_mapping", unused)
            source.log.warning(place, f"nothing in config uses the input '{unused[:60]}'", f"write {{{{{unused}}}}}")
        self._on_error(source, step)
        self._output(source, step)
        source.ignore(*_ACTION_LEFT_OUT)
        source.done(f"an action {name}")

    def _mapping(self, source: Source) -> dict[str, str]:
        found: dict[str, str] = {}
        mapping = source.object("input_mapping")
        for name, value in mapping.rest():
            if isinstance(value, dict):
                found[name] = self._input(Source(value, mapping.at(name), source.log))
            else:
                mapping.error(name, "an input is {source, ...}", f"sources: {', '.join(SOURCES)}")
        return found

    def _input(self, source: Source) -> str:
        kind = source.choice({name: name for name in SOURCES}, "source", default="")
        field, action = source.text("field_id", "field"), source.text("action_id")
        value = source.any("value")
        source.done("an input")
        if kind == "static":
            return constant(value)
        if kind == "action_output":
            if action not in self.keys:
                source.error("action_id", f"there is no action '{action[:64]}'", "name the id of an action before it")
            inside = field.split(".") if field else []
            return dotted(["steps", self.keys.get(action, "unknown"), "output", *inside])
        if not field and kind:
            source.error(None, f"the source {kind} needs a field", "write field, or field_id")
        if kind == "option_set":
            return dotted(["trigger", "responses", field]) + " | default(none)"
        return dotted(["trigger", *field.split(".")]) + " | default(none)"

    def _on_error(self, source: Source, step: Made) -> None:
        """`continue`, unless something else is said: so it is in this dialect."""
        own = source if source.has("on_error") or self.fallback is None else self.fallback
        policy = own.choice(_POLICIES, "on_error", default="continue")
        source.known("on_error")
        if policy != "stop":
            step.make("on_error", "continue", own.at("on_error"))
        at = source if source.has("retry_count") or self.fallback is None else self.fallback
        retries, pause = at.whole("retry_count"), self.fallback.whole("retry_delay_ms") if self.fallback else None
        source.known("retry_count")
        if retries is None and policy != "retry":
            return
        made = Made(at.place)
        made.make("max_attempts", 1 + (retries or (1 if policy == "retry" else 0)), at.at("retry_count"))
        if pause and self.fallback is not None:
            made.make("initial_interval", f"{pause}ms", self.fallback.at("retry_delay_ms"))
        if step.get("type") == "action" or (at is source and retries):
            step.make("retry", made, at.at("retry_count"))

    def _output(self, source: Source, step: Made) -> None:
        handling = source.object("output_handling")
        kind = handling.text("display_type")
        if kind and kind != "hidden":
            shown = Made(handling.place)
            for key in ("display_type", "target_option_set_id", "config"):
                shown.take(key, handling.any(key), handling.at(key))
            shown["action"] = step["id"]
            shown["data"] = f"{{{{ steps.{step['id']}.output | default(none) }}}}"
            self.shown.append(shown)
        handling.known("display_type", "target_option_set_id", "config")
        handling.done("output_handling")


def _transform(step: Made, source: Source, config: Source, meaning: Meaning, mapped: dict[str, str]) -> None:
    """A mapping, a template or a script; what comes out may have a schema."""
    kind = config.text("transformation_type")
    script, at = config.any("transformation_script", "mapping", "template"), config.at("transformation_script")
    config.ignore("output_schema")
    config.done("transform_data")
    if isinstance(script, dict):
        step.make("type", "transform", source.at("action_type"))
        step.take("mapping", translated(script, meaning), at)
    elif kind.lower() in ("javascript", "js", "script", "custom"):
        step.make("type", "action", source.at("action_type"))
        step.make("action", "code.javascript", source.at("action_type"))
        given = {name: f"{{{{ {value} }}}}" for name, value in mapped.items()}
        step.make("inputs", {"code": script, "input": given}, at)
    elif isinstance(script, str) and is_template(script):
        step.make("type", "transform", source.at("action_type"))
        step.make("mapping", {"result": translated(script, meaning)}, at)
    else:
        config.error(
            "transformation_script",
            f"a transformation of type '{kind[:40]}' cannot be read",
            "write an object of templates, a template, or transformation_type: javascript",
        )


def read(document: Source) -> Made:
    """The canonical document of a wizard's event."""
    made = Made(document.place)
    made.take("name", document.any("event_name", "name"), document.at(document.key("event_name", "name")))
    made.take("description", document.any("description"), document.at("description"))
    made.make("trigger", _trigger(document), document.at("event_trigger"))
    reader = Reader(Ids(), _handling(document))
    made.make("steps", reader.steps(document.objects("actions")), document.at("actions"))
    if reader.shown:
        made.make("output", {"shown": reader.shown}, document.at("actions"))
    if not document.flag("is_enabled", True):
        document.log.note(document.at("is_enabled"), "publish it with activate: false, or pause the workflow")
    document.ignore(*_LEFT_OUT)
    document.done("a wizard's event")
    return made


def _handling(document: Source) -> Source:
    handling = document.object("error_handling")
    handling.ignore("show_error_to_user", "log_errors")
    handling.known("on_error", "retry_count", "retry_delay_ms")
    handling.done("error_handling")
    return handling


def _trigger(document: Source) -> Made:
    made = Made(document.at("event_trigger"))
    named = document.text("event_trigger")
    if not named:
        document.error("event_trigger", "the event names no trigger", f"one of: {', '.join(EVENT_TYPES)}")
    made["type"] = "event"
    made.make("event", document.choice(EVENT_TYPES, "event_trigger", default="wizard.on_start"), made.origin)
    parts: list[Json] = []
    if target := document.text("target_id"):
        parts.append({"field": "data.target_id", "operator": "equals", "value": target})
    conditions = chained(document.objects("conditions"), lambda parts: dotted(["data", "responses", *parts]))
    if conditions is not None:
        parts.append(conditions)
    if parts:
        at = document.at("conditions" if conditions is not None else "target_id")
        made.make("filter", parts[0] if len(parts) == 1 else {"all": parts}, at)
    return made


def read_step(source: Source, ids: Ids, keys: Mapping[str, str]) -> Made:
    """One action by itself, beside steps of these keys."""
    reader = Reader(ids)
    reader.keys.update(keys)
    [step] = reader.steps([source])
    if reader.shown:
        source.error("output_handling", "one action by itself cannot say what the run shows", "bring the whole event")
    return step
