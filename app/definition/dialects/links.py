"""Where a linked step leads: to one next step, or to one for each answer. How that becomes a tree is `graph.py`.

A step leads to exactly one next step in its own world: only a condition, and a step whose output says an answer, may
name several. An answer that none of them stands for ends the run.
"""

from dataclasses import dataclass

from app.definition.dialects.names import action_id
from app.definition.dialects.source import Source

CONDITIONS = ("condition", "if", "branch")
"""What a step that compares is called."""
DEFAULTS = ("default", "else")
"""What stands for any other answer."""

_ASKED = {"ai.decide": "decision", "ai.sentiment": "sentiment", "ai.intent": "intent"}
"""Actions that give an answer -> where it stands in their output."""
_ANSWERS = {"ai.decide": ("Approve", "Reject", "Review")}
"""All answers of an action, where they are known."""
_ONE = "write nextStepId with one stepId, and let a condition say which way is taken"


@dataclass(frozen=True, slots=True)
class Links:
    """Where a step leads: `ways` are ids of steps, None ends the run. `answers` say which way is taken when, and stand
    at `asked` in the step's output; a single way has none."""

    ways: list[str | None]
    answers: list[str]
    asked: str = ""


def links(source: Source, kind: str, name: str) -> Links:
    """The links of a step of this kind (agent, utility, ...) and name; problems are told to the source."""
    found, key = _written(source)
    if not found.answers or name in CONDITIONS:
        return found
    action = action_id(name)
    asked = _ASKED.get(action)
    if kind == "trigger" or asked is None:
        what = "a trigger" if kind == "trigger" else f"'{name[:40]}'"
        source.error(key, f"{what} leads to one step, and gives no answer that tells several apart", _ONE)
    elif not isinstance(source.value.get(key), dict):
        hint = f"write nextStepId: {{{_example(action)}: ...}}"
        source.error(key, f"it is not said at which {asked} which way is taken", hint)
    else:
        return _answered(found, _ANSWERS.get(action, ()), asked)
    return Links(found.ways[:1], [])


def _answered(found: Links, known: tuple[str, ...], asked: str) -> Links:
    names = {answer.lower(): answer for answer in known}
    answers = [names.get(answer.lower(), answer) for answer in found.answers]
    covered = (known and set(known) <= set(answers)) or any(answer.lower() in DEFAULTS for answer in answers)
    if covered:
        return Links(found.ways, answers, asked)
    return Links([*found.ways, None], [*answers, "default"], asked)


def _example(action: str) -> str:
    return _ANSWERS.get(action, ("positive",))[0]


def _written(source: Source) -> tuple[Links, str]:
    """The links as they stand, and the key they stand at."""
    config = source.object("config")
    yes, no = config.text("trueStepId", "trueNextStepId"), config.text("falseStepId", "falseNextStepId")
    several, following = source.any("nextStepIds") or [], source.any("nextStepId")
    if isinstance(following, dict):
        nested = source.object("nextStepId")
        answers = sorted(nested.value, key=lambda answer: answer.lower() not in ("true", "yes"))
        _only(source, "nextStepIds" if several else "", config if yes or no else None)
        return Links([nested.text(answer) or None for answer in answers], answers), "nextStepId"
    one = source.text("nextStepId")
    if not isinstance(several, list) or not all(isinstance(each, str | None) for each in several):
        source.error("nextStepIds", "expected a list of stepIds", "name two, or write nextStepId: {answer: stepId}")
        several = []
    if several:
        _only(source, "nextStepId" if one and one not in several else "", config if yes or no else None)
        return _listed(source, several), "nextStepIds"
    if yes or no:
        _only(source, "nextStepId" if one and yes and no and one not in (yes, no) else "", None)
        return Links([yes or one or None, no or one or None], ["true", "false"]), ""
    return Links([one or None], []), "nextStepId"


def _listed(source: Source, several: list[str | None]) -> Links:
    if len(several) > 2:
        hint = "name two, or write nextStepId: {answer: stepId}"
        source.error("nextStepIds", f"it is not said which of {len(several)} ways is taken when", hint)
        return Links(several[:1], [])
    return Links(list(several), ["true", "false"] if len(several) > 1 else [])


def _only(source: Source, key: str, config: Source | None) -> None:
    """The links stand at one place: what says something else beside them would be dropped."""
    if key:
        source.error(key, "where the step leads is said already, and otherwise", "keep one of the two")
    if config is not None:
        at = next(each for each in _IN_CONFIG if config.text(each))
        config.error(at, "where the step leads is said already, beside config", "keep one of the two")


_IN_CONFIG = ("trueStepId", "trueNextStepId", "falseStepId", "falseNextStepId")
