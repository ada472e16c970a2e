"""A key may be given a new text while the old one works a little longer."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE api_keys
            ADD COLUMN previous_prefix text,
            ADD COLUMN previous_hash text,
            ADD COLUMN previous_until timestamptz;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE api_keys
            DROP COLUMN previous_prefix, DROP COLUMN previous_hash, DROP COLUMN previous_until;
        """
    )
