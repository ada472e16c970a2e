"""Linked steps: `stepId`, `stepType`, `config` and `nextStepId`, with `{{name}}` over one flat context.

What a step gives is laid over the context by name, so a placeholder means the last step on the way that gives this
name, and what started the run where none does. Where steps lead is `links.py`, how that becomes a tree `graph.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.definition.dialects import flat, graph, kinds, senders, triggers
from app.definition.dialects.conditions import comparison, grouped
from app.definition.dialects.links import CONDITIONS, DEFAULTS, Links, links
from app.definition.dialects.made import Made
from app.definition.dialects.names import Ids, action_id
from app.definition.dialects.placeholders import Meaning, dotted, translated
from app.definition.dialects.source import Source
from app.json import Json, JsonObject

OUTPUTS: dict[str, dict[str, str]] = {
    "ai.converse": {"agent_response": "agent_response"},
    "ai.decide": {"decision": "decision", "confidence": "confidence"},
    "ai.reason": {"reasoning": "reasoning", "conclusion": "conclusion"},
    "ai.generate_text": {"generated_text": "generated_text"},
    "ai.sentiment": {"sentiment": "sentiment", "sentiment_score": "sentiment_score"},
    "ai.intent": {"intent": "intent", "confidence": "confidence"},
    "ai.vulnerability": {"vulnerabilities": "vulnerabilities", "risk_level": "risk_level"},
    "ai.explain_reason": {"reason": "reason"},
    "ai.custom": {"custom_output": "custom_output"},
    "whatsapp.send": {"message_sent": "message_sent", "message_id": "message_id", "status": "status"},
    "email.send": {"email_sent": "success", "email_id": "message_id"},
    "voice.call": {"call_initiated": "call_initiated", "call_id": "call_id"},
    "crm.update": {"crm_updated": "crm_updated", "crm_system": "crm_system"},
    "http.request": {"status_code": "status_code", "response": "body", "body": "body"},
    "webhook.send": {"status_code": "status_code", "response_body": "response_body", "success": "success"},
}
"""What each action lays over the context, by the name it has there -> the name it has in the action's output."""

STEP_TYPES = ("trigger", "agent", "action", "utility")

_KIND_KEYS = {"agent": "agentType", "action": "actionType", "utility": "utilityType"}
_OURS = frozenset({"trigger", "event", "run", "workspace", "secrets", "vars", "steps"})
_HEAD_LEFT_OUT = (
    "_id", "id", "__v", "orgId", "userId", "workflowId", "isActive", "status", "createdAt", "updatedAt", "createdBy",
)  # fmt: skip
_STEP_LEFT_OUT = ("_id", "__v", "workflowId", "orgId", "userId", "createdAt", "updatedAt", "stepOrder", "position")


@dataclass
class _Node:
    """One step: its id there and here, where it leads, and by which answer."""

    source: Source
    id: str
    key: str
    links: Links = field(default_factory=lambda: Links([None], []))
    given: dict[str, list[str]] = field(default_factory=dict)


