"""The hosts a workspace keeps its outgoing calls to: a rule beside the installation's, and never wider than it."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.security.host_names import normal_host

MOST_HOSTS = 200
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
# A name that ends in a number would be read as an address.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?!(.*\.)?(\d+|0x[0-9a-f]*)\Z){_LABEL}(\.{_LABEL})*")
_ANY_BELOW = "*."


def _entry(text: str) -> str:
    below = text.startswith(_ANY_BELOW)
    host = normal_host(text.removeprefix(_ANY_BELOW))
    if not below and _is_address(host):
        return host
    if not _NAME.fullmatch(host) or (below and "." not in host):
        raise ValueError("is no host: write a name (api.example.com), *.example.com for all below it, or an address")
    return f"{_ANY_BELOW}{host}" if below else host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Hosts:
    """Host names and addresses, and what all names below some of them end with."""

    exact: frozenset[str]
    below: tuple[str, ...]

    def name(self, host: str) -> bool:
        """Whether the host is among them, however it is written."""
        normal = normal_host(host)
        return normal in self.exact or normal.endswith(self.below)


NO_HOSTS = Hosts(frozenset(), ())


class EgressSettings(BaseModel):
    """Where the actions of a workspace may call."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mode: Literal["public", "listed"] = Field(
        "public",
        description="`public`: every public host, and the private ones the installation allows; `listed`: of those, "
        "the hosts in `allow_hosts` alone.",
    )
    allow_hosts: list[Annotated[str, AfterValidator(_entry)]] = Field(
        default=[],
        max_length=MOST_HOSTS,
        description="Hosts by name (`api.example.com`), all below a name (`*.example.com`, not the name itself), or by "
        "address.",
    )

    def hosts(self) -> Hosts | None:
        """The hosts calls are kept to; None where they are not."""
        if self.mode == "public":
            return None
        below = tuple(entry.removeprefix("*") for entry in self.allow_hosts if entry.startswith(_ANY_BELOW))
        return Hosts(frozenset(entry for entry in self.allow_hosts if not entry.startswith(_ANY_BELOW)), below)
