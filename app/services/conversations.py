"""Messages of a contact with whom a run is under way (`conversation: true`): they are for that run and start no other.

A message wakes a wait of the run if one takes it. Else it is held: it stays undispatched until a wait takes it, or
until the run has ended and the next one begins with it. That it was delivered does not say that a wait took it, for
that may have been over a moment before; so a message is done with once the record of a step says that it got it, and
upkeep looks at it until then.
"""

from collections.abc import Sequence, Set
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Event
from app.services.envelopes import run_key
from app.services.platform import Platform
from app.services.reacting import OnItsWay, hears, start
from app.services.starting import ConversationUnderWay
from app.store import conversations as store
from app.store import events, listening, runs, waits
from app.store.listening import Heard

MOST_HELD = 100
"""Messages of a contact that are looked at for the first one of the next run."""


async def pass_on(platform: Platform, workflow_id: UUID, contact: str, messages: Sequence[OnItsWay]) -> None:
    """Have these messages wake the workflow's run that is in conversation with the contact, or begin one."""
    for one in sorted(messages, key=lambda each: (each.event.received_at, each.event.source, each.event.id)):
        await _pass_on(platform, workflow_id, contact, one)


async def _pass_on(platform: Platform, workflow_id: UUID, contact: str, one: OnItsWay) -> None:
    event, workspace_id = one.event, one.event.workspace_id
    waiting = [run_id for run_id in one.waiting if one.workflow_of[run_id] == workflow_id]
    async with platform.database.transaction(workspace_id) as session:
        key = run_key(event.source, event.id)
        talks = await store.since(session, workspace_id, workflow_id, contact, event.received_at)
        # After that: one of them may be the one that another process has just begun with this message.
        began = (await runs.with_keys(session, workspace_id, workflow_id, [key])).get(key)
        taken = await waits.takers(session, event, [*waiting, *(run_id for run_id, _ in talks)])
    if began is not None:
        one.started.add(str(began))
    elif taken:
        one.woke |= {str(run_id) for run_id in taken}
    elif waiting:
        # Delivered; whether a wait takes it is seen later.
        one.talks |= dict.fromkeys(waiting, contact)
        one.done = False
        return
    elif any(not ended for _, ended in talks) or not await _begin(platform, workflow_id, contact, one):
        one.done = False
    for run_id in waiting:
        del one.waiting[run_id]


async def _begin(platform: Platform, workflow_id: UUID, contact: str, one: OnItsWay) -> bool:
    """Begin a run with the first message of the contact that none has taken; whether that is this one."""
    passed: set[str] = set()
    try:
        while True:
            first, heard = await _first(platform, workflow_id, contact, one, passed)
            reached = await start(platform, first, workflow_id, heard.kind, conversation=contact)
            if first is one:
                return reached
            if first.started or not reached:
                return False
            # No run can begin with that one: it must not keep the others for ever.
            passed.add(run_key(first.event.source, first.event.id))
    except ConversationUnderWay:
        # Perhaps with the run that another process began with this very message.
        async with platform.database.transaction(one.event.workspace_id) as session:
            key = run_key(one.event.source, one.event.id)
            begun = await runs.with_keys(session, one.event.workspace_id, workflow_id, [key])
        one.started |= {str(run_id) for run_id in begun.values()}
        return bool(begun)


async def _first(
    platform: Platform, workflow_id: UUID, contact: str, one: OnItsWay, passed: Set[str]
) -> tuple[OnItsWay, Heard]:
    """The earliest message that is to begin a run: this one, or one that was held, or whose dispatch was cut short.
    `passed`: run keys of those with which none can begin."""
    workspace_id = one.event.workspace_id
    _, rows = await platform.database.run_in_turn(
        workspace_id, [events.settle(workspace_id)], [listening.of_workflow(workspace_id, workflow_id)]
    )
    heard = [each for each in listening.read_subscriptions(rows[0])[1] if each.options.get("conversation")]
    if not heard:
        return one, one.starts[workflow_id]
    async with platform.database.transaction(workspace_id) as session:
        held = await events.undispatched_until(
            session,
            workspace_id,
            workflow_id,
            sorted({each.event for each in heard}),
            one.event.received_at,
            limit=MOST_HELD,
            subject=contact,
        )
        keys = {run_key(event.source, event.id): event for event in held}
        begun = await runs.with_keys(session, workspace_id, workflow_id, list(keys))
        for key, event in keys.items():
            if (event.source, event.id) == (one.event.source, one.event.id):
                break
            if key not in begun and key not in passed and not await _is_taken(session, workflow_id, contact, event):
                first = OnItsWay.of(event)
                fitting = next((each for each in heard if hears(each, first.envelope)), None)
                if fitting is not None:
                    return first, fitting
    return one, one.starts[workflow_id]


async def _is_taken(session: AsyncSession, workflow_id: UUID, contact: str, event: Event) -> bool:
    talks = await store.since(session, event.workspace_id, workflow_id, contact, event.received_at)
    return bool(await waits.takers(session, event, [run_id for run_id, _ in talks]))
