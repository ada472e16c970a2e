"""From a list with jumps ahead to a tree: what a jump passes over is put into a condition.

A step may jump when it fails, a condition when it holds or does not. Jumps ahead that lie inside each other have a
tree; a jump back and two that cross each other have none, and are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.definition.dialects.made import Made
from app.definition.dialects.names import Ids
from app.definition.dialects.source import Source
from app.json import Json

_MOST_NESTED = 30


@dataclass
class Unit:
    """One step of the list: what it is, and where it jumps to, by the ids of the document.

    `branches` are the steps of a condition that has them inside itself.
    """

    id: str
    step: Made
    source: Source
    key: str
    active: bool = True
    when: Json = None
    branches: tuple[list[Made], list[Made]] | None = None
    on_error: str = ""
    if_true: str = ""
    if_false: str = ""
    false_first: bool = False
    """Of the two, the step where it does not hold stands before the other."""


def tree(units: Sequence[Unit], ids: Ids, *, top: bool) -> list[Made]:
    """The steps of a list; `top` when its end is the end of the run."""
    return _Tree(units, ids, top).between(0, len(units), 0)


def names_failure(unit: Unit, *, top: bool) -> bool:
    """Whether the condition's one branch is that of its not holding, `not_passed`; else it is `passed`."""
    if unit.branches is not None:
        return not unit.branches[0]
    if not unit.if_true and not unit.if_false:
        return top
    return bool(unit.if_true) and (not unit.if_false or unit.false_first)


class _Tree:
    def __init__(self, units: Sequence[Unit], ids: Ids, top: bool) -> None:
        self.units, self.ids, self.top = units, ids, top
        self.index = {unit.id: number for number, unit in enumerate(units) if unit.id}

    def between(self, start: int, end: int, depth: int) -> list[Made]:
        """The steps from one place up to another."""
        made: list[Made] = []
        here = start
        while here < end:
            unit = self.units[here]
            if depth > _MOST_NESTED:
                unit.source.error(None, f"more than {_MOST_NESTED} jumps inside each other", "use fewer branches")
                return made
            if unit.when is not None:
                here = self._condition(unit, here, end, made, depth)
            else:
                made.append(unit.step)
                here = self._error(unit, here, end, made, depth)
        return made

    def _error(self, unit: Unit, here: int, end: int, made: list[Made], depth: int) -> int:
        target = self._target(unit, unit.on_error, "error_branch_step_id", here, end)
        if target is None or target == here + 1 or not unit.active:
            return here + 1
        passed = Made(unit.source.place)
        passed.make("id", self._beside(unit), unit.source.at("error_branch_step_id"))
        passed.make("type", "condition", unit.source.at("error_branch_step_id"))
        way = Made(unit.source.place)
        way["name"] = "no_error"
        way["when"] = {"field": f"steps.{unit.key}.status", "operator": "not_equals", "value": "failed"}
        way["steps"] = self.between(here + 1, target, depth + 1)
        passed["branches"] = [way]
        made.append(passed)
        return target

    def _condition(self, unit: Unit, here: int, end: int, made: list[Made], depth: int) -> int:
        step = unit.step
        step.make("type", "condition", unit.source.at("step_type"))
        made.append(step)
        if unit.on_error:
            hint = "say on_error: continue, or compare what is always there"
            unit.source.error("error_branch_step_id", "a condition has ways of its own, and none for an error", hint)
        if unit.branches is not None:
            then, otherwise = unit.branches
            if then:
                self._way(unit, unit.when, "passed", then)
                step.make("else", otherwise or None, unit.source.place)
            else:
                self._way(unit, {"not": unit.when}, "not_passed", otherwise)
            return here + 1
        if_true = self._target(unit, unit.if_true, "true_step_id", here, end)
        if_false = self._target(unit, unit.if_false, "false_step_id", here, end)
        if if_true is None and if_false is None:
            return self._gate(unit, here, end, depth)
        if not unit.active:
            return self._gate(unit, here, end, depth)
        true, false = _or(if_true, here + 1), _or(if_false, here + 1)
        ahead = max(true, false)
        if min(true, false) != here + 1 or ahead == here + 1:
            hint = "one of the two is the step right after the condition, the other one stands further down"
            unit.source.error("condition_config", "the steps after the condition cannot be told apart", hint)
            return here + 1
        inside = self.between(here + 1, ahead, depth + 1)
        if names_failure(unit, top=self.top):
            self._way(unit, {"not": unit.when}, "not_passed", inside)
        else:
            self._way(unit, unit.when, "passed", inside)
        return ahead

    def _gate(self, unit: Unit, here: int, end: int, depth: int) -> int:
        """Nothing says where it leads: what follows runs when it holds."""
        if self.top or not unit.active:
            halt = Made(unit.source.place)
            halt["id"], halt["type"], halt["reason"] = self._beside(unit), "stop", "the condition did not hold"
            self._way(unit, {"not": unit.when}, "not_passed", [halt])
            return here + 1
        if end < len(self.units):
            unit.source.error(None, "the condition ends the iteration from inside a jump", "say where it leads to")
        elif here + 1 == end:
            unit.source.error(None, "nothing follows the condition, so it decides nothing", "add steps after it")
        self._way(unit, unit.when, "passed", self.between(here + 1, end, depth + 1))
        return end

    def _beside(self, unit: Unit) -> str:
        """The id of a step that is made for another one."""
        return self.ids.take(f"{str(unit.step['id'])[:50]}_{'error' if unit.on_error else 'stop'}")

    def _way(self, unit: Unit, when: Json, name: str, steps: list[Made]) -> None:
        way = Made(unit.source.place)
        config = unit.source.key("condition_config", "action_config")
        way.make("when", when, unit.source.at(config))
        way["name"], way["steps"] = name, steps
        unit.step.make("branches", [way], unit.source.at(config))

    def _target(self, unit: Unit, wanted: str, key: str, here: int, end: int) -> int | None:
        """The place a jump leads to; None when there is no jump, or one that cannot be written as a tree."""
        if not wanted:
            return None
        place = (*unit.source.at("condition_config"), key) if key in _OF_CONDITIONS else unit.source.at(key)
        target = self.index.get(wanted)
        log = unit.source.log
        if target is None:
            log.error(place, f"there is no step '{wanted[:64]}' in this list", "name the id of a step beside this one")
        elif target <= here:
            log.error(place, "the jump leads back, in a circle", "use a retry, or a loop, for what is done again")
        elif target > end:
            log.error(place, "the jump crosses another one", "let jumps lie inside each other, or stop before the step")
        else:
            return target
        return None


_OF_CONDITIONS = ("true_step_id", "false_step_id")


def _or(value: int | None, other: int) -> int:
    return other if value is None else value
