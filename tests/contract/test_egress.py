"""Ways round the rule about where actions may call, in one place. What is tried through everything that calls out is in
`test_egress_everywhere.py`.

Which addresses the rule refuses is held in `tests/unit/security/test_egress.py`.
"""

import socket
from typing import Any

import pytest

from activities.base import ActionError
from activities.http_client import MAX_REDIRECTS, HttpClient
from app.catalog.errors import ErrorType
from app.security.egress import EgressPolicy
from app.security.egress_hosts import EgressSettings
from app.security.name_lookups import NameLookups
from app.settings import Settings
from tests.support.http_stub import Answer, HttpStub
from tests.support.invocations import ActionCaller, connection_of
from tests.support.outgoing import REFUSED, Installation, Names
from tests.support.smtp_catcher import SmtpCatcher

PUBLIC = "93.184.215.14"


async def refused(call: ActionCaller, action: str, inputs: Any, **more: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        await call(action, inputs, **more)
    return caught.value


def mail(host: str, port: int) -> Any:
    """What `email.send` takes to send over a server."""
    inputs = {"to": "ada@example.com", "subject": "Hello", "text": "Hi"}
    config = {"host": host, "port": port, "security": "none", "from": "shop@example.com"}
    return {"inputs": inputs, "connection": connection_of("smtp", config)}


@pytest.mark.parametrize(
    "url",
    [
        "http://public.example@127.0.0.1:{port}/",
        "http://public.example:80@127.0.0.1:{port}/",
        "http://public.example%40@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@public.example/",
        "http://127.0.0.1:{port}?@public.example/",
        "http://127.0.0.1:{port}\\@public.example/",
        "http:\\\\127.0.0.1:{port}/",
        "http:/127.0.0.1:{port}/",
        "http:127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://127.0.0.1%00.public.example:{port}/",
        "http://127.0.0.1\t:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_GET%20/",
        "dict://127.0.0.1:{port}/",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
        "data:text/plain,x",
        "jar:http://127.0.0.1:{port}!/",
    ],
)
async def test_no_trick_in_a_url_gets_through(installation: Installation, http_stub: HttpStub, url: str) -> None:
    call = installation(names={"public.example": [[PUBLIC]]})
    for action in ("http.request", "webhook.send"):
        with pytest.raises((ActionError, ValueError)) as caught:
            await call(action, {"url": url.replace("{port}", str(http_stub.port))})
        assert not isinstance(caught.value, ActionError) or caught.value.type in REFUSED
    assert http_stub.requests == []


@pytest.mark.parametrize("private", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"])
async def test_a_name_of_a_private_address_is_refused(
    installation: Installation, http_stub: HttpStub, smtp_catcher: SmtpCatcher, private: str
) -> None:
    call = installation(names={"inner.example": [[private]]})
    error = await refused(call, "http.request", {"url": f"http://inner.example:{http_stub.port}/"})
    assert (error.type, error.type.retryable) == (ErrorType.EGRESS_BLOCKED, False)
    assert (await refused(call, "email.send", **mail("inner.example", smtp_catcher.port))).type is error.type
    assert (http_stub.requests, smtp_catcher.mails) == ([], [])


async def test_a_name_that_is_public_first_and_private_then_is_refused_then(
    installation: Installation, http_stub: HttpStub
) -> None:
    # The first answer may be called: it is on the allow-list, so that something answers there. The second may not.
    call = installation(allow=("127.0.0.1",), names={"rebinding.example": [["127.0.0.1"], ["127.0.0.2"]]})
    http_stub.answer("/", Answer(headers={"Connection": "close"}))
    url = f"http://rebinding.example:{http_stub.port}/"
    assert (await call("http.request", {"url": url})).status_code == 200
    error = await refused(call, "http.request", {"url": url})
    assert (error.type, len(http_stub.requests)) == (ErrorType.EGRESS_BLOCKED, 1)


async def test_of_several_addresses_only_those_allowed_are_called(
    installation: Installation, http_stub: HttpStub
) -> None:
    call = installation(allow=("127.0.0.1",), names={"both.example": [["127.0.0.2", "10.0.0.1", "127.0.0.1"]]})
    assert (await call("http.request", {"url": f"http://both.example:{http_stub.port}/"})).status_code == 200


async def test_a_redirect_to_a_name_of_a_private_address_is_refused(
    installation: Installation, http_stub: HttpStub
) -> None:
    call = installation(
        allow=("127.0.0.1",), names={"public.example": [["127.0.0.1"]], "inner.example": [["127.0.0.2"]]}
    )
    for index, target in enumerate(
        ("inner.example", "127.0.0.2", "0x7f.2", "2130706434", "[::ffff:127.0.0.2]", "u:p@127.0.0.2", "localhost")
    ):
        to = f"http://{target}:{http_stub.port}/secret"
        http_stub.answer(f"/{index}", Answer(status=302, headers={"Location": to}))
        error = await refused(call, "http.request", {"url": f"http://public.example:{http_stub.port}/{index}"})
        assert error.type in (*REFUSED, ErrorType.PROVIDER_REJECTED), target
    assert http_stub.asked("/secret") == []


async def test_a_long_chain_of_redirects_ends(installation: Installation, http_stub: HttpStub) -> None:
    call = installation(allow=("127.0.0.1",))
    for number in range(20):
        http_stub.answer(f"/{number}", Answer(status=302, headers={"Location": f"/{number + 1}"}))
    error = await refused(call, "http.request", {"url": f"{http_stub.url}/0"})
    assert (error.type, len(http_stub.requests)) == (ErrorType.PROVIDER_REJECTED, MAX_REDIRECTS + 1)
    http_stub.answer("/self", Answer(status=307, headers={"Location": "/self"}))
    error = await refused(call, "http.request", {"url": f"{http_stub.url}/self", "method": "POST"})
    assert (error.type, len(http_stub.asked("/self"))) == (ErrorType.PROVIDER_REJECTED, MAX_REDIRECTS + 1)


# A workspace's own list


async def test_a_workspace_that_keeps_to_a_list_reaches_what_is_on_it(
    installation: Installation, http_stub: HttpStub, smtp_catcher: SmtpCatcher
) -> None:
    names: Names = {name: [["127.0.0.1"]] for name in ("api.example", "eu.crm.example", "mail.example")}
    call = installation(allow=("127.0.0.1",), names=names, hosts=["API.example.", "*.crm.example", "mail.example"])
    for host in ("api.example", "API.EXAMPLE", "eu.crm.example"):
        url = f"http://{host}:{http_stub.port}/"
        assert (await call("http.request", {"url": url})).status_code == 200, host
    await call("email.send", **mail("mail.example", smtp_catcher.port))
    assert len(smtp_catcher.mails) == 1


@pytest.mark.parametrize(
    "host",
    [
        "other.example",
        "crm.example",
        "api.example.evil.example",
        "evilcrm.example",
        "xapi.example",
        "127.0.0.1",
        "0x7f.1",
    ],
)
async def test_a_workspace_that_keeps_to_a_list_reaches_nothing_else(
    installation: Installation, http_stub: HttpStub, smtp_catcher: SmtpCatcher, host: str
) -> None:
    call = installation(
        allow=("127.0.0.1",), names={host: [["127.0.0.1"]]}, hosts=["api.example", "*.crm.example", "10.0.0.1"]
    )
    for action in ("http.request", "webhook.send"):
        error = await refused(call, action, {"url": f"http://{host}:{http_stub.port}/"})
        assert error.type is ErrorType.EGRESS_BLOCKED
        assert "egress.allow_hosts" in error.message
    error = await refused(call, "email.send", **mail(host, smtp_catcher.port))
    assert error.type is ErrorType.EGRESS_BLOCKED
    assert (http_stub.requests, smtp_catcher.mails) == ([], [])


async def test_a_redirect_leads_off_a_workspaces_list_as_little(
    installation: Installation, http_stub: HttpStub
) -> None:
    names: Names = {"api.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    call = installation(allow=("127.0.0.1",), names=names, hosts=["api.example"])
    http_stub.answer("/x", Answer(status=302, headers={"Location": f"http://other.example:{http_stub.port}/secret"}))
    error = await refused(call, "http.request", {"url": f"http://api.example:{http_stub.port}/x"})
    assert error.type is ErrorType.EGRESS_BLOCKED
    assert "other.example" in error.message
    assert http_stub.asked("/secret") == []


async def test_a_workspaces_list_opens_no_private_address(installation: Installation, http_stub: HttpStub) -> None:
    call = installation(names={"inner.example": [["127.0.0.1"]]}, hosts=["inner.example", "127.0.0.1", "localhost"])
    for host in ("inner.example", "127.0.0.1"):
        error = await refused(call, "http.request", {"url": f"http://{host}:{http_stub.port}/"})
        assert error.type is ErrorType.EGRESS_BLOCKED
        assert "HOLDFAST_EGRESS_ALLOW" in error.message
    assert http_stub.requests == []


async def test_a_connection_one_workspace_opened_is_no_way_in_for_another(
    installation: Installation, http_stub: HttpStub
) -> None:
    call = installation(allow=("127.0.0.1",))
    url = f"{http_stub.url}/"
    assert (await call("http.request", {"url": url})).status_code == 200
    narrow = ActionCaller(call.http.within("another", EgressSettings(mode="listed").hosts()), call.settings)
    assert (await refused(narrow, "http.request", {"url": url})).type is ErrorType.EGRESS_BLOCKED


# How much, and how long


async def test_all_that_goes_to_and_fro_in_a_call_counts_together(
    installation: Installation, http_stub: HttpStub
) -> None:
    call = installation(allow=("127.0.0.1",), max_call_bytes=100_000, max_response_bytes=80_000)
    for number in range(4):
        there = {"Location": f"/{number + 1}"}
        http_stub.answer(f"/{number}", Answer(status=302, headers=there, body="x" * 40_000))
    error = await refused(call, "http.request", {"url": f"{http_stub.url}/0"})
    assert error.type is ErrorType.RESPONSE_TOO_LARGE
    assert len(http_stub.requests) <= 3
    inputs = {"url": http_stub.url, "method": "POST", "body": "x" * 120_000}
    error = await refused(call, "http.request", inputs)
    assert error.type is ErrorType.INVALID_INPUT
    assert "100,000 bytes" in error.message
    assert http_stub.asked("/") == []


async def test_a_mail_larger_than_a_call_may_be_is_not_sent(
    installation: Installation, smtp_catcher: SmtpCatcher
) -> None:
    call = installation(allow=("127.0.0.1",), max_call_bytes=100_000)
    sending = mail("127.0.0.1", smtp_catcher.port)
    error = await refused(
        call, "email.send", {**sending["inputs"], "text": "x\n" * 60_000}, connection=sending["connection"]
    )
    assert error.type is ErrorType.INVALID_INPUT
    assert smtp_catcher.mails == []


async def test_headers_of_an_answer_have_a_size(installation: Installation, http_stub: HttpStub) -> None:
    call = installation(allow=("127.0.0.1",))
    http_stub.answer("/long", Answer(headers={"X-Long": "x" * 20_000}))
    http_stub.answer("/many", Answer(headers={f"X-{number}": "x" for number in range(300)}))
    http_stub.answer("/large", Answer(headers={f"X-{number}": "x" * 7000 for number in range(12)}))
    for path, type in (("/long", None), ("/many", None), ("/large", ErrorType.RESPONSE_TOO_LARGE)):
        error = await refused(call, "http.request", {"url": f"{http_stub.url}{path}"})
        assert error.type is (type or ErrorType.CONNECTION_FAILED), path


async def test_no_call_takes_longer_than_the_installation_lets_it(
    installation: Installation, http_stub: HttpStub
) -> None:
    call = installation(allow=("127.0.0.1",), max_call_seconds=0.1)
    http_stub.answer("/x", Answer(hang=True))
    error = await refused(call, "http.request", {"url": f"{http_stub.url}/x", "timeout": "1h"})
    assert error.type is ErrorType.TIMEOUT
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = await refused(call, "email.send", **mail("127.0.0.1", silent.getsockname()[1]))
    assert error.type is ErrorType.TIMEOUT


async def test_names_are_only_asked_for_through_the_rule(installation: Installation, http_stub: HttpStub) -> None:
    # A host on the installation's list may resolve to anything, and is asked for in a share as well.
    asked: list[tuple[str, object]] = []

    class Counted(NameLookups):
        async def addresses(self, host: str, port: int, asker: object) -> Any:
            asked.append((host, asker))
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    settings = Settings(egress_allow=("intern.example",))
    client = HttpClient(settings, names=Counted())
    call = ActionCaller(client.within("a workspace", None), settings)
    await call("http.request", {"url": f"http://intern.example:{http_stub.port}/"})
    assert isinstance(client.egress, EgressPolicy)
    assert asked == [("intern.example", "a workspace")]
    await client.close()
