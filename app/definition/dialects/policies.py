"""What becomes of a flat step that fails: whether it is tried again, and where the run goes on then."""

from app.definition.dialects.jumps import Unit
from app.definition.dialects.made import Made

_POLICIES = {"fail": "fail", "continue": "continue", "retry": "retry", "branch": "branch"}
_RETRIES = 3
"""How often `on_error: retry` tries again where nothing says it."""


def on_error(unit: Unit, default: Made | None) -> None:
    """The policy of one step; `default` is how the workflow has its actions tried again."""
    source, step = unit.source, unit.step
    policy = source.choice(_POLICIES, "on_error", default="fail")
    target, at = source.text("error_branch_step_id"), source.at("error_branch_step_id")
    _retry(unit, policy, default)
    if policy == "branch":
        if not target:
            source.error("error_branch_step_id", "on_error is branch, and no step is named", "name the step's id")
        unit.on_error = target
        step.make("on_error", "continue", source.at("on_error"))
    else:
        step.make("on_error", "continue" if policy == "continue" else None, source.at("on_error"))
        if target:
            source.log.warning(at, f"never used: on_error is {policy}", "set on_error: branch")


def _retry(unit: Unit, policy: str, default: Made | None) -> None:
    source, step = unit.source, unit.step
    said, seconds = source.whole("max_retries"), source.whole("retry_delay_seconds")
    if step.get("type") == "action" and not said and default is not None:
        step.make("retry", default, default.origin)
        return
    retries = _RETRIES if not said and policy == "retry" else said
    if step.get("type") != "action" and not retries:
        return  # once is what such a step is tried anyway
    if unit.when is not None or step.get("type") == "stop":
        key = "max_retries" if said else "on_error"
        source.log.warning(source.at(key), "never used: this step does nothing that could be tried again")
    elif retries is not None:
        step.make("retry", _attempts(unit, retries, seconds), source.at("max_retries"))


def _attempts(unit: Unit, retries: int, seconds: int | None) -> Made:
    source = unit.source
    made = Made(source.place)
    made.make("max_attempts", retries + 1, source.at("max_retries"))
    if seconds and retries:
        made.make("initial_interval", f"{seconds}s", source.at("retry_delay_seconds"))
        made.make("max_interval", f"{max(seconds, 60)}s", source.at("retry_delay_seconds"))
        made.make("backoff", 1.0, source.at("retry_delay_seconds"))
    return made
