"""The event log: events by when they came, by source, subject and the run that caused them, and by id alone.

The index of dispatched events by time becomes one of all events, which serves the purge as well; and the primary key
begins with the id, so that an event is found without its source and no further index is written for it. The run that
caused an event is a column of its own, since row-level security lets no condition on a part of JSON use an index.
`only_workflow` is set for a replay that is meant for one workflow.
"""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE events
            ADD COLUMN only_workflow uuid,
            ADD COLUMN caused_by_run text GENERATED ALWAYS AS (caused_by ->> 'run_id') STORED,
            DROP CONSTRAINT events_pkey,
            ADD PRIMARY KEY (workspace_id, id, source);
        DROP INDEX events_dispatched;
        CREATE INDEX events_received ON events (workspace_id, received_at);
        CREATE INDEX events_source ON events (workspace_id, source, received_at);
        CREATE INDEX events_subject ON events (workspace_id, subject, received_at) WHERE subject IS NOT NULL;
        CREATE INDEX events_caused ON events (workspace_id, caused_by_run, received_at)
            WHERE caused_by_run IS NOT NULL;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX events_received;
        DROP INDEX events_source;
        DROP INDEX events_subject;
        DROP INDEX events_caused;
        CREATE INDEX events_dispatched ON events (workspace_id, received_at) WHERE dispatched_at IS NOT NULL;
        ALTER TABLE events
            DROP CONSTRAINT events_pkey,
            ADD PRIMARY KEY (workspace_id, source, id),
            DROP COLUMN caused_by_run,
            DROP COLUMN only_workflow;
        """
    )
