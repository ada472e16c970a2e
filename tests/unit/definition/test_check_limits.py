"""Publishing judges a workflow's limits: their sizes, and what their keys may use before there is a run."""

import pytest

from app.catalog.registry import LOOKUP
from app.definition.check import check
from app.definition.errors import ExpressionError
from app.definition.parse import parse
from app.definition.problems import DefinitionInvalid
from app.definition.run_limits import RunLimits, key_text
from app.json import Json, JsonObject

EVENT = {"type": "event", "event": "crm.contact.created"}
STEPS = [{"id": "one", "type": "transform", "mapping": {"a": 1}}]


def document(settings: JsonObject, **head: Json) -> JsonObject:
    return {"trigger": EVENT, "variables": {"limit": 5}, "settings": settings, "steps": STEPS, **head}


def told(settings: JsonObject, **head: Json) -> list[tuple[str, str]]:
    """What is wrong, by place."""
    try:
        found = check(parse(document(settings, **head)), actions=LOOKUP)
    except DefinitionInvalid as invalid:
        found = invalid.problems
    return [(problem.path, f"{problem.message} ({problem.hint})") for problem in found]


@pytest.mark.parametrize(
    "key",
    [
        "{{ trigger.contact.id }}",
        "{{ trigger.contact.id }}/{{ event.source }}",
        "{{ run.workflow_id }} {{ run.version }} {{ workspace.name }}",
        "{{ now | date_format('YYYY-MM-DD') }}",
        "everything",
    ],
)
def test_a_key_may_use_what_starts_the_run(key: str) -> None:
    settings: JsonObject = {"run_once_per": key, "concurrency": {"key": key, "limit": 1}, "max_runs_per_hour": 1}
    assert told(settings) == []


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("{{ vars.limit }}", "unknown name 'vars'"),
        ("{{ steps.one.output }}", "unknown name 'steps'"),
        ("{{ run.id }}", "run has no 'id'"),
        ("{{ run.started_at }}", "run has no 'started_at'"),
        ("{{ contact }}", "unknown name 'contact'"),
        ("{{ trigger.id | lowr }}", "unknown filter 'lowr'"),
        ("{{ trigger.", ""),
    ],
)
def test_a_key_that_uses_what_comes_later_is_refused_at_its_place(key: str, said: str) -> None:
    for settings, place in (
        ({"run_once_per": key}, "settings.run_once_per"),
        ({"concurrency": {"key": key, "limit": 1}}, "settings.concurrency.key"),
    ):
        [(path, message)] = told(settings)
        assert path == place
        assert said in message


def test_a_key_uses_no_event_where_none_starts_the_run() -> None:
    [(_, message)] = told({"run_once_per": "{{ event.id }}"}, trigger={"type": "manual"})
    assert "no trigger of this workflow is an event" in message


@pytest.mark.parametrize(
    ("settings", "path", "said"),
    [
        ({"max_runs_per_hour": 0}, "settings.max_runs_per_hour", "at least 1"),
        ({"max_runs_per_hour": 1_000_001}, "settings.max_runs_per_hour", "at most 1e+06"),
        ({"max_runs_per_hour": "100"}, "settings.max_runs_per_hour", "expected a whole number"),
        ({"max_runs_per_hour": 5, "excess": "queue"}, "settings.excess", "'delay' or 'reject'"),
        ({"excess": "reject"}, "settings.excess", "max_runs_per_hour, which is not set"),
        ({"run_once_per": ""}, "settings.run_once_per", ""),
        ({"concurrency": {}}, "settings.concurrency.limit", "required"),
        ({"concurrency": {"limit": 0}}, "settings.concurrency.limit", "at least 1"),
        ({"concurrency": {"limit": 1001}}, "settings.concurrency.limit", "at most 1000"),
        ({"concurrency": {"limit": 1, "excess": "delay"}}, "settings.concurrency.excess", "'queue', 'reject' or 'repl"),
        ({"concurrency": {"limit": 1, "keys": "a"}}, "settings.concurrency.keys", "did you mean 'key'"),
        ({"concurrency": {"limit": 1, "key": 5}}, "settings.concurrency.key", "expected a string"),
        ({"concurrency": 5}, "settings.concurrency", "expected an object"),
    ],
    ids=str,
)
def test_a_limit_that_is_none_is_refused_at_its_place(settings: JsonObject, path: str, said: str) -> None:
    [(place, message)] = told(settings)
    assert place == path
    assert said in message


def test_a_workflow_without_limits_has_none() -> None:
    assert RunLimits.of(parse(document({})).settings) is None
    assert RunLimits.of(parse(document({"concurrency": {"limit": 2}})).settings) is not None


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_no_key(nothing: Json) -> None:
    assert key_text(nothing) is None


def test_keys_are_told_apart_by_type_and_whole_numbers_by_value() -> None:
    values: list[Json] = ["7", 7, True, "true", 0, False, 7.5, " ", "ä", "\0", "x" * 500, "x" * 501]
    assert len({key_text(value) for value in values}) == len(values)
    assert key_text(7.0) == key_text(7)
    assert all(len(key_text(value) or "") <= 200 for value in values)


@pytest.mark.parametrize("value", [[1], {"a": 1}], ids=str)
def test_a_list_or_an_object_is_no_key(value: Json) -> None:
    with pytest.raises(ExpressionError, match=r"not (a list|an object)"):
        key_text(value)
