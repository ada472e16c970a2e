"""Nothing yet (credentials)."""

revision = "0022"
down_revision = "0021"


def upgrade() -> None: ...


def downgrade() -> None: ...
