"""Connections keep what a provider needs; credentials go in, and come out for the action that uses them alone."""

from dataclasses import replace

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from uuid_utils.compat import uuid7

from app.db.models import Connection
from app.security.credentials import KeyRing
from app.services import connections
from app.services.errors import Conflict, Invalid, NotFound, Unavailable

SMTP = {"host": "mail.example.com", "port": 587, "from": "shop@example.com"}
LOGIN = {"username": "shop", "password": "hunter2"}


async def smtp(platform, workspace, name="smtp-main", **changes):
    return await connections.create(
        platform, workspace.id, **{"kind": "smtp", "name": name, "config": SMTP, "credentials": LOGIN, **changes}
    )


async def test_an_action_gets_configuration_and_credentials(platform, workspace):
    row = await smtp(platform, workspace, description="Main")
    assert (row.description, row.status, row.credential_fields) == ("Main", "active", ["password", "username"])
    resolved = await connections.resolve(platform, workspace.id, "smtp-main", "smtp")
    assert (resolved.name, resolved.kind, resolved.config, resolved.credentials) == ("smtp-main", "smtp", SMTP, LOGIN)
    assert "hunter2" not in repr(resolved)


async def test_credentials_stand_encrypted_in_the_database(platform, workspace):
    await smtp(platform, workspace)
    async with platform.database.transaction(workspace.id) as session:
        row = str((await session.execute(text("SELECT * FROM connections"))).one())
    assert "mail.example.com" in row
    assert "hunter2" not in row


async def test_a_ciphertext_copied_into_another_connection_is_refused(platform, workspace):
    await smtp(platform, workspace)
    await smtp(platform, workspace, "other", credentials=None)
    async with platform.database.transaction(workspace.id) as session:
        await session.execute(
            text(
                "UPDATE connections SET credentials = (SELECT credentials FROM connections WHERE name = 'smtp-main')"
                " WHERE name = 'other'"
            )
        )
    with pytest.raises(Conflict, match="saved for another connection") as caught:
        await connections.resolve(platform, workspace.id, "other", "smtp")
    assert caught.value.code == "credentials_unreadable"


async def test_without_a_key_ring_nothing_secret_is_kept_and_the_way_out_is_said(platform, workspace):
    keyless = replace(platform, keyring=KeyRing(()))
    with pytest.raises(Unavailable, match="HOLDFAST_ENCRYPTION_KEYS") as caught:
        await smtp(keyless, workspace)
    assert caught.value.code == "no_encryption_key"
    row = await smtp(keyless, workspace, credentials=None)
    assert row.credentials is None


async def test_credentials_of_a_key_that_is_gone_say_so(platform, workspace):
    await smtp(platform, workspace)
    other = replace(platform, keyring=KeyRing((SecretStr(KeyRing.generate_key()),)))
    with pytest.raises(Conflict, match="no key in HOLDFAST_ENCRYPTION_KEYS opens"):
        await connections.resolve(other, workspace.id, "smtp-main", "smtp")


async def test_configuration_is_merged_and_null_removes_a_key(platform, workspace):
    row = await smtp(platform, workspace)
    changed = await connections.update(
        platform,
        workspace.id,
        row.id,
        {"config": {"host": "mail2.example.com", "from": None}, "credentials": LOGIN, "description": "Second"},
    )
    assert changed.config == {"host": "mail2.example.com", "port": 587}
    assert (changed.name, changed.description) == ("smtp-main", "Second")
    assert changed.updated_at > row.updated_at
    resolved = await connections.resolve(platform, workspace.id, "smtp-main", "smtp")
    assert (resolved.config, resolved.credentials) == (changed.config, LOGIN)


SECRETIVE = {"smtp": LOGIN, "imap": LOGIN, "http": {"type": "bearer", "token": "t"}, "oauth2": {"client_secret": "s"}}
PLACES = {
    "smtp": {"host": "mail.example.com"},
    "imap": {"host": "mail.example.com"},
    "http": {"base_url": "https://api.example.com/v1"},
    "oauth2": {
        "base_url": "https://api.example.com/v1",
        "token_url": "https://login.example.com/token",
        "client_id": "c",
        "grant": "client_credentials",
    },
}


