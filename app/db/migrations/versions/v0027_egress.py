"""Nothing to change: where a workspace's actions may call stands among its settings (`egress`)."""

revision = "0027"
down_revision = "0026"


def upgrade() -> None: ...


def downgrade() -> None: ...
