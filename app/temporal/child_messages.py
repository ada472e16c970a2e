"""What crosses Temporal between a run and the runs it starts, and for the answer a run gives its caller.

Plain dataclasses of JSON values under the same rule as `messages`: they are written into histories that outlive a
release, so a field may be added with a default, never renamed or removed.
"""

from dataclasses import dataclass, field

from app.json import Json, JsonObject


@dataclass(frozen=True, kw_only=True)
class StartChild:
    """Start a run of `workflow` (slug or id) for the step at `path`; the same `key` finds the run that is there."""

    workspace_id: str
    run_id: str
    path: str
    key: str
    workflow: str
    inputs: Json = None
    waits: bool = True
    found_only: bool = False
    """Start nothing: only find what was started."""


@dataclass(frozen=True, kw_only=True)
class StartedChild:
    """The run that was started, or why there is none. Neither: none was found where nothing was to be started."""

    run_id: str | None = None
    workflow_name: str = ""
    refused: str | None = None
    later: bool = False
    """A limit of the workflow refused it now: the same may be taken later."""


@dataclass(frozen=True, kw_only=True)
class CancelChild:
    """The step gives up the run it started under this key: cancel it, if it was started and has not ended."""

    workspace_id: str
    run_id: str
    key: str


@dataclass(frozen=True, kw_only=True)
class ChildEnded:
    """Signal: the run that the step at `path` started under `key` has ended so. `error`: `{type, message}`."""

    key: str
    path: str
    run_id: str
    workflow_name: str
    status: str
    output: Json = None
    error: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class KeepResponse:
    """Answer the run's caller with this, unless another step was first. `headers` are ready to be sent."""

    workspace_id: str
    run_id: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = None
    found_only: bool = False
    """Answer nothing: only find what was answered."""


@dataclass(frozen=True, kw_only=True)
class KeptResponse:
    """Whether this step's answer is the run's, and with what status the caller is answered; None: not at all."""

    answered: bool
    status: int | None
