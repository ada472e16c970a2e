"""The shape of a definition: its head, settings and limits. Step kinds live in `steps.py`, triggers in `triggers/`.

Only shapes stand here. What makes a well-shaped definition publishable (known actions, reachable names) is `check.py`;
how a document that does not fit is explained is `parse.py`.
"""

from typing import Literal

from pydantic import Field

from app.definition.base import Document
from app.definition.durations import Duration
from app.definition.run_limits import MAX_RUNS_PER_HOUR, Concurrency, KeyText
from app.definition.steps import Step
from app.definition.triggers import AnyTrigger, ManualTrigger, Trigger
from app.json import Json

DispatchMode = Literal["local_first", "scheduled"]


class Settings(Document):
    """How a run behaves as a whole."""

    timeout: Duration | None = Field(None, description="Longest a run may take; null = no limit.")
    max_runs_per_hour: int | None = Field(
        None, ge=1, le=MAX_RUNS_PER_HOUR, description="Most runs that begin within any hour; null = no limit."
    )
    excess: Literal["delay", "reject"] = Field(
        "delay", description="What becomes of runs beyond `max_runs_per_hour`: they begin later, or are refused."
    )
    run_once_per: KeyText | None = Field(
        None,
        description="One run for each value of this, ever: a second start answers with the first run. May hold "
        "expressions over what starts the run; null or an empty text: no limit for this start.",
    )
    concurrency: Concurrency | None = Field(None, description="How many runs may be under way at once.")
    on_failure: Literal["fail", "hold"] = Field(
        "fail",
        description="What a step does that fails without any `on_error` taking care of it: fail the run, or hold it "
        "until an operator decides. Steps of `finally` and `compensate` are not held for it.",
    )
    dispatch: DispatchMode = Field(
        "local_first",
        description="First attempt of a short action inside the worker, or every attempt scheduled by Temporal.",
    )


class Definition(Document):
    """A workflow as its author writes it: triggers, variables, a tree of steps and an output."""

    name: str = Field("", max_length=200, description="Name of the workflow; taken from the workflow when empty.")
    description: str = Field("", max_length=4000)
    trigger: Trigger | None = Field(None, description="What starts a run; `triggers` for several.")
    triggers: list[Trigger] = Field(default_factory=list, max_length=20)
    settings: Settings = Field(default_factory=Settings)
    variables: dict[str, Json] = Field(
        default_factory=dict, description="Run variables and their first values (`vars`)."
    )
    steps: list[Step] = Field(default_factory=list)
    finally_: list[Step] = Field(default_factory=list, alias="finally", description="Runs whatever happened before.")
    output: Json = Field(None, description="What the run answers with; may hold expressions.")

    @property
    def all_triggers(self) -> list[AnyTrigger]:
        """`trigger` and `triggers` as one list; a definition that names none can be started by hand."""
        named = ([self.trigger] if self.trigger else []) + list(self.triggers)
        return named or [ManualTrigger(type="manual", input_schema=None)]
