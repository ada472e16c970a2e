"""Keys that a workspace's payloads in Temporal are encrypted with, each wrapped by the installation's key ring."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE payload_keys (
            workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id) ON DELETE CASCADE,
            id uuid NOT NULL,
            wrapped text,
            created_by text,
            created_at timestamptz NOT NULL DEFAULT now(),
            retired_at timestamptz,
            deleted_at timestamptz,
            PRIMARY KEY (workspace_id, id)
        );
        ALTER TABLE payload_keys ENABLE ROW LEVEL SECURITY;
        ALTER TABLE payload_keys FORCE ROW LEVEL SECURITY;
        CREATE POLICY workspace ON payload_keys
            USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
            WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE payload_keys")
