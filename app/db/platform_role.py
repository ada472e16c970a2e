"""The platform's own role: the one that may ask across workspaces, and what exactly it may. Nobody else gets more.

The application's role sees one workspace at a time and nothing besides. What the installation itself has to know (which
workspaces there are, whose a run is, where somebody is a member, that a workspace is gone) is asked as this role, whose
queries stand in `app.store.sweeps` alone. Its rights are brought to what stands here by each `migrate`.
"""

from psycopg import Connection, sql

from app.db.engine import driver_url

SUFFIX = "_platform"
"""What its name has behind that of the application's role, where nothing else is configured."""
_LONGEST_NAME = 63
"""Bytes of a name PostgreSQL keeps."""

RIGHTS = {
    "workspaces": ("SELECT", "UPDATE (name, state, state_changed_at)", "DELETE"),
    "runs": ("SELECT (workspace_id, id)",),
    "members": ("SELECT (workspace_id, subject, role, last_seen_at)",),
}
"""All it may, by table. The installation's own row among the workspaces is none of it."""

_ROWS = {
    "workspaces": "FOR ALL TO {role} USING (workspace_id <> '00000000-0000-0000-0000-000000000000')",
    "runs": "FOR SELECT TO {role} USING (true)",
    "members": "FOR SELECT TO {role} USING (true)",
}


def platform_url(app_url: str, given: str | None = None) -> str:
    """The `postgresql://` URL of the platform's role: as given, else that of the application's role with another user.
    Raises `ValueError` when that name is too long."""
    if given:
        return given
    url = driver_url(app_url)
    name = f"{url.username or ''}{SUFFIX}"
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f'the role name "{name}" is too long: name another in HOLDFAST_PLATFORM_DATABASE_URL')
    return url.set(drivername="postgresql", username=name).render_as_string(hide_password=False)


def admit(connection: Connection, name: str) -> None:
    """Give the role its rights and policies, where it does not have them, and nothing else."""
    role = sql.Identifier(name)
    revokes = "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}", "GRANT USAGE ON SCHEMA public TO {role}"
    for statement in revokes:
        connection.execute(sql.SQL(statement).format(role=role))
    for table, rights in RIGHTS.items():
        for right in rights:
            grant = sql.SQL(f"GRANT {right} ON {table} TO {{role}}")
            connection.execute(grant.format(role=role))
        if _policy_is_of(connection, table) != name:
            # Only then: to make a policy is to lock the table for everybody.
            connection.execute(sql.SQL(f"DROP POLICY IF EXISTS platform ON {table}"))
            connection.execute(sql.SQL(f"CREATE POLICY platform ON {table} {_ROWS[table]}").format(role=role))


def _policy_is_of(connection: Connection, table: str) -> str | None:
    found = connection.execute(
        "SELECT roles[1] FROM pg_policies WHERE schemaname = 'public' AND tablename = %s AND policyname = 'platform'",
        (table,),
    ).fetchone()
    return None if found is None else str(found[0])
