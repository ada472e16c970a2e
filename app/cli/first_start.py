"""What the first start of a data folder makes: an encryption key, a workspace and its API key, and a platform key, each
kept mode 600."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.cli.state import API_KEY, ENCRYPTION_KEY, PLATFORM_KEY, WORKSPACE_NAME, private_file
from app.services import platform_keys
from app.services.errors import Unauthenticated
from app.services.platform import Platform, open_platform
from app.services.workspaces import authenticate, create_workspace
from app.settings import Settings

KEY_NAME = "first platform key"


def encryption_key(data_dir: Path) -> SecretStr:
    """The data folder's key for credentials, made when it has none."""
    file = data_dir / ENCRYPTION_KEY
    if not file.exists():
        private_file(file, Fernet.generate_key().decode())
    return SecretStr(file.read_text().strip())


async def api_key(settings: Settings) -> str:
    """The data folder's API key. A new workspace and key when it has none that this database knows."""
    async with open_platform(settings) as platform:
        return await _kept(platform, API_KEY, _first_workspace)


async def platform_key(settings: Settings) -> str:
    """The data folder's key of the platform's administrator. A new one when it has none that this database knows."""
    async with open_platform(settings) as platform:
        return await _kept(platform, PLATFORM_KEY, _first_platform_key)


async def _kept(platform: Platform, name: str, make: Callable[[Platform], Awaitable[str]]) -> str:
    file = platform.settings.data_dir / name
    if file.exists():
        key = file.read_text().strip()
        try:
            await authenticate(platform, key)
        except Unauthenticated:
            # The key of another database; kept beside, since it may be wanted again with that one.
            file.rename(file.with_name(f"{file.name}.old"))
        else:
            return key
    key = await make(platform)
    private_file(file, key)
    return key


async def _first_workspace(platform: Platform) -> str:
    _, key = await create_workspace(platform, WORKSPACE_NAME)
    return key


async def _first_platform_key(platform: Platform) -> str:
    _, key = await platform_keys.create(platform, KEY_NAME)
    return key
