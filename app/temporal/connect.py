"""One lazy connection to Temporal for a process. Who uses it, and for what, is not known here."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio.client import Client, Interceptor
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime

from app.settings import Settings
from app.temporal.payloads import DATA_CONVERTER

CONNECT_TIMEOUT = timedelta(seconds=10)
"""For a connection to be there. The SDK sets no bound to that; what it asks first over it has one of half a minute."""
RPC_TIMEOUT = timedelta(seconds=30)
"""For a call that nobody is in a hurry about. It is what the SDK gives to one that names no bound, in its release of
now; here every call names its own."""


class TemporalConnection:
    """Connects on first use, so that a process starts (and says what is down) while Temporal is not there yet."""

    def __init__(
        self,
        settings: Settings,
        client: Client | None = None,
        *,
        data_converter: DataConverter = DATA_CONVERTER,
        runtime: Runtime | None = None,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        """Without a `data_converter` that knows the store of large values, runs that have such cannot be read."""
        self.data_converter = data_converter
        """How values are read and written: what a `Replayer` of this server's histories needs as well."""
        self._settings = settings
        self._runtime = runtime
        self._interceptors = interceptors
        self._client = client
        self._lock = asyncio.Lock()

    async def client(self) -> Client:
        """The client; raises `RuntimeError` or `temporalio.service.RPCError` while Temporal cannot be reached."""
        if self._client is None:
            async with self._lock:
                if self._client is None:
                    self._client = await Client.connect(
                        self._settings.resolved_temporal_address,
                        namespace=self._settings.temporal_namespace,
                        data_converter=self.data_converter,
                        runtime=self._runtime,
                        interceptors=self._interceptors,
                        connect_timeout=CONNECT_TIMEOUT,
                    )
        return self._client
