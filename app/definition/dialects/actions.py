"""Actions in a row: names without category, `action_config`, and links to the one before and after.

Merge fields speak of the `contact` and the `workflow`; any other name is part of what started the run.
"""

from collections.abc import Mapping, Sequence

from app.definition.dialects import flat, kinds, triggers
from app.definition.dialects.made import Made
from app.definition.dialects.names import Ids
from app.definition.dialects.placeholders import dotted, translated
from app.definition.dialects.source import Source

_WORKFLOW = {
    "id": "run.workflow_id",
    "name": "run.workflow_name",
    "execution_id": "run.id",
    "execution_date": "run.started_at",
    "started_at": "run.started_at",
}
_OURS = frozenset({"trigger", "event", "run", "workspace", "secrets", "now", "vars"})


class Reader:
    """Reads the actions of one document. `keys` are ids of steps by the ids of the document."""

    def __init__(
        self,
        ids: Ids,
        retry: Made | None = None,
        keys: Mapping[str, str] | None = None,
        *,
        by_form_event: bool = False,
    ) -> None:
        self.ids, self.retry, self.by_form_event = ids, retry, by_form_event
        self.keys: dict[str, str] = dict(keys or {})

    def meaning(self, parts: Sequence[str]) -> str | None:
        """What a merge field stands for."""
        root, rest = parts[0], list(parts[1:])
        if root in _OURS:
            return None
        if root == "variables":
            return dotted(["vars", *rest])
        if root == "workflow" and rest and rest[0] in _WORKFLOW:
            return _WORKFLOW[rest[0]]
        if root in ("steps", "actions") and rest and rest[0] in self.keys:
            inside = rest[2:] if rest[1:2] == ["output"] else rest[1:]
            return dotted(["steps", self.keys[rest[0]], "output", *inside])
        return dotted([*triggers.started_with(root, by_form_event=self.by_form_event), *rest])

    def steps(self, sources: Sequence[Source]) -> list[Made]:
        """The actions in the order of their links, else of their positions."""
        heads: list[Made] = []
        given: set[str] = set()
        for source in sources:
            original = source.text("id")
            heads.append(kinds.head(source, self.ids, original, source.text("name"), source.text("action_type")))
            if original in given:
                source.error("id", f"the id '{original[:64]}' stands twice", "give each action its own")
            elif original:
                given.add(original)
                self.keys[original] = str(heads[-1]["id"])
        for source, step in zip(sources, heads, strict=True):
            self._fill(source, step)
        return [heads[index] for index in _order(sources)]

    def _fill(self, source: Source, step: Made) -> None:
        name = source.text("action_type")
        if not name:
            source.error("action_type", "the action has no type", "write action_type: send_email")
        config = source.object("action_config", "config")
        if name in ("flow.condition", "flow.loop"):
            source.error("action_type", f"{name} needs steps of its own", "write it as a step with step_type")
        kinds.fill(step, name, source.at("action_type"), config, self.meaning)
        self._retry(source, step)
        if source.has("branch_id"):
            source.error(
                "branch_id", "what a branch of actions hangs on is not said here", "write a condition with step_type"
            )
        source.choice({"fail": "fail", "continue": "continue"}, "on_error", default="fail")
        if source.value.get("on_error") == "continue":
            step.take("on_error", "continue", source.at("on_error"))
        source.known("previous_action_id", "next_action_id", "position", "branch_id")
        source.ignore(*flat.STEP_LEFT_OUT, "status")
        source.done(f"an action {name}")

    def _retry(self, source: Source, step: Made) -> None:
        retries, key = source.whole("max_retries", "retry_count"), source.key("max_retries", "retry_count")
        if step["type"] == "stop" and retries:
            source.log.warning(source.at(key), "never used: this step does nothing that could be tried again")
        elif retries or (retries == 0 and step["type"] == "action"):
            made = Made(source.place)
            made.make("max_attempts", retries + 1, source.at(key))
            step.make("retry", made, source.at(key))
        elif self.retry is not None and step["type"] == "action":
            step.make("retry", self.retry, self.retry.origin)


def _order(sources: Sequence[Source]) -> list[int]:
    """Indices of the actions in the order they run."""
    ids = {source.text("id"): index for index, source in enumerate(sources) if source.text("id")}
    after: dict[int, int] = {}
    for index, source in enumerate(sources):
        for key, first in (("next_action_id", True), ("previous_action_id", False)):
            wanted = source.text(key)
            if not wanted:
                continue
            other = ids.get(wanted)
            if other is None:
                source.error(key, f"there is no action '{wanted[:64]}'", "name the id of an action of this list")
                continue
            before, behind = (index, other) if first else (other, index)
            if after.setdefault(before, behind) != behind:
                source.error(key, "the links disagree: one action has two that follow it", "keep one of them")
    if not after:
        positions = [source.whole("position") for source in sources]
        last = max((position for position in positions if position is not None), default=0) + 1
        return sorted(range(len(sources)), key=lambda index: last if (at := positions[index]) is None else at)
    return _linked(sources, after)


def _linked(sources: Sequence[Source], after: dict[int, int]) -> list[int]:
    starts = [index for index in range(len(sources)) if index not in after.values()]
    if not starts:
        sources[0].error("next_action_id", "the actions lead in a circle", "the last one has no next_action_id")
        return list(range(len(sources)))
    order, here = [], starts[0]
    while here not in order:
        order.append(here)
        if here not in after:
            break
        here = after[here]
    for index, source in enumerate(sources):
        if index not in order:
            source.error(None, "no action leads to this one", "link it to the action before it")
    return [*order, *(index for index in range(len(sources)) if index not in order)]


def read(document: Source) -> Made:
    """The canonical document of actions in a row."""
    made = Made(document.place)
    for key in ("name", "description"):
        made.take(key, document.any(key), document.at(key))
    starts = triggers.trigger(document, ("trigger_type",), document.object("trigger_config"))
    made.make("trigger", starts, document.at("trigger_type"))
    made.make("settings", triggers.settings(document, starts), document.place)
    flat.variables(made, document)
    by_form_event = starts is not None and starts.get("event") == triggers.FORM_EVENT
    reader = Reader(Ids(), triggers.attempts(document), by_form_event=by_form_event)
    made.make("steps", reader.steps(document.objects("actions")), document.at("actions"))
    made.take("output", translated(document.any("output"), reader.meaning), document.at("output"))
    document.ignore(*flat.HEAD_LEFT_OUT)
    document.done("the workflow")
    return made


def read_step(source: Source, ids: Ids, keys: Mapping[str, str]) -> tuple[Made, str]:
    """One action by itself, beside steps of these keys, and the id of the one it follows; empty for none."""
    previous = source.text("previous_action_id")
    if source.has("next_action_id"):
        source.error("next_action_id", "the place is said by previous_action_id or position", "leave it out")
    reader = Reader(ids, keys=keys)
    alone = Source({k: v for k, v in source.value.items() if not k.endswith("_action_id")}, source.place, source.log)
    [step] = reader.steps([alone])
    return step, previous
