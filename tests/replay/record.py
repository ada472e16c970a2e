"""Records the histories that `test_replay.py` replays: `python -m tests.replay.record [CASE...]`.

Without a name it records the cases that are new. A case whose walk was changed on purpose may be recorded under another
name besides: histories of releases that are in use must go on replaying, by a change guarded with `workflow.patched`.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr
from temporalio.client import WorkflowHistory

from activities.http_client import HttpClient
from app.db.migrate import migrate
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.temporal import EmbeddedTemporal
from app.json import Json
from app.services.platform import Platform, open_platform
from app.services.workspaces import create_workspace
from app.settings import Settings
from tests.replay.case import Case, prepare
from tests.replay.cases import CASES
from tests.support.engine import Engine
from tests.support.http_stub import open_http_stub
from worker.main import build_worker
from workflows import history

HISTORIES = Path(__file__).parent / "histories"


async def record(engine: Engine, url: str, name: str) -> dict[str, str]:
    """Run one case; answers its history as JSON by the name of its file: one for each execution, `name.1` and so on."""
    case = CASES[name]
    with limits(case):
        run = await engine.start(case.definition, input={"url": url})
        run = await case.drive(engine, run) or run
        done = await engine.end(run)
    assert done.run.status == case.status, (name, done.run.status, done.run.error)
    assert any(execution.task_failures for execution in done.executions) is case.loses_a_task, name
    assert (len(done.executions) > 1) is (case.most_events is not None), (name, len(done.executions))
    texts = [_text(execution.history) for execution in done.executions]
    if case.most_events is None:
        return {name: texts[0]}
    return {f"{name}.{number}": text for number, text in enumerate(texts, start=1)}


@contextmanager
def limits(case: Case) -> Iterator[None]:
    """Executions as short as the case wants them."""
    most = history.MOST_EVENTS
    history.MOST_EVENTS = case.most_events or most
    try:
        yield
    finally:
        history.MOST_EVENTS = most


def _text(recorded: WorkflowHistory) -> str:
    return json.dumps(without_machine(json.loads(recorded.to_json())), indent=1, sort_keys=True) + "\n"


def without_machine(value: Json) -> Json:
    """A history without what only says where it was recorded: stack traces with paths, the worker's identity."""
    if isinstance(value, list):
        return [without_machine(part) for part in value]
    if isinstance(value, dict):
        return {name: without_machine(part) for name, part in value.items() if name not in ("stackTrace", "identity")}
    return value


async def main(names: list[str]) -> None:
    """Record the named cases, or all that have no history yet."""
    names = names or missing()
    with tempfile.TemporaryDirectory(prefix="holdfast-record-", ignore_cleanup_errors=True) as folder:
        async with servers(Path(folder)) as settings, open_platform(settings) as platform, open_http_stub() as stub:
            prepare(stub)
            http = HttpClient(settings)
            try:
                async with build_worker(platform, await platform.temporal.client(), http=http):
                    engine = await _engine(platform)
                    for name in names:
                        for file, text in (await record(engine, stub.url, name)).items():
                            (HISTORIES / f"{file}.json").write_text(text)
                            print(f"recorded {file}")
            finally:
                await http.close()


async def _engine(platform: Platform) -> Engine:
    workspace, _key = await create_workspace(platform, "Recorded")
    return Engine(platform, workspace.workspace_id)


def missing() -> list[str]:
    """Cases without a recorded history."""
    recorded = {path.stem.partition(".")[0] for path in HISTORIES.glob("*.json")}
    return [name for name in CASES if name not in recorded]


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[Settings]:
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
