"""The statements runs write their records with. Each is one round trip's part: `Database.run` sends several at once.

What runs write as they go is most of what the database does, so it stands here in plain SQL; what people search and
change is in the modules of its subject. Every statement may be repeated.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.engine import Statement
from app.db.values import clean_text
from app.definition.event_keys import EventKey
from app.json import Json, JsonObject
from app.store.run_state import ENDED

# Written out, and ids as one text: psycopg takes longer over a list than over all else of a small statement.
_ENDED = "ARRAY[" + ", ".join(f"'{status}'" for status in ENDED) + "]"

# A later generation of a step replaces an earlier one, but for an effect that was done. Within a generation a
# finished step never goes back to an unfinished one, and what an effect committed is never replaced at all: it is what
# a repeat of the effect is answered with. What an operator decided about a step stays to be seen. What the run itself
# says of its steps counts until it has ended: a task that Temporal has made again may tell another story then. One
# parameter takes a batch of any size.
_INSERT = """
    INSERT INTO steps AS kept (
        workspace_id, run_id, path, sequence, step_id, name, type, action, status, effect_key,
        attempt, generation, inputs, output, error, wait, decision, started_at, finished_at)
    SELECT %(workspace_id)s, fresh.run_id, fresh.path, COALESCE(NULLIF(fresh.sequence, 0), nextval('steps_sequence')),
           fresh.step_id, fresh.name, fresh.type, fresh.action, fresh.status, fresh.effect_key,
           fresh.attempt, fresh.generation, fresh.inputs, fresh.output, fresh.error, fresh.wait,
           fresh.decision, fresh.started_at, fresh.finished_at
    FROM jsonb_to_recordset(%(rows)s) AS fresh (
        run_id uuid, path text, sequence bigint, step_id text, name text, type text, action text, status text,
        effect_key text, attempt integer, generation integer, inputs jsonb, output jsonb, error jsonb, wait jsonb,
        decision jsonb, started_at timestamptz, finished_at timestamptz)
"""
_UPDATE = """
    ORDER BY fresh.run_id, fresh.path
    ON CONFLICT (workspace_id, run_id, path) DO UPDATE SET
        sequence = CASE WHEN excluded.generation > kept.generation THEN excluded.sequence ELSE kept.sequence END,
        name = excluded.name, type = excluded.type, action = excluded.action, status = excluded.status,
        effect_key = excluded.effect_key,
        attempt = CASE WHEN excluded.generation > kept.generation THEN excluded.attempt
                       ELSE GREATEST(kept.attempt, excluded.attempt) END,
        generation = excluded.generation,
        inputs = excluded.inputs, output = excluded.output, error = excluded.error, wait = excluded.wait,
        decision = COALESCE(excluded.decision, kept.decision),
        started_at = excluded.started_at, finished_at = excluded.finished_at
    WHERE (excluded.generation > kept.generation
           AND NOT (kept.status = 'completed' AND kept.effect_key IS NOT NULL AND excluded.status <> 'completed'))
       OR (excluded.generation = kept.generation
           AND NOT (kept.status = 'completed' AND kept.effect_key IS NOT NULL)
           AND (kept.status NOT IN ('completed', 'failed', 'skipped', 'cancelled')
                OR excluded.status IN ('completed', 'failed', 'skipped', 'cancelled')))
"""
# Two statements, for PostgreSQL keeps a plan when it does not depend on what the parameters are.
_WRITE_STEPS = f"""{_INSERT}
    WHERE EXISTS (
        SELECT FROM runs WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s AND status <> ALL({_ENDED}))
    {_UPDATE}"""
_WRITE_STEPS_ALWAYS = f"{_INSERT} {_UPDATE}"

_COMMIT = f"""
    WITH written AS ({_WRITE_STEPS_ALWAYS})
    SELECT id, status = ANY({_ENDED}) FROM runs
    WHERE workspace_id = %(workspace_id)s AND id = ANY(%(run_ids)s::uuid[])
"""  # noqa: S608  (what is put together are fragments of this module, never values)

_OUTCOME = f"""
    SELECT runs.status = ANY({_ENDED}), kept.path IS NOT NULL,
           kept.inputs, kept.output, kept.attempt, kept.started_at, kept.finished_at
    FROM runs LEFT JOIN steps AS kept
      ON kept.workspace_id = runs.workspace_id AND kept.run_id = runs.id AND kept.path = %(path)s
     AND kept.effect_key = %(effect_key)s AND kept.status = 'completed'
    WHERE runs.workspace_id = %(workspace_id)s AND runs.id = %(run_id)s
