"""What the first start of a data folder makes: an encryption key, a workspace and its API key, each kept mode 600."""

from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.cli.state import API_KEY, ENCRYPTION_KEY, WORKSPACE_NAME, private_file
from app.services.errors import Unauthenticated
from app.services.platform import open_platform
from app.services.workspaces import authenticate, create_workspace
from app.settings import Settings


def encryption_key(data_dir: Path) -> SecretStr:
    """The data folder's key for credentials, made when it has none."""
    file = data_dir / ENCRYPTION_KEY
    if not file.exists():
        private_file(file, Fernet.generate_key().decode())
    return SecretStr(file.read_text().strip())


async def api_key(settings: Settings) -> str:
    """The data folder's API key. A new workspace and key when it has none that this database knows."""
    file = settings.data_dir / API_KEY
    async with open_platform(settings) as platform:
        if file.exists():
            key = file.read_text().strip()
            try:
                await authenticate(platform, key)
            except Unauthenticated:
                # The key of another database; kept beside, since it may be wanted again with that one.
                file.rename(file.with_name(f"{API_KEY}.old"))
            else:
                return key
        _, key = await create_workspace(platform, WORKSPACE_NAME)
    private_file(file, key)
    return key
