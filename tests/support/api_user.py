"""What a person does with the API: publish a workflow, start it, send events, look at the run. Asserts each answer."""

from pathlib import Path

import httpx

from app.definition.parse import read_text
from app.json import Json, JsonObject
from tests.support.waiting import eventually

ENDED = ("completed", "failed", "cancelled", "timed_out")


class ApiUser:
    """A client with the key of one workspace."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str) -> Json:
        """The answer's JSON; anything but success fails the test."""
        answer = await self.client.get(path)
        assert answer.is_success, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def post(self, path: str, body: Json = None, **headers: str) -> Json:
        """The answer's JSON; anything but success fails the test."""
        answer = await self.client.post(path, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert answer.is_success, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def connect(self, kind: str, name: str, config: JsonObject, credentials: JsonObject | None = None) -> None:
        """Make a connection."""
        body = {"kind": kind, "name": name, "config": config, "credentials": credentials or {}}
        await self.post("/v1/connections", body)

    async def publish(self, definition: JsonObject) -> str:
        """Create, publish and activate; answers the workflow's id."""
        body = {"name": definition.get("name") or "Nameless", "definition": definition}
        workflow = await self.post("/v1/workflows", body)
        await self.post(f"/v1/workflows/{workflow['id']}/publish", {})
        return str(workflow["id"])

    async def run(self, workflow_id: str, input: Json = None, variables: JsonObject | None = None) -> JsonObject:
        """Start a run and wait for its end."""
        body = {"input": input, **({"variables": variables} if variables else {})}
        run = await self.post(f"/v1/workflows/{workflow_id}/runs", body, Prefer="wait=30")
        return await self.ended(run["id"])

    async def send(self, event: JsonObject) -> list[str]:
        """Send an event; answers the runs it started."""
        answer = await self.post("/v1/events", event)
        started: list[str] = answer["items"][0]["started"]
        return started

    async def ended(self, run_id: str, *, within: float = 30.0) -> JsonObject:
        """The run, once it is over."""

        async def over() -> JsonObject | None:
            run: JsonObject = await self.get(f"/v1/runs/{run_id}")
            return run if run["status"] in ENDED else None

        found = await eventually(over, within=within, what=f"the end of run {run_id}")
        assert found is not None
        return found

    async def held(self, run_id: str) -> JsonObject:
        """The run, once it is held."""

        async def standing() -> JsonObject | None:
            run: JsonObject = await self.get(f"/v1/runs/{run_id}")
            assert run["status"] not in ENDED, f"run {run_id} ended before it was held: {run['error']}"
            return run if run["status"] == "held" else None

        found = await eventually(standing, what=f"run {run_id} to be held")
        assert found is not None
        return found

    async def waits(self, run_id: str, step_id: str) -> None:
        """Until the run waits at this step."""

        async def waiting() -> bool:
            return (await self.steps(run_id)).get(step_id, {}).get("status") == "waiting"

        await eventually(waiting, what=f"run {run_id} to wait at {step_id}")

    async def steps(self, run_id: str) -> dict[str, JsonObject]:
        """The run's step records by path."""
        return {step["path"]: step for step in (await self.get(f"/v1/runs/{run_id}/steps?limit=200"))["items"]}


def read(path: Path, **variables: Json) -> JsonObject:
    """A workflow from a file, with other values for some of its variables."""
    definition: JsonObject = read_text(path.read_text())
    unknown = variables.keys() - definition.get("variables", {}).keys()
    assert not unknown, f"{path.name} has no variables {unknown}"
    return {**definition, "variables": {**definition.get("variables", {}), **variables}}
