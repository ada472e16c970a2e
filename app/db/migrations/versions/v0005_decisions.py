"""Decisions about held steps; the variables a run was given, which a retry begins with again; how often it reported;
whether a journal is what a redriven run began with, or what it came to."""

from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE steps ADD COLUMN decision jsonb")
    op.execute("ALTER TABLE runs ADD COLUMN given_variables jsonb, ADD COLUMN reports integer NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE journals ADD COLUMN is_seed boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    op.execute("ALTER TABLE journals DROP COLUMN is_seed")
    op.execute("ALTER TABLE runs DROP COLUMN given_variables, DROP COLUMN reports")
    op.execute("ALTER TABLE steps DROP COLUMN decision")
