"""A type of event that looks misspelt is warned of; any other unknown type is welcome."""

import time

import pytest

from app.catalog.events.registry import EVENTS
from app.definition.check import check
from app.definition.checks.event_types import likely_meant
from app.definition.parse import parse
from app.definition.problems import Problem
from app.json import Json


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("crm.contact.create", "crm.contact.created"),
        ("crm.contacts.created", "crm.contact.created"),
        ("crm.contact.craeted", "crm.contact.created"),
        ("crm.contact_created", "crm.contact.created"),
        ("crm.deal.stagechanged", "crm.deal.stage_changed"),
        ("CRM.Contact.Created", "crm.contact.created"),
        ("ecommerce.order.canceled", "ecommerce.order.cancelled"),
        ("booking.appointment.no-show", "booking.appointment.no_show"),
        ("crm.deals.*", "crm.deal.*"),
        ("Crm.*", "crm.*"),
    ],
)
def test_a_slip_is_noticed(written: str, meant: str) -> None:
    assert likely_meant(written, EVENTS) == meant


@pytest.mark.parametrize("known", [*EVENTS, "crm.*", "crm.deal.*", "*"])
def test_what_is_known_is_no_slip(known: str) -> None:
    assert likely_meant(known, EVENTS) is None


@pytest.mark.parametrize(
    "own",
    [
        "crm.opportunity.stage_updated",
        "crm.task.updated",
        "crm.reply.received",
        "crm.note.created",
        "crm.company.merged",
        "crm.contact.export.done",
        "crm.deal.due",
        "system.user.logged_out",
        "ecommerce.order.returned",
        "message.telegram.received",
        "shop.order.paid",
        "shop",
        "x" * 200,
        f"crm.{'x' * 190}",
    ],
)
def test_a_type_of_ones_own_is_welcome(own: str) -> None:
    assert likely_meant(own, EVENTS) is None


def problems(**more: Json) -> list[Problem]:
    document: Json = {"steps": [{"id": "one", "type": "stop"}], **more}
    return check(parse(document), actions={}, events=EVENTS)


def test_triggers_and_waits_are_looked_at_and_nothing_is_refused() -> None:
    wait: Json = {"id": "wait", "type": "wait_for_event", "event": "crm.deal.wonn"}
    found = problems(
        trigger={"type": "event", "event": "crm.contact.create"},
        triggers=[{"type": "manual"}, {"type": "event", "event": "crm.deals.*"}],
        steps=[{"id": "each", "type": "loop", "items": [1], "steps": [wait]}],
    )
    assert [(one.path, one.severity) for one in found] == [
        ("steps[0].steps[0].event", "warning"),
        ("trigger.event", "warning"),
        ("triggers[1].event", "warning"),
    ]
    assert found[0].hint == "did you mean 'crm.deal.won'? Any type is welcome"


def test_no_type_is_a_slip_where_none_is_known() -> None:
    document: Json = {"trigger": {"type": "event", "event": "crm.deals.won"}, "steps": [{"id": "a", "type": "stop"}]}
    assert check(parse(document), actions={}) == []


def test_a_thousand_waits_are_looked_at_in_no_time() -> None:
    began = time.process_time()
    for number in range(1000):
        likely_meant(f"domain.domaim.nameserver_changes{number % 7}", EVENTS)
    assert time.process_time() - began < 2
