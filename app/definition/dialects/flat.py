"""Flat, ordered steps: `position`, `step_type`, and one `..._config` for each kind.

How they become a tree is `jumps.py`. The context of this dialect is `trigger`, `steps.<output_key>`, `variables` and
`execution`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.definition.dialects import jumps, kinds, policies, times, triggers
from app.definition.dialects.conditions import as_text, comparison, grouped
from app.definition.dialects.made import Made
from app.definition.dialects.names import Ids
from app.definition.dialects.placeholders import dotted, translated
from app.definition.dialects.source import Layered, Source
from app.definition.errors import Path

HEAD_LEFT_OUT = (
    "id", "site_id", "agency_id", "account_id", "slug", "icon", "color", "category", "tags", "is_active", "status",
    "total_runs", "successful_runs", "failed_runs", "last_run_at", "last_success_at", "last_error_at", "last_error",
    "created_by", "updated_by", "created_at", "updated_at",
)  # fmt: skip
"""Keys of the workflow that say nothing to a run: what they say belongs to the workflow, not to its definition."""

STEP_LEFT_OUT = ("workflow_id", "account_id", "created_at", "updated_at", "created_by", "updated_by")

_RUN = {"id": "run.id", "workflowId": "run.workflow_id", "siteId": "workspace.id", "startedAt": "run.started_at"}
_RUN |= {"workflow_id": "run.workflow_id", "site_id": "workspace.id", "started_at": "run.started_at"}


@dataclass
class Flat:
    """One step as it stands, with the names it goes by here."""

    source: Source
    id: str
    step: Made
    key: str


@dataclass
class Reader:
    """Reads the steps of one document. `keys` are output keys by every name a step can be called."""

    ids: Ids = field(default_factory=Ids)
    keys: dict[str, str] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)
    items: dict[Path, Flat] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    retry: Made | None = None
    order: dict[str, int] = field(default_factory=dict)
    of_form: bool = False
    """What started the run is what was filled in, without the event around it."""

    def enlist(self, sources: Sequence[Source]) -> None:
        """Give every step its id and key, those inside others too, so that all can be referred to."""
        for source in sources:
            kind = source.text("action_type").rpartition(".")[2] or source.text("step_type")
            original = source.text("id")
            step = kinds.head(source, self.ids, original, source.text("output_key"), source.text("name"), kind)
            named = source.text("output_key")
            key = Ids().take(named) if named else str(step["id"])
            if key != step["id"]:
                step.make("output_key", key, source.at("output_key"))
            if original in self.seen:
                source.error("id", f"the id '{original[:64]}' stands twice", "give each step its own")
            elif original:
                self.seen.add(original)
                self.keys.setdefault(original, key)
            self.keys[named or key] = key
            self.items[source.place] = Flat(source, original, step, key)
            for inner in _inner(source):
                self.enlist(inner)

    def meaning(self, parts: Sequence[str]) -> str | None:
        """What a dotted name of this dialect stands for."""
        root, rest = parts[0], list(parts[1:])
        if root == "variables":
            return dotted(["vars", *(kinds.variable_name(name) for name in rest[:1]), *rest[1:]])
        if root == "trigger" and self.of_form and rest[:1] == ["fields"] and rest[1:]:
            return dotted(["trigger", *rest[1:]])
        if root == "execution" and rest and rest[0] in _RUN:
            return _RUN[rest[0]]
        if root != "steps" or not rest or rest[0] not in self.keys:
            return None
        key = self.keys[rest[0]]
        if rest[1:] == ["passed"] and key in self.passed:
            return self.passed[key]
        inside = rest[2:] if rest[1:2] == ["output"] else rest[1:]
        return dotted(["steps", key, "output", *inside])

    def steps(self, sources: Sequence[Source], *, top: bool) -> list[Made]:
        """A list of steps in the order they run; `top` when the end of the list is the end of the run."""
        positions = [source.whole("position") for source in sources]
        last = max((position for position in positions if position is not None), default=0) + 1
        numbered = [(_or(position, last), source) for position, source in zip(positions, sources, strict=True)]
        ordered = [self.items[source.place] for _, source in sorted(numbered, key=lambda pair: pair[0])]
        self.order.update((flat.id, number) for number, flat in enumerate(ordered))
        units = [self._unit(flat, top=top) for flat in ordered]
        return jumps.tree(units, self.ids, top=top)

    def _unit(self, flat: Flat, *, top: bool) -> jumps.Unit:
        source, step = flat.source, flat.step
        unit = jumps.Unit(flat.id, step, source, key=flat.key, active=step.get("enabled", True))
        mapped = source.object("input_mapping")
        kind = source.text("step_type") or "action"
        name = source.text("action_type")
        if kind == "action":
            self._action(unit, name, mapped, top=top)
        elif (fill := _KINDS.get(kind)) is not None:
            fill(self, unit)
            self._remember(unit, top)
        else:
            step.make("type", kind, source.at("step_type"))
        if mapped.value and kind != "action":
            source.log.warning(mapped.place, f"a step of type {kind} takes no inputs, so nothing uses these")
        policies.on_error(unit, self.retry)
        source.ignore(*STEP_LEFT_OUT)
        _nothing_else(source, kind, name)
        return unit

    def _action(self, unit: jumps.Unit, name: str, mapped: Source, *, top: bool) -> None:
        source, config = unit.source, unit.source.object("action_config", "config")
        control = {"flow.condition": "condition", "flow.loop": "loop"}.get(name)
        if not name:
            source.error("action_type", "the step names no action", "write action_type: email.send")
        if control is not None:
            _KINDS[control](self, unit)
            self._remember(unit, top)
        elif name in kinds.FLOW_ACTIONS:
            kinds.fill(unit.step, name, source.at("action_type"), Layered(config, mapped), self.meaning)
        else:
            inputs = Made(mapped.place)
            for key, value in mapped.rest():
                inputs.take(key, translated(value, self.meaning), mapped.at(key))
            kinds.fill(unit.step, name, source.at("action_type"), config, self.meaning, mapped=inputs)

    def _config(self, unit: jumps.Unit, *names: str) -> Source:
        """What a condition or a loop says; as an action (`flow.condition`) its `input_mapping` says a part of it."""
        config = unit.source.object(*names)
        if (unit.source.text("step_type") or "action") != "action":
            return config
        mapped = unit.source.object("input_mapping")
        for key in _STEPS:
            if mapped.has(key):
                mapped.error(key, "steps cannot be mapped", f"put them into {names[-1]}")
        other = {key: value for key, value in mapped.value.items() if key not in _STEPS}
        return Layered(config, Source(other, mapped.place, mapped.log))

    def _remember(self, unit: jumps.Unit, top: bool) -> None:
        """How later steps ask whether a condition held."""
        if unit.when is not None:
            asks = "!= 'not_passed'" if jumps.names_failure(unit, top=top) else "== 'passed'"
            self.passed[unit.key] = f"(steps.{unit.key}.output.name {asks})"

    def condition(self, unit: jumps.Unit) -> None:
        """The steps after it run when it holds; `then` and `else`, or the ids of two steps, may say otherwise."""
        config = self._config(unit, "condition_config", "action_config")
        unit.when = grouped(config, self.meaning, lambda each: as_text(comparison(each, self.meaning)))
        if unit.when is None:
            config.error("conditions", "the condition has no conditions", "add {field, operator, value}")
            unit.when = True
        unit.if_true, unit.if_false = config.text("true_step_id"), config.text("false_step_id")
        unit.false_first = self.order.get(unit.if_false, 0) < self.order.get(unit.if_true, 0)
        then, otherwise = config.objects("then"), config.objects("else")
        if then or otherwise:
            for key in ("true_step_id", "false_step_id"):
                if config.text(key):
                    config.error(key, "'then' and 'else' say already what follows", "keep one of the two")
            unit.branches = (self.steps(then, top=False), self.steps(otherwise, top=False))
        config.done("condition_config")

    def delay(self, unit: jumps.Unit) -> None:
        config = unit.source.object("delay_config", "action_config")
        words = {"fixed": "fixed", "until": "until", "expression": "until"}
        kind = config.choice(words, "type", default="fixed")
        is_length = config.text("type") == "expression" and times.is_length(config.any("value"))
        if kind == "fixed" or is_length:
            kinds.delay(unit.step, config, self.meaning)
        else:
            kinds.wait_until(unit.step, config, self.meaning)
        config.done("delay_config")

    def loop(self, unit: jumps.Unit) -> None:
        source, step = unit.source, unit.step
        config = self._config(unit, "loop_config", "action_config")
        body = config.objects("steps")
        if not body:
            body = source.objects("steps")
        if not body:
            source.error("loop_config", "the loop has no steps to repeat", "put them into loop_config as steps")
        items = config.any("source", "items")
        step.make("type", "loop", source.at("step_type"))
        step.take("items", translated(items, self.meaning), config.at(config.key("source", "items")))
        variable = config.text("itemVariable", "item_variable")
        if variable:
            step.make("item_variable", Ids().take(variable), config.at(config.key("itemVariable", "item_variable")))
        limit = config.whole("maxIterations", "max_iterations")
        step.make("max_iterations", limit, config.at(config.key("maxIterations", "max_iterations")))
        inner: Reader = self
        if variable and step["item_variable"] != variable:
            inner = _Renaming(self, variable, str(step["item_variable"]))
        step.make("steps", inner.steps(body, top=False), source.place)
        config.done("loop_config")

    def parallel(self, unit: jumps.Unit) -> None:
        source, step = unit.source, unit.step
        config = source.object("parallel_config")
        step.make("type", "parallel", source.at("step_type"))
        branches, names = [], Ids()
        for number, branch in enumerate(config.objects("branches"), 1):
            made = Made(branch.place)
            made.make("name", names.take(branch.text("name", "id"), f"branch_{number}"), branch.at("name"))
            made.make("steps", self.steps(branch.objects("steps"), top=False), branch.at("steps"))
            branch.done("a branch")
            branches.append(made)
        step.make("branches", branches, config.at("branches"))
        if not config.flag("waitForAll", True) or not config.flag("wait_for_all", True):
            config.error(
                config.key("waitForAll", "wait_for_all"),
                "a run cannot go on while branches of it still work",
                "wait for all, or write wait_for: any, which cancels the branches that are slower",
            )
        wanted = config.any("waitFor", "wait_for")
        step.take("wait_for", wanted, config.at(config.key("waitFor", "wait_for")))
        config.done("parallel_config")

    def wait(self, unit: jumps.Unit) -> None:
        self._filled(unit, kinds.wait_for_event, "wait_config")

    def stop(self, unit: jumps.Unit) -> None:
        self._filled(unit, kinds.stop, "stop_config")

    def variable(self, unit: jumps.Unit) -> None:
        self._filled(unit, kinds.set_variable, "variable_config")

    def _filled(self, unit: jumps.Unit, fill: kinds.Fill, own: str) -> None:
        config = unit.source.object("action_config", own)
        fill(unit.step, config, self.meaning)
        config.done("action_config")

    def transform(self, unit: jumps.Unit) -> None:
        config = unit.source.object("action_config")
        unit.step.make("type", "transform", unit.source.at("step_type"))
        mapping = translated(config.any("mapping"), self.meaning)
        unit.step.take("mapping", {} if mapping is None else mapping, config.at("mapping"))
        config.done("action_config")

    def filtered(self, unit: jumps.Unit) -> None:
        """As the action of this name: its output has the names this dialect gives it."""
        source = unit.source
        kind = source.text("step_type")
        config = source.object("action_config", f"{kind}_config")
        kinds.fill(unit.step, f"transform.{kind}", source.at("step_type"), config, self.meaning)


class _Renaming(Reader):
    """A reader inside a loop whose item is called otherwise here."""

    def __init__(self, outer: Reader, theirs: str, ours: str) -> None:
        super().__init__(outer.ids, outer.keys, outer.passed, outer.items, outer.seen, outer.retry, outer.order)
        self._outer, self._names = outer, (theirs, ours)

    def meaning(self, parts: Sequence[str]) -> str | None:
        theirs, ours = self._names
        return dotted([ours, *parts[1:]]) if parts[0] == theirs else self._outer.meaning(parts)


_STEPS = ("steps", "then", "else")
"""What holds steps: those of an input mapping were not looked at."""

_KINDS = {
    "condition": Reader.condition,
    "delay": Reader.delay,
    "wait_for_event": Reader.wait,
    "loop": Reader.loop,
    "parallel": Reader.parallel,
    "stop": Reader.stop,
    "transform": Reader.transform,
    "filter": Reader.filtered,
    "aggregate": Reader.filtered,
    "set_variable": Reader.variable,
}

STEP_TYPES = (*_KINDS, "action")
"""Every `step_type`."""


def read(document: Source) -> Made:
    """The canonical document of flat steps."""
    made = Made(document.place)
    for key in ("name", "description"):
        made.take(key, document.any(key), document.at(key))
    config = document.object("trigger_config")
    starts = triggers.trigger(document, ("trigger_type",), config)
    made.make("trigger", starts, document.at("trigger_type"))
    made.make("settings", triggers.settings(document, starts), document.place)
    variables(made, document)
    reader = Reader(retry=triggers.attempts(document), of_form=starts is not None and starts["type"] == "form")
    sources = document.objects("steps")
    reader.enlist(sources)
    made.make("steps", reader.steps(sources, top=True), document.at("steps"))
    made.take("output", translated(document.any("output"), reader.meaning), document.at("output"))
    document.ignore(*HEAD_LEFT_OUT)
    document.done("the workflow")
    return made


def read_step(source: Source, ids: Ids, keys: Mapping[str, str]) -> Made:
    """One step by itself, beside steps of these keys."""
    reader = Reader(ids, dict(keys))
    reader.enlist([source])
    if source.has("error_branch_step_id"):
        hint = "bring the whole definition, or write error_steps"
        source.error("error_branch_step_id", "one step by itself leads to no other", hint)
    [step] = reader.steps([source], top=True) or [Made(source.place)]
    if step.get("type") == "condition" and "else" not in step and step["branches"][0]["name"] == "not_passed":
        source.log.note(source.place, "the run ends where the condition does not hold", "write then or else")
    return step


def variables(made: Made, document: Source) -> None:
    """First values of variables: an object, or a list of `{key, value}`."""
    found = Made(document.at("variables"))
    if isinstance(document.any("variables"), list):
        for each in document.objects("variables"):
            name = each.text("key", "name")
            if each.flag("is_secret", False):
                each.error("is_secret", "a secret has no place in a definition", _secret_hint(name))
            if not name:
                each.error("key", "the variable has no key", "give it one")
            kinds.variable(found, name, each.any("value"), each, "value")
            each.ignore("id", "workflow_id", "description", "value_type", "created_at", "updated_at")
            each.done("a variable")
    else:
        several = document.object("variables")
        for key, value in several.rest():
            kinds.variable(found, key, value, several, key)
    made.make("variables", found or None, document.at("variables"))


def _secret_hint(name: str) -> str:
    ours = kinds.variable_name(name) if name else "<name>"
    return (
        f"take the variable out, make it one of the workspace (POST /v1/variables with name {ours}, its value and "
        f"is_secret), and write {{{{ secrets.{ours} }}}} in the inputs of actions"
    )


def _inner(source: Source) -> list[list[Source]]:
    """Lists of steps inside a step, looked at before it is known whether its kind has any."""
    source = Source(source.value, source.place, source.log)
    found = [source.objects("steps")] if "steps" in source.value else []
    for key in ("loop_config", "action_config"):
        config = source.value.get(key)
        if isinstance(config, dict) and "steps" in config and source.text("step_type", "action_type") != "action":
            found.append(source.object(key).objects("steps"))
    config = source.value.get("condition_config")
    if isinstance(config, dict):
        found += [source.object("condition_config").objects(key) for key in ("then", "else")]
    config = source.value.get("parallel_config")
    if isinstance(config, dict):
        found += [branch.objects("steps") for branch in source.object("parallel_config").objects("branches")]
    return found


def _nothing_else(source: Source, kind: str, name: str) -> None:
    """Configurations of other kinds stand empty beside the one that counts."""
    for key in ("action_config", "condition_config", "delay_config", "loop_config", "parallel_config"):
        if source.value.get(key) in ({}, None):
            source.known(key)
    source.known("action_type", "position", "retry_delay_seconds", "max_retries")
    source.done(f"a step of type {kind}" if kind != "action" else f"an action {name}")


def _or(value: int | None, other: int) -> int:
    return other if value is None else value
