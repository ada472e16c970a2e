"""Temporal takes turns between workspaces, whichever way it is started."""

from pathlib import Path

import yaml

from app.embedded.temporal import EmbeddedTemporal
from tests.support.documents import ROOT

FILE = "docker/temporal-dynamic-config.yaml"


def test_the_containers_temporal_reads_the_file_that_switches_fairness_on() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["temporal"]
    [mounted] = [volume for volume in service["volumes"] if volume.startswith(f"./{FILE}:")]
    _, inside, *_ = mounted.split(":")
    assert inside == f"/etc/temporal/{service['environment']['DYNAMIC_CONFIG_FILE_PATH']}"
    settings = yaml.safe_load((ROOT / FILE).read_text())
    # Without constraints it holds for every task queue.
    assert settings["matching.enableFairness"] == [{"value": True}]


def test_the_one_that_is_started_here_has_it_on(tmp_path: Path) -> None:
    server = EmbeddedTemporal(data_dir=None, port=1, ui_port=None, log=tmp_path / "log")
    arguments = server._arguments()
    place = arguments.index("matching.enableFairness=true")
    assert arguments[place - 1] == "--dynamic-config-value"
