"""Which system account PostgreSQL runs as. It refuses to run as root, so root lends it an unprivileged account.

An ordinary user's PostgreSQL simply runs as that user. Root's runs as the owner of an existing data folder, else as
`holdfast` where an administrator made such an account, else as `nobody`; no account is ever created.
"""

import os
import pwd
import shutil
import stat
from pathlib import Path

from app.embedded.errors import EmbeddedError

_CANDIDATES = ("holdfast", "nobody")


def borrowed_account(data: Path) -> tuple[int, int] | None:
    """(uid, gid) PostgreSQL has to switch to, or None when it can run as who we are."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise EmbeddedError("PostgreSQL cannot run as root here: make an account `holdfast`, or start as an ordinary user")


def hand_over(folder: Path, account: tuple[int, int] | None) -> None:
    """Give a folder, private, to the account that will use it."""
    folder.chmod(0o700)
    if account is not None:
        shutil.chown(folder, *account)


def open_programs(folder: Path, account: tuple[int, int] | None) -> None:
    """Let the account read and run what is in the folder, where a strict umask at its installation forbade that."""
    if account is None or folder.stat().st_mode & stat.S_IXOTH:
        return
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        # Others may what the owner may, except write.
        path.chmod(stat.S_IMODE(mode) | ((mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6))


def open_way(target: Path, account: tuple[int, int] | None) -> None:
    """Let the account pass the folders above `target`: search permission alone, and only where it is missing."""
    if account is None:
        return
    for folder in reversed(target.resolve().parents):
        mode = folder.stat()
        if mode.st_uid != account[0] and not mode.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)
