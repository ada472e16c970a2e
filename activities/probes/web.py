"""Probes of HTTP APIs and of what is only signed for."""

from http import HTTPStatus

from activities.base import ActionError
from activities.exchange import refused
from activities.http import auth_headers, joined, secrets_of
from activities.http_client import HttpClient
from activities.probes.base import Found, ask, read
from app.catalog.errors import ErrorType
from app.catalog.http_connections import HttpConfig, HttpCredentials, OAuthConfig
from app.catalog.web import ApiKeyAuth
from app.services.connections import ResolvedConnection

_NO_HEAD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


async def http_api(connection: ResolvedConnection, http: HttpClient) -> Found:
    """GET `test_path` with the credentials, or HEAD the base URL where there is none."""
    model: type[HttpConfig] = OAuthConfig if connection.kind == "oauth2" else HttpConfig
    config, credentials = read(model, connection.config), read(HttpCredentials, connection.credentials)
    auth = credentials.as_auth()
    secrets, method = secrets_of(auth), "HEAD" if config.test_path is None else "GET"
    answer = await ask(
        http,
        method,
        config.base_url if config.test_path is None else joined(config.base_url, config.test_path),
        headers={**config.headers, **auth_headers(auth)},
        params=[(auth.name, auth.value)] if isinstance(auth, ApiKeyAuth) and auth.in_ == "query" else (),
        secrets=secrets,
    )
    if config.test_path is not None:
        if not 200 <= answer.status < 300:
            raise refused(method, answer, secrets)
        return Found(f"GET {config.test_path} answered {answer.status}")
    if answer.status in (401, 403) or (answer.status >= 500 and answer.status not in _NO_HEAD):
        raise refused(method, answer, secrets)
    if credentials.type == "none":
        return Found(f"the server answers ({answer.status})")
    # The base URL may be open to everybody: that it answers is no word against what the last use found out.
    told = f"the server answers ({answer.status}); whether it takes the credentials is not known"
    return Found(told, "Name a test_path that only the right credentials may see.", checked=False)


async def webhook(_connection: ResolvedConnection, _http: HttpClient) -> Found:
    """There is nobody to ask: receivers stand in the steps."""
    return Found("the secret can be signed with; there is no server to ask about it", checked=False)


def wants_another_token(error: ActionError) -> bool:
    """Whether an API refused the access token it got."""
    return error.type is ErrorType.PROVIDER_AUTH and error.provider_code == str(HTTPStatus.UNAUTHORIZED.value)
