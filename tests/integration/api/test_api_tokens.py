"""People sign in with tokens: what a token and the workspace's members say together is what they may."""

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from api.main import create_app
from app.db.models import Member
from app.json import Json
from app.security import issuer_keys
from app.security.permissions import Role
from app.security.tokens import SECRET_ALGORITHMS, SecretKey, TokenReader, TokenRules
from app.services import members
from app.services.platform import Platform
from app.services.tokens import token_reader
from app.services.workspaces import create_workspace
from app.settings import Settings
from tests.conftest import TestWorkspace
from tests.integration.api.calls import WAIT, an_active_workflow, made, paths, problem
from tests.support.http_stub import Answer, HttpStub
from tests.support.tokens import AUDIENCE, ISSUER, KEYS, SECRET, claims, key_set, part, token

SIMPLE = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_secret": SECRET}


@asynccontextmanager
async def taking_tokens(
    platform: Platform, reader: TokenReader | None = None, **settings: Json
) -> AsyncIterator[httpx.AsyncClient]:
    """A client, without a key, of an API that takes tokens by these settings."""
    known = {name: getattr(platform.settings, name) for name in Settings.model_fields}
    changed = Settings(**{**known, **settings})
    reader = reader or token_reader(changed)
    assert reader is not None
    app = create_app(replace(platform, settings=changed, tokens=reader))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://holdfast.test") as client:
        yield client
    await reader.close()


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with taking_tokens(platform, **SIMPLE) as opened:
        yield opened


@pytest.fixture
def ada() -> str:
    """A subject no other test has."""
    return f"ada {uuid7()}"


async def me(client: httpx.AsyncClient, text: str, workspace: UUID | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {text}"}
    return await client.get("/v1/me", headers=headers | ({"Holdfast-Workspace": str(workspace)} if workspace else {}))


async def test_a_token_that_names_workspace_and_role_opens_it(
    client: httpx.AsyncClient, workspace: TestWorkspace
) -> None:
    said = claims(workspace=str(workspace.id), role="operator", name="Ada\x00 L.", email="ada@example.com", exp=4e9)
    who = (await me(client, token(said=said))).json()
    assert (who.pop("permissions")[:2], who.pop("expires_at")) == (
        ["me:read", "workspace:read"],
        "2096-10-02T07:06:40Z",
    )
    assert who == {
        "kind": "person",
        "name": "Ada L.",
        "key_id": None,
        "subject": "ada",
        "email": "ada@example.com",
        "workspace": {"id": str(workspace.id), "name": "Test"},
        "role": "operator",
        "scopes": None,
    }
    refused = await client.post(
        "/v1/workflows", json={"name": "x"}, headers={"Authorization": f"Bearer {token(said=said)}"}
    )
    assert "Ada L." in problem(refused, 403, "not_permitted")["detail"]
    assert (await me(client, workspace.api_key)).json()["kind"] == "key"


async def test_every_token_that_is_not_believed_gets_the_same_answer(
    client: httpx.AsyncClient, workspace: TestWorkspace
) -> None:
    good = {"workspace": str(workspace.id), "role": "admin"}
    head, payload, _ = token(said=claims(**good)).split(".")
    wrong = [
        token(said=claims(**good, exp=1)),
        token(said=claims(**good, exp=None)),
        token(said=claims(**good, aud="another")),
        token(said=claims(**good, iss="https://evil.example.com/")),
        token(said=claims(**good, nbf=4_000_000_000)),
        token("rsa", claims(**good)),
        f"{part({'alg': 'none'})}.{payload}.",
        f"{head}.{payload}.AAAA",
        f"{head}.{part(claims(**good, sub='eve'))}.AAAA",
        token(said=claims(**good), crit=["kid"]),
        token(said=claims(**good, fill="x" * 9000)),
        "a.b.c",
        "..",
    ]
    answers = [await me(client, text) for text in wrong]
    bodies = [problem(answer, 401, "invalid_token") for answer in answers]
    assert {str(body | {"request_id": ""}) for body in bodies} == {str(bodies[0] | {"request_id": ""})}
    challenges = {answer.headers["www-authenticate"] for answer in answers}
    assert challenges == {'Bearer realm="holdfast", error="invalid_token"'}
    assert (await me(client, token(said=claims(**good)))).is_success


async def test_where_no_tokens_are_taken_a_token_is_no_key(api_client: httpx.AsyncClient) -> None:
    problem(await me(api_client, token()), 401, "invalid_api_key")


async def test_a_claim_that_gives_no_role_in_a_workspace_opens_none(
    client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    other, _ = await create_workspace(platform, "Other")
    here = str(workspace.id)
    for said, wanted in (
        ({"workspace": here}, None),
        ({"workspace": here, "role": "owner"}, None),
        ({"workspace": here, "role": "platform"}, None),
        ({"workspace": here, "role": ["platform", 7, {}]}, None),
        ({"workspace": "here", "role": "admin"}, None),
        ({"workspace": 7, "role": "admin"}, None),
        ({"workspace": [here], "role": "admin"}, None),
        ({"workspace": "00000000-0000-0000-0000-000000000000", "role": "admin"}, None),
        ({"workspace": str(uuid7()), "role": "admin"}, None),
        ({"workspace": here, "role": "admin"}, other.workspace_id),
        ({"role": "admin"}, None),
        ({"role": "admin"}, workspace.id),
        ({}, workspace.id),
        ({}, uuid7()),
        ({}, UUID(int=0)),
    ):
        problem(await me(client, token(said=claims(**said)), wanted), 403, "not_a_member")


async def test_the_weaker_of_claimed_role_and_membership_counts(
    client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform, ada: str
) -> None:
    await a_member(platform, workspace.id, ada, Role.EDITOR)
    for claim, role in (
        ({}, "editor"),
        ({"role": "admin"}, "editor"),
        ({"role": "viewer"}, "viewer"),
        ({"role": ["viewer", "operator", "staff"]}, "operator"),
        ({"role": "admin", "workspace": str(workspace.id)}, "editor"),
        ({"workspace": str(workspace.id)}, "editor"),
    ):
        assert (await me(client, token(said=claims(sub=ada, **claim)))).json()["role"] == role
    problem(await me(client, token(said=claims(sub=ada, role="staff"))), 403, "not_a_member")


async def test_a_member_of_several_workspaces_says_which(
    client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform, ada: str
) -> None:
    other, _ = await create_workspace(platform, "Other")
    await a_member(platform, workspace.id, ada, Role.ADMIN)
    text = token(said=claims(sub=ada))
    assert (await me(client, text)).json()["workspace"]["name"] == "Test"
    platform.actors.clear()
    member = await a_member(platform, other.workspace_id, ada, Role.VIEWER)
    found = problem(await me(client, text), 422, "which_workspace")
    assert paths(found) == ["header.Holdfast-Workspace"]
    assert all(str(each) in found["errors"][0]["hint"] for each in (workspace.id, other.workspace_id))
    assert (await me(client, text, workspace.id)).json()["role"] == "admin"
    assert (await me(client, text, other.workspace_id)).json()["role"] == "viewer"
    await members.remove(platform, other.workspace_id, member.id)
    problem(await me(client, text, other.workspace_id), 403, "not_a_member")


async def test_nobody_is_drawn_into_a_workspace_by_being_added_to_it(
    client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform, ada: str
) -> None:
    strange, _ = await create_workspace(platform, "Strange", admin=members.FirstAdmin(ada))
    text = token(said=claims(sub=ada))
    first = problem(await me(client, text), 422, "which_workspace")
    assert "1 workspace and were in none yet" in first["detail"]
    assert first["errors"][0]["hint"] == f"one of {strange.workspace_id} (Strange, never used)"
    await members.add(platform, workspace.id, subject=ada, role=Role.EDITOR)
    assert "2 workspaces and were in none yet" in problem(await me(client, text), 422, "which_workspace")["detail"]
    # Having been in one by its name, it is the one.
    assert (await me(client, text, workspace.id)).json()["role"] == "editor"
    assert (await me(client, text)).json()["workspace"]["name"] == "Test"
    [seen] = (await members.list_(platform, workspace.id, role=None, limit=9, cursor=None)).items
    assert seen.last_seen_at is not None
    # Those somebody has been in are named first, however old the others are.
    third, _ = await create_workspace(platform, "Third")
    await a_member(platform, third.workspace_id, ada, Role.VIEWER)
    platform.actors.clear()
    hint = problem(await me(client, text), 422, "which_workspace")["errors"][0]["hint"]
    assert [hint.index(name) for name in ("(Test)", "(Third)", "(Strange, never used)")] == sorted(
        hint.index(name) for name in ("(Test)", "(Third)", "(Strange, never used)")
    )


async def test_what_becomes_of_a_member_counts_for_the_next_call(
    client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    """For persons who are known by their address too."""
    address = f"{uuid7()}@example.com"
    text = token(said=claims(email=address, email_verified=True, workspace=str(workspace.id), role="admin"))
    headers = {"Authorization": f"Bearer {workspace.api_key}"}

    async def role() -> str:
        return str((await me(client, text)).json()["role"])

    assert await role() == "admin"
    body = {"subject": address, "role": "viewer"}
    member = await made(client, "/v1/members", body, headers=headers)
    assert await role() == "viewer"
    path = f"/v1/members/{member['id']}"
    assert (await client.patch(path, json={"role": "editor"}, headers=headers)).status_code == 200
    assert await role() == "editor"
    by_membership = token(said=claims(email=address, email_verified=True))
    assert (await me(client, by_membership)).json()["role"] == "editor"
    assert (await client.delete(path, headers=headers)).status_code == 204
    problem(await me(client, by_membership), 403, "not_a_member")


async def a_member(platform: Platform, workspace_id: UUID, subject: str, role: Role) -> Member:
    """A member who has been in the workspace."""
    member = await members.add(platform, workspace_id, subject=subject, role=role)
    assert await members.role_of(platform, workspace_id, subject) is role
    return member


async def test_an_address_is_a_member_only_when_the_issuer_has_made_sure_of_it(
    client: httpx.AsyncClient, workspace: TestWorkspace, platform: Platform
) -> None:
    address = f"{uuid7()}@example.com"
    await a_member(platform, workspace.id, address, Role.EDITOR)
    for verified in (None, False, "true"):
        said = claims(email=address, email_verified=verified)
        problem(await me(client, token(said=said)), 403, "not_a_member")
    said = claims(email=address.upper(), email_verified=True)
    assert (await me(client, token(said=said))).json()["role"] == "editor"


@pytest.mark.parametrize("another", ["\u212a", "k\u200b", "k\x00"], ids=["the sign for kelvin", "no width", "U+0000"])
async def test_an_address_that_only_looks_like_a_members_is_another(
    client: httpx.AsyncClient, platform: Platform, workspace: TestWorkspace, another: str
) -> None:
    address = f"k{uuid7()}@example.com"
    await members.add(platform, workspace.id, subject=address, role=Role.EDITOR)
    said = claims(email=f"{another}{address[1:]}", email_verified=True)
    problem(await me(client, token(said=said)), 403, "not_a_member")


async def test_claims_may_have_other_names(platform: Platform, workspace: TestWorkspace) -> None:
    names = {f"jwt_{name}_claim": f"https://holdfast.example.com/{name}" for name in ("workspace", "role", "name")}
    said = {names["jwt_workspace_claim"]: str(workspace.id), names["jwt_role_claim"]: "viewer", "role": "admin"}
    async with taking_tokens(platform, **SIMPLE, **names) as client:
        who = (await me(client, token(said=claims(**said)))).json()
    assert (who["role"], who["name"]) == ("viewer", "ada")


async def test_a_token_that_runs_out_is_refused_though_it_was_just_seen(
    platform: Platform, workspace: TestWorkspace
) -> None:
    later = 0.0
    reader = TokenReader(
        TokenRules(ISSUER, AUDIENCE, 30, SECRET_ALGORITHMS), SecretKey(SECRET), clock=lambda: time.time() + later
    )
    text = token(said=claims(workspace=str(workspace.id), role="viewer"))
    known_as = f"{hashlib.sha256(text.encode()).hexdigest()} "
    async with taking_tokens(platform, reader, **SIMPLE) as client:
        assert (await me(client, text)).is_success
        known = platform.actors.get(known_as)
        assert known is not None
        platform.actors.put(known_as, replace(known, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        later = 3600.0
        problem(await me(client, text), 401, "invalid_token")


async def test_a_person_makes_keys_up_to_their_own_role_and_may_revoke_the_last_key(
    client: httpx.AsyncClient, workspace: TestWorkspace
) -> None:
    said = claims(workspace=str(workspace.id), role="admin", name="Ada")
    client.headers["Authorization"] = f"Bearer {token(said=said)}"
    key = await made(client, "/v1/api-keys", {"name": "mine", "role": "admin"})
    assert key["created_by"] == "Ada"
    for item in (await client.get("/v1/api-keys")).json()["items"]:
        assert (await client.delete(f"/v1/api-keys/{item['id']}")).status_code == 204
    assert (await client.get("/v1/api-keys", params={"status": "active"})).json()["items"] == []


async def test_what_was_published_says_who_did_it(client: httpx.AsyncClient, workspace: TestWorkspace) -> None:
    said = claims(workspace=str(workspace.id), role="editor", email="ada@example.com")
    client.headers["Authorization"] = f"Bearer {token(said=said)}"
    workflow_id = await an_active_workflow(client, WAIT)
    [version] = (await client.get(f"/v1/workflows/{workflow_id}/versions")).json()["items"]
    assert version["published_by"] == "ada@example.com"


async def test_an_issuer_rotates_its_keys_and_goes_away(
    platform: Platform, workspace: TestWorkspace, http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "PAUSE_SECONDS", 0.0)
    url = f"{http_stub.url}/jwks"
    said = claims(workspace=str(workspace.id), role="viewer")
    source = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks_url": url}
    async with taking_tokens(platform, **source) as client:
        http_stub.answer("/jwks", Answer(status=500))
        away = await me(client, token("rsa", said))
        assert away.headers["retry-after"]
        problem(away, 503, "issuer_unavailable")
        http_stub.answer("/jwks", Answer(json=key_set("rsa", "ec", "okp")))
        for name in ("rsa", "ec", "okp"):
            assert (await me(client, token(name, said))).is_success
        assert (await me(client, token("rsa", said, alg="PS256"))).is_success
        problem(await me(client, token("rsa-2", said)), 401, "invalid_token")
        problem(await me(client, token("rsa-2", said, kid="rsa")), 401, "invalid_token")
        confused = token("rsa", said, alg="HS256", key=as_secret(KEYS["rsa"].as_pem(private=False)))
        problem(await me(client, confused), 401, "invalid_token")
        http_stub.answer("/jwks", Answer(json=key_set("rsa-2")))
        assert (await me(client, token("rsa-2", said))).is_success
        platform.actors.clear()
        problem(await me(client, token("rsa", said)), 401, "invalid_token")
        http_stub.answer("/jwks", Answer(drop=True))
        platform.actors.clear()
        assert (await me(client, token("rsa-2", said))).is_success
        problem(await me(client, token("rsa", said)), 401, "invalid_token")


def as_secret(material: bytes) -> Any:
    """A key for HS256 that the library would refuse to make."""

    class Material:
        def get_op_key(self, _: str) -> bytes:
            return material

    return Material()


async def test_keys_are_fetched_under_the_rule_of_outgoing_calls(platform: Platform, http_stub: HttpStub) -> None:
    source = {
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
        "jwt_jwks_url": f"https://127.0.0.1:{http_stub.port}/jwks",
    }
    async with taking_tokens(platform, **source, egress_allow=()) as client:
        problem(await me(client, token("rsa")), 503, "issuer_unavailable")
    assert http_stub.requests == []
