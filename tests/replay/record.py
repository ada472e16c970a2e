"""Records the histories that `test_replay.py` replays: `python -m tests.replay.record [CASE...]`.

Run it for a new case, or for one whose walk was changed on purpose. Histories of releases that are in use must go on
replaying: keep the old file under another name and guard the change with `workflow.patched`.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from activities.http_client import HttpClient
from app.db.migrate import migrate
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.json import Json
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from tests.replay.cases import CASES, prepare
from tests.support.engine import Engine
from tests.support.http_stub import open_http_stub
from worker.main import build_worker

HISTORIES = Path(__file__).parent / "histories"


async def record(engine: Engine, url: str, name: str) -> str:
    """Run one case; answers its history as JSON."""
    case = CASES[name]
    run = await engine.start(case.definition, input={"url": url})
    await case.drive(engine, run)
    done = await engine.end(run)
    assert done.run.status == case.status, (name, done.run.status, done.run.error)
    history = await (await engine.handle(run)).fetch_history()
    return json.dumps(without_machine(json.loads(history.to_json())), indent=1, sort_keys=True) + "\n"


def without_machine(value: Json) -> Json:
    """A history without what only says where it was recorded: stack traces with paths, the worker's identity."""
    if isinstance(value, list):
        return [without_machine(part) for part in value]
    if isinstance(value, dict):
        return {name: without_machine(part) for name, part in value.items() if name not in ("stackTrace", "identity")}
    return value


async def main(names: list[str]) -> None:
    """Record the named cases, or all of them."""
    with tempfile.TemporaryDirectory(prefix="holdfast-record-", ignore_cleanup_errors=True) as folder:
        async with _servers(Path(folder)) as settings, open_platform(settings) as platform, open_http_stub() as stub:
            prepare(stub)
            http = HttpClient(settings)
            try:
                async with build_worker(platform, await platform.temporal.client(), http=http):
                    engine = await _engine(platform)
                    for name in names or list(CASES):
                        (HISTORIES / f"{name}.json").write_text(await record(engine, stub.url, name))
                        print(f"recorded {name}")
            finally:
                await http.close()


async def _engine(platform: Platform) -> Engine:
    workspace, _key = await create_workspace(platform, "Recorded")
    return Engine(platform, workspace.workspace_id)


@asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[Settings]:
    postgres = EmbeddedPostgres(folder, durable=False)
    temporal = EmbeddedTemporal(data_dir=folder, port=free_port(), ui_port=None, log=folder / "temporal.log")
    try:
        await postgres.start()
        migrate(postgres.owner_url, postgres.app_url)
        await temporal.start()
        yield Settings(
            data_dir=folder,
            database_url=postgres.app_url,
            temporal_address=temporal.address,
            encryption_keys=(SecretStr(Fernet.generate_key().decode()),),
            egress_allow=("127.0.0.0/8",),
        )
    finally:
        await temporal.stop()
        await postgres.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
