"""One small document fetched for the installation itself, such as an issuer's keys, under the rule of all outgoing
calls: public addresses and those of the allow-list, checked where the socket is made. Actions have their own client.
"""

import asyncio
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from app.security.egress import CONNECT_SECONDS, EgressPolicy

FETCH_SECONDS = 5.0
MOST_BYTES = 256 * 1024


class FetchFailed(Exception):
    """The document could not be had. The message says why, for the log."""


async def fetch(url: str, policy: EgressPolicy, *, seconds: float = FETCH_SECONDS) -> bytes:
    """The body of a 200, at most `MOST_BYTES`; redirects are not followed. Raises `FetchFailed`."""
    listed = policy.allows_host(URL(url).raw_host or "")
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(),
        resolver=None if listed else _CheckedResolver(policy),
        # Literal addresses never pass the resolver, so the rule stands here as well.
        socket_factory=None if listed else lambda info: policy.make_socket(info[0], info[1], info[2], info[4]),
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(connector=connector, trust_env=False, timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status != 200:
                raise FetchFailed(f"{url} answered {response.status}")
            return await _read(response)
    except TimeoutError as error:
        raise FetchFailed(f"{url} gave no answer within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # What the rule says of an address is wrapped by the connector.
        cause = getattr(error, "os_error", error)
        raise FetchFailed(f"{url}: {str(cause) or type(error).__name__}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MOST_BYTES:
            response.close()
            raise FetchFailed(f"{response.url} gave more than {MOST_BYTES} bytes")
    return bytes(body)


class _CheckedResolver(AbstractResolver):
    """Names resolve to what the egress rule allows, or to nothing."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=found.sockaddr[0], port=port, family=found.family, proto=0, flags=0)
            for found in await self._policy.resolve(host, port)
        ]

    async def close(self) -> None:
        """Holds nothing."""
