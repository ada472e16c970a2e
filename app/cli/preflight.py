"""What must hold before anything of the group is started or even loaded, so that a refusal comes at once."""

from app.cli.exits import CliError, ExitCode
from app.embedded.errors import DidNotStart, EmbeddedError, PortInUse
from app.embedded.ports import require_free
from app.embedded.programs import postgres_programs, temporal_program
from app.security.credentials import KeyRing
from app.settings import Settings


def require(settings: Settings) -> None:
    """Keys that are keys, programs that are there, ports that are free. Raises `EmbeddedError` and `CliError`."""
    require_keys(settings)
    if settings.database_url is None:
        postgres_programs()
    _require_distinct(settings)
    require_free(settings.api_port, host=settings.api_host, what="the API", flag="api-port")
    if settings.temporal_address is None:
        temporal_program()
        require_free(settings.temporal_port, what="Temporal", flag="temporal-port")
        require_free(settings.temporal_ui_port, what="Temporal's UI", flag="temporal-ui-port")


def require_keys(settings: Settings) -> None:
    """Encryption keys that can be used, where some are given. Raises `CliError`."""
    try:
        if settings.encryption_keys:
            KeyRing(settings.encryption_keys)
    except ValueError as error:
        raise CliError(ExitCode.USAGE, str(error), code="encryption_keys") from None


def _require_distinct(settings: Settings) -> None:
    wanted: dict[int, str] = {settings.api_port: "the API"}
    if settings.temporal_address is not None:
        return
    for port, what in ((settings.temporal_port, "Temporal"), (settings.temporal_ui_port, "Temporal's UI")):
        if port in wanted:
            raise PortInUse(f"{wanted[port]} and {what} cannot both have port {port}: choose another one for either")
        wanted[port] = what


def refusal(error: EmbeddedError) -> CliError:
    """The error as the command line ends with it; what a server wrote last stands below."""
    if isinstance(error, DidNotStart):
        lines = [{"path": "", "message": line, "hint": ""} for line in error.log.splitlines()]
        return CliError(ExitCode.BROKEN, str(error), code="did_not_start", problems=lines)
    return CliError(ExitCode.REFUSED, str(error), code="cannot_start")
