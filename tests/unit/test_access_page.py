"""The page about access says what the code holds to: who may do what, by which call, and the roles there are."""

from functools import cache

from api.main import create_app
from api.permissions import PERMISSION_OF
from app.json import JsonObject
from app.security.permissions import PERMISSIONS, Role, permissions_of
from tests.support.documents import quoted, table


def test_the_table_of_roles_and_permissions_is_the_codes() -> None:
    said = {quoted(permission)[0]: cells for permission, *cells in table("access.md", "permission")}
    may = {
        permission: ["yes" if permission in permissions_of(role) else "" for role in Role] for permission in PERMISSIONS
    }
    assert said == may


def test_every_role_is_explained_in_its_order() -> None:
    assert [quoted(row[0])[0] for row in table("access.md", "role")] == [role.value for role in Role]


@cache
def calls() -> dict[str, JsonObject]:
    """The operations of the API's document by method and path."""
    paths = create_app().openapi()["paths"]
    return {f"{method.upper()} {path}": one for path, methods in paths.items() for method, one in methods.items()}


def test_every_call_stands_beside_the_permission_it_takes() -> None:
    said = {quoted(permission)[0]: quoted(cell) for permission, cell in table("access.md", "to call these, have")}
    assert list(said) == list(PERMISSIONS)
    # The codec is no part of the document: `api.routes.codec` names its permission.
    assert said.pop("payloads:read") == ["POST /codec/decode"]
    found = {call: PERMISSION_OF[one["operationId"]] for call, one in calls().items() if call.split()[1][:4] == "/v1/"}
    assert said == {permission: [call for call in found if found[call] == permission] for permission in said}
    assert len(found) == len(PERMISSION_OF)


def test_the_apis_document_says_which_permission_a_call_takes_and_who_has_it() -> None:
    for call, one in calls().items():
        permission = PERMISSION_OF.get(one["operationId"])
        assert one.get("x-permission") == permission, call
        if permission is not None:
            told = one["description"].splitlines()[-1]
            roles = [role.value for role in Role if permission in permissions_of(role)]
            assert quoted(told) == [permission, *roles], call
