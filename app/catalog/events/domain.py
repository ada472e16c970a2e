"""Events of domains: registration, DNS, mailboxes, orders, transfers. An auth code is a secret: it stands in none."""

from app.catalog.events.base import Entity, choice, flag, identity, number, text

_NAMED = {"domain_id": identity("Id of the domain."), "domain_name": text("The domain's name.")}
_NAMED_EXAMPLE = {"domain_id": "dom-1", "domain_name": "example.com"}
_DOMAIN = Entity(
    "domain.domain",
    {
        **_NAMED,
        "client_id": text("Whose domain it is."),
        "years": number("For how many years it was registered or renewed."),
        "privacy": flag("Whether the owner's data is kept private."),
        "auto_renew": flag("Whether it is renewed by itself."),
        "expiry_date": text("When it expires."),
        "status": text("Where it stands."),
    },
    {
        **_NAMED_EXAMPLE,
        "client_id": "cl-2",
        "years": 1,
        "privacy": True,
        "auto_renew": True,
        "expiry_date": "2031-01-31",
        "status": "active",
    },
)
_DNS = Entity("domain.dns", _NAMED, _NAMED_EXAMPLE)
_RECORD = {
    "record_id": identity("Id of the record."),
    "type": choice("Its type.", "A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV"),
    "name": text("The name it is for."),
    "content": text("What it says."),
    "ttl": number("How many seconds it may be kept."),
    "priority": number("Which of several comes first, for MX."),
}
_RECORD_EXAMPLE = {
    "record_id": "r-9",
    "type": "MX",
    "name": "@",
    "content": "mx.example.com",
    "ttl": 3600,
    "priority": 10,
}
_EMAIL = Entity("domain.email", {"domain_id": _NAMED["domain_id"]}, {"domain_id": "dom-1"})
_ACCOUNT = {
    "account_id": identity("Id of the mailbox."),
    "email_address": text("Its address."),
    "username": text("The part of the address before the @."),
    "display_name": text("The name it sends as."),
    "mailbox_size_gb": number("How much it holds, in gigabytes."),
}
_ACCOUNT_EXAMPLE = {
    "account_id": "m-6",
    "email_address": "ada@example.com",
    "username": "ada",
    "display_name": "Ada Lovelace",
    "mailbox_size_gb": 10,
}
_ORDER = Entity(
    "domain.order",
    {"order_id": identity("Id of the order."), **_NAMED},
    {"order_id": "ord-12", **_NAMED_EXAMPLE},
)
_TRANSFER = Entity(
    "domain.transfer",
    {"transfer_id": identity("Id of the transfer."), "domain_name": _NAMED["domain_name"]},
    {"transfer_id": "tr-7", "domain_name": "example.com"},
)

EVENTS = (
    _DOMAIN.event("registered", "Domain registered", "A new domain was registered."),
    _DOMAIN.event("renewed", "Domain renewed", "A domain was renewed."),
    _DOMAIN.event("transferred_in", "Domain transferred in", "A domain has come from another registrar."),
    _DOMAIN.event("transferred_out", "Domain transferred out", "A domain is leaving for another registrar."),
    _DOMAIN.event("expiring_soon", "Domain expires soon", "A domain expires within some days."),
    _DOMAIN.event("expired", "Domain expired", "A domain has expired."),
    _DOMAIN.event("suspended", "Domain suspended", "A domain was put out of use."),
    _DOMAIN.event("reactivated", "Domain reactivated", "A domain is in use again."),
    _DOMAIN.event("auto_renewed", "Domain renewed by itself", "A domain was renewed without anybody asking."),
    _DOMAIN.event("nameservers_changed", "Name servers changed", "A domain was given other name servers."),
    _DNS.event("record_created", "DNS record added", "A DNS record was added.", _RECORD, _RECORD_EXAMPLE),
    _DNS.event("record_updated", "DNS record changed", "A DNS record was changed.", _RECORD, _RECORD_EXAMPLE),
    _DNS.event("record_deleted", "DNS record deleted", "A DNS record was removed.", _RECORD, _RECORD_EXAMPLE),
    _DNS.event("zone_created", "DNS zone created", "A zone for a domain was made."),
    _DNS.event("ssl_provisioned", "Certificate ready", "The certificate of a domain is ready."),
    _DNS.event("propagation_complete", "DNS is known everywhere", "Changes of DNS have reached everybody."),
    _EMAIL.event("subscription_created", "Mail plan bought", "Mail was ordered for a domain."),
    _EMAIL.event("subscription_cancelled", "Mail plan cancelled", "Mail for a domain was cancelled."),
    _EMAIL.event("account_created", "Mailbox created", "A mailbox was made.", _ACCOUNT, _ACCOUNT_EXAMPLE),
    _EMAIL.event("account_deleted", "Mailbox deleted", "A mailbox was removed.", _ACCOUNT, _ACCOUNT_EXAMPLE),
    _EMAIL.event("quota_warning", "Mailbox nearly full", "A mailbox has little room left.", _ACCOUNT, _ACCOUNT_EXAMPLE),
    _ORDER.event("created", "Domain order placed", "An order was placed."),
    _ORDER.event("completed", "Domain order completed", "An order was carried out."),
    _ORDER.event("failed", "Domain order failed", "An order could not be carried out."),
    _ORDER.event("refunded", "Domain order refunded", "The money for an order was given back."),
    _TRANSFER.event("initiated", "Transfer begun", "The transfer of a domain was begun."),
    _TRANSFER.event("auth_required", "Transfer needs a code", "A transfer waits for the domain's auth code."),
    _TRANSFER.event("approved", "Transfer approved", "A transfer was approved."),
    _TRANSFER.event("completed", "Transfer completed", "A transfer is done."),
    _TRANSFER.event("failed", "Transfer failed", "A transfer did not succeed."),
    _TRANSFER.event("cancelled", "Transfer cancelled", "A transfer was called off."),
)
