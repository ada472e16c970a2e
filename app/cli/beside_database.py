"""Which database a command works on that runs beside it, without the API: the configured one, or that of `dev`."""

from app.cli.exits import CliError, ExitCode
from app.cli.options import load_settings
from app.cli.state import running_group
from app.settings import Settings


def with_database(settings: Settings) -> Settings:
    """The configured database, else the one of the running group."""
    if settings.database_url is not None:
        return settings
    if group := running_group(settings.data_dir):
        return load_settings(**settings.model_dump(exclude_unset=True), database_url=group.database_url)
    raise CliError(
        ExitCode.USAGE, "no database: set HOLDFAST_DATABASE_URL, or start `holdfast dev`", code="no_database"
    )
