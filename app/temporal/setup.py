"""Make a Temporal namespace fit for Holdfast: that it exists, and its search attributes. Safe to do again and again."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from app.temporal.connect import RPC_TIMEOUT
from app.temporal.names import SEARCH_ATTRIBUTES

RETENTION = timedelta(days=30)
"""How long a new namespace keeps the histories of runs that ended."""


async def prepare(client: Client, *, within: float = 30.0) -> list[str]:
    """Make the namespace when the server has none of that name, and its search attributes; answers what was added.

    Raises `RPCError` when the caller may not, `TimeoutError` when the server does not take it up in that many seconds.
    """
    deadline = time.monotonic() + within
    added = [f"namespace {client.namespace}"] if await _make_namespace(client) else []
    while True:
        try:
            return added + await _add_search_attributes(client, deadline)
        except RPCError as error:
            # A namespace made just now is not known to every part of the server at once.
            if not added or error.status != RPCStatusCode.NOT_FOUND or time.monotonic() >= deadline:
                raise
        await asyncio.sleep(0.2)


async def missing_search_attributes(client: Client) -> list[str]:
    """Names the namespace does not know yet. Raises `RPCError`."""
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=RPC_TIMEOUT
    )
    return [key.name for key in SEARCH_ATTRIBUTES if key.name not in known.custom_attributes]


async def _make_namespace(client: Client) -> bool:
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
    else:
        return False
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    request = RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=retention)
    await _unless_there(client.workflow_service.register_namespace(request, timeout=RPC_TIMEOUT))
    return True


async def _add_search_attributes(client: Client, deadline: float) -> list[str]:
    missing = await missing_search_attributes(client)
    if not missing:
        return []
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword))
    await _unless_there(client.operator_service.add_search_attributes(request, timeout=RPC_TIMEOUT))
    while await missing_search_attributes(client):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"Temporal did not take up {', '.join(missing)}")
        await asyncio.sleep(0.2)
    return missing


async def _unless_there(call: Awaitable[object]) -> None:
    """Another process that sets up the same namespace may have been first."""
    try:
        await call
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise
