"""Subscriptions of every kind of trigger that an event reaches, and what else such a trigger says about its starts."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE subscriptions
            ADD COLUMN kind text NOT NULL DEFAULT 'event',
            ADD COLUMN options jsonb NOT NULL DEFAULT '{}';
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DELETE FROM subscriptions WHERE kind <> 'event';
        ALTER TABLE subscriptions DROP COLUMN kind, DROP COLUMN options;
        """
    )
