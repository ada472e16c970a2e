"""Which version of the code this worker is: the deployment's name, the build id, and what Temporal does with them.

Routing between versions is Temporal's own work, and promoting one is `app.temporal.deployments`'.
"""

import hashlib
import importlib
import importlib.metadata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from app.settings import Settings

WALK = ("workflows", "app.definition", "app.catalog", "app.temporal.messages", "app.temporal.names")
"""Packages and modules whose code decides what a history replays to."""

_DIGEST_LETTERS = 10
_BEHAVIOR = {
    "off": VersioningBehavior.UNSPECIFIED,
    "auto_upgrade": VersioningBehavior.AUTO_UPGRADE,
    "pinned": VersioningBehavior.PINNED,
}


def deployment(settings: Settings) -> WorkerDeploymentConfig:
    """The worker's version. With `worker_versioning: off` Temporal shows it and routes nothing by it."""
    version = WorkerDeploymentVersion(settings.deployment_name, settings.build_id or build_id())
    return WorkerDeploymentConfig(
        version=version,
        use_worker_versioning=settings.worker_versioning != "off",
        default_versioning_behavior=_BEHAVIOR[settings.worker_versioning],
    )


def routing(settings: Settings) -> str:
    """A line for the log: which version this worker is, and what makes runs come to it."""
    version = deployment(settings).version
    if settings.worker_versioning == "off":
        return f"version {version.build_id} of {version.deployment_name}; any worker takes any run"
    return (
        f"version {version.build_id} of {version.deployment_name}, {settings.worker_versioning}: runs come to it "
        f"once it is current (`holdfast deploy promote {version.build_id}`)"
    )


@cache
def build_id() -> str:
    """`0.1.0-3f2a9c41d0`: the release, and a digest of the source that runs are replayed with.

    Workers of one release with the same walk have the same build id, whatever else was changed beside it.
    """
    digest = hashlib.sha256()
    for name, file in _sources():
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{importlib.metadata.version('holdfast')}-{digest.hexdigest()[:_DIGEST_LETTERS]}"


def _sources() -> Iterator[tuple[str, Path]]:
    """`(name, file)` of each source file, in an order that is the same on every machine."""
    for name in WALK:
        module = importlib.import_module(name)
        if module.__file__ is None:
            raise RuntimeError(f"{name} has no source file: say which build this is with HOLDFAST_BUILD_ID")
        file = Path(module.__file__)
        if file.name != "__init__.py":
            yield name, file
            continue
        for part in sorted(file.parent.rglob("*.py"), key=lambda part: part.relative_to(file.parent).parts):
            yield f"{name}/{part.relative_to(file.parent).as_posix()}", part
