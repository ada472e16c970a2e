"""Settings: what does not fit is refused where it is read, not where it is used."""

import re

import pytest
import yaml
from pydantic import ValidationError

from app.settings import Settings
from tests.support.documents import ROOT


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


RATES = [name for name in Settings.model_fields if name.startswith("rate_limit_")]


def test_an_empty_variable_is_as_good_as_none_but_for_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings().model_dump()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"HOLDFAST_{name}".upper(), "")

    assert Settings().model_dump() == defaults | dict.fromkeys(RATES, "")


def interpolated(text: str, given: dict[str, str]) -> str:
    """What compose makes of `${NAME:-default}`, `${NAME-default}` and `${NAME:?why}`, the innermost first."""
    while found := re.search(r"\$\{(\w+)(?:(:?[-?])([^{}]*))?\}", text):
        name, how, default = found.groups()
        value = given.get(name)
        if not value and how is not None and (value is None or how.startswith(":")):
            assert not how.endswith("?"), found.group()
            value = default
        text = text[: found.start()] + (value or "") + text[found.end() :]
    return text


COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-environment"]
OURS = {name: value for name, value in COMPOSE.items() if name.startswith("HOLDFAST_")}
NEEDED = {"HOLDFAST_DATABASE_PASSWORD": "a", "HOLDFAST_ENCRYPTION_KEYS": "b"}
SET_BY_COMPOSE = {
    "database_url", "platform_database_url", "temporal_address", "temporal_ui_url", "encryption_keys", "public_url",
    "log_format", "metrics_host", "api_metrics_port", "worker_metrics_port",
}  # fmt: skip
NOT_OF_COMPOSE = {
    # of one machine, of the command line, of the image, of `migrate` alone, of its own Temporal
    "data_dir", "temporal_port", "temporal_ui_port", "api_url", "api_key", "platform_key", "api_host", "api_port",
    "migration_database_url", "temporal_namespace",
}  # fmt: skip


def test_containers_are_given_every_setting_and_what_is_not_chosen_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(OURS) == {f"HOLDFAST_{name}".upper() for name in set(Settings.model_fields) - NOT_OF_COMPOSE}
    defaults = Settings().model_dump()
    for name, text in OURS.items():
        monkeypatch.setenv(name, interpolated(text, NEEDED))

    read = Settings().model_dump()

    assert {name for name in read if read[name] != defaults[name]} == SET_BY_COMPOSE
    assert read["platform_database_url"] == "postgresql://holdfast_app_platform:a@postgres/holdfast"


def test_what_the_file_of_variables_offers_reaches_the_containers() -> None:
    offered = set(re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    compose = (ROOT / "docker-compose.yml").read_text()
    assert {name for name in offered if f"${{{name}" not in compose} == set()
    chosen = {name for name, text in COMPOSE.items() if f"${{{name}" in text}
    assert chosen - offered == set()
