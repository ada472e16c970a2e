"""The audit log: who did what to what. Rows are added and read; the database itself refuses every other thing.

The application's role may insert and select, no more (`migrate` takes the rest from it). A trigger refuses changes by
anybody else, the owner of the tables too. There are two narrow ways past it, functions of the owner that look at no
workspace but the one the transaction names: `purge_audit_log` deletes what is older than it is kept, and never what is
younger than 30 days; `forget_audit_log` deletes what is left of a workspace that is no more.

An id says when its row was made (RFC 9562, version 7), so that the order of ids is that of time: one index for both.
"""

from alembic import op

revision = "0026"
down_revision = "0025"

TABLE = """
CREATE TABLE audit_log (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text NOT NULL,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id text,
    target_name text,
    address text,
    user_agent text,
    request_id text,
    before jsonb,
    after jsonb,
    outcome text NOT NULL DEFAULT 'done',
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX audit_log_actor ON audit_log (workspace_id, actor_id, id);
CREATE INDEX audit_log_action ON audit_log (workspace_id, action, id);
CREATE INDEX audit_log_target ON audit_log (workspace_id, target_id, id);

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON audit_log
    USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
    WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
"""

APPEND_ONLY = """
CREATE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('holdfast.audit_deletion', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_log();
"""

DELETIONS = """
CREATE FUNCTION purge_audit_log(days integer, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    workspace uuid := NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid;
    gone integer;
BEGIN
    IF days IS NULL OR days < 30 THEN
        RAISE EXCEPTION 'the audit log is kept for 30 days at least' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM set_config('holdfast.audit_deletion', 'on', true);
    DELETE FROM audit_log
    WHERE workspace_id = workspace AND at < now() - make_interval(days => days) AND id IN (
        SELECT id FROM audit_log WHERE workspace_id = workspace ORDER BY id LIMIT most);
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM set_config('holdfast.audit_deletion', '', true);
    RETURN gone;
END $$;

CREATE FUNCTION forget_audit_log(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    workspace uuid := NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid;
    gone integer;
BEGIN
    IF EXISTS (SELECT FROM workspaces WHERE workspace_id = workspace) THEN
        RAISE EXCEPTION 'the audit log of a workspace goes after the workspace'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM set_config('holdfast.audit_deletion', 'on', true);
    DELETE FROM audit_log
    WHERE workspace_id = workspace AND id IN (
        SELECT id FROM audit_log WHERE workspace_id = workspace ORDER BY id LIMIT most);
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM set_config('holdfast.audit_deletion', '', true);
    RETURN gone;
END $$;

REVOKE EXECUTE ON FUNCTION purge_audit_log(integer, integer), forget_audit_log(integer) FROM PUBLIC;
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(APPEND_ONLY)
    op.execute(DELETIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION purge_audit_log(integer, integer), forget_audit_log(integer)")
    op.execute("DROP TABLE audit_log; DROP FUNCTION keep_audit_log()")