class Reader:
    """Reads the steps of one document."""

    def __init__(self, ids: Ids, variables: Iterable[str] = ()) -> None:
        self.ids = ids
        self.variables = frozenset(variables)
        self.asked = "message_text | default('')"
        self.writer = "phone_number"
        self.by_form_event = False
        self.nodes: dict[str, _Node] = {}
        self.before: dict[str, set[str]] = {}
        self._now = self._start = ""
        self._ways_to: dict[tuple[str, str], list[list[str]]] = {}

    def enlist(self, sources: Sequence[Source]) -> list[_Node]:
        """The triggers; all other steps become nodes."""
        started = []
        for source in sources:
            own, kind = source.text("stepId") or source.text("id"), source.text("stepType")
            if not own:
                source.error("stepId", "the step has no stepId", "give it one, so that others can lead to it")
                own = f"step {len(self.nodes) + 1}"
            name = source.object("config").text(_KIND_KEYS.get(kind, "type"))
            node = _Node(source, own, "", links(source, kind, name))
            if kind == "trigger":
                started.append(node)
                continue
            node.key = self.ids.take(own, name, kind)
            if own in self.nodes:
                source.error("stepId", f"the stepId '{own[:64]}' stands twice", "give each step its own")
            node.given = _given(node.key, name, source.object("config"))
            self.nodes.setdefault(own, node)
        for node in [*started, *self.nodes.values()]:
            node.links = replace(node.links, ways=[self._known(node, target) for target in node.links.ways])
        if started:
            configs = [node.source.object("config") for node in started]
            types = [config.text("triggerType") for config in configs]
            self.asked, self.writer = senders.asked(types), senders.writer(types)
            self.by_form_event = all(
                type_ == "form_submission" and not config.has("fields")
                for type_, config in zip(types, configs, strict=True)
            )
        return started

    def _known(self, node: _Node, target: str | None) -> str | None:
        if target is None or target in self.nodes:
            return target
        node.source.error("nextStepId", f"there is no step '{target[:64]}'", "name the stepId of a step, or null")
        return None

    def steps(self, start: str) -> list[Made]:
        """The tree of steps from one of them."""
        self._start = start
        try:
            builder = graph.Builder({own: node.links.ways for own, node in self.nodes.items()}, self._write, self._halt)
            self.before = _before(builder.order, self.nodes)
            made = builder.tree(start)
        except graph.NoTree as error:
            self.nodes[error.step].source.error("nextStepId", error.message, error.hint)
            return []
        for own, node in self.nodes.items():
            if own not in builder.seen:
                node.source.log.warning(node.source.place, "left out: no step leads to it, so it never ran", "link it")
        return made

    def _write(self, own: str, inner: list[list[Made]] | None) -> list[Made]:
        node = self.nodes[own]
        self._now = own
        step = kinds.head(node.source, Ids(), node.key)
        made = self._step(node, step, inner)
        node.source.ignore(*_STEP_LEFT_OUT)
        node.source.known("stepId", "id", "stepType", "nextStepId", "nextStepIds", "config")
        node.source.done("a step")
        return made

    def _halt(self, own: str) -> Made:
        source = self.nodes[own].source
        halt = Made(source.place)
        halt["id"], halt["type"] = self.ids.take(f"after_{self.nodes[own].key}"), "stop"
        return halt

    def _step(self, node: _Node, step: Made, inner: list[list[Made]] | None) -> list[Made]:
        source, config = node.source, node.source.object("config")
        kind = source.text("stepType")
        config.known("trueStepId", "trueNextStepId", "falseStepId", "falseNextStepId")
        if kind not in _KIND_KEYS:
            source.choice({name: name for name in STEP_TYPES}, "stepType", default="action")
            if not kind:
                source.error("stepType", "the step has no stepType", f"one of: {', '.join(STEP_TYPES)}")
            return [step]
        key = _KIND_KEYS[kind]
        name = config.text(key)
        if not name:
            config.error(key, f"the {kind} has no {key}", f"write config: {{{key}: ...}}")
        if name in CONDITIONS:
            return self._condition(node, step, config, inner)
        kinds.fill(step, name, config.at(key), config, self.meaning, mapped=self._inputs(kind, name, config))
        if inner is None:
            return [step]
        return [step, *self._choice(node, inner)]

    def _inputs(self, kind: str, name: str, config: Source) -> Made:
        """What an agent is asked, and whom a message goes to: `recipient` is `trigger`, or `customRecipient`."""
        made = Made(config.place)
        if kind == "agent" and not config.has("question"):
            made["question"] = translated(f"{{{{ {self.asked} }}}}", self.meaning)
        said, custom = config.text("recipient"), config.text("customRecipient")
        if custom and said not in ("", "custom"):
            config.error("customRecipient", "'recipient' says this already", "keep one of them, or recipient: custom")
        if said == "trigger":
            who = "email_from" if name == "send_email" else self.writer
            made.make("to", translated(f"{{{{{who}}}}}", self.meaning), config.at("recipient"))
        elif custom or said not in ("", "custom"):
            made.take("to", translated(custom or said, self.meaning), config.at("customRecipient"))
        return made

    def _condition(self, node: _Node, step: Made, config: Source, inner: list[list[Made]] | None) -> list[Made]:
        step.make("type", "condition", config.at("utilityType"))
        if "conditions" in config.value:
            when = grouped(config, self.meaning, self._compare)
        else:
            only: JsonObject = {
                key: config.any(key) for key in ("field", "operator", "op", "value") if key in config.value
            }
            when = self._compare(Source(only, config.place, config.log))
        config.done("a condition")
        if inner is None or len(inner) != 2:
            node.source.error(
                "nextStepId", "a condition leads to two steps", "write nextStepId: {true: ..., false: ...}"
            )
            return [step]
        then, otherwise = inner
        if then:
            step.make("branches", [_way(when, then, "yes", node.source)], config.place)
            step.make("else", otherwise or None, node.source.at("nextStepId"))
        else:
            step.make("branches", [_way({"not": when}, otherwise, "no", node.source)], config.place)
        return [step]

    def _choice(self, node: _Node, inner: list[list[Made]]) -> list[Made]:
        """Which way is taken after an answer; none when all are the same."""
        answers, field_ = node.links.answers, f"steps.{node.key}.output.{node.links.asked}"
        step = Made(node.source.place)
        step["id"], step["type"] = self.ids.take(f"after_{node.key}"), "condition"
        default = next((i for i, answer in enumerate(answers) if answer.lower() in DEFAULTS), None)
        branches, asked = [], []
        for index, (answer, steps) in enumerate(zip(answers, inner, strict=True)):
            if index == default:
                continue
            asked.append({"field": field_, "operator": "equals", "value": answer})
            if steps:
                branches.append(_way(asked[-1], steps, Ids().take(answer), node.source))
        if default is not None and inner[default]:
            # Not `else`: an answer that leads nowhere is none of the others.
            branches.append(_way({"not": {"any": asked}} if asked else True, inner[default], "default", node.source))
        step.make("branches", branches, node.source.at("nextStepId"))
        return [step] if branches else []

    def _compare(self, source: Source) -> Json:
        """A comparison; where its field may come from several steps, one for each, of which the right one counts."""
        name = source.text("field").strip("{} ")
        ways = self._ways_of(name.split(".")[0]) if name and name.split(".")[0] not in _OURS else []
        if len(ways) < 2:
            return comparison(source, self.meaning)
        parts: list[Json] = []
        missing: list[Json] = []
        for way in ways:
            path = dotted(way)
            one = comparison(source, self.meaning, fields=_read_from(way))
            there = [{"field": path, "operator": "exists"}] if way is not ways[-1] else []
            parts.append({"all": [*missing, *there, one]})
            missing.append({"field": path, "operator": "not_exists"})
        return {"any": parts}

    def meaning(self, parts: Sequence[str]) -> str | None:
        """The last step on the way that gives this name, else what started the run."""
        root = parts[0]
        if root in _OURS:
            return None
        if root == "variables" and len(parts) > 1:
            return dotted(["vars", kinds.variable_name(parts[1]), *parts[2:]])
        ways = [dotted([*way, *parts[1:]]) for way in self._ways_of(root)]
        return " else ".join([*(f"{way} if {way} is defined" for way in ways[:-1]), ways[-1]])

    def _ways_of(self, name: str) -> list[list[str]]:
        """As `_sources`, found once for each step."""
        if (self._now, name) not in self._ways_to:
            self._ways_to[self._now, name] = self._sources(name)
        return self._ways_to[self._now, name]

    def _sources(self, name: str) -> list[list[str]]:
        """Where a name of the context may come from at the present step, the last that gave it first."""
        found: list[list[str]] = []
        givers: set[str] = set()
        for own in reversed(list(self.before)):
            if own not in self.before.get(self._now, ()):
                continue
            node = self.nodes[own]
            if name in node.given:
                found += [node.given[name]] if node.given[name] not in found else []
                givers.add(own)
                if self._pass(givers):
                    return found
        first = ["vars", kinds.variable_name(name)]
        if name not in self.variables:
            first = triggers.started_with(name, by_form_event=self.by_form_event)
        return found if first in found else [*found, first]

    def _pass(self, givers: set[str]) -> bool:
        """Whether every way to the present step leads over one of these."""
        blocked = set(givers)
        stack = [self._start]
        while stack:
            here = stack.pop()
            if here in blocked:
                continue
            if here == self._now:
                return False
            blocked.add(here)
            stack += [target for target in self.nodes[here].links.ways if target is not None]
        return True


