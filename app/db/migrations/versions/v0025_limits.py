"""Plans of workspaces, the runs of each month, and the windows that requests are counted in.

A run is counted by the database, in the transaction that inserts it: whoever inserts it cannot forget. One refused
before it began is none. The count of a month is spread over some rows, so that starts at once do not wait for each
other; a connection always takes the same one, so that two transactions cannot wait in a circle.

What requests are counted in is worth nothing after a crash: its table is not logged.
"""

from alembic import op

revision = "0025"
down_revision = "0024"

GUARDED = ("executions", "rate_windows")


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE workspaces
            ADD COLUMN plan text NOT NULL DEFAULT 'own',
            ADD COLUMN plan_overrides jsonb NOT NULL DEFAULT '{}',
            ADD COLUMN history_days integer;

        CREATE TABLE executions (
            workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id) ON DELETE CASCADE,
            month text NOT NULL, slot integer NOT NULL, runs bigint NOT NULL,
            PRIMARY KEY (workspace_id, month, slot)
        );

        CREATE FUNCTION count_execution() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO executions AS counted (workspace_id, month, slot, runs)
            VALUES (NEW.workspace_id, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), pg_backend_pid() % 16, 1)
            ON CONFLICT (workspace_id, month, slot) DO UPDATE SET runs = counted.runs + 1;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER runs_counted AFTER INSERT ON runs
            FOR EACH ROW WHEN (NEW.finished_at IS NULL) EXECUTE FUNCTION count_execution();

        CREATE UNLOGGED TABLE rate_windows (
            workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id) ON DELETE CASCADE,
            key text NOT NULL, number bigint NOT NULL, hits integer NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (workspace_id, key, number)
        );
        """
    )
    for table in GUARDED:
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
    op.execute(
        """
        DROP TRIGGER runs_counted ON runs;
        DROP FUNCTION count_execution();
        DROP TABLE rate_windows, executions;
        ALTER TABLE workspaces DROP COLUMN plan, DROP COLUMN plan_overrides, DROP COLUMN history_days;
        """
    )
