"""Forms: what a public address leads to, and what becomes of a submission.

A submission is an event, committed before it is answered, whose source is the form's own; what starts the run is the
dispatch of events. Whatever fills in the same submission twice (a double click, a reload) makes the same event.
"""

import hashlib
import ipaddress
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID, uuid5

from pydantic import SecretStr

from app.db.models import Run, Version, Workflow
from app.definition.durations import format_moment
from app.definition.triggers import FormTrigger
from app.json import JsonObject
from app.security import form_tokens
from app.security.signing import Signer
from app.services import answering, editing, events, standing, submission_checks, subscribing
from app.services.errors import Conflict, NotFound, TooMany
from app.services.platform import Platform
from app.services.published import published
from app.settings import Settings
from app.store import events as event_rows
from app.store import form_senders, versions, workflows
from app.store import runs as run_rows

ANSWER_SECONDS = 10.0
_OF_PAGE = 5
"""The version of the ids that `one_time` makes, and nothing else here does."""
SPAM_EVENT = "form.submission.spam_detected"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of a published workflow. `position` is its trigger's place among all triggers of the definition."""

    workspace_id: UUID
    workflow_id: UUID
    workflow_name: str
    position: int
    trigger: FormTrigger
    form_id: str
    open: bool
    """Whether submissions start runs: the workflow is active."""

    @property
    def title(self) -> str:
        """What people read above it."""
        return self.trigger.title or self.workflow_name

    @property
    def source(self) -> str:
        """The source of its events, which no other form's have."""
        return subscribing.source_of_form(self.workflow_id, self.trigger.form_id)

    def address(self, settings: Settings) -> str:
        """Where people find it."""
        token = form_tokens.make(self.workspace_id, self.workflow_id, self.trigger.form_id)
        return f"{settings.resolved_public_url}/forms/{token}"


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of one: the run it started, if one has begun or will."""

    id: UUID
    run_id: UUID | None


async def by_token(platform: Platform, token: str) -> Form:
    """The form an address leads to, open or not. Raises `NotFound`, the same for whatever is wrong with the token."""
    read = form_tokens.read(token)
    if read is not None:
        await standing.require_open(platform, read.workspace_id)
        async with platform.database.transaction(read.workspace_id) as session:
            workflow = await workflows.find(session, read.workspace_id, read.workflow_id)
            version = None if workflow is None else await versions.find(
                session, workflow.workspace_id, workflow.id, _number(workflow)
            )  # fmt: skip
        if workflow is not None and version is not None:
            for form in _forms(workflow, version):
                if read.is_for(form.trigger.form_id):
                    return form
    raise NotFound("form_not_found", "This address leads to no form.")


async def of_workflow(platform: Platform, workspace_id: UUID, workflow_id: UUID) -> list[Form]:
    """The forms of what is published of a workflow. Raises `NotFound`."""
    async with platform.database.transaction(workspace_id) as session:
        workflow = editing.there(await workflows.find(session, workspace_id, workflow_id))
        version = await versions.find(session, workspace_id, workflow_id, _number(workflow))
    return [] if version is None else list(_forms(workflow, version))


def _number(workflow: Workflow) -> int:
    """The version whose forms people see: the one that runs, else the one that would."""
    return (workflow.active_version if workflow.status == "active" else None) or workflow.latest_version


def _forms(workflow: Workflow, version: Version) -> Iterator[Form]:
    for position, trigger in published(version).forms:
        yield Form(
            workspace_id=workflow.workspace_id,
            workflow_id=workflow.id,
            workflow_name=workflow.name,
            position=position,
            trigger=trigger,
            form_id=trigger.form_id or workflow.slug,
            open=workflow.status == "active",
        )


async def let_in(platform: Platform, form: Form, address: str) -> None:
    """Count a submission from this address. Raises `TooMany` (`too_many_submissions`) with when to come again."""
    most = form.trigger.max_per_minute
    if most is None:
        return
    sender = _sender(platform.settings.encryption_keys, form, address)
    statements = form_senders.let_in(form.workspace_id, form.workflow_id, sender, share=form_senders.WINDOW / most)
    admitted, wait = await platform.database.run(form.workspace_id, *statements)
    if not admitted:
        seconds = max(1, math.ceil(wait[0][0])) if wait else 1
        detail = f"Too many submissions came from this address; send it again in {seconds} seconds."
        raise TooMany("too_many_submissions", detail, retry_after=seconds)


def one_time(shown: UUID, fields: JsonObject) -> UUID:
    """The id of what a page that was shown once sends: the same fields again are the same submission, others are not
    (people go back and send something else)."""
    return uuid5(shown, json.dumps(fields, sort_keys=True))


def keyed(form: Form, key: str) -> UUID:
    """The id of a submission under an `Idempotency-Key`, which no submission of a page has."""
    digest = hashlib.sha256(f"{form.source}:{key}".encode()).digest()
    return UUID(bytes=digest[:16], version=4)


def is_of_page(submission_id: UUID) -> bool:
    """Whether only a page can have sent it, whose ids nobody can guess: keys, which programs choose, may be known."""
    return submission_id.version == _OF_PAGE


async def submit(platform: Platform, form: Form, fields: JsonObject, submission_id: UUID) -> Submission:
    """Take a submission. The same id does it once.

    Raises `Invalid` (`invalid_submission`), `TooLarge`, and `Conflict` (`idempotency_key_reused`) when the id stands
    for other fields.
    """
    fields = submission_checks.given(fields)
    submission_checks.check(fields, form.trigger.fields)
    event = _event(form, subscribing.FORM_EVENT, fields, submission_id)
    [taken] = await events.ingest(platform, form.workspace_id, [event])
    async with platform.database.transaction(form.workspace_id) as session:
        keys = [(form.source, str(submission_id))] if taken.duplicate else []
        before = await event_rows.find(session, form.workspace_id, keys) if keys else []
        if any(subscribing.given("form", {"data": each.data}) != fields for each in before):
            raise Conflict(
                "idempotency_key_reused", "This Idempotency-Key stands for another submission; use a new one."
            )
        run = await run_rows.with_key(session, form.workspace_id, form.workflow_id, _run_key(form, submission_id))
    return Submission(submission_id, None if run is None else run.id)


async def answered(platform: Platform, form: Form, submission_id: UUID) -> Run | None:
    """The run a submission started, once it has answered or ended, or as it is ten seconds after it was sent; None for
    none. Who asks again later does not wait again: it is anybody who asks."""
    async with platform.database.transaction(form.workspace_id) as session:
        run = await run_rows.with_key(session, form.workspace_id, form.workflow_id, _run_key(form, submission_id))
    if run is None:
        return None
    since = (datetime.now(UTC) - run.created_at).total_seconds()
    return await answering.wait_for_answer(platform, run, min(ANSWER_SECONDS, max(0.0, ANSWER_SECONDS - since)))


async def keep_spam(platform: Platform, form: Form, fields: JsonObject, submission_id: UUID) -> UUID:
    """Keep what no person sent, as an event that starts nothing by itself. Raises `TooLarge`.

    Its id, the answer, is another one: should a person send the same after all, that is no repeat of it.
    """
    spam_id = uuid5(submission_id, SPAM_EVENT)
    event = _event(form, SPAM_EVENT, fields, spam_id)
    event["data"]["reason"] = "honeypot"
    await events.ingest(platform, form.workspace_id, [event])
    return spam_id


def _run_key(form: Form, submission_id: UUID) -> str:
    return events.run_key(form.source, str(submission_id))


def _event(form: Form, type_: str, fields: JsonObject, submission_id: UUID) -> JsonObject:
    now = format_moment(datetime.now(UTC))
    return {
        "specversion": "1.0",
        "id": str(submission_id),
        "source": form.source,
        "type": type_,
        "time": now,
        "data": {
            "form_id": form.form_id,
            "form_name": form.title,
            "submission_id": str(submission_id),
            "submitted_at": now,
            "fields": fields,
        },
    }


def _sender(keys: tuple[SecretStr, ...], form: Form, address: str) -> str:
    """A digest of who sends to this form; of IPv6 the network counts, since whoever has one has all its addresses."""
    said = f"{form.workspace_id} {form.workflow_id} {form.form_id} {_who_has(address)}".encode()
    signer = _signer(keys)
    return (signer.sign(said) if signer else hashlib.sha256(said).digest()).hex()[:32]


def _who_has(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)


@lru_cache(maxsize=4)
def _signer(keys: tuple[SecretStr, ...]) -> Signer:
    return Signer(keys, "form sender")
