"""The environment of a command that talks to the session's servers itself, without the API."""

from app.settings import Settings


def on_servers(settings: Settings) -> dict[str, str]:
    """`HOLDFAST_*` variables of the session's database and Temporal."""
    assert settings.database_url is not None
    assert settings.migration_database_url is not None
    return {
        "HOLDFAST_DATABASE_URL": settings.database_url,
        "HOLDFAST_MIGRATION_DATABASE_URL": settings.migration_database_url,
        "HOLDFAST_TEMPORAL_ADDRESS": settings.resolved_temporal_address,
        "HOLDFAST_ENCRYPTION_KEYS": ",".join(key.get_secret_value() for key in settings.encryption_keys),
    }
