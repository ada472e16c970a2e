"""`holdfast deploy`: the workers' versions as Temporal knows them, and which one runs go to."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exits import CliError, ExitCode
from app.cli.options import DataDir, JsonOutput, load_settings
from app.cli.output import moment, note, print_json, say, status, table, text
from app.cli.state import where_it_runs
from app.json import JsonObject
from app.settings import Settings

if TYPE_CHECKING:
    from app.temporal.deployments import Deployment

deploy_app = typer.Typer(no_args_is_help=True, help="Versions of the workers: list them, choose where runs go.")


@deploy_app.command("show")
def show(data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """List the versions of the workers, the newest first, and which one is current."""
    _present(asyncio.run(_described(_settings(data_dir=data_dir))), as_json=json_output)


@deploy_app.command("promote")
def promote(
    build_id: Annotated[str, typer.Argument(metavar="BUILD_ID", help="The version; its workers must be up.")],
    percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="Only for this share of the runs; the rest stays.")
    ] = None,
    data_dir: DataDir = None,
    json_output: JsonOutput = False,
) -> None:
    """Let runs go to a version: new ones, and with `auto_upgrade` those under way at their next step."""
    settings = _settings(data_dir=data_dir)
    _present(asyncio.run(_promoted(settings, build_id, percent)), as_json=json_output)


@deploy_app.command("unversioned")
def unversioned(data_dir: DataDir = None, json_output: JsonOutput = False) -> None:
    """Let runs go to workers without versioning again, before HOLDFAST_WORKER_VERSIONING is turned off."""
    _present(asyncio.run(_promoted(_settings(data_dir=data_dir), None, None)), as_json=json_output)


def _settings(**flags: object) -> Settings:
    return where_it_runs(load_settings(**flags))


async def _described(settings: Settings) -> "Deployment | None":
    """None when no worker with versioning on was ever up."""
    from temporalio.service import RPCError, RPCStatusCode  # noqa: PLC0415 - loads Temporal's client

    from app.cli.temporal import reaching_temporal  # noqa: PLC0415
    from app.temporal import deployments  # noqa: PLC0415
    from app.temporal.connect import TemporalConnection  # noqa: PLC0415

    with reaching_temporal(settings):
        client = await TemporalConnection(settings).client()
        try:
            return await deployments.describe(client, settings.deployment_name)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


async def _promoted(settings: Settings, build_id: str | None, percent: float | None) -> "Deployment | None":
    """The deployment afterwards. Raises `CliError` for a version no worker has."""
    from app.cli.temporal import reaching_temporal  # noqa: PLC0415 - loads Temporal's client
    from app.temporal import deployments  # noqa: PLC0415
    from app.temporal.connect import TemporalConnection  # noqa: PLC0415

    before = await _described(settings)
    known = [version.build_id for version in before.versions] if before else []
    if build_id is not None and build_id not in known:
        raise CliError(
            ExitCode.NOT_FOUND,
            f"no worker of version {build_id} ever asked {settings.deployment_name} for tasks: start one with "
            f"HOLDFAST_WORKER_VERSIONING=auto_upgrade or pinned; known: {', '.join(known) or 'none'}",
            code="version_not_found",
        )
    if before is None:
        return None
    with reaching_temporal(settings):
        client = await TemporalConnection(settings).client()
        if percent is None or build_id is None:
            return await deployments.promote(client, settings.deployment_name, build_id)
        return await deployments.ramp(client, settings.deployment_name, build_id, percent)


def _present(found: "Deployment | None", *, as_json: bool) -> None:
    if as_json:
        print_json(_json(found))
    elif found is None:
        note("[dim]no versions: workers run with HOLDFAST_WORKER_VERSIONING=off, and any worker takes any run[/]")
    else:
        rows = [
            [
                text(version.build_id),
                _state(found, version.build_id, version.status),
                moment(version.created_at.isoformat()),
                moment(version.current_since.isoformat()) if version.current_since else "",
            ]
            for version in found.versions
        ]
        table(["VERSION", "STATUS", "FIRST SEEN", "CURRENT SINCE"], rows)
        if found.current is None:
            say(f"no version of {text(found.name)} is current: new runs go to workers without versioning")


def _state(found: "Deployment", build_id: str, state: str) -> str:
    share = f" {found.ramping_percentage:g} %" if build_id == found.ramping else ""
    return status(state) + share


def _json(found: "Deployment | None") -> JsonObject:
    if found is None:
        return {"current": None, "ramping": None, "ramping_percentage": 0, "versions": []}
    return {
        "name": found.name,
        "current": found.current,
        "ramping": found.ramping,
        "ramping_percentage": found.ramping_percentage,
        "versions": [
            {
                "build_id": version.build_id,
                "status": version.status,
                "created_at": version.created_at.isoformat(),
                "current_since": version.current_since.isoformat() if version.current_since else None,
            }
            for version in found.versions
        ],
    }
