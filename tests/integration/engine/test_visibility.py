"""What operations see in Temporal: names, search attributes, summaries, details; and the timeline query."""

from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionDescription
from temporalio.converter import PayloadConverter

from app.db.models import Run
from app.temporal import names
from tests.support.engine import Engine, http
from tests.support.http_stub import Answer, Asked, HttpStub
from tests.support.waiting import eventually

WAIT = {
    "id": "wait",
    "type": "wait_for_event",
    "event": "order.created",
    "name": "Wait for the order",
    "timeout": "30d",
}


async def described(engine: Engine, run: Run) -> WorkflowExecutionDescription:
    return await (await engine.handle(run)).describe()


async def summaries(engine: Engine, run: Run, *types: "EventType.ValueType") -> list[Any]:
    history = await (await engine.handle(run)).fetch_history()
    chosen = [event for event in history.events if event.event_type in types]
    return [PayloadConverter.default.from_payload(event.user_metadata.summary) for event in chosen]


async def test_a_run_is_found_by_its_attributes(engine: Engine) -> None:
    run = await engine.start({"steps": [WAIT]})
    await engine.at(run, "wait")

    async def waiting() -> bool:
        attributes = (await described(engine, run)).typed_search_attributes
        return attributes.get(names.STATUS) == "waiting" and attributes.get(names.WAITING_FOR) == "order.created"

    await eventually(waiting)
    attributes = (await described(engine, run)).typed_search_attributes
    assert attributes.get(names.WORKSPACE) == str(engine.workspace_id)
    assert attributes.get(names.WORKFLOW)
    assert attributes.get(names.TRIGGER) == "manual"
    await engine.send("order.created")
    await engine.end(run)
    attributes = (await described(engine, run)).typed_search_attributes
    assert attributes.get(names.STATUS) == "completed"
    assert attributes.get(names.WAITING_FOR) is None


async def test_runs_that_wait_can_be_listed(engine: Engine) -> None:
    run = await engine.start({"steps": [WAIT]})
    await engine.at(run, "wait")
    client = await engine.platform.temporal.client()
    query = f"HoldfastWorkspace = '{engine.workspace_id}' AND HoldfastWaitingFor = 'order.created'"

    async def listed() -> bool:
        return [found.id async for found in client.list_workflows(query)] == [names.workflow_id(str(run.id))]

    await eventually(listed)
    await engine.cancel(run)


async def test_the_workflow_has_the_name_people_gave_it(engine: Engine) -> None:
    workflow = await engine.publish({"steps": [WAIT]}, name="Win back an abandoned cart")
    run = await engine.start(workflow)
    description = await described(engine, run)
    assert description.workflow_type == "Automation"
    assert await description.static_summary() == "Win back an abandoned cart"
    assert await description.static_details()
    await engine.cancel(run)


