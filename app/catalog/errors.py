"""The error types a step can fail with: one enum, and whether trying again can help. No behaviour lives here.

The rule for provider answers is the language's: 5xx, 408, 425 and 429 are retryable, other 4xx are not; a lost
connection and a time-out are.
"""

from enum import StrEnum


class ErrorType(StrEnum):
    """What `steps.<key>.error.type` can say; also the type of the Temporal failure."""

    # Mistakes in the definition or its data: the same again gives the same again.
    EXPRESSION = "expression"
    INVALID_INPUT = "invalid_input"
    UNKNOWN_ACTION = "unknown_action"
    CONNECTION_MISSING = "connection_missing"
    CONNECTION_INVALID = "connection_invalid"
    INVALID_URL = "invalid_url"
    EGRESS_BLOCKED = "egress_blocked"
    RESPONSE_TOO_LARGE = "response_too_large"
    RESPONSE_MAPPING = "response_mapping"
    LIMIT_EXCEEDED = "limit_exceeded"
    # What the other side answered.
    PROVIDER_REJECTED = "provider_rejected"
    PROVIDER_AUTH = "provider_auth"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    RATE_LIMITED = "rate_limited"
    # What lies between.
    HOST_NOT_FOUND = "host_not_found"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    INTERNAL = "internal"
    # What the walk itself decides.
    WAIT_TIMED_OUT = "wait_timed_out"
    RUN_TIMED_OUT = "run_timed_out"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    # What happened to the run from outside.
    TERMINATED = "terminated"
    RUN_LOST = "run_lost"

    @property
    def retryable(self) -> bool:
        """Whether the same attempt may end better later."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorType.PROVIDER_UNAVAILABLE,
        ErrorType.RATE_LIMITED,
        # A name server that is down looks the same as a name that is not there.
        ErrorType.HOST_NOT_FOUND,
        ErrorType.CONNECTION_FAILED,
        ErrorType.TIMEOUT,
        ErrorType.WORKER_LOST,
        ErrorType.INTERNAL,
        # A wait that asks for `retry` waits anew.
        ErrorType.WAIT_TIMED_OUT,
    }
)

CALL_ERRORS = (
    ErrorType.INVALID_INPUT,
    ErrorType.INVALID_URL,
    ErrorType.CONNECTION_MISSING,
    ErrorType.CONNECTION_INVALID,
    ErrorType.EGRESS_BLOCKED,
    ErrorType.HOST_NOT_FOUND,
    ErrorType.CONNECTION_FAILED,
    ErrorType.TLS_FAILED,
    ErrorType.TIMEOUT,
    ErrorType.RESPONSE_TOO_LARGE,
    ErrorType.PROVIDER_REJECTED,
    ErrorType.PROVIDER_AUTH,
    ErrorType.PROVIDER_UNAVAILABLE,
    ErrorType.RATE_LIMITED,
)
"""What any call to a provider over the network can fail with."""
