"""What can go wrong with an embedded server, as one small tree. Each message says in one line what to do about it.

EmbeddedError
├── PortInUse       another program listens there
├── AddressNotHere  this machine does not have the address to listen on
├── MissingBinary   a server's program is not installed
└── DidNotStart     it ended, or was not ready in time; `log` holds its last lines
"""


class EmbeddedError(Exception):
    """An embedded server cannot be used; the message names the way out."""


class PortInUse(EmbeddedError):
    """Another program listens on the port."""


class AddressNotHere(EmbeddedError):
    """This machine does not have the address to listen on."""


class MissingBinary(EmbeddedError):
    """A server's program is not installed."""


class DidNotStart(EmbeddedError):
    """A server ended before it was ready, or took too long; `log` holds the last lines it wrote."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log
