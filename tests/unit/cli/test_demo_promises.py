"""The demo's own judgement: it keeps to the example, and each promise is broken by what breaks it."""

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest

from app.cli.demo_checks import STEPS, checks
from app.cli.demo_providers import COMPANY, Lookup, Mail, Providers
from app.cli.demo_story import CONNECTION, NAME, demo_definition, example, fresh_events
from app.cli.demo_view import Check
from app.cli.documents import document
from app.definition import durations
from app.definition.parse import parse
from app.definition.tree import walk
from app.json import Json, JsonObject

URL = "http://127.0.0.1:1/v1/companies"
CONTACT = {"email": "ada@example.com"}
DEAL = {"id": "deal-1"}


def performed(change: Callable[["World"], None] = lambda world: None) -> list[Check]:
    """What the demo says about a run that went as it should, except for `change`."""
    world = World()
    change(world)
    return checks(
        run=world.run,
        steps=list(world.steps.values()),
        providers=world.providers,
        contact=CONTACT,
        opportunity=DEAL,
        pause=timedelta(seconds=3),
        repeated=world.repeated,
    )


class World:
    """A run that went as it should."""

    def __init__(self) -> None:
        self.run: JsonObject = {
            "id": "run-1", "status": "completed", "error": None,
            "output": {"deal_moved": True}, "temporal": {"run_id": "1"},
        }  # fmt: skip
        self.steps: dict[str, JsonObject] = {name: _step(name) for name in STEPS}
        self.steps["stage_changed"]["output"] = DEAL
        self.steps["let_it_settle"]["finished_at"] = "2030-01-31T09:00:03Z"
        texts = f"Hello {COMPANY['name']}", "the next step"
        self.providers = Providers(lookups=[Lookup(CONTACT["email"], "run-1/company")], mails=[_mail(t) for t in texts])
        self.repeated: JsonObject = {"duplicate": True}


def _step(name: str) -> JsonObject:
    moment = "2030-01-31T09:00:00Z"
    return {"step_id": name, "status": "completed", "output": None, "started_at": moment, "finished_at": moment}


def _mail(text: str, to: str = CONTACT["email"]) -> Mail:
    message = EmailMessage()
    message.set_content(text)
    return Mail((to,), message)


def test_a_run_that_went_as_it_should_keeps_every_promise() -> None:
    assert [check for check in performed() if not check.held] == []


BROKEN: dict[str, Callable[[World], Json]] = {
    "the run completed": lambda world: world.run.update(status="failed", error={"message": "no"}),
    "every step on the way completed, and no other ran": lambda world: world.steps.update(reminder=_step("reminder")),
    "the company was looked up once, for this contact": lambda world: world.providers.lookups.append(
        Lookup("ada@example.com", "run-1/company")
    ),
    "the HTTP call carried its Idempotency-Key": lambda world: world.providers.lookups.__setitem__(
        0, Lookup("ada@example.com", "")
    ),
    "two messages were caught, both to the contact": lambda world: world.providers.mails.__setitem__(
        1, _mail("hello", "bob@example.com")
    ),
    "the welcome names the company that was looked up": lambda world: world.providers.mails.reverse(),
    "the delay lasted as long as it should": lambda world: world.steps["let_it_settle"].update(
        finished_at="2030-01-31T09:00:02Z"
    ),
    "the wait was ended by the deal's event, not by its time-out": lambda world: world.steps["stage_changed"].update(
        output=None
    ),
    "the run says that the deal moved": lambda world: world.run.update(output=None),
    "Temporal carried it": lambda world: world.run.update(temporal={"run_id": None}),
    "the first event, sent again, did nothing again": lambda world: world.repeated.update(duplicate=False),
}


def test_every_promise_has_a_way_to_be_broken() -> None:
    assert [check.promise for check in performed()] == list(BROKEN)


@pytest.mark.parametrize("promise", BROKEN)
def test_what_breaks_a_promise_is_found(promise: str) -> None:
    broken = [check.promise for check in performed(BROKEN[promise]) if not check.held]
    assert promise in broken


def test_the_demo_changes_names_waits_and_addresses_of_the_example_alone() -> None:
    original = document(example("new-lead.yaml"))
    changed = demo_definition(original, URL)
    assert changed["name"] == NAME
    assert {key for key in original if changed[key] != original[key]} == {"name", "variables", "steps"}
    assert changed["variables"].keys() == original["variables"].keys()
    connections = {getattr(step, "connection", None) for _, step in walk(parse(changed))}
    assert connections == {None, CONNECTION}
    assert _without_connections(changed["steps"]) == _without_connections(original["steps"])


def test_the_demo_waits_seconds_where_the_example_waits_days() -> None:
    original = document(example("new-lead.yaml"))
    for name in ("pause", "patience"):
        assert durations.parse(original["variables"][name]) >= timedelta(days=1)
        assert durations.parse(demo_definition(original, URL)["variables"][name]) <= timedelta(minutes=2)


def test_each_performance_has_events_of_its_own_about_one_contact() -> None:
    first, second = fresh_events(), fresh_events()
    assert first.opportunity["data"]["contactId"] == first.contact["data"]["id"] == first.contact["subject"]
    assert first.contact["id"] != second.contact["id"]
    assert first.contact["data"]["id"] != second.contact["data"]["id"]
    assert first.contact["data"].keys() == document(example("events/contact-created.json"))["data"].keys()


def _without_connections(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_connections(inner) for key, inner in value.items() if key != "connection"}
    return [_without_connections(inner) for inner in value] if isinstance(value, list) else value
