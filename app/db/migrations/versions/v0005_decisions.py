"""Decisions about held steps, and the variables a run was given: what a retry begins with again."""

from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE steps ADD COLUMN decision jsonb; ALTER TABLE runs ADD COLUMN given_variables jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE steps DROP COLUMN decision; ALTER TABLE runs DROP COLUMN given_variables")
