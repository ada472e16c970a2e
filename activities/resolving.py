"""From the name of a connection in a step to what its action uses, an access token among it. Makes no effect."""

from uuid import UUID

from activities.attempts import until_available
from activities.base import ActionError, RegisteredAction, Renewal
from activities.http_client import HttpClient
from activities.token_client import HttpTokenClient
from app.catalog.errors import ErrorType
from app.services import connections, oauth_state
from app.services.connections import ResolvedConnection
from app.services.errors import NotFound, ServiceError, Unavailable
from app.services.oauth_exchange import TokenError
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform
from app.temporal.messages import ActionCall


class Resolver:
    """One a worker process."""

    def __init__(self, platform: Platform, http: HttpClient) -> None:
        self._platform = platform
        self._tokens = OAuthTokens(platform, HttpTokenClient(platform, http))

    async def connection(
        self, registered: RegisteredAction, call: ActionCall
    ) -> tuple[ResolvedConnection | None, Renewal | None]:
        """The connection a step names, and how it gets another token should its provider refuse the one it has; None
        where it has none. Raises `ActionError`."""
        kind = registered.entry.connection
        if call.connection is None or kind is None:
            return None, None
        name, workspace_id = call.connection, UUID(call.workspace_id)
        try:
            found = await until_available(lambda: connections.resolve(self._platform, workspace_id, name, kind))
        except ServiceError as error:
            raise _unusable(call, error) from error
        if found.kind != oauth_state.KIND:
            return found, None
        with_token = await self._with_token(workspace_id, call, found, None)

        async def renew() -> ResolvedConnection:
            return await self._with_token(workspace_id, call, found, str(with_token.credentials["token"]))

        return with_token, renew

    async def _with_token(
        self, workspace_id: UUID, call: ActionCall, found: ResolvedConnection, rejected: str | None
    ) -> ResolvedConnection:
        try:
            token = await until_available(lambda: self._tokens.access_token(workspace_id, found.id, rejected=rejected))
        except TokenError as error:
            raise ActionError(
                error.type, f"{call.name}: {error.message}", provider_code=error.code, retry_after=error.retry_after
            ) from error
        except Unavailable:
            raise
        except ServiceError as error:
            raise _unusable(call, error) from error
        return ResolvedConnection(found.name, found.kind, found.config, {"type": "bearer", "token": token}, found.id)


def _unusable(call: ActionCall, error: ServiceError) -> ActionError:
    type = ErrorType.CONNECTION_MISSING if isinstance(error, NotFound) else ErrorType.CONNECTION_INVALID
    return ActionError(type, f"{call.name}: {error.detail}")
