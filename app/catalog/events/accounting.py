"""Events of accounting: invoices, payments, expenses, clients. No fields of theirs are known."""

from app.catalog.events.base import Entity

_INVOICE = Entity("accounting.invoice")
_PAYMENT = Entity("accounting.payment")
_EXPENSE = Entity("accounting.expense")
_CLIENT = Entity("accounting.client")

EVENTS = (
    _INVOICE.event("created", "Invoice created", "An invoice was written."),
    _INVOICE.event("sent", "Invoice sent", "An invoice was sent to the client."),
    _INVOICE.event("viewed", "Invoice viewed", "The client looked at an invoice."),
    _INVOICE.event("paid", "Invoice paid", "An invoice was paid in full."),
    _INVOICE.event("partial_payment", "Invoice paid in part", "Some of an invoice was paid."),
    _INVOICE.event("overdue", "Invoice overdue", "An invoice was not paid until it was due."),
    _INVOICE.event("cancelled", "Invoice cancelled", "An invoice was called back."),
    _PAYMENT.event("received", "Payment received", "Money came in."),
    _PAYMENT.event("failed", "Payment failed", "A payment did not go through."),
    _PAYMENT.event("refunded", "Payment refunded", "A payment was given back."),
    _EXPENSE.event("created", "Expense created", "Somebody handed in an expense."),
    _EXPENSE.event("approved", "Expense approved", "An expense was approved."),
    _EXPENSE.event("rejected", "Expense rejected", "An expense was turned down."),
    _CLIENT.event("created", "Client created", "A client was added."),
    _CLIENT.event("updated", "Client updated", "Something about a client was changed."),
)
