"""Whose run it is, by the run's id alone: a value too large for Temporal comes with a workflow id and nothing else.

The function runs as its owner, whom a policy of its own lets look for runs, and answers with the workspace's id. It
asks for each workspace in turn by the primary key of runs, never by a scan of them: no index that crosses tenants is
needed for what a process asks once a run.
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        DO $$ BEGIN
            EXECUTE format('CREATE POLICY owner_finds ON runs FOR SELECT TO %I USING (true)', current_user);
        END $$;
        CREATE FUNCTION workspace_of_run(run uuid) RETURNS uuid
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
            AS 'SELECT workspaces.workspace_id FROM workspaces CROSS JOIN LATERAL (
                    SELECT FROM runs WHERE runs.workspace_id = workspaces.workspace_id AND runs.id = run LIMIT 1
                ) AS found LIMIT 1';
        -- What is kept there is compressed already.
        ALTER TABLE payloads ALTER COLUMN payload SET STORAGE EXTERNAL;
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE payloads ALTER COLUMN payload SET STORAGE EXTENDED")
    op.execute("DROP FUNCTION workspace_of_run(uuid); DROP POLICY owner_finds ON runs")
