"""Tokens of OAuth 2 and authorizations under way; since when a connection is what it is, and `error` for `failing`."""

from alembic import op
from sqlalchemy import text

revision = "0022"
down_revision = "0021"

_TABLES = ("oauth_tokens", "oauth_authorizations")


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE connections ADD COLUMN status_changed_at timestamptz NOT NULL DEFAULT now();
        CREATE INDEX connections_status ON connections (workspace_id, status, name);
        CREATE TABLE oauth_tokens (
            workspace_id uuid NOT NULL, connection_id uuid NOT NULL,
            tokens text, expires_at timestamptz, refresh_expires_at timestamptz, obtained_at timestamptz,
            revision bigint NOT NULL DEFAULT 1,
            lease_holder text, lease_until timestamptz,
            PRIMARY KEY (workspace_id, connection_id),
            FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id) ON DELETE CASCADE
        );
        CREATE TABLE oauth_authorizations (
            workspace_id uuid NOT NULL, id uuid NOT NULL, connection_id uuid NOT NULL,
            ticket_hash text NOT NULL, state_hash text, browser_hash text, verifier text,
            asked_by text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
            PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, connection_id) REFERENCES connections (workspace_id, id) ON DELETE CASCADE
        );
        CREATE INDEX oauth_authorizations_ticket ON oauth_authorizations (workspace_id, ticket_hash);
        CREATE INDEX oauth_authorizations_state ON oauth_authorizations (workspace_id, state_hash);
        CREATE INDEX oauth_authorizations_connection ON oauth_authorizations (workspace_id, connection_id);
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
    _rename_status("failing", "error")


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
    _rename_status("error", "failing")
    op.execute("DROP INDEX connections_status; ALTER TABLE connections DROP COLUMN status_changed_at;")


def _rename_status(before: str, after: str) -> None:
    """In all workspaces: the owner of the table sees them while the policy does not bind it, until this commits."""
    op.execute("ALTER TABLE connections NO FORCE ROW LEVEL SECURITY")
    rename = text("UPDATE connections SET status = :after WHERE status = :before")
    op.execute(rename.bindparams(before=before, after=after))
    op.execute("ALTER TABLE connections FORCE ROW LEVEL SECURITY")
