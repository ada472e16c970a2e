"""Environment to one frozen `Settings`. A process reads it once at its start; nothing else reads the environment."""

import ipaddress
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.rates import parsed
from app.security import token_settings
from app.temporal.messages import MOST_RUN_DATA

MIN_AUDIT_RETENTION_DAYS = 30
"""What the database insists on (migration 0026): nobody who can merely act as Holdfast shortens it."""
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
    """`HOLDFAST_*` variables. Lists are comma-separated. An empty text is as good as none, rates aside (any number)."""

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
    payload_encryption: Literal["off", "on"] = Field(
        "off", description="Whether Temporal's payloads are encrypted, of workspaces that have a payload key."
    )
    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts, addresses or networks outgoing calls may reach though they are private."
    )
    jwt_issuer: str | None = Field(None, description="`iss` of the tokens that are taken; none without it.")
    jwt_audience: str | None = Field(None, description="What must stand in `aud` of tokens.")
    jwt_jwks_url: str | None = Field(None, description="Where the issuer's public keys are: a JWK Set.")
    jwt_secret: SecretStr | None = Field(
        None, validate_default=True, description="Instead of a key set: a secret shared with the issuer (HS256)."
    )
    jwt_leeway_seconds: int = Field(30, ge=0, le=300, description="By how much the issuer's clock may differ.")
    jwt_workspace_claim: str = Field("workspace", min_length=1, description="Claim with the id of the workspace.")
    jwt_role_claim: str = Field("role", min_length=1, description="Claim with the role, or a list of roles.")
    jwt_name_claim: str = Field("name", min_length=1, description="Claim with the person's name.")
    jwt_email_claim: str = Field("email", min_length=1, description="Claim with the person's e-mail address.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For is believed."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins (https://app.example.com) whose pages may call the API from a browser."
    )
    max_streams: int = Field(500, ge=10, description="Most streams of runs that a process of the API keeps open.")
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Largest request body the API takes.")
    max_event_bytes: int = Field(512 * 1024, ge=1024, description="Largest event data or run input.")
    max_response_bytes: int = Field(1_000_000, ge=1024, description="Largest answer an action takes from a provider.")
    max_call_bytes: int = Field(
        32 * 1024 * 1024,
        ge=64 * 1024,
        description="Most an outgoing call may send and take together, redirects included.",
    )
    max_call_seconds: float = Field(300.0, gt=0, le=3600, description="Longest an outgoing call may take.")
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
    audit_retention_days: int = Field(
        365, ge=0, le=MAX_RETENTION_DAYS, description="Days that the audit log is kept, 30 at least; 0 = for ever."
    )
    upkeep_interval_seconds: int = Field(10, ge=1, le=3600, description="Seconds from one pass of upkeep to the next.")
    rate_limit_key: str = Field("12000/minute", description="Requests taken of one key or person; empty = any number.")
    rate_limit_workspace: str = Field(
        "30000/minute",
        description="Requests taken of one workspace, unless its plan says otherwise; empty = any number.",
    )
    rate_limit_address: str = Field(
        "12000/minute",
        description="Requests without a key (webhooks, forms, messages) of one address; empty = any number.",
    )
    rate_limit_wrong_keys: str = Field(
        "300/minute", description="Requests with a wrong key of one address; empty = any number."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] | None = Field(
        None, description="How log lines are written; default console at a terminal, else json."
    )
    metrics_host: str = Field("127.0.0.1", description="Address on which processes show their metrics.")
    api_metrics_port: int | None = Field(None, ge=1, le=65535, description="Port of the API's metrics; none = off.")
    worker_metrics_port: int | None = Field(None, ge=1, le=65535, description="Port of a worker's; none = off.")
    traces: Literal["off", "otlp"] = Field(
        "off", description="Whether traces are sent by OTLP over HTTP; OTEL_* variables say where to."
    )

    @model_validator(mode="before")
    @classmethod
    def _unset_if_empty(cls, given: dict[str, object]) -> dict[str, object]:
        """So that a file of variables can name all of them and leave the defaults to stand here alone."""
        return {name: value for name, value in given.items() if value != "" or name.startswith("rate_limit_")}

    @field_validator("encryption_keys", "egress_allow", "trusted_proxies", "cors_origins", mode="before")
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

    @field_validator("jwt_jwks_url")
    @classmethod
    def _key_set(cls, value: str | None) -> str | None:
        if value:
            token_settings.check_address(value)
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _tokens(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value:
            token_settings.check_secret(value.get_secret_value())
        token_settings.check_together({**info.data, "jwt_secret": value})
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not _is_network(entry):
                raise ValueError(f"{entry!r} is no address or network (10.0.0.0/8)")
        return value

    @field_validator("audit_retention_days")
    @classmethod
    def _audit_retention(cls, value: int) -> int:
        if 0 < value < MIN_AUDIT_RETENTION_DAYS:
            raise ValueError(f"must be 0 (for ever) or at least {MIN_AUDIT_RETENTION_DAYS}")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not re.fullmatch(r"https?://[a-z0-9.\-_\[\]:]+", entry):
                raise ValueError(
                    f"{entry!r} is no origin: write scheme, host and port alone, as https://app.example.com"
                )
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

    @field_validator("rate_limit_key", "rate_limit_workspace", "rate_limit_address", "rate_limit_wrong_keys")
    @classmethod
    def _rate(cls, value: str) -> str:
        if value:
            parsed(value)
        return value

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
