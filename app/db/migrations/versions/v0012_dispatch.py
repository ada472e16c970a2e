"""Dispatching events: what finds a subscription among many, when an event was tried last, what chain of events and runs
a run is part of, and with whom it is in conversation.

Subscriptions that are there already have no key and are looked at for every event of their type until their workflow is
published again. An older process replaces all subscriptions of a workflow and knows no keys: it leaves no wrong one.
A source may be long, and an entry of an index may not: it has the beginning, in a column of its own, for under
row-level security no index of an expression is used.
"""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE events ADD COLUMN tried_at timestamptz;
        ALTER TABLE runs
            ADD COLUMN cause_depth integer NOT NULL DEFAULT 0,
            ADD COLUMN conversation text;
        CREATE INDEX runs_conversation ON runs (workspace_id, workflow_id, conversation, id)
            WHERE conversation IS NOT NULL;
        ALTER TABLE subscriptions
            ADD COLUMN key_fields text, ADD COLUMN key_digest bigint,
            ADD COLUMN source_start text GENERATED ALWAYS AS ("left"(source, 100)) STORED;
        DROP INDEX subscriptions_event;
        CREATE INDEX subscriptions_event
            ON subscriptions (workspace_id, event, key_fields, key_digest, source_start);
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX subscriptions_event;
        ALTER TABLE subscriptions DROP COLUMN key_fields, DROP COLUMN key_digest, DROP COLUMN source_start;
        CREATE INDEX subscriptions_event ON subscriptions (workspace_id, event);
        DROP INDEX runs_conversation;
        ALTER TABLE runs DROP COLUMN cause_depth, DROP COLUMN conversation;
        ALTER TABLE events DROP COLUMN tried_at;
        """
    )
