"""Schedules: the triggers of published workflows that Temporal Schedules are made of, and the runs they start."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE schedules (
            workspace_id uuid NOT NULL, id uuid NOT NULL, workflow_id uuid NOT NULL, workflow_name text NOT NULL,
            position integer NOT NULL, trigger jsonb NOT NULL, live boolean NOT NULL,
            status text NOT NULL DEFAULT 'active', paused_reason text, paused_by text, paused_at timestamptz,
            consecutive_failures integer NOT NULL DEFAULT 0,
            last_run_id uuid, last_run_at timestamptz, last_status text, last_scheduled_for timestamptz,
            last_error text, last_triggered_for timestamptz,
            revision bigint NOT NULL DEFAULT 1, synced bigint, sync_error text, paused_in_temporal text,
            deleted_at timestamptz, checked_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (workspace_id, id)
        );
        CREATE INDEX schedules_workflow ON schedules (workspace_id, workflow_id, position);
        CREATE INDEX schedules_behind ON schedules (workspace_id, updated_at)
            WHERE synced IS DISTINCT FROM revision OR deleted_at IS NOT NULL;
        CREATE INDEX schedules_checked ON schedules (workspace_id, checked_at);
        ALTER TABLE schedules ENABLE ROW LEVEL SECURITY;
        ALTER TABLE schedules FORCE ROW LEVEL SECURITY;
        CREATE POLICY workspace ON schedules
            USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
            WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);

        ALTER TABLE runs
            ADD COLUMN schedule_id uuid, ADD COLUMN told_workflow text, ADD COLUMN told_at timestamptz;
        CREATE INDEX runs_scheduled ON runs (workspace_id, schedule_id)
            WHERE schedule_id IS NOT NULL AND finished_at IS NULL;
        CREATE INDEX runs_untold ON runs (workspace_id, id)
            WHERE told_workflow IS NOT NULL AND finished_at IS NOT NULL;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX runs_scheduled, runs_untold;
        ALTER TABLE runs DROP COLUMN schedule_id, DROP COLUMN told_workflow, DROP COLUMN told_at;
        DROP TABLE schedules;
        """
    )
