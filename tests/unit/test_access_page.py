"""The page about access says what the code holds to: who may do what, and the roles there are."""

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
