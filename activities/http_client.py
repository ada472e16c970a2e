"""The one HTTP client of all actions: egress rule, size cap, time-outs, redirects. It knows no action and no provider.

What an answer means is `exchange.py`'s. Nothing is kept between requests but open connections: no cookies, no
credentials, no proxy or netrc from the environment.
"""

import asyncio
import copy
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from activities.network_errors import network_failure
from app.catalog.errors import ErrorType
from app.security.egress import CONNECT_SECONDS, EgressPolicy
from app.security.egress_hosts import Hosts
from app.security.name_lookups import NameLookups
from app.settings import Settings

USER_AGENT = f"Holdfast/{version('holdfast')}"
MAX_REDIRECTS = 5
LONGEST_FIELD = 8 * 1024
MOST_FIELDS = 128
LARGEST_HEAD = 64 * 1024
"""Of an answer: one header, their number, and all of them."""

_HOST = re.compile(r"[A-Za-z0-9._~-]{1,253}|[0-9A-Fa-f:.]+(%[\w.-]+)?")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What may follow a redirect to another origin. Everything else may be a credential, whatever it is called.
_TRAVELS = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent"})


class HttpError(Exception):
    """No answer could be had. `type` says why; the message names the URL without what may be secret in it."""

    def __init__(self, type: ErrorType, message: str) -> None:
        super().__init__(message)
        self.type = type
        self.message = message


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """A provider's answer. `headers` have lower-case names, repeated ones joined; `duration_ms` covers redirects, body.

    `truncated` says that the body was longer than the limit and is not whole.
    """

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    duration_ms: float
    truncated: bool = False


def shown(url: URL | str) -> str:
    """A URL as it may stand in messages and records: without user name, password, query and fragment."""
    text = str(url)
    try:
        parsed = URL(text)
        bare = (
            str(parsed.with_user(None).with_query(None).with_fragment(None)) if parsed.host else text.partition("?")[0]
        )
    except ValueError:
        bare = text.partition("?")[0].rpartition("@")[2]
    return bare if len(bare) <= 200 else bare[:197] + "..."


def parse_url(text: str) -> URL:
    """An absolute http(s) URL with a host; raises `HttpError`."""
    try:
        url = URL(text.strip())
        host, scheme = url.raw_host, url.scheme
    except ValueError as error:
        raise HttpError(ErrorType.INVALID_URL, f"{shown(text)!r} is no URL: {error}") from error
    if not url.absolute or not scheme:
        raise HttpError(ErrorType.INVALID_URL, f"{shown(text)!r} is not an absolute URL; it must begin with https://")
    if scheme not in ("http", "https"):
        raise HttpError(
            ErrorType.INVALID_URL, f"{shown(text)!r}: the scheme {scheme!r} is not supported; use https or http"
        )
    if not host or not _HOST.fullmatch(host):
        raise HttpError(ErrorType.INVALID_URL, f"{shown(text)!r} names no valid host")
    return url


