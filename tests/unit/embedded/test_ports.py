"""Ports: free, taken, and the word about one that is taken."""

import os
import socket

import pytest

from app.embedded.errors import AddressNotHere, PortInUse
from app.embedded.ports import free_port, is_free, require_free


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()

    assert is_free(port)
    require_free(port, what="the API", flag="api-port")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_somebody_listens_on_is_not_free(host: str) -> None:
    with socket.socket() as listener:
        listener.bind((host, 0))
        listener.listen()

        assert not is_free(listener.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_not_called_a_port_in_use(host: str) -> None:
    with pytest.raises(AddressNotHere, match=host):
        require_free(8000, what="the API", flag="api-port", host=host)


def test_the_refusal_says_who_listens_and_which_flag_and_variable_choose_another_port() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(PortInUse) as refused:
            require_free(port, what="Temporal's UI", flag="temporal-ui-port")

    message = str(refused.value)
    assert f"port {port}, wanted for Temporal's UI, is in use by process {os.getpid()}" in message
    assert "--temporal-ui-port" in message
    assert "HOLDFAST_TEMPORAL_UI_PORT" in message
