"""The dashboard, the alert rules and the page about them speak of what the processes really show."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.json import JsonObject
from app.observing.metrics import Metrics
from tests.integration.observing.conftest import Watched
from tests.support.documents import ROOT, anchors, quoted, table

DASHBOARD: JsonObject = json.loads((ROOT / "docker/grafana/holdfast.json").read_text())
RULES: JsonObject = yaml.safe_load((ROOT / "docker/prometheus/alerts.yml").read_text())
SCRAPED: JsonObject = yaml.safe_load((ROOT / "docker/prometheus/prometheus.yml").read_text())
COMPOSE: JsonObject = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

ALERTS: list[JsonObject] = [rule for group in RULES["groups"] for rule in group["rules"]]
EXPRESSIONS = [
    *((panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])),
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
]
OF_PROMETHEUS = {"up"}
_NAMES = re.compile(r"\b(?:holdfast|temporal|process|python)_\w+|\bup\b")
_LABELS = re.compile(r"(\w+)\{([^}]*)\}")


def declared() -> set[str]:
    """Every name that can be in an expression about our own numbers, shown yet or not."""
    families = {family.name: family.type for family in Metrics().registry.collect()}
    return set(_series(families))


def _series(families: dict[str, str]) -> Iterator[str]:
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return (f"{name}{end}" for name, kind in families.items() for end in ends.get(kind, ("",)))


@pytest.fixture(scope="session")
async def shown(watched: Watched) -> dict[str, set[str]]:
    """The labels of each name that a process shows."""
    found: dict[str, set[str]] = {name: set() for name in declared()}
    for family in text_string_to_metric_families(await watched.scraped()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=[f"{n}-{p}" for n, (p, _) in enumerate(EXPRESSIONS)])
async def test_what_an_expression_names_is_shown(place: str, expression: str, shown: dict[str, set[str]]) -> None:
    names = set(_NAMES.findall(expression))

    assert names
    assert names - OF_PROMETHEUS - set(shown) == set(), place
    assert expression.count("(") == expression.count(")")
    for name, labels in _LABELS.findall(expression):
        told = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))
        assert name in OF_PROMETHEUS or not shown[name] or told <= shown[name], place


def test_every_number_of_ours_is_on_the_dashboard() -> None:
    named = {name for _, expression in EXPRESSIONS for name in _NAMES.findall(expression)}
    families = {family.name for family in Metrics().registry.collect() if family.name.startswith("holdfast_")}

    assert {family for family in families if not any(name.startswith(family) for name in named)} == set()


def test_panels_have_a_title_a_unit_and_a_place_of_their_own() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]

    assert all(panel["title"] and panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: JsonObject) -> None:
    page, _, heading = rule["annotations"]["runbook"].partition("#")

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert re.fullmatch(r"\d+[smh]", rule["for"])
    assert heading in anchors(ROOT / page)
    assert f"`{rule['alert']}`" in (ROOT / page).read_text()


def test_the_alert_on_connections_knows_the_size_of_a_pool_from_the_process() -> None:
    [rule] = [rule for rule in ALERTS if rule["alert"] == "HoldfastDatabaseConnections"]
    used, _, most = rule["expr"].partition(" >= ")
    by = "max by (job, instance, pool) "

    # Both sides have the same labels, so that each pool is compared with itself.
    assert (used, most) == (
        f'{by}(holdfast_database_connections{{state="in_use"}})',
        f"{by}(holdfast_database_pool_size)",
    )


def test_the_page_lists_every_number_with_its_labels() -> None:
    told = {quoted(row[0])[0]: (set(quoted(row[1])), row[2]) for row in table("monitoring.md", "metric")}
    families = [family for family in Metrics().registry.collect() if family.name.startswith("holdfast_")]

    assert set(told) == {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert told[name][1] == family.documentation, name


async def test_the_labels_on_the_page_are_those_shown(shown: dict[str, set[str]]) -> None:
    for row in table("monitoring.md", "metric"):
        [name] = quoted(row[0])
        labels = shown.get(name) or shown.get(f"{name}_count") or set()
        assert not labels or set(quoted(row[1])) == labels, name


def test_prometheus_asks_the_services_at_the_ports_they_are_given() -> None:
    for job in SCRAPED["scrape_configs"]:
        [where] = job["dns_sd_configs"]
        [service] = where["names"]
        variable = f"HOLDFAST_{service.upper()}_METRICS_PORT"
        assert COMPOSE["services"][service]["environment"][variable] == str(where["port"])
        assert COMPOSE["services"][service]["environment"]["HOLDFAST_METRICS_HOST"] == "0.0.0.0"
        assert job["job_name"] == f"holdfast-{service}"


def test_what_watches_is_started_on_demand_and_stays_on_loopback() -> None:
    for name in ("prometheus", "grafana"):
        service = COMPOSE["services"][name]
        assert service["profiles"] == ["monitoring"]
        assert all(published.startswith("127.0.0.1:") for published in service["ports"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), source
