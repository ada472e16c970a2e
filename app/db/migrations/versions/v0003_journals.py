"""What runs that survive need: journals for redriving, values too large for Temporal, and how upkeep finds its work."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = ("journals", "payloads")


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE runs ADD COLUMN redriven_from text, ADD COLUMN checked_at timestamptz;
        CREATE INDEX runs_retries ON runs (workspace_id, retry_of) WHERE retry_of IS NOT NULL;
        CREATE INDEX runs_ended ON runs (workspace_id, finished_at) WHERE finished_at IS NOT NULL;
        CREATE INDEX runs_unchecked ON runs (workspace_id, checked_at) WHERE finished_at IS NULL;
        CREATE INDEX events_dispatched ON events (workspace_id, received_at) WHERE dispatched_at IS NOT NULL;
        CREATE TABLE journals (
            workspace_id uuid NOT NULL, run_id uuid NOT NULL,
            journal jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (workspace_id, run_id),
            FOREIGN KEY (workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
        );
        CREATE TABLE payloads (
            workspace_id uuid NOT NULL, run_id uuid NOT NULL, digest text NOT NULL,
            payload bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (workspace_id, run_id, digest),
            FOREIGN KEY (workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
        );
        """
    )
    for table in _TABLES:
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
    op.execute("DROP TABLE payloads; DROP TABLE journals; DROP INDEX events_dispatched")
    op.execute("ALTER TABLE runs DROP COLUMN redriven_from, DROP COLUMN checked_at")