"""  # noqa: S608  (what is put together are fragments of this module, never values)

_TELL_MORE = """
    UPDATE steps SET output = %(output)s
    WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND path = %(path)s
      AND effect_key = %(effect_key)s AND status = 'completed'
"""

_EFFECTS = """
    SELECT kept.path, kept.effect_key, failed.error
    FROM steps AS kept LEFT JOIN step_attempts AS failed
      ON failed.workspace_id = kept.workspace_id AND failed.run_id = kept.run_id AND failed.path = kept.path
     AND failed.generation = kept.generation AND failed.next_attempt_at IS NULL AND kept.status <> 'completed'
    WHERE kept.workspace_id = %(workspace_id)s AND kept.run_id = %(run_id)s AND kept.sequence > %(after)s
      AND ((kept.status = 'completed' AND kept.effect_key IS NOT NULL) OR failed.error IS NOT NULL)
    ORDER BY kept.sequence LIMIT %(limit)s
"""

_ADD_ATTEMPT = """
    INSERT INTO step_attempts (
        workspace_id, run_id, path, generation, attempt, error, next_attempt_at, started_at, finished_at)
    VALUES (
        %(workspace_id)s, %(run_id)s, %(path)s, %(generation)s, %(attempt)s, %(error)s, %(next_attempt_at)s,
        %(started_at)s, %(finished_at)s)
    ON CONFLICT DO NOTHING
"""

_ADD_ATTEMPTS = """
    INSERT INTO step_attempts (
        workspace_id, run_id, path, generation, attempt, error, next_attempt_at, started_at, finished_at)
    SELECT %(workspace_id)s, %(run_id)s, fresh.*
    FROM jsonb_to_recordset(%(rows)s) AS fresh (
        path text, generation integer, attempt integer, error jsonb, next_attempt_at timestamptz,
        started_at timestamptz, finished_at timestamptz)
    ON CONFLICT DO NOTHING
"""

# One beginning a statement: so it is a range of the primary key.
_DROP_STEPS = """
    WITH failed AS (
        DELETE FROM step_attempts
        WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND starts_with(path, %(beginning)s)),
    over AS (
        DELETE FROM waits
        WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND starts_with(path, %(beginning)s)
          AND closed_at IS NOT NULL),
    answered AS (
        DELETE FROM approvals
        WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND starts_with(path, %(beginning)s)
          AND status <> 'open')
    DELETE FROM steps
    WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND starts_with(path, %(beginning)s)
"""

# The journal of the end that counts, which is the first one, in place of what a redriven run began with.
_KEEP_JOURNAL = f"""
    INSERT INTO journals (workspace_id, run_id, journal)
    SELECT workspace_id, id, %(journal)s FROM runs
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s AND status <> ALL({_ENDED})
    ON CONFLICT (workspace_id, run_id) DO UPDATE SET
        journal = excluded.journal, is_seed = false, created_at = now()
"""  # noqa: S608  (what is put together are fragments of this module, never values)

# A batch that was delayed by a retry must not count backwards. The variables the run was given are kept aside when
# those it made of them take their place.
_REPORT_RUN = f"""
    UPDATE runs SET
        status = %(status)s, current_step = %(current_step)s, waiting_for = %(waiting_for)s,
        steps_completed = GREATEST(steps_completed, %(steps_completed)s),
        output = COALESCE(%(output)s, output), error = %(error)s,
        variables = COALESCE(%(variables)s, variables),
        given_variables = CASE WHEN %(variables)s::jsonb IS NULL THEN given_variables
                               ELSE COALESCE(given_variables, variables) END,
        temporal_run_id = COALESCE(%(temporal_run_id)s, temporal_run_id),
        reports = GREATEST(reports, %(number)s),
        started_at = COALESCE(started_at, %(earliest_step)s, now()),
        finished_at = CASE WHEN %(ends)s THEN COALESCE(%(finished_at)s, now()) ELSE finished_at END,
        updated_at = now()
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s AND status <> ALL({_ENDED})
      AND (%(number)s = 0 OR %(number)s >= reports)
    RETURNING CASE WHEN %(ends)s THEN EXTRACT(EPOCH FROM finished_at - started_at)::float8 END
