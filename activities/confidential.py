"""What an attempt sends and nothing keeps: links of approvals, secret variables, the credentials of its connection.

What stands for them in a run's inputs is replaced just before the action is called, and whatever the action gives (its
answer, its errors, what is logged of it) is cleaned of them before anybody sees it.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

from activities.attempts import until_available
from activities.base import ActionError, Renewal
from app.catalog.connections import CONNECTION_KINDS
from app.catalog.errors import ErrorType
from app.catalog.http_connections import HttpCredentials
from app.json import Json, JsonObject
from app.security.masking import Mask
from app.services import oauth_state, workspace_values
from app.services.approval_links import Links
from app.services.connections import ResolvedConnection
from app.services.errors import NotFound
from app.services.platform import Platform
from app.temporal.messages import ActionCall


def secrets_in(connection: ResolvedConnection) -> Iterator[str]:
    """The connection's credentials that its kind calls secret, an access token among them."""
    models = [CONNECTION_KINDS[connection.kind].credentials]
    if connection.kind == oauth_state.KIND:
        # What its actions get in place of the client's secret.
        models.append(HttpCredentials)
    for model in models:
        for name, field in model.model_fields.items():
            text = connection.credentials.get(field.alias or name)
            if not field.repr and isinstance(text, str):
                yield text


class Confidential:
    """One an attempt."""

    def __init__(self, platform: Platform, call: ActionCall) -> None:
        self._platform = platform
        self._workspace_id, self._run_id = UUID(call.workspace_id), UUID(call.run_id)
        self._secrets = not call.given
        self._links = Links(platform.settings, self._workspace_id)
        self._mask = Mask()

    async def revealed(self, call: ActionCall) -> JsonObject:
        """The call's inputs as the action gets them. Raises ActionError for a secret that is not there."""

        async def ask() -> Json:
            if not self._secrets:
                return call.inputs
            return await workspace_values.revealed(
                self._platform, self._workspace_id, self._run_id, call.inputs, self._mask
            )

        try:
            found: JsonObject = self._links.linked(await until_available(ask))
        except NotFound as error:
            raise ActionError(ErrorType.SECRET_MISSING, f"{call.name}: {error.detail}") from None
        return found

    def learn(self, connection: ResolvedConnection | None) -> None:
        """Hide the connection's credentials as well."""
        if connection is not None:
            for text in secrets_in(connection):
                self._mask.add(text)

    def learning(self, renew: Renewal | None) -> Renewal | None:
        """The same renewal; what it gives is hidden from then on."""
        if renew is None:
            return None

        async def renewed() -> ResolvedConnection:
            connection = await renew()
            self.learn(connection)
            return connection

        return renewed

    def hidden_text(self, text: str) -> str:
        """A text as it may be kept: for what is to be cut, since half a secret is not found any more."""
        return str(self._mask.hidden(self._links.marked(text)))

    async def hidden(self, value: Json) -> Json:
        """What the action gave, as it may be kept. A large value does not hold up the process's event loop."""
        return await self._mask.hidden_aside(self._links.marked(value))

    @asynccontextmanager
    async def cleaned(self) -> AsyncIterator[None]:
        """Errors of the action as they may be kept."""
        try:
            yield
        except ActionError as error:
            error.message, error.provider_code = await self.hidden([error.message, error.provider_code])
            raise
