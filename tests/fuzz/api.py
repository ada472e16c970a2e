"""`python -m tests.fuzz.api`: requests at random to every operation of the API; exits with 1 when one did harm.

Everything runs here, for this alone: PostgreSQL, Temporal, a worker and the API. What is harm stands in
`tests/support/any_request.py`.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from activities.http_client import HttpClient
from api.main import create_app
from app.db.migrate import migrate
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.security.permissions import Role
from app.services import platform_keys
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from tests.support.any_request import OF_THE_KEY, OF_THE_PLATFORM_KEY, Plan, Tried, operations_of, try_api
from tests.support.served import served
from worker.main import build_worker

KEYS = (*OF_THE_KEY, "api_keys_create", "api_keys_list_keys", "api_keys_get")
PLATFORM_KEYS = (*OF_THE_PLATFORM_KEY, "platform_keys_create", "platform_keys_list_keys")
"""What may end a key, with what makes some and finds them."""


async def fuzz(folder: Path, plan: Plan) -> dict[str, Tried]:
    """What came of requests with a workspace's key, of those without, of those with a platform key, and of those with
    keys that may be ended; the last three for a fifth of the time each, since their operations are few."""
    fewer = replace(plan, seconds=None if plan.seconds is None else max(1, plan.seconds // 5))
    async with _platform(folder) as platform:
        app = create_app(platform)
        document = app.openapi()
        _, key = await create_workspace(platform, "Fuzz")
        _, other = await create_workspace(platform, "Fuzz of keys")
        _, administrator = await platform_keys.create(platform, "fuzz")
        _, spare = await platform_keys.create(platform, "fuzz of keys")
        async with served(app) as (host, port):

            async def tried(key: str | None, plan: Plan, *only: str) -> Tried:
                return await asyncio.to_thread(try_api, document, f"http://{host}:{port}", key, plan, only)

            return {
                "with a key": await tried(key, plan),
                "without": await tried(None, plan),
                "with a platform key": await tried(administrator, fewer, *operations_of(document, Role.PLATFORM)),
                "of keys": await tried(other, fewer, *KEYS),
                "of platform keys": await tried(spare, fewer, *PLATFORM_KEYS),
            }


@asynccontextmanager
async def _platform(folder: Path) -> AsyncIterator[Platform]:
    postgres = EmbeddedPostgres(folder, durable=False)
    temporal = EmbeddedTemporal(
        data_dir=folder, port=free_port(), ui_port=None, log=folder / "logs" / "temporal.log", dynamic_config=[]
    )
    try:
        await postgres.start()
        migrate(postgres.owner_url, postgres.app_url)
        await temporal.start()
        settings = Settings(
            data_dir=folder,
            database_url=postgres.app_url,
            temporal_address=temporal.address,
            encryption_keys=(SecretStr(Fernet.generate_key().decode()),),
            # Else most of the requests would be refused as too many, and nothing learnt of them.
            rate_limit_key="",
            rate_limit_workspace="",
            rate_limit_address="",
            rate_limit_wrong_keys="",
        )
        http = HttpClient(settings)
        async with open_platform(settings) as platform:
            async with build_worker(platform, await platform.temporal.client(), http=http):
                yield platform
            await http.close()
    finally:
        await temporal.stop()
        await postgres.stop()


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=int,
        default=300,
        help="how long with a key, and again without; a fifth for what takes other keys (300)",
    )
    parser.add_argument("--examples", type=int, default=50, help="requests drawn of each operation and phase (50)")
    parser.add_argument("--seed", type=int, default=1, help="where the drawing begins (1)")
    arguments = parser.parse_args()
    plan = Plan(arguments.examples, arguments.seed, seconds=arguments.seconds)
    with tempfile.TemporaryDirectory(prefix="holdfast-fuzz-") as folder:
        tried = asyncio.run(fuzz(Path(folder), plan))
    for name, each in tried.items():
        print(f"{name}: {each.requests:,} requests of {each.operations} operations; {len(each.harms)} did harm")
        print(", ".join(f"{status}: {number:,}" for status, number in sorted(each.statuses.items())))
        for harm in each.harms:
            print(f"\n{harm}")
    return 1 if any(each.harms for each in tried.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
