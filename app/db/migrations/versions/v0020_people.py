"""Members of workspaces, what state a workspace is in, and rows that cannot be there without their workspace.

What crosses workspaces is asked by a role of its own from here on (`app.db.platform_role`): the functions that
answered the application's role as the tables' owner are gone. A worker of the version before does no upkeep until it is
replaced.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

_ROOTS = ("api_keys", "workflows", "runs", "events", "connections", "schedules")
"""Tables whose rows hang on nothing but their workspace; all others hang on rows of these."""


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE workspaces
            ADD COLUMN state text NOT NULL DEFAULT 'active',
            ADD COLUMN state_changed_at timestamptz NOT NULL DEFAULT now(),
            ADD CONSTRAINT workspaces_state CHECK (state IN ('active', 'suspended', 'deleting'));

        -- The installation itself, whose keys are the platform administrator's. It is no tenant.
        SELECT set_config('holdfast.workspace_id', '00000000-0000-0000-0000-000000000000', true);
        INSERT INTO workspaces (workspace_id, name) VALUES ('00000000-0000-0000-0000-000000000000', 'Platform');
        SELECT set_config('holdfast.workspace_id', '', true);

        CREATE FUNCTION keep_deleting() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a workspace that is being deleted stays so'
                USING ERRCODE = 'integrity_constraint_violation';
        END $$;
        CREATE TRIGGER workspaces_keep_deleting BEFORE UPDATE ON workspaces FOR EACH ROW
            WHEN (OLD.state = 'deleting' AND NEW.state <> 'deleting') EXECUTE FUNCTION keep_deleting();

        ALTER TABLE api_keys ADD CONSTRAINT api_keys_role CHECK (
            (role = 'platform') = (workspace_id = '00000000-0000-0000-0000-000000000000'));

        CREATE TABLE members (
            workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id) ON DELETE CASCADE,
            id uuid NOT NULL, subject text NOT NULL, role text NOT NULL, name text, email text, invited_by text,
            created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
            last_seen_at timestamptz,
            PRIMARY KEY (workspace_id, id),
            CONSTRAINT members_role CHECK (role IN ('viewer', 'operator', 'editor', 'admin'))
        );
        CREATE UNIQUE INDEX members_subject ON members (workspace_id, subject);
        CREATE INDEX members_workspaces ON members (subject, workspace_id);
        ALTER TABLE members ENABLE ROW LEVEL SECURITY;
        ALTER TABLE members FORCE ROW LEVEL SECURITY;
        CREATE POLICY workspace ON members
            USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
            WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);

        DROP FUNCTION workspace_ids();
        DROP POLICY owner_lists ON workspaces;
        DROP FUNCTION workspace_of_run(uuid);
        DROP POLICY owner_finds ON runs;
        """
    )
    for table in _ROOTS:
        op.execute(
            f"""
            ALTER TABLE {table} ADD CONSTRAINT {table}_workspace
                FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id) ON DELETE CASCADE
            """
        )


def downgrade() -> None:
    for table in _ROOTS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_workspace")
    op.execute(
        """
        DROP TABLE members;
        DROP POLICY IF EXISTS platform ON workspaces;
        DROP POLICY IF EXISTS platform ON runs;
        DO $$ BEGIN
            EXECUTE format('CREATE POLICY owner_lists ON workspaces FOR SELECT TO %I USING (true)', current_user);
            EXECUTE format('CREATE POLICY owner_finds ON runs FOR SELECT TO %I USING (true)', current_user);
        END $$;
        CREATE FUNCTION workspace_ids() RETURNS SETOF uuid
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
            AS 'SELECT workspace_id FROM workspaces ORDER BY workspace_id';
        CREATE FUNCTION workspace_of_run(run uuid) RETURNS uuid
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
            AS 'SELECT workspaces.workspace_id FROM workspaces CROSS JOIN LATERAL (
                    SELECT FROM runs WHERE runs.workspace_id = workspaces.workspace_id AND runs.id = run LIMIT 1
                ) AS found LIMIT 1';
        ALTER TABLE api_keys DROP CONSTRAINT api_keys_role;
        SELECT set_config('holdfast.workspace_id', '00000000-0000-0000-0000-000000000000', true);
        DELETE FROM api_keys WHERE workspace_id = '00000000-0000-0000-0000-000000000000';
        DELETE FROM workspaces WHERE workspace_id = '00000000-0000-0000-0000-000000000000';
        SELECT set_config('holdfast.workspace_id', '', true);
        DROP TRIGGER workspaces_keep_deleting ON workspaces;
        DROP FUNCTION keep_deleting();
        ALTER TABLE workspaces DROP CONSTRAINT workspaces_state, DROP COLUMN state, DROP COLUMN state_changed_at;
        """
    )