"""  # noqa: S608  (what is put together are fragments of this module, never values)

# A step may have been begun in a task that was lost, and never again: the run, made again, was cancelled first.
# Messages that were held for the run are the next to be dispatched; one that is being noted just now comes later.
_OVER = """
    WITH closed AS (
        UPDATE waits SET closed_at = now()
        WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND closed_at IS NULL),
    unheard_of AS (
        UPDATE steps SET status = 'cancelled', wait = NULL, finished_at = now()
        WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s
          AND status IN ('pending', 'running', 'waiting', 'held')),
    held AS (
        SELECT events.source, events.id
        FROM runs JOIN events ON events.workspace_id = runs.workspace_id AND events.subject = runs.conversation
        WHERE runs.workspace_id = %(workspace_id)s AND runs.id = %(run_id)s AND runs.conversation IS NOT NULL
          AND events.dispatched_at IS NULL AND events.tried_at IS NOT NULL
        FOR UPDATE OF events SKIP LOCKED),
    due AS (
        UPDATE events SET tried_at = NULL FROM held
        WHERE events.workspace_id = %(workspace_id)s AND events.source = held.source AND events.id = held.id)
    SELECT workflow_id, concurrency_key, told_workflow FROM runs
    WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s
      AND (concurrency_key IS NOT NULL OR told_workflow IS NOT NULL)
"""

_CLOSE_WAITS = """
    UPDATE waits SET closed_at = now()
    WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND closed_at IS NULL AND path = ANY(%(paths)s)
"""

# Within a generation of its step a wait keeps its `since`, so that a repeat of the registration misses nothing; even a
# closed one does, since a worker that died may have gone on with an event that nobody else knows of. A later generation
# begins anew. To be sent before the step's own row is brought up to date.
_OPEN_WAIT = """
    INSERT INTO waits AS kept (
        workspace_id, run_id, path, event, match, context, key_fields, key_digest, since, until)
    VALUES (
        %(workspace_id)s, %(run_id)s, %(path)s, %(event)s, %(match)s, %(context)s, %(key_fields)s, %(key_digest)s,
        CASE %(since)s::text
            WHEN 'wait_start' THEN clock_timestamp() - make_interval(secs => %(age)s)
            WHEN 'run_start' THEN COALESCE(
                (SELECT created_at FROM runs WHERE workspace_id = %(workspace_id)s AND id = %(run_id)s),
                clock_timestamp())
            ELSE %(moment)s
        END,
        %(until)s)
    ON CONFLICT (workspace_id, run_id, path) DO UPDATE SET
        event = excluded.event, match = excluded.match, context = excluded.context,
        key_fields = excluded.key_fields, key_digest = excluded.key_digest, until = excluded.until, closed_at = NULL,
        since = CASE WHEN EXISTS (
                SELECT FROM steps WHERE workspace_id = %(workspace_id)s AND run_id = %(run_id)s AND path = %(path)s
                AND generation = %(generation)s)
            THEN kept.since ELSE excluded.since END
    RETURNING since
