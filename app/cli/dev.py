"""`holdfast dev`: everything on this machine, one supervised group. Flags and the lock; the work is in `supervise`."""

import os
from typing import Annotated

import typer

from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.preflight import refusal, require
from app.cli.state import end_leftovers, locked
from app.embedded.errors import EmbeddedError


def dev(
    *,
    data_dir: DataDir = None,
    api_host: Annotated[str | None, typer.Option(help="Address the API listens on (HOLDFAST_API_HOST).")] = None,
    api_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the API (HOLDFAST_API_PORT, default 8000).")
    ] = None,
    temporal_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of Temporal (HOLDFAST_TEMPORAL_PORT, default 7233).")
    ] = None,
    temporal_ui_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of Temporal's UI (HOLDFAST_TEMPORAL_UI_PORT, default 8233)."),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Use this PostgreSQL, start none (HOLDFAST_DATABASE_URL).")
    ] = None,
    migration_database_url: Annotated[
        str | None,
        typer.Option(help="Its owner's URL, to migrate at the start (HOLDFAST_MIGRATION_DATABASE_URL)."),
    ] = None,
    temporal_address: Annotated[
        str | None, typer.Option(help="Use this Temporal, start none (HOLDFAST_TEMPORAL_ADDRESS).")
    ] = None,
    temporal_namespace: Annotated[
        str | None, typer.Option(help="Namespace there (HOLDFAST_TEMPORAL_NAMESPACE, default `default`).")
    ] = None,
    egress_allow: Annotated[
        str | None,
        typer.Option(help="Private hosts and networks actions may call, comma-separated (HOLDFAST_EGRESS_ALLOW)."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="How much is logged (HOLDFAST_LOG_LEVEL, default INFO).")
    ] = None,
    json_output: JsonOutput = False,
) -> None:
    """Start PostgreSQL, Temporal with its UI, the API and a worker on this machine, and keep them up.

    Data stays in the data folder. Ctrl-C stops all of it in order; runs under way go on at the next start.
    """
    settings = load_settings(
        data_dir=data_dir,
        api_host=api_host,
        api_port=api_port,
        temporal_port=temporal_port,
        temporal_ui_port=temporal_ui_port,
        database_url=database_url,
        migration_database_url=migration_database_url,
        temporal_address=temporal_address,
        temporal_namespace=temporal_namespace,
        egress_allow=egress_allow,
        log_level=log_level,
    )
    os.umask(0o077)  # the data folder holds keys and people's data: it is nobody else's
    with locked(settings.data_dir):
        end_leftovers(settings.data_dir)
        try:
            require(settings)
        except EmbeddedError as error:
            raise refusal(error) from error
        from app.cli.supervise import supervise  # noqa: PLC0415 - loads every server's client, which takes seconds

        code = supervise(settings, as_json=json_output)
    raise typer.Exit(code)