class HttpClient:
    """One for a process. Sessions are opened on first use, for the event loop that uses them."""

    def __init__(
        self,
        settings: Settings,
        *,
        names: NameLookups | None = None,
        traceparent: Callable[[], str | None] | None = None,
    ) -> None:
        """`traceparent` gives the header that carries a trace on, where traces are on."""
        self._traceparent = traceparent
        self.egress = EgressPolicy(settings.egress_allow, names=names)
        self._max_bytes = settings.max_response_bytes
        self._most = settings.max_call_bytes
        self._longest = settings.max_call_seconds
        self._sessions: dict[tuple[asyncio.AbstractEventLoop, bool], aiohttp.ClientSession] = {}

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """How outgoing TLS is checked: the machine's trust store, host names verified."""
        return ssl.create_default_context()

    def within(self, asker: object, hosts: Hosts | None) -> "HttpClient":
        """The same client, with the same open connections, for a workspace that keeps to `hosts` (None: to none)."""
        _ = self.tls  # made once, not for each of them
        narrower = copy.copy(self)
        narrower.egress = self.egress.within(asker, hosts)
        return narrower

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Sequence[tuple[str, str]] = (),
        data: bytes | None = None,
        timeout: float | None = None,
        max_bytes: int | None = None,
        allow_redirects: bool = True,
    ) -> HttpAnswer:
        """Make one request and read its answer, whatever its status. Raises `HttpError` when there is none.

        `params` are added to the URL's query. `timeout` seconds limit the whole exchange. The body is read up to
        `max_bytes`. Neither is ever more than the installation's limit, and all that goes to and fro has one too.
        """
        target = parse_url(url)
        if params:
            target = target.extend_query(params)
        hop = _Hop(method, target, CIMultiDict(headers or {}), data)
        hop.headers.setdefault("User-Agent", USER_AGENT)
        if self._traceparent is not None and (parent := self._traceparent()) is not None:
            # To the first origin alone: it is none of those that travel on with a redirect.
            hop.headers.setdefault("traceparent", parent)
        limit = min(max_bytes or self._max_bytes, self._max_bytes)
        started = time.perf_counter()
        # Connections are opened in tasks that the library makes; what they ask for names with goes along.
        asking = _asking.set(self.egress)
        try:
            async with asyncio.timeout(min(timeout or self._longest, self._longest)):
                return await self._follow(hop, limit, allow_redirects, started)
        except TimeoutError as error:
            seconds = time.perf_counter() - started
            raise HttpError(
                ErrorType.TIMEOUT, f"{method} {shown(target)} gave no answer within {seconds:.1f} s"
            ) from error
        finally:
            _asking.reset(asking)

    async def close(self) -> None:
        """Close the connections of the running loop; those of loops that are gone went with them."""
        here = asyncio.get_running_loop()
        for key in [key for key in self._sessions if key[0] is here or key[0].is_closed()]:
            session = self._sessions.pop(key)
            if key[0] is here:
                await session.close()

    async def _follow(self, hop: "_Hop", limit: int, allow_redirects: bool, started: float) -> HttpAnswer:
        left = self._most
        for _ in range(MAX_REDIRECTS + 1):
            left -= hop.size
            if left < 0:
                type = ErrorType.INVALID_INPUT if hop.is_first else ErrorType.RESPONSE_TOO_LARGE
                what = f"{hop.method} {shown(hop.url)}"
                raise HttpError(
                    type, f"{what}: a call sends and takes {self._most:,} bytes at most, redirects included"
                )
            answer = await self._send(hop, min(limit, left), started)
            left -= len(answer.body) + _size(answer.headers)
            location = answer.headers.get("location")
            if not allow_redirects or answer.status not in _REDIRECTS or not location:
                return answer
            hop = hop.redirected(answer.status, location)
        raise HttpError(
            ErrorType.PROVIDER_REJECTED, f"{hop.method} {shown(hop.url)}: redirected more than {MAX_REDIRECTS} times"
        )

    async def _send(self, hop: "_Hop", limit: int, started: float) -> HttpAnswer:
        """One request to one URL, redirects not followed."""
        try:
            self.egress.require(hop.url.raw_host or "")
            async with self._session(hop.url).request(
                hop.method, hop.url, headers=hop.headers, data=hop.body, allow_redirects=False
            ) as response:
                headers = _joined(response)
                if (size := _size(headers)) > LARGEST_HEAD:
                    raise HttpError(
                        ErrorType.RESPONSE_TOO_LARGE,
                        f"{hop.method} {shown(hop.url)}: the headers of the answer are {size:,} bytes; "
                        f"{LARGEST_HEAD:,} are taken",
                    )
                body, truncated = await _read(response, limit)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explained(error, hop) from error
        return HttpAnswer(
            url=str(hop.url),
            status=response.status,
            headers=headers,
            body=body,
            truncated=truncated,
            duration_ms=round((time.perf_counter() - started) * 1000, 3),
        )

    def _session(self, url: URL) -> aiohttp.ClientSession:
        """Hosts on the allow-list have a session of their own: what they resolve to is not checked."""
        key = (asyncio.get_running_loop(), self.egress.allows_host(url.raw_host or ""))
        if key not in self._sessions:
            self._sessions[key] = self._open(listed=key[1])
        return self._sessions[key]

    def _open(self, *, listed: bool) -> aiohttp.ClientSession:
        policy = self.egress
        connector = aiohttp.TCPConnector(
            ssl=self.tls,
            limit=0,
            resolver=_CheckedResolver(),
            # Who asks for a name must not wait for another who asks for the same.
            use_dns_cache=False,
            # The resolver alone would do for names; literal addresses never pass it, so the rule stands here as well.
            socket_factory=None if listed else lambda info: policy.make_socket(info[0], info[1], info[2], info[4]),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=LONGEST_FIELD,
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )


