"""Approvals: what people are asked, and what they answered."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE approvals (
            workspace_id uuid NOT NULL, id uuid NOT NULL, run_id uuid NOT NULL, path text NOT NULL,
            generation integer NOT NULL, attempt integer NOT NULL,
            title text NOT NULL, message text NOT NULL, approvers text[] NOT NULL, form jsonb,
            status text NOT NULL DEFAULT 'open', answer jsonb,
            opened_at timestamptz NOT NULL DEFAULT now(), until timestamptz, closed_at timestamptz,
            PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
        );
        CREATE UNIQUE INDEX approvals_step ON approvals (workspace_id, run_id, path);
        CREATE INDEX approvals_opened ON approvals (workspace_id, opened_at, id);
        CREATE INDEX approvals_open ON approvals (workspace_id, opened_at, id) WHERE status = 'open';
        ALTER TABLE approvals ENABLE ROW LEVEL SECURITY;
        ALTER TABLE approvals FORCE ROW LEVEL SECURITY;
        CREATE POLICY workspace ON approvals
            USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
            WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE approvals")
