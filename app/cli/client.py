"""The command line's side of the API: where it is, with which key, and what its refusals mean for an exit code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from app.cli.exits import CliError, ExitCode
from app.cli.options import load_settings
from app.cli.state import API_KEY, PLATFORM_KEY, running_group
from app.json import Json, JsonObject
from app.settings import Settings

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_EXIT_CODES = {401: ExitCode.NOT_ALLOWED, 403: ExitCode.NOT_ALLOWED, 404: ExitCode.NOT_FOUND, 503: ExitCode.UNREACHABLE}


class Api:
    """A client of a running API. Every refusal becomes a `CliError` that shows the problem document."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @property
    def url(self) -> str:
        """The API's address, without trailing slash."""
        return str(self._client.base_url).rstrip("/")

    def get(self, path: str, **query: Json) -> Json:
        """The JSON answer; parameters that are None are left out."""
        return self._json(self.call("GET", path, params={k: v for k, v in query.items() if v is not None}))

    def items(self, path: str, *, limit: int | None = None, **query: Json) -> Iterator[JsonObject]:
        """The items of a list across its pages, at most `limit` of them."""
        cursor, left = None, limit
        while left is None or left > 0:
            page = self.get(path, cursor=cursor, limit=min(left or 200, 200), **query)
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def post(self, path: str, body: Json = None, headers: Mapping[str, str] | None = None, wait: float = 0) -> Json:
        """The JSON answer; `wait` seconds are added to how long it may take."""
        return self._json(self.call("POST", path, json=body, headers=headers, timeout=_timeout(wait)))

    def patch(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
        """The JSON answer."""
        return self._json(self.call("PATCH", path, json=body, headers=headers))

    def delete(self, path: str) -> None:
        """Delete what is there."""
        self.call("DELETE", path)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Json] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> httpx.Response:
        """One request; raises `CliError` unless it was taken."""
        with self._reaching():
            response = self._client.request(
                method, path, params=params, json=json, headers=headers, timeout=timeout or _timeout(0)
            )
        self._check(response)
        return response

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Iterator[str]]:
        """The lines of a stream of server-sent events; `httpx.TransportError` when it breaks off."""
        timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
        accept = {"Accept": "text/event-stream", **(headers or {})}
        with self._client.stream("GET", path, headers=accept, timeout=timeout) as response:
            if response.is_error:
                response.read()
            self._check(response)
            yield response.iter_lines()

    @contextmanager
    def download(self, path: str, **query: Json) -> Iterator[Iterator[str]]:
        """The pieces of a text; parameters that are None are left out. Raises `CliError`, also where it breaks off."""
        params = {name: value for name, value in query.items() if value is not None}
        with self._reaching(), self._client.stream("GET", path, params=params, timeout=_timeout(0)) as response:
            if response.is_error:
                response.read()
            self._check(response)
            yield response.iter_text()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise CliError(ExitCode.UNREACHABLE, f"the API at {self.url} did not answer in time") from error
        except httpx.TransportError as error:
            raise CliError(
                ExitCode.UNREACHABLE,
                f"cannot reach the API at {self.url} ({error}): start it with `holdfast dev`, or say where it is with "
                "--api-url (or HOLDFAST_API_URL)",
            ) from error
        except httpx.InvalidURL as error:
            raise CliError(ExitCode.USAGE, f"{self.url} is no address: {error}") from error

    def _json(self, response: httpx.Response) -> Json:
        try:
            return response.json()
        except ValueError as error:
            raise CliError(
                ExitCode.BROKEN,
                f"what answers at {self.url} is no Holdfast API: say where it is with --api-url (or HOLDFAST_API_URL)",
            ) from error

    def _check(self, response: httpx.Response) -> None:
        if not response.is_error:
            return
        status = response.status_code
        try:
            problem = response.json()
        except ValueError:
            problem = {}
        if not isinstance(problem, dict) or "code" not in problem:
            raise CliError(ExitCode.BROKEN, f"the API at {self.url} answered {status} without saying why")
        raise CliError(
            _EXIT_CODES.get(status, ExitCode.BROKEN if status >= 500 else ExitCode.REFUSED),
            str(problem.get("detail") or problem.get("title")),
            code=str(problem["code"]),
            problems=problem.get("errors") or (),
        )


@contextmanager
def open_api(api_url: str | None = None, data_dir: Path | None = None) -> Iterator[Api]:
    """A client from flags, environment and the running group of the data folder. Raises `CliError`."""
    settings = load_settings(api_url=api_url, data_dir=data_dir)
    with _opened(settings, _key(settings)) as api:
        yield api


@contextmanager
def open_platform_api(api_url: str | None = None, data_dir: Path | None = None) -> Iterator[Api]:
    """As `open_api`, with the key of the platform's administrator. Raises `CliError`."""
    settings = load_settings(api_url=api_url, data_dir=data_dir)
    with _opened(settings, _platform_key(settings)) as api:
        yield api


@contextmanager
def _opened(settings: Settings, key: str) -> Iterator[Api]:
    url = _address(settings)
    headers = {"Authorization": f"Bearer {key}"}
    # A proxy set for the outside would not reach this machine's own API.
    trust_env = urlsplit(url).hostname not in _LOOPBACK
    with httpx.Client(base_url=url, headers=headers, trust_env=trust_env) as client:
        yield Api(client)


def _address(settings: Settings) -> str:
    if settings.api_url is None and (group := running_group(settings.data_dir)):
        return group.api_url
    url = settings.resolved_api_url
    if urlsplit(url).scheme not in ("http", "https"):
        raise CliError(ExitCode.USAGE, f"{url!r} is no address of an API: it begins with http:// or https://")
    return url


def _key(settings: Settings) -> str:
    return _secret(settings.api_key, settings.data_dir / API_KEY, "API key", "HOLDFAST_API_KEY")


def _platform_key(settings: Settings) -> str:
    return _secret(settings.platform_key, settings.data_dir / PLATFORM_KEY, "platform key", "HOLDFAST_PLATFORM_KEY")


def _secret(given: SecretStr | None, file: Path, what: str, variable: str) -> str:
    if given is not None:
        return given.get_secret_value().strip()
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        raise CliError(
            ExitCode.NOT_ALLOWED,
            f"no {what}: set {variable}, or start `holdfast dev`, which keeps one in {file}",
        ) from None
    except PermissionError:
        raise CliError(ExitCode.NOT_ALLOWED, f"{file} belongs to another user: set {variable}") from None


def _timeout(wait: float) -> httpx.Timeout:
    return httpx.Timeout(_READ_SECONDS + wait, connect=_CONNECT_SECONDS)
