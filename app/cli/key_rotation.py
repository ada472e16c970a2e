"""`holdfast keys rotate`: everything encrypted gets the newest key of the ring. Runs beside the database, no API."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.beside_database import with_database
from app.cli.exits import CliError, ExitCode
from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.output import note, print_json, say, table
from app.cli.preflight import require_keys
from app.cli.state import ENCRYPTION_KEY
from app.settings import Settings

if TYPE_CHECKING:
    from app.services.key_rotation import KeyUse, Rotation


def rotate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; say how much each key is still used.")
    ] = False,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Encrypt everything anew with the newest key of HOLDFAST_ENCRYPTION_KEYS, while API and workers run.

    Start those with the new ring first. Broken off, it is simply run again. It says which keys may leave the ring.
    """
    from app.db.engine import RoleBypassesRowSecurity  # noqa: PLC0415 - loads the database's client
    from app.security.credentials import NoEncryptionKey  # noqa: PLC0415
    from app.services.errors import Unavailable  # noqa: PLC0415

    settings = with_database(load_settings(data_dir=data_dir))
    require_keys(settings)
    try:
        rotation = asyncio.run(_rotated(settings, check=check))
    except NoEncryptionKey as error:
        told = f"{error}; a key of `holdfast dev` stands in {settings.data_dir / ENCRYPTION_KEY}"
        raise CliError(ExitCode.USAGE, told, code="no_encryption_key") from error
    except Unavailable as error:
        raise CliError(ExitCode.UNREACHABLE, error.detail, code=error.code) from error
    except RoleBypassesRowSecurity as error:
        raise CliError(ExitCode.REFUSED, str(error), code="role_bypasses_row_security") from error
    if json_output:
        print_json(_as_json(rotation))
    else:
        _show(rotation, check=check)
    if not check and rotation.left:
        raise CliError(
            ExitCode.REFUSED,
            f"{rotation.left} values do not have the newest key: "
            + (
                "put the keys they have back into the ring, and run it again" if rotation.unreadable else "run it again"
            ),
            code="values_left",
        )


async def _rotated(settings: Settings, *, check: bool) -> "Rotation":
    from app.services import key_rotation  # noqa: PLC0415 - loads the database's client
    from app.services.audit import Asking, asking  # noqa: PLC0415
    from app.services.platform import open_platform  # noqa: PLC0415

    async with open_platform(settings) as platform:
        # Nobody signed in: whoever rotates has the server's database.
        with asking(Asking("system", None, "holdfast keys rotate")):
            return await (key_rotation.progress(platform) if check else key_rotation.rotate(platform))


def _show(rotation: "Rotation", *, check: bool) -> None:
    if not check:
        say(f"{rotation.renewed} values have the newest key now ({rotation.newest})")
    table(
        ["KEY", "PLACE", "VALUES", ""],
        [[use.id or "?", _place(use), str(use.values), _told(rotation, use)] for use in rotation.keys],
    )
    for where, number in sorted(rotation.unreadable.items()):
        note(f"[yellow]{number} unreadable[/] in {where}")
    if any(rotation.is_removable(use) for use in rotation.keys):
        note(
            "[dim]what was signed with a removed key stops working: links in forms and approvals, and the secrets of "
            "runs that began with it, whose steps fail (secret_missing): let those end first[/]"
        )


def _place(use: "KeyUse") -> str:
    return "not in the ring" if use.place is None else f"{use.place}, newest" if use.place == 1 else str(use.place)


def _told(rotation: "Rotation", use: "KeyUse") -> str:
    if rotation.is_removable(use):
        return "may be removed from the ring"
    return "" if use.id else "encrypted before keys had names"


def _as_json(rotation: "Rotation") -> dict[str, object]:
    return {
        "newest": rotation.newest,
        "renewed": rotation.renewed,
        "left": rotation.left,
        "keys": [
            {"id": use.id, "place": use.place, "values": use.values, "removable": rotation.is_removable(use)}
            for use in rotation.keys
        ],
        "unreadable": dict(rotation.unreadable),
    }
