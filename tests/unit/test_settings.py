"""Settings: what does not fit is refused where it is read, not where it is used."""

import pytest
from pydantic import ValidationError

from app.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_port", "eighty"),
        ("log_level", "chatty"),
        ("egress_allow", "nonsense///"),
        ("egress_allow", "localhost,10.0.0.0/33"),
        ("database_url", "localhost/holdfast"),
        ("migration_database_url", "mysql://localhost/holdfast"),
        ("trusted_proxies", "proxy.internal"),
        ("retention_days", "-1"),
        ("audit_retention_days", "29"),
        ("public_url", "flows.example.com"),
        ("public_url", "https://ada:secret@flows.example.com"),
        ("public_url", "https://flows.example.com/?a=b"),
        ("upkeep_interval_seconds", "0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"HOLDFAST_{name}".upper(), value)

    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [problem["loc"] for problem in refused.value.errors()] == [(name,)]


def test_hosts_addresses_and_networks_may_be_allowed() -> None:
    allowed = "localhost, crm_1.internal, 10.1.2.3, 10.0.0.0/8, ::1, fd00::/8"
    settings = Settings.model_validate({"egress_allow": allowed})
    assert settings.egress_allow == ("localhost", "crm_1.internal", "10.1.2.3", "10.0.0.0/8", "::1", "fd00::/8")


def test_a_log_level_may_be_written_in_small_letters() -> None:
    assert Settings.model_validate({"log_level": "debug"}).log_level == "DEBUG"


def test_links_begin_with_the_public_address_else_with_the_port_of_this_machine() -> None:
    assert Settings(api_port=9000).resolved_public_url == "http://127.0.0.1:9000"
    assert Settings(public_url="https://flows.example.com/in/").resolved_public_url == "https://flows.example.com/in"