_asking: ContextVar[EgressPolicy] = ContextVar("asking")


class _CheckedResolver(AbstractResolver):
    """Names resolve to what the rule of whoever calls allows, or to nothing."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=found.sockaddr[0], port=port, family=found.family, proto=0, flags=0)
            for found in await _asking.get().resolve(host, port)
        ]

    async def close(self) -> None:
        """Holds nothing."""


@dataclass(frozen=True)
class _Hop:
    """A request on its way through redirects."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None
    is_first: bool = True

    @property
    def size(self) -> int:
        """Bytes it sends, nearly."""
        return len(self.body or b"") + _size(self.headers) + len(str(self.url))

    def redirected(self, status: int, location: str) -> "_Hop":
        """The request a redirect asks for (RFC 9110, 15.4); another origin gets no header that may be a credential."""
        try:
            target = parse_url(str(self.url.join(URL(location)))).with_user(None)
        except (ValueError, HttpError) as error:
            message = f"{self.method} {shown(self.url)} redirects to {location[:200]!r}, which cannot be followed"
            raise HttpError(ErrorType.PROVIDER_REJECTED, message) from error
        headers = self.headers.copy()
        if target.origin() != self.url.origin():
            for name in [name for name in headers if name.lower() not in _TRAVELS]:
                headers.popall(name, None)
        method, body = self.method, self.body
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", None
            headers.popall("Content-Type", None)
        return _Hop(method, target, headers, body, is_first=False)


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """The body up to `limit` bytes (after decompression), and whether there was more. The rest is never read."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > limit:
            response.close()
            return bytes(body[:limit]), True
    return bytes(body), False


def _size(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.items())


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        # aiohttp keeps undecodable bytes as half surrogate pairs, which no JSON can carry.
        text = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        key = name.lower()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _explained(error: Exception, hop: _Hop) -> HttpError:
    """A failed exchange in the words of its user."""
    what = f"{hop.method} {shown(hop.url)}"
    if known := network_failure(error):
        return HttpError(known[0], f"{what}: {known[1]}")
    if isinstance(error, aiohttp.InvalidURL):
        return HttpError(ErrorType.INVALID_URL, f"{what}: the URL cannot be called: {error}")
    if isinstance(error, TimeoutError):
        return HttpError(ErrorType.TIMEOUT, f"{what}: no connection within {CONNECT_SECONDS:.0f} s")
    if isinstance(error, aiohttp.ClientResponseError):
        return HttpError(ErrorType.CONNECTION_FAILED, f"{what}: what came back is no HTTP: {error.message}")
    if isinstance(error, ValueError):
        return HttpError(ErrorType.INVALID_INPUT, f"{what}: the request cannot be sent: {error}")
    return HttpError(ErrorType.CONNECTION_FAILED, f"{what}: the connection failed: {error or type(error).__name__}")
