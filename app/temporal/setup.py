"""Make a Temporal namespace fit for Holdfast: that it exists, and its search attributes. Safe to do again and again."""

import asyncio
import time
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from app.temporal.names import SEARCH_ATTRIBUTES

RETENTION = timedelta(days=30)
"""How long a new namespace keeps the histories of runs that ended."""


async def ensure_namespace(client: Client) -> bool:
    """Make the namespace when the server has none of that name; answers whether it was made.

    Raises `RPCError` when the caller may not.
    """
    if await _namespace_exists(client):
        return False
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    request = RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=retention)
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise
    return True


async def _namespace_exists(client: Client) -> bool:
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def missing_search_attributes(client: Client) -> list[str]:
    """Names the namespace does not know yet."""
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [key.name for key in SEARCH_ATTRIBUTES if key.name not in known.custom_attributes]


async def ensure_search_attributes(client: Client, *, within: float = 30.0) -> list[str]:
    """Add what is missing and wait until the namespace knows it; answers the names added.

    Raises `RPCError` when the namespace is not there or the caller may not change it, `TimeoutError` when the server
    does not take them up within that many seconds.
    """
    missing = await missing_search_attributes(client)
    if not missing:
        return []
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword))
        )
    except RPCError as error:
        # Another process that set up the same namespace was first.
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise
    deadline = time.monotonic() + within
    while await missing_search_attributes(client):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"Temporal did not take up {', '.join(missing)} within {within:g} s")
        await asyncio.sleep(0.2)
    return missing
