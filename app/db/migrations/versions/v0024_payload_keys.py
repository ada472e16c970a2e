"""Nothing yet (payload_keys)."""

revision = "0024"
down_revision = "0023"


def upgrade() -> None: ...


def downgrade() -> None: ...
