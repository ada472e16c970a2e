"""The catalog and the definition's schema over HTTP: what editors need to help people write workflows."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import ActorDep
from api.openapi import problem_answers
from api.schemas.base import ListAnswer
from api.schemas.catalog import ActionAnswer, ActionErrorAnswer, EventTypeAnswer, RetryAnswer
from app.catalog.base import Action
from app.catalog.events.base import EventType
from app.catalog.events.registry import EVENTS
from app.catalog.registry import ACTIONS, resolve
from app.definition import parse
from app.definition.nearest import nearest
from app.json import JsonObject
from app.services.errors import NotFound

router = APIRouter(tags=["catalog"])


@router.get("/catalog/actions", summary="List actions", responses=problem_answers())
async def list_actions(
    _: ActorDep,
    category: Annotated[str | None, Query(description="Only those of this category.")] = None,
    q: Annotated[str | None, Query(description="Only those whose id, title, description or alias holds this.")] = None,
) -> ListAnswer[ActionAnswer]:
    """Everything a step can do, with the schemas of inputs and outputs. The list comes as a whole."""
    found = [
        action
        for action in ACTIONS.values()
        if (category is None or action.category == category) and (q is None or _mentions(action, q))
    ]
    return ListAnswer(items=[_answer(action) for action in found], next_cursor=None)


@router.get("/catalog/actions/{action_id}", summary="Get an action", responses=problem_answers(404))
async def get_action(
    _: ActorDep, action_id: Annotated[str, Path(description="Id of the action, or one of its aliases.")]
) -> ActionAnswer:
    """One entry of the catalog."""
    action = resolve(action_id)
    if action is None:
        raise NotFound("action_not_found", f"The catalog has no action {action_id!r}; GET /v1/catalog/actions has all.")
    return _answer(action)


@router.get("/catalog/events", summary="List types of event", responses=problem_answers())
async def list_event_types(
    _: ActorDep,
    category: Annotated[str | None, Query(description="Only those of this module.")] = None,
    q: Annotated[str | None, Query(description="Only those whose id, title or description holds this.")] = None,
) -> ListAnswer[EventTypeAnswer]:
    """The types of event that are known, with the schema of their data where its fields are known. Events of any other
    type can be sent, start workflows and wake runs just as well. The list comes as a whole."""
    found = [
        event
        for event in EVENTS.values()
        if (category is None or event.category == category)
        and (q is None or any(q.casefold() in part.casefold() for part in (event.id, event.title, event.description)))
    ]
    return ListAnswer(items=[_event_type(event) for event in found], next_cursor=None)


@router.get("/catalog/events/{event_type}", summary="Get a type of event", responses=problem_answers(404))
async def get_event_type(
    _: ActorDep, event_type: Annotated[str, Path(description="The type, as in `crm.deal.won`.")]
) -> EventTypeAnswer:
    """What is known of one type of event."""
    event = EVENTS.get(event_type)
    if event is None:
        near = nearest(event_type, EVENTS)
        meant = f"Did you mean {near!r}? " if near else ""
        raise NotFound(
            "event_type_not_found",
            f"Nothing is known of events of the type {event_type[:200]!r}. {meant}GET /v1/catalog/events has all that "
            "are known; others can be sent as well.",
        )
    return _event_type(event)


@router.get("/schema/definition", summary="Get the schema of definitions", responses=problem_answers())
async def definition_schema(_: ActorDep) -> JsonObject:
    """JSON Schema (2020-12) of the definition language, for editors that complete and check while one types."""
    return parse.json_schema()


def _mentions(action: Action, text: str) -> bool:
    return any(
        text.casefold() in part.casefold() for part in (action.id, action.title, action.description, *action.aliases)
    )


def _event_type(event: EventType) -> EventTypeAnswer:
    return EventTypeAnswer(
        id=event.id,
        title=event.title,
        description=event.description,
        category=event.category,
        entity=event.entity,
        data_schema=event.data_schema,
        examples=[event.example] if event.example else [],
    )


def _answer(action: Action) -> ActionAnswer:
    return ActionAnswer(
        id=action.id,
        title=action.title,
        description=action.description,
        category=action.category,
        icon=action.icon,
        connection=action.connection,
        connection_required=action.connection_required,
        where=action.where,
        inputs_schema=action.inputs.model_json_schema(),
        outputs_schema=action.outputs.model_json_schema(mode="serialization"),
        examples=list(action.examples),
        aliases=list(action.aliases),
        retry=RetryAnswer.model_validate(action.retry),
        timeout=action.timeout,
        errors=[ActionErrorAnswer(type=type, retryable=type.retryable) for type in action.errors],
        idempotency=action.idempotency,
    )
