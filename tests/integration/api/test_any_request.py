"""A few requests of every operation, drawn at random but always the same; `make fuzz` draws many more."""

import asyncio
from typing import Any

import pytest

from api.routes import health
from app.security.permissions import Role
from app.services import platform_keys
from app.services.platform import Platform
from tests.conftest import TestWorkspace
from tests.support.any_request import Plan, operations_of, try_api
from tests.support.served import served

OF_OTHERS = ("workspaces_change", "workspaces_delete")
"""These find the ids of workspaces that were listed, and would suspend or delete those of other tests."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other tests `/readyz` would say in truth that Temporal does not answer in time."""
    monkeypatch.setattr(health, "CHECK_SECONDS", 60.0)


@pytest.mark.usefixtures("worker")
async def test_requests_at_random_are_answered_as_documented(api_app: Any, workspace: TestWorkspace) -> None:
    plan = Plan(examples=2, seed=6, phases=("fuzzing",))
    async with served(api_app) as (host, port):
        tried = await asyncio.to_thread(try_api, api_app.openapi(), f"http://{host}:{port}", workspace.api_key, plan)
    assert tried.harms == []
    assert tried.operations > 70
    # Enough of them came to what they asked for.
    assert (tried.locked_out, tried.statuses[429]) == (0, 0)


async def test_with_a_platform_key_they_are_answered_as_documented(api_app: Any, platform: Platform) -> None:
    _, key = await platform_keys.create(platform, "any request")
    plan = Plan(examples=3, seed=6, phases=("fuzzing",))
    only = [one for one in operations_of(api_app.openapi(), Role.PLATFORM) if one not in OF_OTHERS]
    async with served(api_app) as (host, port):
        tried = await asyncio.to_thread(try_api, api_app.openapi(), f"http://{host}:{port}", key, plan, only)
    assert tried.harms == []
    assert tried.operations == len(only) > 6
    # Nothing was refused for what the key is.
    assert (tried.locked_out, tried.statuses[403], tried.statuses[429]) == (0, 0, 0)
    assert tried.statuses[200] > 0


async def test_without_a_key_they_are_refused_as_documented(api_app: Any) -> None:
    plan = Plan(examples=1, seed=6, phases=("fuzzing",), modes="positive")
    async with served(api_app) as (host, port):
        tried = await asyncio.to_thread(try_api, api_app.openapi(), f"http://{host}:{port}", None, plan)
    assert tried.harms == []
    assert tried.operations > 70
    # What is open to anybody: pages of forms, approvals and problems, webhooks, messages, health.
    assert all(label.split()[1].startswith(("/forms/", "/hooks/", "/healthz", "/readyz")) for label in tried.let_in)
