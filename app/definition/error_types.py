"""The error types a step or a run can end with: one enum with all there is to say of each. No behaviour lives here.

The rule for provider answers is the language's: 5xx, 408, 425 and 429 are retryable, other 4xx are not; a lost
connection and a time-out are. `docs/errors.md` shows the same table to users, and a test holds the two together.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.definition.nearest import suggestion


class ErrorType(StrEnum):
    """What `error.type` of a step or run can say; also the type of the Temporal failure.

    `retryable`: the same attempt may end better later. `meaning` and `way_out` are for people: what happened, and what
    they can do about it.
    """

    retryable: bool
    meaning: str
    way_out: str

    # The defaults are for type checkers alone, which take the look-up `ErrorType("timeout")` for a call of this.
    def __new__(cls, value: str, retryable: bool = False, meaning: str = "", way_out: str = "") -> "ErrorType":
        member = str.__new__(cls, value)
        member._value_ = value
        member.retryable = retryable
        member.meaning = meaning
        member.way_out = way_out
        return member

    # Mistakes in the definition or its data: the same again gives the same again.
    EXPRESSION = (
        "expression",
        False,
        "An expression or condition cannot be evaluated: a name is not there, or values cannot be compared.",
        "Mend the definition, or make the value optional with `default(...)`.",
    )
    INVALID_INPUT = (
        "invalid_input",
        False,
        "The inputs of a step do not fit; the message names the field.",
        "Mend the step's `inputs`, or retry a held step with others.",
    )
    UNKNOWN_ACTION = (
        "unknown_action",
        False,
        "This worker does not know the action.",
        "Update the workers to the release that published the workflow.",
    )
    CONNECTION_MISSING = (
        "connection_missing",
        False,
        "There is no connection of that name.",
        "Make it; names are compared exactly.",
    )
    CONNECTION_INVALID = (
        "connection_invalid",
        False,
        "The connection is of another kind, or its credentials cannot be read.",
        "Check its kind and `HOLDFAST_ENCRYPTION_KEYS`.",
    )
    SECRET_MISSING = (
        "secret_missing",
        False,
        "There is no secret variable of that name, or it cannot be read.",
        "Make it, or check `HOLDFAST_ENCRYPTION_KEYS`.",
    )
    INVALID_URL = (
        "invalid_url",
        False,
        "The address is none, or not http or https.",
        "Mend `url`.",
    )
    EGRESS_BLOCKED = (
        "egress_blocked",
        False,
        "The address is private, loopback or otherwise not allowed, or the host is not on the workspace's list.",
        "Allow it with `HOLDFAST_EGRESS_ALLOW`, or add it to the list, if it is meant.",
    )
    RESPONSE_TOO_LARGE = (
        "response_too_large",
        False,
        "The answer is larger than allowed.",
        "Ask for less, or raise `HOLDFAST_MAX_RESPONSE_BYTES` or `HOLDFAST_MAX_STEP_OUTPUT_BYTES`.",
    )
    RESPONSE_MAPPING = (
        "response_mapping",
        False,
        "A path of `response_mapping` is not in the answer.",
        "Mend the path; the answer stands in the attempt.",
    )
    LIMIT_EXCEEDED = (
        "limit_exceeded",
        False,
        "There are more items, iterations or data than the limits allow, or a delay is longer than the workspace's "
        "plan has it.",
        "Split the work, raise `max_iterations`, let a repeat go on with `on_exhausted: continue`, or make the delay "
        "shorter.",
    )
    # What the other side answered.
    PROVIDER_REJECTED = (
        "provider_rejected",
        False,
        "The provider answered 4xx: it does not want this.",
        "Read its answer in the message.",
    )
    PROVIDER_AUTH = (
        "provider_auth",
        False,
        "The provider answered 401 or 403, or refused the login.",
        "Renew the connection's credentials.",
    )
    PROVIDER_UNAVAILABLE = (
        "provider_unavailable",
        True,
        "The provider answered 5xx, 408 or 425, or told to come back later.",
        "Wait; the attempt is repeated.",
    )
    RATE_LIMITED = (
        "rate_limited",
        True,
        "The provider answered 429: too many requests.",
        "Wait; the attempt is repeated when the provider says.",
    )
    # What lies between.
    HOST_NOT_FOUND = (
        "host_not_found",
        True,  # a name server that is down looks the same as a name that is not there
        "The name of the host cannot be resolved.",
        "Check the address and the name server.",
    )
    CONNECTION_FAILED = (
        "connection_failed",
        True,
        "There was no connection, or it was lost.",
        "Check that the provider can be reached from the worker.",
    )
    TLS_FAILED = (
        "tls_failed",
        False,
        "The certificate is not valid for this host, or TLS cannot be agreed on.",
        "Mend the certificate or the connection's `security`.",
    )
    TIMEOUT = (
        "timeout",
        True,
        "The attempt was not done within the step's `timeout`.",
        "Raise it, or ask the provider why it takes so long.",
    )
    WORKER_LOST = (
        "worker_lost",
        True,
        "The worker that made the attempt was lost.",
        "Look at the workers; the attempt is repeated.",
    )
    INTERNAL = (
        "internal",
        True,
        "There is a fault in Holdfast itself.",
        "Report it with the worker's log.",
    )
    # What became of a run that the step started.
    CHILD_NOT_STARTED = (
        "child_not_started",
        False,
        "`run_workflow` could start no run: no such workflow, not active, the inputs do not fit, runs are nested too "
        "deep, or a limit of the workflow, or the workspace's plan, refused it.",
        "The message says which: mend the step or the workflow. What a limit of the workflow refused a `retry` tries "
        "again.",
    )
    CHILD_FAILED = (
        "child_failed",
        True,  # a step that asks for `retry` starts another run
        "The run that `run_workflow` started failed or timed out.",
        "Look into that run, which the message names; give the step a `retry` to start another.",
    )
    CHILD_CANCELLED = (
        "child_cancelled",
        False,
        "The run that `run_workflow` started was cancelled or terminated.",
        "Look into that run, which the message names.",
    )
    # What became of an event that the step emitted.
    EVENT_CHAIN_TOO_DEEP = (
        "event_chain_too_deep",
        False,
        "The event would be the 21st of a chain in which each was caused by the one before: workflows start or wake "
        "each other without end.",
        "Break the circle: give a trigger a `filter`, or emit the event only when something has changed.",
    )
    # What the walk itself decides.
    REJECTED = (
        "rejected",
        False,
        "Somebody rejected an approval, and `on_reject` is `fail`.",
        "The message says who and why; with `on_reject: continue` the run goes on and sees `approved: false`.",
    )
    WAIT_TIMED_OUT = (
        "wait_timed_out",
        True,  # a wait that asks for `retry` waits anew
        "No event, or no answer to an approval, came in time, and `on_timeout` is `fail`.",
        "Give the wait a `retry` to wait anew, or use `on_timeout: continue` and look at `timed_out`.",
    )
    RUN_TIMED_OUT = (
        "run_timed_out",
        False,
        "The run took longer than `settings.timeout`.",
        "Raise it; a redrive of the run goes on where it was.",
    )
    STOPPED = (
        "stopped",
        False,
        "A `stop` step ended the run as failed.",
        "Its `reason` says why.",
    )
    CANCELLED = (
        "cancelled",
        False,
        "Somebody, or a `stop` step, cancelled the run.",
        "Start it again, or redrive it.",
    )
    LIMIT_REACHED = (
        "limit_reached",
        False,
        "An event was to start the run, and a limit of the workflow, or the workspace's plan, refused it.",
        "Raise the limit, or let runs beyond it wait: `excess` in `settings`. A retry asks again.",
    )
    # What happened to the run from outside.
    TERMINATED = (
        "terminated",
        False,
        "The run was terminated in Temporal: neither compensation nor `finally` ran.",
        "Redrive it; cancel a run instead of terminating it.",
    )
    RUN_LOST = (
        "run_lost",
        False,
        "Temporal does not know the run any more.",
        "Redrive or retry it, and find out what became of Temporal's data.",
    )
    PAYLOAD_KEY_DELETED = (
        "payload_key_deleted",
        False,
        "The key that the run's values in Temporal are encrypted with was deleted: it could not go on.",
        "Retry it.",
    )


RUN_ERRORS = (
    ErrorType.RUN_TIMED_OUT,
    ErrorType.STOPPED,
    ErrorType.CANCELLED,
    ErrorType.LIMIT_REACHED,
    ErrorType.TERMINATED,
    ErrorType.RUN_LOST,
    ErrorType.PAYLOAD_KEY_DELETED,
)
"""What ends a run without any step having failed; nothing is tried again for it."""

STEP_ERRORS = tuple(each for each in ErrorType if each not in RUN_ERRORS)
"""What a step can fail with."""


def _of_a_step(value: str) -> str:
    if value in STEP_ERRORS:
        return value
    message, hint = f"'{value[:60]}' is no error type", suggestion(value, STEP_ERRORS, what="types")
    if value in RUN_ERRORS:
        message, hint = f"'{value}' ends the whole run, no step fails with it", "leave it out"
    raise PydanticCustomError("error_type", "{message}", {"message": message, "hint": hint})


StepError = Annotated[
    str,
    AfterValidator(_of_a_step),
    WithJsonSchema(
        {
            "type": "string",
            "title": "StepError",
            "description": "An error type a step can fail with.",
            "enum": [each.value for each in STEP_ERRORS],
        }
    ),
]
"""An error type as a definition names it: a plain text, one of those a step can fail with."""
