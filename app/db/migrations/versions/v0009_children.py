"""Runs that runs start, and answers of runs: who waits for a child, how deep it is nested, what a run responded.

A child that has ended and whose parent was not told, or whose parent ended without it, is what upkeep looks for: an
index of its own holds those and no others.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE runs
            ADD COLUMN parent_path text, ADD COLUMN parent_waits boolean NOT NULL DEFAULT false,
            ADD COLUMN orphaned boolean NOT NULL DEFAULT false, ADD COLUMN depth integer NOT NULL DEFAULT 0,
            ADD COLUMN response jsonb;
        CREATE UNIQUE INDEX runs_child ON runs (workspace_id, parent_run_id, idempotency_key)
            WHERE parent_run_id IS NOT NULL;
        CREATE INDEX runs_children ON runs (workspace_id, parent_run_id, id) WHERE parent_run_id IS NOT NULL;
        CREATE INDEX runs_unsettled ON runs (workspace_id, id)
            WHERE parent_waits AND (orphaned OR finished_at IS NOT NULL);
        """
    )


def downgrade() -> None:
    op.execute("DROP INDEX runs_unsettled; DROP INDEX runs_children; DROP INDEX runs_child")
    op.execute(
        "ALTER TABLE runs DROP COLUMN parent_path, DROP COLUMN parent_waits, DROP COLUMN orphaned, DROP COLUMN depth, "
        "DROP COLUMN response"
    )
