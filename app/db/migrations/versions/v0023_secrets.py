"""Variables of a workspace. A secret one's value stands encrypted in `secret`, a plain one's in `value`."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE variables (
            workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id) ON DELETE CASCADE,
            name text NOT NULL,
            is_secret boolean NOT NULL DEFAULT false,
            value jsonb,
            secret text,
            description text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (workspace_id, name)
        );
        ALTER TABLE variables ENABLE ROW LEVEL SECURITY;
        ALTER TABLE variables FORCE ROW LEVEL SECURITY;
        CREATE POLICY workspace ON variables
            USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
            WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE variables")
