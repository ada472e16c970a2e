"""Names both sides of Temporal must agree on: queue, workflow, signals, queries, activities, search attributes."""

from uuid import UUID

from temporalio.common import SearchAttributeKey

TASK_QUEUE = "holdfast"
AUTOMATION_WORKFLOW = "Automation"
DELIVER_EVENT_SIGNAL = "deliver_event"
CHILD_ENDED_SIGNAL = "child_ended"
TIMELINE_QUERY = "timeline"
JOURNAL_QUERY = "journal"

# Updates, answered by a run under way. A refusal is an application error of one of the types below.
PAUSE_UPDATE = "pause"
RESUME_UPDATE = "resume"
DECIDE_UPDATE = "decide"
SIGNAL_EVENT_UPDATE = "signal_event"
APPROVE_UPDATE = "approve"

ALREADY_PAUSED = "run_already_paused"
NOT_PAUSED = "run_not_paused"
NOT_HELD = "step_not_held"
INVALID_DECISION = "invalid_decision"
NOT_WAITING = "run_not_waiting"
EVENT_DOES_NOT_MATCH = "event_does_not_match"
RUN_ENDING = "run_ending"
APPROVAL_NOT_OPEN = "approval_not_open"
APPROVAL_ANSWERED = "approval_answered"
# Those by which the run says that it is in another state than what was asked for needs.
OTHER_STATE = (
    ALREADY_PAUSED, NOT_PAUSED, NOT_HELD, NOT_WAITING, EVENT_DOES_NOT_MATCH, RUN_ENDING, APPROVAL_NOT_OPEN,
    APPROVAL_ANSWERED,
)  # fmt: skip

UPKEEP_WORKFLOW = "Upkeep"
UPKEEP_SCHEDULE = "holdfast-upkeep"
SCHEDULED_WORKFLOW = "Scheduled"
RUN_ENDED_SIGNAL = "run_ended"

# Activities that keep records; every action's activity is named by its catalog id instead.
RECORD_ACTIVITY = "holdfast.record"
OPEN_WAIT_ACTIVITY = "holdfast.open_wait"
OPEN_APPROVAL_ACTIVITY = "holdfast.open_approval"
SET_VARIABLES_ACTIVITY = "holdfast.set_workflow_variables"
LOST_EFFECTS_ACTIVITY = "holdfast.lost_effects"
START_CHILD_ACTIVITY = "holdfast.start_child"
CANCEL_CHILD_ACTIVITY = "holdfast.cancel_child"
RESPOND_ACTIVITY = "holdfast.respond"

# Type of the failure of a local activity that did nothing, because the database was away.
NOT_TRIED = "not_tried"
# In the details of a failure after which the run itself pauses before the next attempt.
PAUSES = "pauses"

WORKSPACE = SearchAttributeKey.for_keyword("HoldfastWorkspace")
WORKFLOW = SearchAttributeKey.for_keyword("HoldfastWorkflow")
STATUS = SearchAttributeKey.for_keyword("HoldfastStatus")
TRIGGER = SearchAttributeKey.for_keyword("HoldfastTrigger")
WAITING_FOR = SearchAttributeKey.for_keyword("HoldfastWaitingFor")

SEARCH_ATTRIBUTES = (WORKSPACE, WORKFLOW, STATUS, TRIGGER, WAITING_FOR)

CHILD_KEY = "run:"
"""How the idempotency keys of runs begin that a step of another run starts."""

SCHEDULE_KEY = "schedule:"
"""How the idempotency keys of runs begin that a schedule starts."""

_RUN = "run-"
_SCHEDULE = "schedule-"


def schedule_id(schedule_id: str) -> str:
    """Temporal's id of a schedule; also how the ids of what it starts begin."""
    return f"{_SCHEDULE}{schedule_id}"


def workflow_id(run_id: str) -> str:
    """Temporal workflow id of a run."""
    return f"{_RUN}{run_id}"


def run_of(workflow_id: str | None) -> UUID | None:
    """The run a Temporal workflow id is of; None for an id that is no run's."""
    if workflow_id is None or not workflow_id.startswith(_RUN):
        return None
    try:
        return UUID(workflow_id.removeprefix(_RUN))
    except ValueError:
        return None
