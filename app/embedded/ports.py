"""TCP ports on this machine: a free one for tests, and a clear word about one that is taken."""

import errno
import secrets
import socket

import psutil

from app.embedded.errors import AddressNotHere, PortInUse

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 10_000, 32_000
_NOT_HERE = (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL)


def free_port(host: str = LOOPBACK) -> int:
    """A port nobody listens on at this moment; somebody may take it before it is used.

    Not one of those that the system gives to whoever connects to somewhere (the upper ones): one of them is gone soon.
    """
    for _ in range(100):
        port = secrets.randbelow(_LAST - _FIRST) + _FIRST
        if is_free(port, host):
            return port
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now. A port that only has closing connections left counts as free.

    Raises `AddressNotHere` when nothing can ever listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in _NOT_HERE:
                raise AddressNotHere(
                    f"{host} is no address of this machine: choose another one to listen on"
                ) from error
            return False
    return True


def require_free(port: int, *, what: str, flag: str, host: str = LOOPBACK) -> None:
    """Raise `PortInUse`, naming who listens and the flag that chooses another port, unless the port is free."""
    if not is_free(port, host):
        raise PortInUse(
            f"port {port}, wanted for {what}, is in use{_by_whom(port)}: stop that program, or choose another port "
            f"with --{flag} (or HOLDFAST_{flag.replace('-', '_').upper()})"
        )


def _by_whom(port: int) -> str:
    """` by process 4711 (nginx)` when the system tells us; other users' processes usually stay unnamed."""
    try:
        for entry in psutil.net_connections("tcp"):
            if entry.status == psutil.CONN_LISTEN and entry.laddr and entry.laddr.port == port and entry.pid:
                return f" by process {entry.pid} ({psutil.Process(entry.pid).name()})"
    except psutil.Error:
        pass
    return ""
