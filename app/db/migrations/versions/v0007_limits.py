"""Limits of a workflow's runs: keys, queues and numbers of runs, with the indexes that count and find them.

Nothing but limited runs is in these indexes, `runs_unlaunched` aside: it finds what is to be handed to Temporal beside
a long queue of what is not.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE runs
            ADD COLUMN once_key text, ADD COLUMN concurrency_key text, ADD COLUMN queue text,
            ADD COLUMN rate_number bigint, ADD COLUMN replaced_by uuid,
            ADD COLUMN cancel_due boolean NOT NULL DEFAULT false;
        CREATE UNIQUE INDEX runs_once ON runs (workspace_id, workflow_id, once_key) WHERE once_key IS NOT NULL;
        CREATE UNIQUE INDEX runs_rate ON runs (workspace_id, workflow_id, rate_number) WHERE rate_number IS NOT NULL;
        CREATE INDEX runs_places ON runs (workspace_id, workflow_id, concurrency_key, id)
            WHERE concurrency_key IS NOT NULL AND finished_at IS NULL AND (queue IS NULL OR queue = 'rate');
        CREATE INDEX runs_queued ON runs (workspace_id, workflow_id, concurrency_key, id) WHERE queue = 'concurrency';
        CREATE INDEX runs_delayed ON runs (workspace_id, workflow_id, id) WHERE queue = 'rate';
        CREATE INDEX runs_cancel_due ON runs (workspace_id, id) WHERE cancel_due AND finished_at IS NULL;
        CREATE INDEX runs_unlaunched ON runs (workspace_id, id) WHERE status = 'pending' AND queue IS NULL;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX runs_once, runs_rate, runs_places, runs_queued, runs_delayed, runs_cancel_due, runs_unlaunched;
        ALTER TABLE runs
            DROP COLUMN once_key, DROP COLUMN concurrency_key, DROP COLUMN queue, DROP COLUMN rate_number,
            DROP COLUMN replaced_by, DROP COLUMN cancel_due;
        """
    )