"""


def commit(workspace_id: UUID, rows: Sequence[tuple[UUID, JsonObject]]) -> Statement:
    """As `write_steps`, always, for the rows of effects that were done, each with its run's id. No two are of one step.

    Answers `(run_id, ended)` for each run: whether it has ended.
    """
    named = Jsonb([{**row, "run_id": str(run_id)} for run_id, row in rows])
    run_ids = ",".join({str(run_id): None for run_id, _ in rows})
    parameters = {"workspace_id": workspace_id, "run_ids": f"{{{run_ids}}}", "rows": named}
    return Statement(_COMMIT, parameters)


class RunRecords:
    """Builds the statements that write the records of one run."""

    def __init__(self, workspace_id: UUID, run_id: UUID) -> None:
        self._run = {"workspace_id": workspace_id, "run_id": run_id}

    def write_steps(self, rows: Sequence[JsonObject], *, always: bool) -> Statement:
        """Insert or bring up to date. Each row has columns of `steps` by name, times as RFC 3339; paths are distinct.

        `sequence` 0 takes the next number of the database. `always`: also when the run has ended, as an effect's own
        row must be.
        """
        run_id = str(self._run["run_id"])
        own = Jsonb([{**row, "run_id": run_id} for row in rows])
        parameters = {**self._run, "rows": own}
        return Statement(_WRITE_STEPS_ALWAYS if always else _WRITE_STEPS, parameters)

    def outcome(self, path: str, effect_key: str) -> Statement:
        """Whether the run has ended, and what an effect committed under this key, if anything.

        `(ended, committed, inputs, output, attempt, started_at, finished_at)`; no row for a run that is gone.
        """
        return Statement(_OUTCOME, {**self._run, "path": path, "effect_key": effect_key})

    def tell_more(self, path: str, effect_key: str, output: JsonObject) -> Statement:
        """Let what an effect committed under this key say more."""
        return Statement(_TELL_MORE, {**self._run, "path": path, "effect_key": effect_key, "output": Jsonb(output)})

    def effects(self, after: int, limit: int) -> Statement:
        """Effects that are over and whose `sequence` is higher than `after`, in its order: `(path, effect_key, error)`,
        with an error where the last attempt failed."""
        return Statement(_EFFECTS, {**self._run, "after": after, "limit": limit})

    def add_attempt(
        self,
        path: str,
        *,
        generation: int,
        attempt: int,
        error: JsonObject,
        started_at: datetime,
        finished_at: datetime,
        next_attempt_at: datetime | None,
    ) -> Statement:
        """Keep a failed attempt; one that is kept already stays as it is."""
        attempt_row = {
            "path": path,
            "generation": generation,
            "attempt": attempt,
            "error": Jsonb(error),
            "started_at": started_at,
            "finished_at": finished_at,
            "next_attempt_at": next_attempt_at,
        }
        return Statement(_ADD_ATTEMPT, {**self._run, **attempt_row})

    def add_attempts(self, rows: Sequence[JsonObject]) -> Statement:
        """As `add_attempt`, for several: rows with columns of `step_attempts` by name, times as RFC 3339."""
        return Statement(_ADD_ATTEMPTS, {**self._run, "rows": Jsonb(list(rows))})

    def drop_steps(self, beginning: str) -> Statement:
        """Let go the records of all steps whose paths begin so, with their failed attempts and closed waits."""
        return Statement(_DROP_STEPS, {**self._run, "beginning": beginning})

    def keep_journal(self, journal: JsonObject) -> Statement:
        """Keep the journal of a run that has not ended: to be sent before the report that ends it."""
        return Statement(_KEEP_JOURNAL, {**self._run, "journal": Jsonb(journal)})

    def report(
        self,
        *,
        status: str,
        steps_completed: int,
        current_step: str | None,
        waiting_for: JsonObject | None,
        output: Json,
        error: JsonObject | None,
        variables: JsonObject | None,
        earliest_step: datetime | None,
        finished_at: datetime | None,
        temporal_run_id: str | None,
        number: int,
    ) -> Statement:
        """Bring the run's row up to date unless it has ended, or a report of a higher number was first (0: always).

        None leaves a field as it is, `current_step`, `waiting_for` and `error` aside: a held run shows its step's error
        until it goes on. A run that reports for the first time has started: when its earliest step did, or now.
        Gives a row if it counted, of the seconds that the run took if it has ended.
        """
        state = {
            "status": status,
            "steps_completed": steps_completed,
            "current_step": None if current_step is None else clean_text(current_step),
            "waiting_for": _json(waiting_for),
            "output": _json(output),
            "error": _json(error),
            "variables": _json(variables),
            "earliest_step": earliest_step,
            "ends": status in ENDED,
            "finished_at": finished_at,
            "temporal_run_id": temporal_run_id,
            "number": number,
        }
        return Statement(_REPORT_RUN, {**self._run, **state})

    def over(self) -> Statement:
        """The run has ended: its waits are over, and so are steps it told nothing more of. Gives the place that it had
        if it has a concurrency key, and the Temporal workflow that waits for it if there is one: `(workflow_id,
        concurrency_key, told_workflow)`. To be sent after the records of its end."""
        return Statement(_OVER, self._run)

    def close_waits(self, paths: Sequence[str]) -> Statement:
        """These waits of the run are over."""
        return Statement(_CLOSE_WAITS, {**self._run, "paths": list(paths)})

    def open_wait(
        self,
        path: str,
        *,
        generation: int,
        event: str,
        match: Json,
        context: JsonObject,
        key: EventKey | None,
        since: str,
        moment: datetime | None,
        until: datetime | None,
        age: float = 0.0,
    ) -> Statement:
        """Register a wait that began `age` seconds ago; answers `(since,)`.

        `since` is wait_start, run_start, or else `moment` counts. Times are the database's.
        """
        wait = {
            "path": path,
            "generation": generation,
            "event": event,
            "match": _json(match),
            "context": Jsonb(context),
            "key_fields": key.fields if key else None,
            "key_digest": key.digest if key else None,
            "since": since,
            "moment": moment,
            "until": until,
            "age": age,
        }
        return Statement(_OPEN_WAIT, {**self._run, **wait})


def _json(value: Json) -> Jsonb | None:
    return None if value is None else Jsonb(value)
