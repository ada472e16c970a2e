"""A few requests of every operation, drawn at random but always the same; `make fuzz` draws many more."""

import asyncio
from typing import Any

import pytest

from tests.conftest import TestWorkspace
from tests.support.any_request import Plan, try_api
from tests.support.served import served


@pytest.mark.usefixtures("worker")
async def test_requests_at_random_are_answered_as_documented(api_app: Any, workspace: TestWorkspace) -> None:
    plan = Plan(examples=2, seed=6, phases=("fuzzing",))
    async with served(api_app) as (host, port):
        tried = await asyncio.to_thread(try_api, api_app.openapi(), f"http://{host}:{port}", workspace.api_key, plan)
    assert tried.harms == []
    assert tried.operations > 70
    # Enough of them came to what they asked for.
    assert (tried.locked_out, tried.statuses[429]) == (0, 0)


async def test_without_a_key_they_are_refused_as_documented(api_app: Any) -> None:
    plan = Plan(examples=1, seed=6, phases=("fuzzing",), modes="positive")
    async with served(api_app) as (host, port):
        tried = await asyncio.to_thread(try_api, api_app.openapi(), f"http://{host}:{port}", None, plan)
    assert tried.harms == []
    assert tried.operations > 70
    # What is open to anybody: pages of forms, approvals and problems, webhooks, messages, health.
    assert all(label.split()[1].startswith(("/forms/", "/hooks/", "/healthz", "/readyz")) for label in tried.let_in)
