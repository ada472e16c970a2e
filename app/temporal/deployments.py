"""Versions of the workers as Temporal knows them: which there are, which one runs are routed to, and choosing another.

Only workers with `HOLDFAST_WORKER_VERSIONING` on are versions; what a version is made of is `worker.deployment`'s.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import RoutingConfigUpdateState, WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client

from app.temporal.connect import RPC_TIMEOUT

SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.1
_PREFIX = "WORKER_DEPLOYMENT_VERSION_STATUS_"


@dataclass(frozen=True)
class Version:
    """One build. `status`: inactive, current, ramping, draining (runs are still on it) or drained (none is)."""

    build_id: str
    status: str
    created_at: datetime
    current_since: datetime | None


@dataclass(frozen=True)
class Deployment:
    """All versions of a deployment, the newest first. `current` None: new runs go to workers without versioning."""

    name: str
    current: str | None
    ramping: str | None
    ramping_percentage: float
    versions: tuple[Version, ...]
    settled: bool
    """Whether every part of Temporal routes so already."""


async def describe(client: Client, name: str) -> Deployment:
    """The deployment; `RPCError` (NOT_FOUND) when no worker with versioning on ever asked for tasks."""
    answer = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name), timeout=RPC_TIMEOUT
    )
    info = answer.worker_deployment_info
    routing = info.routing_config
    versions = sorted(map(_version, info.version_summaries), key=lambda version: version.created_at, reverse=True)
    return Deployment(
        name=name,
        current=routing.current_deployment_version.build_id or None,
        ramping=routing.ramping_deployment_version.build_id or None,
        ramping_percentage=routing.ramping_version_percentage,
        versions=tuple(versions),
        settled=info.routing_config_update_state != RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS,
    )


async def promote(client: Client, name: str, build_id: str | None) -> Deployment:
    """Route new runs, and those that upgrade by themselves, to this version; None = to workers without versioning.

    Answers as soon as that holds everywhere, after ten seconds at the latest. Raises `RPCError`: NOT_FOUND for a
    version Temporal never saw, FAILED_PRECONDITION when its workers do not poll.
    """
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace, deployment_name=name, build_id=build_id or "", identity=client.identity
        ),
        timeout=RPC_TIMEOUT,
    )
    return await _settled(client, name)


async def ramp(client: Client, name: str, build_id: str, percentage: float) -> Deployment:
    """Route this many per cent of them (0 to 100) to the version, the rest to the current one. As `promote`."""
    await client.workflow_service.set_worker_deployment_ramping_version(
        SetWorkerDeploymentRampingVersionRequest(
            namespace=client.namespace,
            deployment_name=name,
            build_id=build_id,
            percentage=percentage,
            identity=client.identity,
        ),
        timeout=RPC_TIMEOUT,
    )
    return await _settled(client, name)


async def _settled(client: Client, name: str) -> Deployment:
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = await describe(client, name)
        if found.settled or time.monotonic() >= deadline:
            return found
        await asyncio.sleep(_POLL_SECONDS)


def _version(summary: WorkerDeploymentInfo.WorkerDeploymentVersionSummary) -> Version:
    status = WorkerDeploymentVersionStatus.Name(summary.status)
    return Version(
        build_id=summary.deployment_version.build_id,
        status=status.removeprefix(_PREFIX).lower(),
        created_at=summary.create_time.ToDatetime(UTC),
        current_since=_moment(summary.current_since_time),
    )


def _moment(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(UTC) if stamp.seconds else None
