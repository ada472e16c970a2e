"""Keys have a role, may be narrowed to scopes, and may expire. Those there were could do everything: administrators."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE api_keys
            ADD COLUMN role text NOT NULL DEFAULT 'admin',
            ADD COLUMN scopes text[],
            ADD COLUMN created_by text,
            ADD COLUMN expires_at timestamptz;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE api_keys
            DROP COLUMN role, DROP COLUMN scopes, DROP COLUMN created_by, DROP COLUMN expires_at;
        """
    )
