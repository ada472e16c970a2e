"""The same kind of API as Holdfast's in front of the workflows of `by_hand`: a request starts one, and waits for its
end.

FastAPI on uvicorn as Holdfast's own, with nothing else to do.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, Request
from temporalio.client import Client

from benchmarks import by_hand

PORT = "BY_HAND_PORT"
"""Environment: the port to listen on."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.temporal = await Client.connect(os.environ[by_hand.ADDRESS])
    yield


app = FastAPI(lifespan=_lifespan)


@app.get("/readyz")
async def ready() -> dict[str, str]:
    """It is."""
    return {"status": "ok"}


@app.post("/runs/{workflow}")
async def run(workflow: str, input: dict[str, Any], request: Request) -> dict[str, Any]:
    """Start a workflow by its class's name with `input.argument` and wait for its end."""
    client: Client = request.app.state.temporal
    id = f"by-hand-{uuid4()}"
    result = await client.execute_workflow(workflow, input["argument"], id=id, task_queue=by_hand.QUEUE)
    return {"id": id, "status": "completed", "output": result}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ[PORT]), log_level="warning", access_log=False)
