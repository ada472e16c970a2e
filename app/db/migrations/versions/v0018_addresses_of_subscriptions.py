"""By what an event finds subscriptions and waits: columns of their own, and no other index fit for the question.

A database that knows nothing yet of a workspace (statistics come minutes after the rows) takes any index that begins
with the workspace for as good as any other, and then looks at all rows of the workspace. So the workspace stands within
the texts that are looked for, and primary keys begin with the workflow and the run: an older worker's ON CONFLICT names
a key's columns in any order. For the same reason the fields in which keys stand are found by functions that may not
sort: from each to the next one in the index, however many rows have it.

`source_start` stays for processes of the version before, which look for subscriptions where it is null.
"""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute(
        """
        DROP INDEX subscriptions_event;
        ALTER TABLE subscriptions
            DROP CONSTRAINT subscriptions_pkey,
            ADD PRIMARY KEY (workflow_id, position, workspace_id),
            ADD COLUMN source_key text NOT NULL GENERATED ALWAYS AS (COALESCE("left"(source, 100), '')) STORED,
            ADD COLUMN of_event text NOT NULL GENERATED ALWAYS AS (workspace_id::text || ' ' || event) STORED,
            ADD COLUMN address text NOT NULL GENERATED ALWAYS AS (
                workspace_id::text || ' ' || event || COALESCE(' ' || key_digest::text, '')) STORED;
        CREATE INDEX subscriptions_address ON subscriptions (address, source_key);
        CREATE INDEX subscriptions_fields ON subscriptions (of_event, key_fields) WHERE key_fields IS NOT NULL;

        DROP INDEX waits_open;
        ALTER TABLE waits
            DROP CONSTRAINT waits_pkey,
            ADD PRIMARY KEY (run_id, path, workspace_id),
            ADD COLUMN of_event text NOT NULL GENERATED ALWAYS AS (workspace_id::text || ' ' || event) STORED;
        CREATE INDEX waits_open ON waits (of_event, key_fields, key_digest) WHERE closed_at IS NULL;

        CREATE FUNCTION fields_of_subscriptions(workspace uuid, patterns text[]) RETURNS SETOF text
            LANGUAGE plpgsql STABLE SET enable_sort = off SET enable_seqscan = off AS $$
        DECLARE
            pattern text;
            found text;
        BEGIN
            FOREACH pattern IN ARRAY patterns LOOP
                SELECT key_fields INTO found FROM subscriptions
                WHERE of_event = workspace::text || ' ' || pattern AND key_fields IS NOT NULL
                ORDER BY key_fields LIMIT 1;
                WHILE found IS NOT NULL LOOP
                    RETURN NEXT found;
                    SELECT key_fields INTO found FROM subscriptions
                    WHERE of_event = workspace::text || ' ' || pattern AND key_fields > found
                    ORDER BY key_fields LIMIT 1;
                END LOOP;
            END LOOP;
        END $$;

        CREATE FUNCTION fields_of_waits(workspace uuid, patterns text[]) RETURNS SETOF text
            LANGUAGE plpgsql STABLE SET enable_sort = off SET enable_seqscan = off AS $$
        DECLARE
            pattern text;
            found text;
        BEGIN
            FOREACH pattern IN ARRAY patterns LOOP
                SELECT key_fields INTO found FROM waits
                WHERE of_event = workspace::text || ' ' || pattern AND closed_at IS NULL AND key_fields IS NOT NULL
                ORDER BY key_fields LIMIT 1;
                WHILE found IS NOT NULL LOOP
                    RETURN NEXT found;
                    SELECT key_fields INTO found FROM waits
                    WHERE of_event = workspace::text || ' ' || pattern AND closed_at IS NULL AND key_fields > found
                    ORDER BY key_fields LIMIT 1;
                END LOOP;
            END LOOP;
        END $$;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION fields_of_subscriptions;
        DROP FUNCTION fields_of_waits;
        DROP INDEX waits_open;
        ALTER TABLE waits
            DROP COLUMN of_event,
            DROP CONSTRAINT waits_pkey,
            ADD PRIMARY KEY (workspace_id, run_id, path);
        CREATE INDEX waits_open ON waits (workspace_id, event, key_fields, key_digest) WHERE closed_at IS NULL;
        DROP INDEX subscriptions_address;
        DROP INDEX subscriptions_fields;
        ALTER TABLE subscriptions
            DROP COLUMN address,
            DROP COLUMN of_event,
            DROP COLUMN source_key,
            DROP CONSTRAINT subscriptions_pkey,
            ADD PRIMARY KEY (workspace_id, workflow_id, position);
        CREATE INDEX subscriptions_event
            ON subscriptions (workspace_id, event, key_fields, key_digest, source_start);
        """
    )
