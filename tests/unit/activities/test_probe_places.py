"""Tests of connections that do not end: they hold up neither other workspaces nor other work of the process."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import cast
from uuid import UUID

import pytest

from activities.connection_tests import ConnectionTester
from activities.http_client import HttpClient
from activities.probes.places import AT_ONCE, OF_A_WORKSPACE, Places
from app.services.errors import TooMany
from app.services.oauth_tokens import OAuthTokens
from app.services.platform import Platform
from app.settings import Settings
from tests.support.invocations import connection_of


def test_one_workspace_gets_its_part_and_others_still_get_theirs() -> None:
    places = Places()
    with ExitStack() as held:
        for _ in range(OF_A_WORKSPACE):
            held.enter_context(places.taken(UUID(int=1)))
        with pytest.raises(TooMany, match="your workspace") as refused, places.taken(UUID(int=1)):
            pass
        assert (refused.value.code, refused.value.retry_after > 0) == ("too_many_tests", True)
        with places.taken(UUID(int=2)):
            pass
    with places.taken(UUID(int=1)):
        pass


def test_a_process_has_no_more_under_way_than_it_may() -> None:
    places = Places()
    with ExitStack() as held:
        for number in range(AT_ONCE):
            held.enter_context(places.taken(UUID(int=number // OF_A_WORKSPACE)))
        with pytest.raises(TooMany, match="this process"), places.taken(UUID(int=AT_ONCE)):
            pass


def test_a_place_is_given_back_by_a_test_that_fails() -> None:
    places = Places()
    for _ in range(OF_A_WORKSPACE + 1):
        with pytest.raises(TimeoutError), places.taken(UUID(int=1)):
            raise TimeoutError


def test_a_mail_server_that_never_answers_leaves_the_threads_of_others_alone() -> None:
    asyncio.run(_while_it_is_silent())


async def _while_it_is_silent() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client of TLS speaks first: from then on its thread waits.
        await reader.read(1)
        asked.set()
        await reader.read()
        writer.close()

    http = HttpClient(Settings(egress_allow=("127.0.0.0/8",)))
    tester = ConnectionTester(cast(Platform, None), http, cast(OAuthTokens, None))
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        config = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
        box = connection_of("imap", config, {"username": "ada", "password": "correct horse"})
        probe = asyncio.ensure_future(tester._probes["imap"](box, http))
        await asked.wait()
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(int, "7") == 7
        assert not probe.done()
        probe.cancel()
        await asyncio.wait([probe])
        assert probe.cancelled()
    tester.close()
    await http.close()