def _given(key: str, name: str, config: Source) -> dict[str, list[str]]:
    """What a step lays over the context, by name -> where it is found then."""
    if name != "set_variable":
        return {ours: ["steps", key, "output", own] for ours, own in OUTPUTS.get(action_id(name), {}).items()}
    several = config.value.get("variables")
    names = [config.text("key", "name"), *(several if isinstance(several, dict) else ())]
    return {variable: ["vars", kinds.variable_name(variable)] for variable in names if variable}


def _read_from(way: Sequence[str]) -> Meaning:
    """The meaning of a name that comes from one certain place."""
    return lambda parts: dotted([*way, *parts[1:]])


def _before(order: Sequence[str], nodes: dict[str, _Node]) -> dict[str, set[str]]:
    """For each step, in order, those that may have run before it."""
    before: dict[str, set[str]] = {own: set() for own in order}
    for own in order:
        for target in nodes[own].links.ways:
            if target is not None:
                before[target] |= {own, *before[own]}
    return before


def _way(when: Json, steps: list[Made], name: str, source: Source) -> Made:
    made = Made(source.place)
    made.make("when", when, source.at("config"))
    made["name"], made["steps"] = name, steps
    return made


def read(document: Source) -> Made:
    """The canonical document of linked steps."""
    made = Made(document.place)
    made.take("name", document.any("name", "workflowName"), document.at(document.key("name", "workflowName")))
    made.take("description", document.any("description"), document.at("description"))
    reader = Reader(Ids(), _declared(document.value.get("variables")))
    started = reader.enlist(document.objects("steps"))
    found = [each for each in (_trigger(node.source) for node in started) if each is not None]
    if len(found) == 1:
        made.make("trigger", found[0], found[0].origin)
    elif found:
        made.make("triggers", found, document.at("steps"))
    starts = list(dict.fromkeys(node.links.ways[0] for node in started if node.links.ways[0] is not None))
    if len(starts) > 1:
        started[-1].source.error("nextStepId", "the triggers lead to different steps", "make one workflow of each")
    if started and not starts and reader.nodes:
        started[0].source.error("nextStepId", "the trigger leads to no step", "name the stepId of the first step")
    first = starts[0] if starts else next(iter(reader.nodes), None)
    made.make("steps", reader.steps(first) if first is not None else [], document.at("steps"))
    flat.variables(made, document)
    document.ignore(*_HEAD_LEFT_OUT)
    document.done("the workflow")
    return made


