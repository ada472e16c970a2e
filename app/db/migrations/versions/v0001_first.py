"""The first shape of the database: all tables, each guarded by forced row-level security.

Forced means that the owner of the tables is bound too. A transaction names its workspace in `holdfast.workspace_id`;
one that names none sees and writes nothing.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE workspaces (
    workspace_id uuid PRIMARY KEY,
    name text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE workflows (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    description text NOT NULL DEFAULT '',
    category text,
    tags text[] NOT NULL DEFAULT '{}',
    icon text,
    color text,
    status text NOT NULL DEFAULT 'draft',
    draft jsonb NOT NULL,
    active_version integer,
    latest_version integer NOT NULL DEFAULT 0,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX workflows_slug ON workflows (workspace_id, slug);

CREATE TABLE versions (
    workspace_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    number integer NOT NULL,
    definition jsonb NOT NULL,
    digest text NOT NULL,
    comment text,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, workflow_id, number),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES workflows (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE subscriptions (
    workspace_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    position integer NOT NULL,
    event text NOT NULL,
    source text,
    filter jsonb,
    PRIMARY KEY (workspace_id, workflow_id, position),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES workflows (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX subscriptions_event ON subscriptions (workspace_id, event);

CREATE TABLE workflow_variables (
    workspace_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    name text NOT NULL,
    value jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, workflow_id, name),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES workflows (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE runs (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    workflow_name text NOT NULL,
    version integer NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    trigger_type text NOT NULL,
    trigger_event_id text,
    trigger_event jsonb,
    input jsonb,
    output jsonb,
    error jsonb,
    variables jsonb NOT NULL DEFAULT '{}',
    current_step text,
    waiting_for jsonb,
    parent_run_id uuid,
    retry_of uuid,
    attempt integer NOT NULL DEFAULT 1,
    steps_completed integer NOT NULL DEFAULT 0,
    steps_total integer NOT NULL DEFAULT 0,
    idempotency_key text,
    request_digest text,
    temporal_run_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX runs_idempotency ON runs (workspace_id, workflow_id, idempotency_key);
CREATE INDEX runs_workflow ON runs (workspace_id, workflow_id, id);
CREATE INDEX runs_status ON runs (workspace_id, status, id);

CREATE SEQUENCE steps_sequence AS bigint;
CREATE TABLE steps (
    workspace_id uuid NOT NULL,
    run_id uuid NOT NULL,
    path text NOT NULL,
    sequence bigint NOT NULL DEFAULT nextval('steps_sequence'),
    step_id text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    action text,
    status text NOT NULL,
    effect_key text,
    attempt integer NOT NULL DEFAULT 1,
    generation integer NOT NULL DEFAULT 1,
    inputs jsonb,
    output jsonb,
    error jsonb,
    wait jsonb,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (workspace_id, run_id, path),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE step_attempts (
    workspace_id uuid NOT NULL,
    run_id uuid NOT NULL,
    path text NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    attempt integer NOT NULL,
    error jsonb NOT NULL,
    next_attempt_at timestamptz,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, run_id, path, generation, attempt),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE events (
    workspace_id uuid NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    subject text,
    "time" timestamptz,
    data jsonb,
    extensions jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dispatched_at timestamptz,
    caused_by jsonb,
    started text[] NOT NULL DEFAULT '{}',
    woke text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (workspace_id, source, id)
);
CREATE INDEX events_type ON events (workspace_id, type, received_at);
CREATE INDEX events_undispatched ON events (workspace_id, received_at) WHERE dispatched_at IS NULL;

CREATE TABLE waits (
    workspace_id uuid NOT NULL,
    run_id uuid NOT NULL,
    path text NOT NULL,
    event text NOT NULL,
    match jsonb,
    context jsonb NOT NULL DEFAULT '{}',
    since timestamptz NOT NULL,
    until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    PRIMARY KEY (workspace_id, run_id, path),
    FOREIGN KEY (workspace_id, run_id) REFERENCES runs (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX waits_open ON waits (workspace_id, event) WHERE closed_at IS NULL;

CREATE TABLE connections (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    config jsonb NOT NULL DEFAULT '{}',
    credentials text,
    credential_fields text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'active',
    last_used_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX connections_name ON connections (workspace_id, name);
"""

IMMUTABLE_VERSIONS = """
CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are immutable: publish a new one', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER versions_immutable BEFORE UPDATE ON versions FOR EACH ROW EXECUTE FUNCTION refuse_update();
"""

TENANT_TABLES = (
    "workspaces",
    "api_keys",
    "workflows",
    "versions",
    "subscriptions",
    "workflow_variables",
    "runs",
    "steps",
    "step_attempts",
    "events",
    "waits",
    "connections",
)

ROW_SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON {table}
    USING (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid)
    WITH CHECK (workspace_id = NULLIF(current_setting('holdfast.workspace_id', true), '')::uuid);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(IMMUTABLE_VERSIONS)
    for table in TENANT_TABLES:
        op.execute(ROW_SECURITY.format(table=table))


def downgrade() -> None:
    op.execute(f"DROP TABLE {', '.join(TENANT_TABLES)}")
    op.execute("DROP SEQUENCE steps_sequence; DROP FUNCTION refuse_update()")
