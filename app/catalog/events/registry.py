"""All types of event that are known, by id, and their modules. Any other type is welcome everywhere."""

from collections.abc import Mapping
from types import MappingProxyType

from app.catalog.events import accounting, booking, crm, domain, ecommerce, form, message, system, wizard
from app.catalog.events.base import EventType

MODULES: Mapping[str, str] = MappingProxyType(
    {
        "crm": "contacts, companies, deals, tasks and activities",
        "booking": "appointments, availability and services",
        "form": "forms and what is sent in with them",
        "accounting": "invoices, payments, expenses and clients",
        "ecommerce": "orders, carts, products and customers",
        "domain": "domains, DNS, mailboxes, orders and transfers",
        "system": "webhooks, schedules, modules and users",
        "wizard": "what happens while somebody goes through a wizard",
        "message": "incoming messages, by channel",
    }
)
"""What the events of each module are about."""


def _index(entries: tuple[EventType, ...]) -> Mapping[str, EventType]:
    """Raises `ValueError` when an id is taken twice or its module is not described."""
    found: dict[str, EventType] = {}
    for entry in entries:
        if entry.id in found or entry.category not in MODULES:
            raise ValueError(f"the event {entry.id!r} stands twice, or in no module")
        found[entry.id] = entry
    return MappingProxyType(found)


EVENTS = _index(
    (
        *crm.EVENTS,
        *booking.EVENTS,
        *form.EVENTS,
        *accounting.EVENTS,
        *ecommerce.EVENTS,
        *domain.EVENTS,
        *system.EVENTS,
        *wizard.EVENTS,
        *message.EVENTS,
    )
)
