"""Which addresses outgoing calls may reach: the rule, and sockets that obey it. No protocol lives here.

The rule is applied to the very address a socket is made for, after names were resolved, so that neither a DNS answer
that changes, nor a redirect, nor an odd spelling of an address gets round it. Whoever opens a connection for an action
takes its sockets (or its resolved addresses) from an `EgressPolicy`.
"""

import asyncio
import copy
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.security.egress_hosts import Hosts
from app.security.host_names import normal_host
from app.security.name_lookups import NameLookups

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

CONNECT_SECONDS = 10.0
"""How long an address may take to accept a connection."""

# IANA special-purpose registries (RFC 6890 and its successors), each with the word people know it by. Python's own
# `is_private` and `is_global` changed between patch releases, so the list is kept here.
_REFUSED: tuple[tuple[IPNetwork, str], ...] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.169.254/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fd00:ec2::254/128", "cloud metadata"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("64:ff9b:1::/48", "private"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


class EgressBlocked(OSError):
    """The rule refuses this destination. An `OSError`, so that connection code treats it as a failed connect."""


@dataclass(frozen=True)
class Destination:
    """An address a socket may be connected to: what `socket.getaddrinfo` gave and the rule let through."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


class EgressPolicy:
    """Refuses private, loopback, link-local, metadata and other special addresses, except those on the allow-list.

    `allow` holds host names (exact, and whatever they resolve to), addresses, and networks in CIDR form. An entry that
    is no address and no network is a host name. What this is for all, `within` makes for a workspace.
    """

    def __init__(self, allow: Iterable[str] = (), *, names: NameLookups | None = None) -> None:
        networks: list[IPNetwork] = []
        hosts: set[str] = set()
        for entry in allow:
            try:
                networks.append(ipaddress.ip_network(entry.strip().strip("[]"), strict=False))
            except ValueError:
                hosts.add(normal_host(entry))
        self._networks = tuple(networks)
        self._hosts = frozenset(hosts)
        self._names = names or NameLookups()
        self._asker: object = None
        self._kept_to: Hosts | None = None

    def within(self, asker: object, kept_to: Hosts | None) -> "EgressPolicy":
        """The same rule for one asker, with its share of look-ups, and with hosts it keeps to unless None."""
        narrower = copy.copy(self)
        narrower._asker, narrower._kept_to = asker, kept_to
        return narrower

    def require(self, host: str) -> None:
        """Raise `EgressBlocked` unless calls to this host, by this name, are among those the asker keeps to."""
        if self._kept_to is not None and not self._kept_to.name(host):
            raise EgressBlocked(
                f"the workspace keeps to a list of hosts, and {normal_host(host)[:253]!r} is not on it; its "
                "setting egress.allow_hosts can add it"
            )

    def allows_host(self, host: str) -> bool:
        """Whether the allow-list names this host, which then may resolve to any address."""
        return normal_host(host) in self._hosts

    def check(self, address: str | IPAddress) -> None:
        """Raise `EgressBlocked` unless a connection to `address` is allowed. Zone ids (`fe80::1%eth0`) are ignored."""
        ip = ipaddress.ip_address(address.partition("%")[0]) if isinstance(address, str) else address
        for candidate in (ip, *_embedded(ip)):
            if self._is_listed(candidate) or self._is_listed(ip):
                continue
            if reason := _refusal(candidate):
                raise EgressBlocked(
                    f"{ip} is no public address ({reason}); the setting HOLDFAST_EGRESS_ALLOW can allow it"
                )

    def make_socket(self, family: int, kind: int, proto: int, sockaddr: Sequence[object]) -> socket.socket:
        """A socket for this address and no other; raises `EgressBlocked`."""
        self.check(str(sockaddr[0]))
        return socket.socket(family=family, type=kind, proto=proto)

    async def resolve(self, host: str, port: int) -> list[Destination]:
        """Resolve `host` and keep what the rule allows.

        Raises `EgressBlocked` when nothing is left, `OSError` (`socket.gaierror`) when the name does not resolve, and
        `TimeoutError` when that takes too long.
        """
        self.require(host)
        infos = await self._names.addresses(host, port, self._asker)
        found = [Destination(family, (str(address[0]), *address[1:])) for family, _, _, _, address in infos]
        if self.allows_host(host):
            return found
        allowed = [destination for destination in found if self._permits(destination)]
        if found and not allowed:
            self.check(found[0].sockaddr[0])
        return allowed

    async def connect(self, host: str, port: int, *, timeout: float = CONNECT_SECONDS) -> socket.socket:
        """Resolve, check, and connect to the checked address. The caller owns the (non-blocking) socket.

        `timeout` seconds are for each address, so that one which swallows packets does not keep from the next. Raises
        `EgressBlocked`, or the `OSError` of the last address that was tried.
        """
        failure = OSError(f"{host} has no address")
        for destination in await self.resolve(host, port):
            sock = socket.socket(destination.family, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(timeout):
                    await asyncio.get_running_loop().sock_connect(sock, destination.sockaddr)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def _permits(self, destination: Destination) -> bool:
        try:
            self.check(destination.sockaddr[0])
        except EgressBlocked:
            return False
        return True

    def _is_listed(self, ip: IPAddress) -> bool:
        return any(ip.version == network.version and ip in network for network in self._networks)


def _refusal(ip: IPAddress) -> str | None:
    """Why the address is refused, or None. IPv6 outside global unicast is refused, except what only carries IPv4."""
    for network, reason in _REFUSED:
        if ip.version == network.version and ip in network:
            return reason
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_V6 and not ip.ipv4_mapped and ip not in _NAT64:
        return "reserved"
    return None


def _embedded(ip: IPAddress) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses an IPv6 address leads to: mapped, compatible, NAT64, 6to4, Teredo and ISATAP."""
    if isinstance(ip, ipaddress.IPv4Address):
        return
    low = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.ipv4_mapped:
        yield ip.ipv4_mapped
    elif ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):
        yield low
    elif ip.sixtofour:
        yield ip.sixtofour
    elif ip.teredo:
        yield from ip.teredo
    elif (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low