@pytest.mark.parametrize(
    ("kind", "change", "fields"),
    [
        ("smtp", {"host": "evil.example"}, ["config.host"]),
        ("smtp", {"host": "evil.example", "port": 25}, ["config.host", "config.port"]),
        ("smtp", {"security": "none"}, ["config.port", "config.security"]),
        ("imap", {"host": "evil.example"}, ["config.host"]),
        ("http", {"base_url": "https://evil.example/v1"}, ["config.base_url"]),
        ("http", {"base_url": "http://api.example.com/v1"}, ["config.base_url"]),
        ("http", {"base_url": "https://api.example.com:8443/v1"}, ["config.base_url"]),
        ("oauth2", {"token_url": "https://evil.example/token"}, ["config.token_url"]),
        ("oauth2", {"base_url": "https://evil.example/v1"}, ["config.base_url"]),
    ],
)
async def test_credentials_that_are_kept_are_not_sent_elsewhere(platform, workspace, kind, change, fields):
    row = await connections.create(
        platform, workspace.id, kind=kind, name="kept", config=PLACES[kind], credentials=SECRETIVE[kind]
    )
    with pytest.raises(Invalid, match="give the credentials along with it") as caught:
        await connections.update(platform, workspace.id, row.id, {"config": change})
    assert [problem.path for problem in caught.value.problems] == fields
    assert (await connections.get(platform, workspace.id, row.id)).config == PLACES[kind]
    given = {"config": change, "credentials": SECRETIVE[kind]}
    changed = await connections.update(platform, workspace.id, row.id, given)
    assert changed.config == PLACES[kind] | change


async def test_a_configuration_that_is_no_longer_taken_can_be_mended(platform, workspace):
    row = await smtp(platform, workspace)
    async with platform.database.transaction(workspace.id) as session:
        (await session.get_one(Connection, (workspace.id, row.id))).config = {"host": "an old one"}
    mended = {"config": {"host": "mail.example.com"}}
    with pytest.raises(Invalid, match="give the credentials along with it"):
        await connections.update(platform, workspace.id, row.id, mended)
    changed = await connections.update(platform, workspace.id, row.id, mended | {"credentials": LOGIN})
    assert changed.config == mended["config"]


async def test_a_server_may_change_when_no_credentials_are_kept_or_when_they_are_removed(platform, workspace):
    row = await smtp(platform, workspace)
    moved = {"config": {"host": "elsewhere.example"}}
    gone = await connections.update(platform, workspace.id, row.id, moved | {"credentials": None})
    assert (gone.config["host"], gone.credentials) == ("elsewhere.example", None)
    again = await connections.update(platform, workspace.id, row.id, {"config": {"host": "third.example"}})
    assert again.config["host"] == "third.example"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("smtp", {"host": "MAIL.example.com", "port": 587, "from": "a@example.com"}),
        ("imap", {"mailbox": "Other"}),
        ("http", {"base_url": "https://api.example.com/v2", "test_path": "/me"}),
        ("oauth2", {"token_url": "https://login.example.com/v2/token", "scopes": ["a"]}),
    ],
)
async def test_credentials_stay_while_they_go_to_the_same_server(platform, workspace, kind, change):
    row = await connections.create(
        platform, workspace.id, kind=kind, name="kept", config=PLACES[kind], credentials=SECRETIVE[kind]
    )
    changed = await connections.update(platform, workspace.id, row.id, {"config": change})
    assert changed.config == PLACES[kind] | change
    assert changed.credentials == row.credentials


async def test_credentials_are_replaced_as_a_whole(platform, workspace):
    row = await connections.create(
        platform,
        workspace.id,
        kind="http",
        name="api",
        config={"base_url": "https://api.example.com"},
        credentials={"type": "basic", "username": "u", "password": "p"},
    )
    await connections.update(platform, workspace.id, row.id, {"credentials": {"type": "bearer", "token": "t"}})
    resolved = await connections.resolve(platform, workspace.id, "api", "http")
    assert resolved.credentials == {"type": "bearer", "token": "t"}
    changed = await connections.update(platform, workspace.id, row.id, {"credentials": None})
    assert (changed.credentials, changed.credential_fields) == (None, [])
    assert (await connections.resolve(platform, workspace.id, "api", "http")).credentials == {}


