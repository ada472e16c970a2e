"""The platform's own database is reached through `app.store.sweeps` alone. The linter holds who imports its role."""

from tests.support.documents import ROOT

CODE = {
    str(path.relative_to(ROOT)): path.read_text()
    for folder in ("activities", "api", "app", "worker", "workflows")
    for path in (ROOT / folder).rglob("*.py")
}


def having(*words: str) -> set[str]:
    """The modules in whose text one of these stands."""
    return {path for path, text in CODE.items() if any(word in text for word in words)}


def test_the_address_of_the_platforms_database_is_read_by_its_sweeps_and_what_sets_it_up() -> None:
    assert having("platform_database_url") == {
        "app/settings.py",
        "app/store/sweeps.py",
        "app/cli/group.py",
        "app/cli/setup.py",
    }


def test_its_connections_are_opened_in_one_place_and_by_one_way() -> None:
    assert having("Sweeps.open(", "Sweeps(") == {"app/services/platform.py"}
    assert having("sweeps._") == set()


def test_what_crosses_workspaces_is_asked_by_services_and_by_no_route_step_or_worker() -> None:
    asking = {path.rpartition("/")[0] for path in having("sweeps.", "Sweeps")}
    assert asking == {"app/store", "app/services", "app/cli"}
