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
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from activities.http_client import HttpClient
from api.main import create_app
from app.db.migrate import migrate
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from tests.support.any_request import Plan, Tried, try_api
from tests.support.served import served
from worker.main import build_worker


async def fuzz(folder: Path, plan: Plan) -> list[Tried]:
    """What came of requests with a key, and of those without."""
    async with _platform(folder) as platform:
        app = create_app(platform)
        _, key = await create_workspace(platform, "Fuzz")
        async with served(app) as (host, port):
            url = f"http://{host}:{port}"
            return [await asyncio.to_thread(try_api, app.openapi(), url, each, plan) for each in (key, None)]


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
    parser.add_argument("--seconds", type=int, default=300, help="how long, with a key and again without (300)")
    parser.add_argument("--examples", type=int, default=50, help="requests drawn of each operation and phase (50)")
    parser.add_argument("--seed", type=int, default=1, help="where the drawing begins (1)")
    arguments = parser.parse_args()
    plan = Plan(arguments.examples, arguments.seed, seconds=arguments.seconds)
    with tempfile.TemporaryDirectory(prefix="holdfast-fuzz-") as folder:
        tried = asyncio.run(fuzz(Path(folder), plan))
    for name, each in zip(("with a key", "without"), tried, strict=True):
        print(f"{name}: {each.requests:,} requests of {each.operations} operations; {len(each.harms)} did harm")
        print(", ".join(f"{status}: {number:,}" for status, number in sorted(each.statuses.items())))
        for harm in each.harms:
            print(f"\n{harm}")
    return 1 if any(each.harms for each in tried) else 0


if __name__ == "__main__":
    sys.exit(main())
