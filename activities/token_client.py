"""Token endpoints over the one HTTP client: its caps, and where the workspace may call, hold for them too. Knows no
grant.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import UUID

from activities.exchange import retry_after
from activities.http_client import HttpClient, HttpError, shown
from app.catalog.errors import ErrorType
from app.services import egress
from app.services.oauth_exchange import Form, TokenAnswer, TokenError
from app.services.platform import Platform

EXCHANGE_SECONDS = 15.0
MOST_BYTES = 256 * 1024


class HttpTokenClient:
    """A `TokenClient`."""

    def __init__(self, platform: Platform, http: HttpClient) -> None:
        self._platform = platform
        self._http = http

    async def post(self, workspace_id: UUID, url: str, headers: Mapping[str, str], form: Form) -> TokenAnswer:
        """Post the form. Raises `TokenError` when there is no answer in time, `Unavailable` where it is not known
        where the workspace may call."""
        http = self._http.within(workspace_id, await egress.hosts_of(self._platform, workspace_id))
        try:
            answer = await http.request(
                "POST",
                url,
                headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
                data=urlencode(form).encode(),
                timeout=EXCHANGE_SECONDS,
                max_bytes=MOST_BYTES,
                # What is sent is secret: nobody else is to get it because this server says so.
                allow_redirects=False,
            )
        except HttpError as error:
            raise TokenError(error.type, error.message) from error
        if answer.truncated and answer.status == HTTPStatus.OK:
            raise TokenError(
                ErrorType.PROVIDER_REJECTED, f"POST {shown(url)}: more than {MOST_BYTES:,} bytes are no token"
            )
        return TokenAnswer(answer.status, answer.body, retry_after(answer, datetime.now(UTC)))
