"""`holdfast keys`: keys made beside the database, by whoever may reach it; no API key is needed to make one."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from cryptography.fernet import Fernet

from app.cli.beside_database import with_database
from app.cli.client import open_platform_api
from app.cli.exits import CliError, ExitCode
from app.cli.key_rotation import rotate
from app.cli.options import ApiUrl, DataDir, JsonOutput, load_settings
from app.cli.output import moment, print_json, say, status, table, text
from app.cli.state import WORKSPACE_NAME
from app.settings import Settings

T = TypeVar("T")

keys_app = typer.Typer(no_args_is_help=True, help="API keys and encryption keys.")
keys_app.command("rotate")(rotate)


KeyName = Annotated[str, typer.Option(help="Name of the key, shown beside what was done with it.")]


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
    name: KeyName = "command line",
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Make an API key. It is shown now and never again. The first one makes the first workspace."""
    settings = with_database(load_settings(data_dir=data_dir))
    made, key = _at_the_database(_create_key(settings, workspace, workspace_name, name))
    if json_output:
        print_json({"workspace_id": str(made), "api_key": key})
    else:
        say(f"workspace  {made}\nAPI key    {key}")


@keys_app.command("create-platform-key")
def create_platform_key(
    name: KeyName = "command line", data_dir: DataDir = None, json_output: JsonOutput = False
) -> None:
    """Make a key of the installation's administrator, which makes workspaces and sees nothing in them. It is shown now
    and never again."""
    key = _at_the_database(_create_platform_key(with_database(load_settings(data_dir=data_dir)), name))
    if json_output:
        print_json({"platform_key": key})
    else:
        say(f"platform key    {key}")


@keys_app.command("list-platform-keys")
def list_platform_keys(api_url: ApiUrl = None, data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """List the platform keys that were made, with one of them."""
    with open_platform_api(api_url, data_dir) as api:
        found = list(api.items("/v1/platform-keys"))
    if json_output:
        print_json(found)
        return
    rows = [
        [
            text(key["id"]),
            text(key["name"]),
            status("revoked" if key["revoked_at"] else "active"),
            moment(key["last_used_at"]),
            moment(key["expires_at"]),
        ]
        for key in found
    ]
    table(["ID", "NAME", "STATUS", "LAST USED", "EXPIRES"], rows)


@keys_app.command("revoke-platform-key")
def revoke_platform_key(
    key_id: Annotated[UUID, typer.Argument(metavar="KEY", help="Its id: `holdfast keys list-platform-keys`.")],
    api_url: ApiUrl = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """End a platform key. The last one that works stays."""
    with open_platform_api(api_url, data_dir) as api:
        api.delete(f"/v1/platform-keys/{key_id}")
    if json_output:
        print_json({"id": str(key_id), "revoked": True})
    else:
        say(f"{key_id} opens nothing any more")


def _at_the_database(work: Coroutine[Any, Any, T]) -> T:
    """What the work answers; what is refused ends the command."""
    from app.db.engine import RoleBypassesRowSecurity  # noqa: PLC0415 - loads the database's client
    from app.services.errors import Invalid, NotFound, Unavailable  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except NotFound as error:
        raise CliError(ExitCode.NOT_FOUND, error.detail, code=error.code) from error
    except Invalid as error:
        problems = [problem.as_json() for problem in error.problems]
        raise CliError(ExitCode.REFUSED, error.detail, code=error.code, problems=problems) from error
    except Unavailable as error:
        raise CliError(ExitCode.UNREACHABLE, error.detail, code=error.code) from error
    except RoleBypassesRowSecurity as error:
        raise CliError(ExitCode.REFUSED, str(error), code="role_bypasses_row_security") from error


async def _create_platform_key(settings: Settings, name: str) -> str:
    from app.services import platform_keys  # noqa: PLC0415 - loads the database's client
    from app.services.platform import open_platform  # noqa: PLC0415

    async with open_platform(settings) as platform:
        _, key = await platform_keys.create(platform, name)
        return key


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
