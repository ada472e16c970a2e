"""What goes wrong with a mail server, in the words of its user. Replies of 4xx pass, those of 5xx stay (RFC 5321)."""

from collections.abc import Sequence

import aiosmtplib

from activities.base import ActionError
from activities.network_errors import network_failure
from app.catalog.email import Rejected
from app.catalog.errors import ErrorType


def reply_error(server: str, rejected: Sequence[Rejected]) -> ActionError:
    """Every recipient was refused; one refused for now makes another attempt worth it."""
    told = "; ".join(f"{each.address}: {each.code} {each.reason}" for each in rejected[:5])
    more = f" (and {len(rejected) - 5} more)" if len(rejected) > 5 else ""
    code = min(each.code for each in rejected)
    return ActionError(
        ErrorType.PROVIDER_UNAVAILABLE if code < 500 else ErrorType.PROVIDER_REJECTED,
        f"{server} refused every recipient: {told}{more}",
        provider_code=str(code),
    )


def action_error(server: str, error: Exception) -> ActionError:
    """A failed SMTP transaction as the step's error."""
    if known := network_failure(error):
        return ActionError(known[0], f"mail server {server}: {known[1]}")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(server, error)
    if isinstance(error, TimeoutError):
        return ActionError(ErrorType.TIMEOUT, f"{server} gave no answer in time")
    if isinstance(error, OSError):
        return ActionError(ErrorType.CONNECTION_FAILED, f"{server}: the connection failed: {error}")
    return _refused_here(server, error)


def _answered(server: str, error: aiosmtplib.SMTPResponseException) -> ActionError:
    type = ErrorType.PROVIDER_UNAVAILABLE if 400 <= error.code < 500 else ErrorType.PROVIDER_REJECTED
    message = f"{server} answered {error.code} {error.message}"
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500:
        type, message = ErrorType.PROVIDER_AUTH, f"{server} refused the user name or password: {error.message}"
    return ActionError(type, message, provider_code=str(error.code))


def _refused_here(server: str, error: Exception) -> ActionError:
    """What the library itself refuses to do."""
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return ActionError(ErrorType.PROVIDER_REJECTED, f"{server}: {error.message}")
    if isinstance(error, aiosmtplib.SMTPException):
        # No STARTTLS, or no way to authenticate, on this server.
        return ActionError(ErrorType.CONNECTION_INVALID, f"{server} cannot be used like this: {error.message}")
    return ActionError(ErrorType.INVALID_INPUT, f"the message cannot be sent: {error}")
