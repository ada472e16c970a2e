"""Who a request comes from, seen past the proxies that are trusted to say so; and whether an address may deliver.

`X-Forwarded-For` is what the client says, with what each proxy saw added at its end. It is read from its end, as far as
trusted proxies have written it: what stands before is anybody's word.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: tuple[str, ...]) -> str | None:
    """The address of the client. `peer` is who is connected, `forwarded_for` the header's values as they stand; None
    when there is no telling."""
    address = _address(peer)
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
    while address is not None and hops and is_among(address, trusted):
        address = _address(hops.pop())
    return None if address is None else str(address)


def may_deliver(address: str | None, allowed: Sequence[str]) -> bool:
    """Whether one of the networks holds the address; none at all hold every one."""
    if not allowed:
        return True
    found = _address(address)
    return found is not None and is_among(found, tuple(allowed))


def is_among(address: IPAddress, networks: tuple[str, ...]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address.version == network.version and address in network for network in _networks(networks))


@lru_cache(maxsize=512)
def _networks(texts: Iterable[str]) -> tuple[IPNetwork, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _address(text: str | None) -> IPAddress | None:
    """An address as a peer or a proxy writes it: with brackets, port or zone, or as IPv4 inside IPv6."""
    if text is None:
        return None
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
