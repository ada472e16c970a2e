"""What an attempt hides: the credentials of its connection, an access token and one that takes its place among them."""

from threading import current_thread
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from activities.base import ActionError
from activities.confidential import Confidential
from app.catalog.connections import CONNECTION_KINDS
from app.catalog.errors import ErrorType
from app.security.masking import LONG, Mask
from app.services.connections import ResolvedConnection
from app.services.platform import Platform
from app.settings import Settings
from app.temporal.messages import ActionCall
from tests.support.invocations import connection_of


def with_token(token: str) -> ResolvedConnection:
    return connection_of("oauth2", credentials={"type": "bearer", "token": token})


def an_attempt() -> Confidential:
    call = SimpleNamespace(workspace_id=str(uuid4()), run_id=str(uuid4()), given=False)
    return Confidential(cast(Platform, SimpleNamespace(settings=Settings())), cast(ActionCall, call))


async def test_a_token_is_hidden_and_so_is_the_one_that_takes_its_place() -> None:
    confidential = an_attempt()
    confidential.learn(with_token("at-first"))

    async def renew() -> ResolvedConnection:
        return with_token("at-second")

    renewal = confidential.learning(renew)
    assert renewal is not None
    assert await confidential.hidden("at-first at-second") == "*** at-second"
    assert (await renewal()).credentials["token"] == "at-second"
    with pytest.raises(ActionError) as caught:
        async with confidential.cleaned():
            raise ActionError(ErrorType.PROVIDER_AUTH, "who is at-second or at-first?", provider_code="at-first")
    assert (caught.value.message, caught.value.provider_code) == ("who is *** or ***?", "***")
    assert confidential.learning(None) is None


async def test_a_large_answer_and_a_long_error_are_looked_through_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    hidden = Mask.hidden
    monkeypatch.setattr(Mask, "hidden", lambda *given: (threads.append(current_thread().name), hidden(*given))[1])
    confidential = an_attempt()
    confidential.learn(with_token("the-token"))
    assert await confidential.hidden({"a": ["." * LONG, "the-token"]}) == {"a": ["." * LONG, "***"]}
    with pytest.raises(ActionError):
        async with confidential.cleaned():
            raise ActionError(ErrorType.PROVIDER_REJECTED, "." * LONG)
    assert [name.rpartition("_")[0] for name in threads] == ["masks", "masks"]


def test_every_field_that_is_a_secret_says_so() -> None:
    for kind, known in CONNECTION_KINDS.items():
        for name, field in known.credentials.model_fields.items():
            is_secret = any(word in name for word in ("secret", "token", "password", "api_key", "value"))
            assert field.repr is not is_secret, f"{kind}.{name}"
