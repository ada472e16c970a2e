"""Environment to one frozen `Settings`. A process reads it once at its start; nothing else reads the environment."""

import ipaddress
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.temporal.messages import MOST_RUN_DATA

MAX_RETENTION_DAYS = 36_500

_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_BUILD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_HOST = re.compile(rf"(?=.*[a-z]){_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


class Settings(BaseSettings):
    """`HOLDFAST_*` variables. Lists are comma-separated."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path(".holdfast"), description="Where the embedded servers keep their data.")
    api_host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=1, le=65535)
    api_url: str | None = Field(
        None, description="Address of a running API, for the command line; default from the port."
    )
    public_url: str | None = Field(
        None, description="Where people reach the API from outside, for links they are sent; default from the port."
    )
    api_key: SecretStr | None = Field(None, description="Key for the command line; default `<data_dir>/api-key`.")
    platform_key: SecretStr | None = Field(
        None, description="Key for `holdfast workspaces`; default `<data_dir>/platform-key`."
    )
    temporal_port: int = Field(7233, ge=1, le=65535)
    temporal_ui_port: int = Field(8233, ge=1, le=65535)
    temporal_address: str | None = Field(None, description="host:port; given, the embedded Temporal stays off.")
    temporal_namespace: str = "default"
    temporal_ui_url: str | None = Field(None, description="Where people reach Temporal's UI, for links.")
    database_url: str | None = Field(
        None, description="postgresql:// URL of the role Holdfast works as (must not bypass row-level security)."
    )
    platform_database_url: str | None = Field(
        None, description="URL of the role that may ask across workspaces; default: that user's name with `_platform`."
    )
    migration_database_url: str | None = Field(None, description="URL of the owner of the tables, for `migrate` alone.")
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Key ring, newest first: 32 url-safe base64 bytes each (Fernet)."
    )
    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts, addresses or networks outgoing calls may reach though they are private."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For is believed."
    )
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Largest request body the API takes.")
    max_event_bytes: int = Field(512 * 1024, ge=1024, description="Largest event data or run input.")
    max_response_bytes: int = Field(1_000_000, ge=1024, description="Largest answer an action takes from a provider.")
    max_step_output_bytes: int = Field(
        1024 * 1024, ge=1024, le=1_700_000, description="Most one step may hand on, as JSON."
    )
    max_run_data_bytes: int = Field(
        MOST_RUN_DATA,
        ge=1024,
        le=MOST_RUN_DATA,
        description="Most a run may hold of inputs, outputs and variables at once, as JSON.",
    )
    worker_versioning: Literal["off", "auto_upgrade", "pinned"] = Field(
        "off", description="Whether Temporal routes runs by the workers' version, and when a run moves to a newer one."
    )
    deployment_name: str = Field("holdfast", description="What the workers' versions are versions of.")
    build_id: str | None = Field(None, description="The workers' version; default release and digest of the walk.")
    retention_days: int = Field(
        90, ge=0, le=MAX_RETENTION_DAYS, description="Days that ended runs and events are kept; 0 = for ever."
    )
    upkeep_interval_seconds: int = Field(10, ge=1, le=3600, description="Seconds from one pass of upkeep to the next.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("encryption_keys", "egress_allow", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("egress_allow")
    @classmethod
    def _hosts_or_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not _HOST.fullmatch(entry) and not _is_network(entry):
                raise ValueError(f"{entry!r} is no host name, address or network (10.0.0.0/8)")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not _is_network(entry):
                raise ValueError(f"{entry!r} is no address or network (10.0.0.0/8)")
        return value

    @field_validator("deployment_name")
    @classmethod
    def _deployment_name(cls, value: str) -> str:
        if not _DEPLOYMENT.fullmatch(value):
            raise ValueError("must be letters, digits, _ and -, at most 100")
        return value

    @field_validator("build_id")
    @classmethod
    def _build_id(cls, value: str | None) -> str | None:
        if value and not _BUILD.fullmatch(value):
            raise ValueError("must be letters, digits, . _ + and -, at most 100")
        return value or None

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise ValueError("must be an address such as https://holdfast.example.com")
        return value or None

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("database_url", "platform_database_url", "migration_database_url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        if value and not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql://; PostgreSQL is the only database")
        return value

    @cached_property
    def resolved_temporal_address(self) -> str:
        """host:port of Temporal's frontend."""
        return self.temporal_address or f"127.0.0.1:{self.temporal_port}"

    @cached_property
    def resolved_temporal_ui_url(self) -> str:
        """Base URL of Temporal's UI, without trailing slash."""
        return (self.temporal_ui_url or f"http://127.0.0.1:{self.temporal_ui_port}").rstrip("/")

    @cached_property
    def resolved_public_url(self) -> str:
        """Base URL of links that people are sent, without trailing slash."""
        return (self.public_url or f"http://127.0.0.1:{self.api_port}").rstrip("/")

    @cached_property
    def resolved_api_url(self) -> str:
        """Base URL of the API, without trailing slash."""
        return (self.api_url or f"http://127.0.0.1:{self.api_port}").rstrip("/")
