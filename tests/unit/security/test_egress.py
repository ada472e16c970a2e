"""The egress rule: which addresses are refused, however they are written, and what the allow-list lets through."""

import socket

import pytest

from app.security.egress import EgressBlocked, EgressPolicy

REFUSED = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("10.0.0.1", "private"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.1.1", "link-local"),
    ("169.254.169.254", "cloud metadata"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.170", "reserved"),
    ("192.0.2.1", "documentation"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "benchmarking"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fd00:ec2::254", "cloud metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "private"),
    ("ff02::1", "multicast"),
    ("2001:db8::1", "documentation"),
    ("100::1", "reserved"),
    ("5f00::1", "reserved"),
    # IPv4 inside IPv6
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "cloud metadata"),
    ("::127.0.0.1", "reserved"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b:1::7f00:1", "private"),
    ("2002:7f00:1::", "loopback"),
    ("2002:0a00:0001::1", "private"),
    ("2001:0:7f00:1::", "reserved"),
    ("2a00:1450::200:5efe:10.0.0.1", "private"),
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "169.253.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:0808:0808::1",
]


@pytest.mark.parametrize(("address", "reason"), REFUSED)
def test_a_special_address_is_refused_and_the_reason_is_said(address: str, reason: str) -> None:
    with pytest.raises(EgressBlocked, match=reason):
        EgressPolicy().check(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    EgressPolicy().check(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"])
def test_the_allow_list_takes_addresses_and_networks(address: str) -> None:
    EgressPolicy(["127.0.0.0/8", "::1", "10.1.2.3"]).check(address)


@pytest.mark.parametrize("address", ["10.1.2.4", "192.168.0.1", "fe80::1", "169.254.169.254", "64:ff9b::10.1.2.4"])
def test_what_the_allow_list_does_not_name_stays_refused(address: str) -> None:
    with pytest.raises(EgressBlocked):
        EgressPolicy(["127.0.0.0/8", "::1", "10.1.2.3"]).check(address)


def test_a_network_with_host_bits_is_read_as_the_network() -> None:
    EgressPolicy(["10.1.2.3/24"]).check("10.1.2.77")


@pytest.mark.parametrize("host", ["intern.example", "INTERN.example", "intern.example.", " intern.example "])
def test_a_host_on_the_allow_list_is_compared_without_case_and_trailing_dot(host: str) -> None:
    assert EgressPolicy(["Intern.Example"]).allows_host(host)


@pytest.mark.parametrize("host", ["example", "x.intern.example", "intern.example.evil.com", "localhost", ""])
def test_a_host_on_the_allow_list_is_exact(host: str) -> None:
    assert not EgressPolicy(["intern.example"]).allows_host(host)


def test_an_international_host_is_the_same_in_both_spellings() -> None:
    assert EgressPolicy(["münchen.example"]).allows_host("xn--mnchen-3ya.example")


def test_no_socket_is_made_for_a_refused_address() -> None:
    policy = EgressPolicy()
    with pytest.raises(EgressBlocked):
        policy.make_socket(socket.AF_INET, socket.SOCK_STREAM, 0, ("127.0.0.1", 80))
    with pytest.raises(EgressBlocked):
        policy.make_socket(socket.AF_INET6, socket.SOCK_STREAM, 0, ("::1", 80, 0, 0))


async def test_a_name_that_resolves_to_loopback_is_refused() -> None:
    with pytest.raises(EgressBlocked, match="loopback"):
        await EgressPolicy().resolve("localhost", 80)


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1"])
async def test_an_odd_spelling_of_loopback_is_refused(spelling: str) -> None:
    with pytest.raises((EgressBlocked, socket.gaierror)):
        await EgressPolicy().connect(spelling, 80)


async def test_a_listed_name_may_resolve_to_any_address() -> None:
    found = await EgressPolicy(["localhost"]).resolve("localhost", 80)
    assert {destination.sockaddr[0] for destination in found} <= {"127.0.0.1", "::1"}


async def test_connecting_goes_to_the_checked_address() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with listener, pytest.raises(EgressBlocked):
        await EgressPolicy().connect("127.0.0.1", port)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with listener, await EgressPolicy(["127.0.0.1"]).connect("localhost", port) as connected:
        assert connected.getpeername() == ("127.0.0.1", port)
