"""What is refused before anything is started."""

import pytest

from app.cli.preflight import require
from app.embedded.errors import PortInUse
from app.embedded.ports import free_port
from app.settings import Settings


@pytest.mark.parametrize("second", ["temporal_port", "temporal_ui_port"])
def test_one_port_cannot_be_given_to_two_servers(second: str) -> None:
    port = free_port()
    settings = Settings.model_validate({"api_port": port, second: port, "database_url": "postgresql://app@/holdfast"})

    with pytest.raises(PortInUse, match=f"the API and Temporal.* cannot both have port {port}"):
        require(settings)
