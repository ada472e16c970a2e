"""What the processes of the group are given."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.cli.servers import environment
from app.settings import Settings


def test_a_child_reads_the_settings_its_group_has(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(
        data_dir=Path("/data"),
        api_port=9000,
        database_url="postgresql://app@/holdfast",
        encryption_keys=(SecretStr("new"), SecretStr("old")),
        egress_allow=("127.0.0.0/8", "localhost"),
    )
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)

    read = Settings()

    assert (read.data_dir, read.api_port, read.database_url) == (Path("/data"), 9000, "postgresql://app@/holdfast")
    assert [key.get_secret_value() for key in read.encryption_keys] == ["new", "old"]
    assert read.egress_allow == ("127.0.0.0/8", "localhost")


def test_a_child_gets_neither_the_owners_url_nor_the_callers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_MIGRATION_DATABASE_URL", "postgresql://owner@/holdfast")
    monkeypatch.setenv("HOLDFAST_API_KEY", "hf_secret")

    given = environment(Settings())

    assert "HOLDFAST_MIGRATION_DATABASE_URL" not in given
    assert "HOLDFAST_API_KEY" not in given
    assert not any("owner@" in value or "hf_secret" in value for value in given.values())
