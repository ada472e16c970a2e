"""What the API process calls others with: the same client as the actions, made when it is first needed."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from activities.connection_tests import ConnectionTester
from activities.http_client import HttpClient
from activities.token_client import HttpTokenClient
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform


@dataclass(frozen=True)
class Outgoing:
    """One a process."""

    http: HttpClient
    token_client: HttpTokenClient
    tester: ConnectionTester

    @classmethod
    def of(cls, platform: Platform) -> "Outgoing":
        """Over the process's open resources."""
        http = HttpClient(platform.settings)
        client = HttpTokenClient(platform, http)
        return cls(http, client, ConnectionTester(platform, http, OAuthTokens(platform, client)))


async def outgoing(request: Request) -> Outgoing:
    """The process's."""
    state = request.app.state
    if getattr(state, "outgoing", None) is None:
        state.outgoing = Outgoing.of(state.platform)
    found: Outgoing = state.outgoing
    return found


async def close(state: object) -> None:
    """Close the connections of the application's client, if it has one, and end the threads of tests."""
    found: Outgoing | None = getattr(state, "outgoing", None)
    if found is not None:
        found.tester.close()
        await found.http.close()


OutgoingDep = Annotated[Outgoing, Depends(outgoing)]
