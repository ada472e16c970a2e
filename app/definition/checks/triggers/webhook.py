"""Rules of webhook triggers: addresses and networks, and what tells a delivery from another."""

import ipaddress

from app.definition.checks.findings import Findings
from app.definition.errors import Path
from app.definition.triggers.webhook import WebhookTrigger


def check_webhook(trigger: WebhookTrigger, place: Path, findings: Findings) -> None:
    """The networks deliveries may come from."""
    for index, network in enumerate(trigger.allowed_ips):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            where = (*place, "allowed_ips", index)
            findings.add(where, f"'{network[:80]}' is no address or network", "write 192.0.2.7 or 192.0.2.0/24")
