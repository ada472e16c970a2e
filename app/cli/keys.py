"""`holdfast keys`: keys made beside the database, by whoever may reach it; no API key is needed to make one."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from cryptography.fernet import Fernet

from app.cli.beside_database import with_database
from app.cli.exits import CliError, ExitCode
from app.cli.key_rotation import rotate
from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.output import print_json, say
from app.cli.state import WORKSPACE_NAME
from app.settings import Settings

keys_app = typer.Typer(no_args_is_help=True, help="API keys and encryption keys.")
keys_app.command("rotate")(rotate)


@keys_app.command("new-encryption-key")
def new_encryption_key(json_output: JsonOutput = False) -> None:
    """Print a new key for HOLDFAST_ENCRYPTION_KEYS. Put it in front of the others; keep those while they are in use."""
    key = Fernet.generate_key().decode()
    if json_output:
        print_json({"encryption_key": key})
    else:
        say(key)


@keys_app.command("create")
def create_key(
    workspace: Annotated[
        UUID | None, typer.Option(help="Id of a workspace; not needed where there is only one.")
    ] = None,
    workspace_name: Annotated[
        str | None, typer.Option("--new-workspace", help="Make a workspace of this name, and a key for it.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the key, shown beside what was done with it.")] = "command line",
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Make an API key. It is shown now and never again. The first one makes the first workspace."""
    from app.db.engine import RoleBypassesRowSecurity  # noqa: PLC0415 - loads the database's client
    from app.services.errors import Invalid, NotFound, Unavailable  # noqa: PLC0415

    settings = with_database(load_settings(data_dir=data_dir))
    try:
        made, key = asyncio.run(_create_key(settings, workspace, workspace_name, name))
    except NotFound as error:
        raise CliError(ExitCode.NOT_FOUND, error.detail, code=error.code) from error
    except Invalid as error:
        problems = [problem.as_json() for problem in error.problems]
        raise CliError(ExitCode.REFUSED, error.detail, code=error.code, problems=problems) from error
    except Unavailable as error:
        raise CliError(ExitCode.UNREACHABLE, error.detail, code=error.code) from error
    except RoleBypassesRowSecurity as error:
        raise CliError(ExitCode.REFUSED, str(error), code="role_bypasses_row_security") from error
    if json_output:
        print_json({"workspace_id": str(made), "api_key": key})
    else:
        say(f"workspace  {made}\nAPI key    {key}")


async def _create_key(
    settings: Settings, workspace: UUID | None, workspace_name: str | None, name: str
) -> tuple[UUID, str]:
    from app.services import workspaces  # noqa: PLC0415 - loads the database's client
    from app.services.audit import Asking, asking  # noqa: PLC0415
    from app.services.platform import open_platform  # noqa: PLC0415

    async with open_platform(settings) as platform:
        if workspace is None and workspace_name is None:
            workspace = _the_only([id_ for id_, _ in await platform.sweeps.states_after(None, 6)])
        if workspace is not None:
            # Nobody signed in: whoever made it has the server's database.
            with asking(Asking("system", None, "holdfast keys create")):
                return workspace, await workspaces.create_api_key(platform, workspace, name)
        row, key = await workspaces.create_workspace(platform, workspace_name or WORKSPACE_NAME)
        return row.workspace_id, key


def _the_only(ids: list[UUID]) -> UUID | None:
    """The one workspace there is, or None before the first. Raises `CliError` when somebody has to choose."""
    if len(ids) > 1:
        shown = ", ".join(map(str, ids[:5])) + (", ..." if len(ids) > 5 else "")
        raise CliError(
            ExitCode.USAGE,
            f"there are several workspaces ({shown}): say which with --workspace, or make one with --new-workspace",
            code="which_workspace",
        )
    return ids[0] if ids else None