async def test_a_kind_that_cannot_do_without_credentials_refuses_to_lose_them(platform, workspace):
    with pytest.raises(Invalid) as caught:
        await connections.create(platform, workspace.id, kind="webhook", name="hook")
    assert [problem.path for problem in caught.value.problems] == ["credentials.secret"]


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"kind": "fax"}, ["kind"]),
        ({"name": ""}, ["name"]),
        ({"name": "has space"}, ["name"]),
        ({"config": {}}, ["config.host"]),
        ({"config": {"host": "h", "prot": 25, "port": "high"}}, ["config.port", "config.prot"]),
        ({"credentials": {"username": "shop", "pasword": "hunter2"}}, ["credentials.pasword"]),
    ],
)
async def test_what_does_not_fit_its_kind_is_refused_without_repeating_it(platform, workspace, changes, paths):
    with pytest.raises(Invalid) as caught:
        await smtp(platform, workspace, **changes)
    assert [problem.path for problem in caught.value.problems] == paths
    assert "hunter2" not in str(caught.value.problems) + caught.value.detail


async def test_a_name_belongs_to_one_connection(platform, workspace):
    await smtp(platform, workspace)
    second = await smtp(platform, workspace, "second")
    for attempt in (
        smtp(platform, workspace),
        connections.update(platform, workspace.id, second.id, {"name": "smtp-main"}),
    ):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "connection_name_taken"


async def test_an_action_is_told_that_a_connection_is_missing_or_of_another_kind(platform, workspace):
    await smtp(platform, workspace)
    with pytest.raises(NotFound, match="no connection named 'smtp-mian'"):
        await connections.resolve(platform, workspace.id, "smtp-mian", "smtp")
    with pytest.raises(Conflict, match="of kind smtp; one of kind http is needed"):
        await connections.resolve(platform, workspace.id, "smtp-main", "http")


async def test_they_are_listed_by_name_in_pages(platform, workspace):
    for name in ("c", "a", "e", "b", "d"):
        await smtp(platform, workspace, name)
    hook = {"kind": "webhook", "credentials": {"secret": "whsec_" + "A" * 32}}
    await connections.create(platform, workspace.id, name="hook", **hook)
    seen, cursor = [], None
    while True:
        page = await connections.list_(platform, workspace.id, kind="smtp", limit=2, cursor=cursor)
        seen += [row.name for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["a", "b", "c", "d", "e"]
    with pytest.raises(Invalid):
        await connections.list_(platform, workspace.id, cursor="no")


async def test_a_deleted_connection_is_gone(platform, workspace):
    row = await smtp(platform, workspace)
    await connections.delete(platform, workspace.id, row.id)
    for attempt in (
        connections.get(platform, workspace.id, row.id),
        connections.delete(platform, workspace.id, row.id),
        connections.update(platform, workspace.id, row.id, {}),
        connections.resolve(platform, workspace.id, "smtp-main", "smtp"),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_another_workspace_does_not_see_it(platform, workspace):
    row = await smtp(platform, workspace)
    with pytest.raises(NotFound):
        await connections.get(platform, uuid7(), row.id)


async def test_its_last_use_says_what_went_wrong_until_it_works_again(platform, workspace):
    row = await smtp(platform, workspace)
    for error, status in (("login refused", "error"), (None, "active")):
        await connections.note_use(platform, workspace.id, "smtp-main", error=error)
        used = await connections.get(platform, workspace.id, row.id)
        assert (used.status, used.last_error) == (status, error)
        assert used.last_used_at is not None


async def test_use_without_news_is_noted_at_most_once_a_minute(platform, workspace):
    row = await smtp(platform, workspace)
    await connections.note_use(platform, workspace.id, "smtp-main", error=None)
    first = (await connections.get(platform, workspace.id, row.id)).last_used_at
    await connections.note_use(platform, workspace.id, "smtp-main", error=None)
    assert (await connections.get(platform, workspace.id, row.id)).last_used_at == first
