"""Messages: addresses they come in at, mailboxes they are fetched from, and calls that are not told to the end."""

from alembic import op

revision = "0016"
down_revision = "0015"

_TABLES = ("message_addresses", "mailboxes", "calls")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE message_addresses (
            workspace_id uuid NOT NULL, connection_id uuid NOT NULL,
            hash text NOT NULL, token text NOT NULL, previous_hash text, previous_until timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(), rotated_at timestamptz,
            PRIMARY KEY (workspace_id, connection_id),
            FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id) ON DELETE CASCADE
        );
        CREATE INDEX message_addresses_hash ON message_addresses (workspace_id, hash);
        CREATE INDEX message_addresses_previous ON message_addresses (workspace_id, previous_hash);
        CREATE TABLE mailboxes (
            workspace_id uuid NOT NULL, connection_id uuid NOT NULL,
            since timestamptz NOT NULL DEFAULT now(),
            uid_validity bigint, taken_uid bigint, tidied_uid bigint,
            due_at timestamptz NOT NULL DEFAULT now(), polled_at timestamptz,
            failures integer NOT NULL DEFAULT 0, created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (workspace_id, connection_id),
            FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id) ON DELETE CASCADE
        );
        CREATE INDEX mailboxes_due ON mailboxes (workspace_id, due_at);
        CREATE TABLE calls (
            workspace_id uuid NOT NULL, connection_id uuid NOT NULL, call_id text NOT NULL,
            known jsonb NOT NULL DEFAULT '{}', began_at timestamptz NOT NULL DEFAULT now(),
            due_at timestamptz NOT NULL DEFAULT now(), told_at timestamptz,
            PRIMARY KEY (workspace_id, connection_id, call_id),
            FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id) ON DELETE CASCADE
        );
        CREATE INDEX calls_due ON calls (workspace_id, due_at) WHERE told_at IS NULL;
        CREATE INDEX calls_told ON calls (workspace_id, told_at) WHERE told_at IS NOT NULL;
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
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