async def test_each_effect_is_its_own_activity_type_with_the_steps_name(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(status=500), Answer())
    run = (await engine.steps(http("fetch", f"{http_stub.url}/", name="Fetch the contact"))).run
    history = await (await engine.handle(run)).fetch_history()
    [scheduled] = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    assert scheduled.activity_task_scheduled_event_attributes.activity_type.name == "http.request"
    assert await summaries(engine, run, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == ["Fetch the contact"]
    assert "before attempt 2 of Fetch the contact" in await summaries(engine, run, EventType.EVENT_TYPE_TIMER_STARTED)
    markers = await summaries(engine, run, EventType.EVENT_TYPE_MARKER_RECORDED)
    assert markers == ["Fetch the contact", "record completed"]


async def test_timers_have_the_steps_names(engine: Engine) -> None:
    run = await engine.start({"steps": [{"id": "pause", "type": "delay", "duration": "10ms", "name": "Breathe"}, WAIT]})
    await engine.at(run, "wait")
    assert await summaries(engine, run, EventType.EVENT_TYPE_TIMER_STARTED) == ["Breathe", "Wait for the order"]
    await engine.cancel(run)


async def test_details_are_a_table_of_the_latest_steps(engine: Engine) -> None:
    loop = {
        "id": "each",
        "type": "loop",
        "items": list(range(20)),
        "steps": [{"id": "s", "type": "transform", "mapping": {"done": True}}],
    }
    skip = {"id": "skip", "type": "transform", "mapping": {"done": True}, "when": "{{ false }}", "name": "a | b"}
    run = await engine.start({"steps": [loop, skip, WAIT]})
    await engine.at(run, "wait")
    handle = await engine.handle(run)
    metadata = await handle.query("__temporal_workflow_metadata")
    details = metadata["currentDetails"] if isinstance(metadata, dict) else metadata.current_details
    rows = details.splitlines()
    assert rows[0] == "**waiting** at `wait`"
    assert rows[1].startswith("- `wait` waits for event `order.created` until 20")
    assert rows[3].startswith("| step |")
    assert rows[-1] == "20 earlier steps are not shown."
    assert "| a \\| b | transform | skipped | 1 |" in rows
    assert "| Wait for the order | wait_for_event | waiting | 1 |" in rows
    await engine.cancel(run)


async def test_the_timeline_shows_the_run_as_it_stands(engine: Engine, http_stub: HttpStub) -> None:
    http_stub.answer("/", Answer(hang=True))
    run = await engine.start(
        {
            "settings": {"dispatch": "scheduled"},
            "variables": {"n": 1},
            "steps": [{"id": "up", "type": "set_variable", "variables": {"n": 2}}, http("fetch", f"{http_stub.url}/")],
        }
    )
    await eventually(lambda: http_stub.requests)
    timeline = await engine.timeline(run)
    assert [(step.path, step.status, step.order) for step in timeline.steps] == [
        ("up", "completed", 1),
        ("fetch", "running", 2),
    ]
    assert (timeline.status, timeline.current_step, timeline.variables) == ("running", "fetch", {"n": 2})
    assert timeline.steps_completed == 1
    await engine.cancel(run)


async def test_an_effect_that_takes_its_time_is_seen_in_the_rows(engine: Engine, http_stub: HttpStub) -> None:
    """A run answers no query while a local activity is under way; people see the step all the same."""
    seen: list[Any] = []

    async def answer_once_it_is_seen(_asked: Asked) -> Answer:
        async def there() -> bool:
            seen.extend((await engine.step_rows(run)).values())
            return bool(seen)

        await eventually(there)
        return Answer()

    http_stub.answer("/", answer_once_it_is_seen)
    run = await engine.start({"steps": [http("fetch", f"{http_stub.url}/")]})
    done = await engine.end(run)
    assert [(row.path, row.status, row.inputs) for row in seen] == [("fetch", "running", {"url": f"{http_stub.url}/"})]
    assert done.statuses() == {"fetch": "completed"}
    assert done.history["ACTIVITY_TASK_SCHEDULED"] == 0


async def test_the_history_of_three_effects_and_two_conditions_is_short(engine: Engine, http_stub: HttpStub) -> None:
    def choice(id: str, inside: str) -> dict[str, Any]:
        branch = {"when": "{{ true }}", "steps": [http(inside, f"{http_stub.url}/{inside}")]}
        return {"id": id, "type": "condition", "branches": [branch]}

    done = await engine.steps(http("a", f"{http_stub.url}/a"), choice("first", "b"), choice("second", "c"))
    assert done.run.status == "completed"
    assert dict(done.history) == {
        "WORKFLOW_EXECUTION_STARTED": 1,
        "WORKFLOW_TASK_SCHEDULED": 1,
        "WORKFLOW_TASK_STARTED": 1,
        "WORKFLOW_TASK_COMPLETED": 1,
        "MARKER_RECORDED": 4,
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": 1,
        "WORKFLOW_EXECUTION_COMPLETED": 1,
    }
