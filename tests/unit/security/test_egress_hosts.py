"""A workspace's list of hosts: what can stand in it, and which hosts it names."""

import pytest
from pydantic import ValidationError

from app.security.egress_hosts import MOST_HOSTS, EgressSettings


def listed(*hosts: str) -> EgressSettings:
    return EgressSettings.model_validate({"mode": "listed", "allow_hosts": list(hosts)})


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.com.", "api.example.com"),
        ("api.example.com", "API.EXAMPLE.COM."),
        ("*.example.com", "api.example.com"),
        ("*.example.com", "a.b.example.com"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("*.xn--mnchen-3ya.example", "api.münchen.example"),
        ("localhost", "localhost"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "[2001:db8::1]"),
    ],
)
def test_a_host_is_named_however_it_is_written(entry: str, host: str) -> None:
    hosts = listed(entry).hosts()
    assert hosts is not None
    assert hosts.name(host)


@pytest.mark.parametrize(
    "host",
    ["example.com", "xexample.com", "api.example.com.evil.com", "evil.com", "", ".", "203.0.113.8", "api.other.org"],
)
def test_a_host_that_is_not_on_the_list_is_not_named(host: str) -> None:
    hosts = listed("*.example.com", "203.0.113.7", "other.org").hosts()
    assert hosts is not None
    assert not hosts.name(host)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "*.com",
        "*.*.example.com",
        "api.*.com",
        "https://api.example.com",
        "api.example.com:443",
        "api.example.com/path",
        "ada@example.com",
        "a b.example",
        "-x.example",
        "a..example",
        "x" * 64 + ".example",
        "10.0.0.0/8",
        "2130706433",
        "0x7f.1",
        "127.1",
        "*.10.0.0.1",
        "x\n.example",
    ],
)
def test_what_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(ValidationError, match="is no host"):
        listed(entry)


def test_a_list_has_a_length() -> None:
    with pytest.raises(ValidationError):
        listed(*(f"{number}.example" for number in range(MOST_HOSTS + 1)))


def test_without_a_list_calls_are_kept_to_no_hosts_and_an_empty_one_lets_none_out() -> None:
    assert EgressSettings().hosts() is None
    assert EgressSettings.model_validate({"allow_hosts": ["a.example"]}).hosts() is None
    hosts = listed().hosts()
    assert hosts is not None
    assert not hosts.name("api.example.com")
