"""Looks that walked rows: the audit log by how an act came out, who acted and what kind of thing it was done to; and
whose a run is.

The run is found by its id alone, whatever workspace it is of. That index is a hash: it gives no order, so that pages of
a workspace's runs, which are read in the order of ids, can never be taken from among all workspaces' runs.
"""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX audit_log_outcome ON audit_log (workspace_id, outcome, id);
        CREATE INDEX audit_log_actor_kind ON audit_log (workspace_id, actor_kind, id);
        CREATE INDEX audit_log_target_type ON audit_log (workspace_id, target_type, id);
        CREATE INDEX runs_id ON runs USING hash (id);
        """
    )


def downgrade() -> None:
    op.execute("DROP INDEX runs_id, audit_log_outcome, audit_log_actor_kind, audit_log_target_type")
