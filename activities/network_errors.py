"""What keeps a connection from coming about, whatever is spoken over it: one reading of errors for HTTP and SMTP."""

import socket
import ssl

from app.catalog.errors import ErrorType
from app.security.egress import EgressBlocked


def network_failure(error: BaseException) -> tuple[ErrorType, str] | None:
    """The type and a few words (to follow the name of the other side), or None when the cause is something else.

    Libraries wrap what the operating system says; the chain of causes is searched from the outermost to the first.
    """
    cause: BaseException | None = error
    while cause is not None:
        if found := _read(cause):
            return found
        cause = cause.__cause__
    return None


def _read(error: BaseException) -> tuple[ErrorType, str] | None:
    found: tuple[ErrorType, str] | None = None
    if isinstance(error, EgressBlocked):
        found = ErrorType.EGRESS_BLOCKED, f"calls there are not allowed: {error}"
    elif isinstance(error, socket.gaierror):
        found = ErrorType.HOST_NOT_FOUND, "the host cannot be found"
    elif type(error) is ssl.SSLCertVerificationError:
        found = ErrorType.TLS_FAILED, f"the certificate is not trusted: {error.verify_message}"
    elif type(error) is ssl.SSLError:
        # Exactly this type: its subclasses say that the connection broke off, which another attempt may mend.
        found = ErrorType.TLS_FAILED, f"no TLS connection: {error.reason or error}"
    elif isinstance(error, ConnectionRefusedError):
        found = ErrorType.CONNECTION_FAILED, "connection refused; nothing listens there"
    elif type(error) is TimeoutError:
        found = ErrorType.TIMEOUT, "no connection in time"
    return found
