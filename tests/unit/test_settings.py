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
        ("jwt_secret", "short"),
        ("jwt_jwks_url", "id.example.com/jwks.json"),
        ("jwt_jwks_url", "file:///etc/keys.json"),
        ("jwt_leeway_seconds", "301"),
        ("jwt_role_claim", ""),
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


TOKENS = {"jwt_issuer": "https://id.example.com/", "jwt_audience": "holdfast"}
SECRET = {"jwt_secret": "a" * 32}
KEY_SET = {"jwt_jwks_url": "https://id.example.com/jwks.json"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        TOKENS | SECRET,
        TOKENS | KEY_SET,
        {"jwt_issuer": "", "jwt_audience": "", "jwt_secret": "", "jwt_jwks_url": ""},
        TOKENS | {"jwt_jwks_url": "http://keycloak:8080/keys", "egress_allow": "keycloak"},
        TOKENS | {"jwt_jwks_url": "http://10.1.2.3/keys", "egress_allow": "10.0.0.0/8"},
    ],
    ids=str,
)
def test_tokens_take_an_issuer_an_audience_and_what_signatures_are_checked_with(given: dict[str, str]) -> None:
    assert Settings.model_validate(given).jwt_issuer == (given.get("jwt_issuer") or None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (TOKENS, "or none"),
        (SECRET, "or none"),
        (KEY_SET, "or none"),
        ({**KEY_SET, "jwt_issuer": "https://id.example.com/"}, "or none"),
        (TOKENS | SECRET | KEY_SET, "exclude each other"),
        (TOKENS | {"jwt_secret": "-----BEGIN PUBLIC KEY-----" + "a" * 32}, "is public"),
        (TOKENS | {"jwt_jwks_url": "http://id.example.com/keys"}, "must begin with https://"),
        (TOKENS | {"jwt_jwks_url": "http://8.8.8.8/keys"}, "must begin with https://"),
        (TOKENS | {"jwt_jwks_url": "http://10.1.2.3/keys"}, "must begin with https://"),
    ],
    ids=str,
)
def test_settings_of_tokens_that_do_not_belong_together_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        Settings.model_validate(given)
    assert [problem["loc"] for problem in refused.value.errors()] == [("jwt_secret",)]
