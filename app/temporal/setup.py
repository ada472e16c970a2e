"""Make a Temporal namespace fit for Holdfast: its search attributes. Safe to do again and again."""

import asyncio
import time

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from app.temporal.names import SEARCH_ATTRIBUTES


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
