"""What the calls of actions can fail with. The error types themselves are the language's, `app/definition`."""

from app.definition.error_types import ErrorType

__all__ = ["CALL_ERRORS", "ErrorType"]

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
