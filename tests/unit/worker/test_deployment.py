"""What a worker says its version is."""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.common import VersioningBehavior

from app.settings import Settings
from worker import deployment as deployment_module
from worker.deployment import build_id, deployment, routing
from worker.registry import WORKFLOWS


def test_a_worker_carries_its_version_and_nothing_is_routed_by_it() -> None:
    config = deployment(Settings())

    assert config.version.deployment_name == "holdfast"
    assert config.version.build_id == build_id()
    assert not config.use_worker_versioning
    assert config.default_versioning_behavior is VersioningBehavior.UNSPECIFIED


@pytest.mark.parametrize(
    ("setting", "behavior"),
    [("auto_upgrade", VersioningBehavior.AUTO_UPGRADE), ("pinned", VersioningBehavior.PINNED)],
)
def test_versioning_that_is_on_says_when_runs_move(setting: str, behavior: VersioningBehavior) -> None:
    given = {"worker_versioning": setting, "build_id": "2026.4", "deployment_name": "eu-west"}

    config = deployment(Settings.model_validate(given))

    assert config.use_worker_versioning
    assert config.default_versioning_behavior is behavior
    assert (config.version.deployment_name, config.version.build_id) == ("eu-west", "2026.4")


def test_the_log_says_how_runs_come_to_a_version() -> None:
    on = Settings.model_validate({"worker_versioning": "pinned", "build_id": "2026.4"})

    assert "holdfast deploy promote 2026.4" in routing(on)
    assert "any worker takes any run" in routing(Settings())


def test_the_build_id_follows_the_source_that_runs_are_replayed_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "walked"
    (package / "steps").mkdir(parents=True)
    for name in ("__init__.py", "automation.py", "steps/__init__.py", "steps/loop.py"):
        (package / name).write_text("A = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(deployment_module, "WALK", ("walked",))
    of_now = build_id.__wrapped__

    before, again = of_now(), of_now()
    (package / "steps" / "loop.py").write_text("A = 2\n")

    assert before == again
    assert before.startswith("0.1.0-")
    assert of_now() != before


@pytest.mark.parametrize(
    ("name", "value"),
    [("worker_versioning", "on"), ("deployment_name", "a.b"), ("deployment_name", " "), ("build_id", "a b")],
)
def test_a_version_temporal_would_not_take_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.model_validate({name: value})


def test_workflows_are_carried_under_the_names_they_have_in_temporal() -> None:
    told = {workflow._Definition.must_from_class(cls).name: cls for cls in WORKFLOWS.values()}

    assert told == WORKFLOWS
