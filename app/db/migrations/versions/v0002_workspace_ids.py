"""The one question that crosses workspaces: which there are. The sweeps that finish what a crash left begin with it.

The function runs as its owner, whom a policy of its own lets read that one table; it answers with ids and nothing else.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        DO $$ BEGIN
            EXECUTE format('CREATE POLICY owner_lists ON workspaces FOR SELECT TO %I USING (true)', current_user);
        END $$;
        CREATE FUNCTION workspace_ids() RETURNS SETOF uuid
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
            AS 'SELECT workspace_id FROM workspaces ORDER BY workspace_id';
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION workspace_ids(); DROP POLICY owner_lists ON workspaces")
