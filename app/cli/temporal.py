"""What it means for a command when Temporal does not answer, or refuses. Loads Temporal's client: import it late."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.service import RPCError, RPCStatusCode

from app.cli.exits import CliError, ExitCode
from app.settings import Settings

_AWAY = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


@contextmanager
def reaching_temporal(settings: Settings) -> Iterator[None]:
    """`CliError` for a Temporal that is away or refuses. Raises what else goes wrong as it is."""
    try:
        yield
    except (RPCError, RuntimeError) as error:
        if isinstance(error, RPCError) and error.status not in _AWAY:
            raise _refusal(error) from error
        raise CliError(
            ExitCode.UNREACHABLE, f"Temporal at {settings.resolved_temporal_address} does not answer: {error}"
        ) from error


def _refusal(error: RPCError) -> CliError:
    code = {
        RPCStatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
        RPCStatusCode.PERMISSION_DENIED: ExitCode.NOT_ALLOWED,
        RPCStatusCode.UNAUTHENTICATED: ExitCode.NOT_ALLOWED,
        RPCStatusCode.INTERNAL: ExitCode.BROKEN,
        RPCStatusCode.UNKNOWN: ExitCode.BROKEN,
    }.get(error.status, ExitCode.REFUSED)
    return CliError(code, f"Temporal refuses: {error.message}", code="temporal_refused")
