"""Keys of waits: by what an event finds those it may end, without looking at all that wait for its type.

Waits that are open already have no key and are looked at for every event of their type until they close. Workers of an
older version may run beside newer ones for long: they know no keys, and one that makes a wait say something else must
not leave the old key with it.
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE waits ADD COLUMN key_fields text, ADD COLUMN key_digest bigint;
        DROP INDEX waits_open;
        CREATE INDEX waits_open ON waits (workspace_id, event, key_fields, key_digest) WHERE closed_at IS NULL;
        CREATE FUNCTION forget_key() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.key_fields := NULL;
            NEW.key_digest := NULL;
            RETURN NEW;
        END $$;
        CREATE TRIGGER waits_key BEFORE UPDATE OF match, context ON waits FOR EACH ROW
            WHEN ((NEW.match, NEW.context) IS DISTINCT FROM (OLD.match, OLD.context)
                  AND (NEW.key_fields, NEW.key_digest) IS NOT DISTINCT FROM (OLD.key_fields, OLD.key_digest))
            EXECUTE FUNCTION forget_key();
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP TRIGGER waits_key ON waits;
        DROP FUNCTION forget_key();
        DROP INDEX waits_open;
        ALTER TABLE waits DROP COLUMN key_fields, DROP COLUMN key_digest;
        CREATE INDEX waits_open ON waits (workspace_id, event) WHERE closed_at IS NULL;
        """
    )