def _declared(variables: Json) -> list[str]:
    """The names of the document's variables, however they are written."""
    if isinstance(variables, list):
        named = [each.get("key") or each.get("name") for each in variables if isinstance(each, dict)]
        return [name for name in named if isinstance(name, str)]
    return list(variables) if isinstance(variables, dict) else []


def _trigger(source: Source) -> Made | None:
    config = source.object("config")
    found = triggers.trigger(config, ("triggerType",), config)
    if found is None:
        config.error("triggerType", "the trigger has no triggerType", "write config: {triggerType: whatsapp}")
    source.ignore(*_STEP_LEFT_OUT)
    source.known("stepId", "id", "stepType", "nextStepId", "config", "name", "description")
    source.done("a trigger")
    return found


def read_step(source: Source, ids: Ids, _keys: Mapping[str, str]) -> Made:
    """One step by itself; its placeholders mean what started the run."""
    for key in ("nextStepId", "nextStepIds"):
        if source.has(key):
            source.error(key, "one step by itself leads nowhere", "leave it out and say its position")
    reader = Reader(ids)
    if reader.enlist([source]):
        source.error("stepType", "a trigger is no step of ours", "write it as the definition's trigger")
        return Made(source.place)
    return (reader.steps(next(iter(reader.nodes))) or [Made(source.place)])[0]


__all__ = ["OUTPUTS", "STEP_TYPES", "Reader", "read", "read_step"]
