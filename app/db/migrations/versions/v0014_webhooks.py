"""Incoming webhooks: the addresses of workflows, and what was delivered to them."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE webhooks (
            workspace_id uuid NOT NULL, id uuid NOT NULL, workflow_id uuid NOT NULL, position integer NOT NULL,
            name text NOT NULL DEFAULT '', token_hash text NOT NULL, secrets text NOT NULL,
            previous_until timestamptz, enabled boolean NOT NULL DEFAULT true, revision integer NOT NULL DEFAULT 1,
            total_calls bigint NOT NULL DEFAULT 0, refused_calls bigint NOT NULL DEFAULT 0, last_called_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, workflow_id) REFERENCES workflows (workspace_id, id) ON DELETE CASCADE
        );
        CREATE UNIQUE INDEX webhooks_token ON webhooks (workspace_id, token_hash);
        CREATE INDEX webhooks_workflow ON webhooks (workspace_id, workflow_id, id);
        CREATE TABLE deliveries (
            workspace_id uuid NOT NULL, id uuid NOT NULL, webhook_id uuid NOT NULL,
            received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            method text NOT NULL, query text NOT NULL DEFAULT '', headers jsonb NOT NULL DEFAULT '{}',
            content_type text, remote_address text, body bytea, size integer NOT NULL DEFAULT 0,
            status text NOT NULL, problem text, reason text, event_source text, event_id text, replay_of uuid,
            answer_status integer, duration_ms integer,
            PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, webhook_id) REFERENCES webhooks (workspace_id, id) ON DELETE CASCADE
        );
        CREATE INDEX deliveries_webhook ON deliveries (workspace_id, webhook_id, id);
        CREATE INDEX deliveries_received ON deliveries (workspace_id, received_at);
        """
    )
    for table in ("webhooks", "deliveries"):
        op.execute(
            f"""
            ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
            ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
            CREATE POLICY workspace ON {table}
                USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
                WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
            """
        )


def downgrade() -> None:
    op.execute("DROP TABLE deliveries, webhooks")
