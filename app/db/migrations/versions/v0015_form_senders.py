"""Who sent to a form lately, so that one address cannot send without end."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE form_senders (
            workspace_id uuid NOT NULL, workflow_id uuid NOT NULL, sender text NOT NULL, free_at timestamptz NOT NULL,
            PRIMARY KEY (workspace_id, workflow_id, sender),
            FOREIGN KEY (workspace_id, workflow_id) REFERENCES workflows (workspace_id, id) ON DELETE CASCADE
        );
        CREATE INDEX form_senders_free ON form_senders (workspace_id, free_at);
        ALTER TABLE form_senders ENABLE ROW LEVEL SECURITY;
        ALTER TABLE form_senders FORCE ROW LEVEL SECURITY;
        CREATE POLICY workspace ON form_senders
            USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
            WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE form_senders")
