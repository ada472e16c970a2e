"""Names in expressions and conditions: those that exist where they stand, and those that do not."""

import pytest

from app.json import Json, JsonObject
from tests.support.checking import each, found, problems_of, shows

EVENT = {"type": "event", "event": "crm.deal.won"}


def hint_of(*steps: JsonObject, **head: Json) -> str:
    problems = problems_of({"steps": list(steps), **head})
    assert len(problems) == 1
    return problems[0].hint


@pytest.mark.parametrize(
    "expression",
    [
        "{{ trigger.anything.at_all[0] }}",
        "{{ steps }}",
        "{{ vars.currency }} {{ vars.kept }}",
        "{{ run.id }} {{ run.workflow_id }} {{ run.workflow_name }} {{ run.version }} {{ run.started_at }}",
        "{{ workspace.id }} {{ workspace.name }} {{ now }}",
        "{% for x in range(3) %}{{ x }}{{ loop.index0 }}{% endfor %}",
        "{% set y = 5 %}{{ y }}",
    ],
)
def test_names_that_every_run_has(expression: str) -> None:
    keeps = {"id": "k", "type": "set_variable", "variables": {"kept": 1}}
    assert found(shows("a", expression), keeps, variables={"currency": "EUR"}) == []


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("{{ triger.x }}", "unknown name 'triger'", "did you mean 'trigger'?"),
        ("{{ zz }}", "unknown name 'zz'", "there are: trigger, steps, vars, run, workspace, secrets, now"),
        ("{{ zz | default(1) }}", "unknown name 'zz'", "there are"),
        ("{{ event.id }}", "unknown name 'event'", "no trigger of this workflow is an event"),
        ("{{ item }}", "unknown name 'item'", "it exists inside loops and filters"),
        ("{{ loop.index }}", "unknown name 'loop'", "it exists inside loops"),
        ("{{ error.message }}", "unknown name 'error'", "it exists in error_steps, compensate and finally"),
        ("{{ null }}", "unknown name 'null'", "write none"),
        ("{{ range }}", "unknown name 'range'", "it is a function: range(...)"),
        ("{{ other.output }}", "unknown name 'other'", "write steps.other"),
        ("{{ currency }}", "unknown name 'currency'", "write vars.currency"),
        ("{{ vars.curency }}", "there is no variable 'curency'", "did you mean 'currency'?"),
        ("{{ vars.zz | default(1) }}", "there is no variable 'zz'", "variables: currency"),
        ("{{ run.idd }}", "run has no 'idd'", "did you mean 'id'?"),
        ("{{ workspace.owner }}", "workspace has no 'owner'", "it has: id, name"),
        ("{{ steps.othr.output }}", "there is no step 'othr'", "did you mean 'other'?"),
        ("{{ steps.other.outptu }}", "steps.other has no 'outptu'", "did you mean 'output'?"),
        ("{{ steps.other.email }}", "steps.other has no 'email'", "steps.other.output.email"),
        ("{{ steps.other.timed_out }}", "steps.other has no 'timed_out'", ""),
        ("{{ trigger.x | uper }}", "unknown filter 'uper'", "did you mean 'upper'?"),
        ("{{ trigger.x is sting }}", "unknown test 'sting'", "did you mean 'string'?"),
        ("{{ now() }}", "unknown function 'now'", ""),
        ("{{ trigger.x", "cannot be read", "every {{ needs its }}"),
    ],
)
def test_a_name_that_does_not_exist(expression: str, message: str, hint: str) -> None:
    steps = [shows("other", 1), shows("a", expression)]
    problems = problems_of({"steps": steps, "variables": {"currency": "EUR"}})
    assert [problem.path for problem in problems] == ["steps[1].mapping.x"]
    assert message in problems[0].message
    assert hint in problems[0].hint


def test_a_step_called_by_its_id_though_it_has_a_key() -> None:
    assert hint_of(shows("a", 1, output_key="lead"), shows("b", "{{ steps.a.output }}")) == (
        "its output_key is 'lead': write steps.lead"
    )


def test_the_event_is_known_when_an_event_starts_the_run() -> None:
    assert found(shows("a", "{{ event.source }}"), trigger=EVENT) == []
    assert found(shows("a", "{{ event.source }}"), triggers=[{"type": "manual"}, EVENT]) == []


def test_a_wait_has_more_than_other_steps() -> None:
    wait = {"id": "w", "type": "wait_for_event", "event": "a.b"}
    assert found(wait, shows("a", "{{ steps.w.timed_out }} {{ steps.w.event.source }} {{ steps.w.output.x }}")) == []


def test_loops_bring_their_item_and_loop() -> None:
    body = shows(
        "a", "{{ order.id }} {{ loop.index }} {{ loop.number }} {{ loop.first }} {{ loop.last }} {{ loop.length }}"
    )
    assert found(each("l", body, item_variable="order")) == []
    assert found(each("l", shows("a", "{{ item }}"), item_variable="order"))[0][1] == "unknown name 'item'"
    assert found(each("l", shows("a", "{{ loop.indx }}"))) == [("steps[0].steps[0].mapping.x", "loop has no 'indx'")]
    assert found(each("l", each("m", shows("a", "{{ order }}{{ item }}")), item_variable="order")) == []
    assert found(each("l", shows("b", 1)), shows("a", "{{ item }}"))[0][0] == "steps[1].mapping.x"


def test_a_filter_brings_its_item_to_where_alone() -> None:
    step = {"id": "f", "type": "filter", "items": "{{ trigger.x }}", "where": "{{ item.a > vars.least }}"}
    assert found(step, variables={"least": 1}) == []
    named = {**step, "where": {"any": [{"field": "item.a", "operator": "in", "value": ["{{ vars.least }}"]}]}}
    assert found(named, variables={"least": 1}) == []
    assert found({**step, "items": "{{ item }}", "where": True})[0][0] == "steps[0].items"


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (shows("a", 1, when="{{ zz }}"), "when"),
        (shows("a", 1, when={"all": [{"not": "{{ zz }}"}]}), "when.all[0].not"),
        (shows("a", 1, when={"field": "zz.a", "operator": "exists"}), "when.field"),
        (shows("a", 1, when={"field": "trigger.a", "operator": "in", "value": [1, "{{ zz }}"]}), "when.value[1]"),
        (shows("a", 1, timeout="{{ zz }}"), "timeout"),
        (shows("a", 1, retry={"initial_interval": "{{ zz }}"}), "retry.initial_interval"),
        (shows("a", 1, retry={"max_interval": "{{ zz }}"}), "retry.max_interval"),
        (shows("a", {"deep": ["{{ zz }}"]}), "mapping.x.deep[0]"),
        ({"id": "a", "type": "action", "action": "web.call", "inputs": {}, "when": "{{ zz }}"}, "when"),
        (
            {"id": "a", "type": "condition", "branches": [{"when": "{{ zz }}", "steps": [shows("b", 1)]}]},
            "branches[0].when",
        ),
        ({"id": "a", "type": "delay", "duration": "{{ zz }}"}, "duration"),
        ({"id": "a", "type": "delay", "until": "{{ zz }}"}, "until"),
        ({"id": "a", "type": "wait_for_event", "event": "a.b", "since": "{{ zz }}"}, "since"),
        ({"id": "a", "type": "wait_for_event", "event": "a.b", "timeout": "{{ zz }}"}, "timeout"),
        ({"id": "a", "type": "wait_for_event", "event": "a.b", "match": {"x": {"$gt": "{{ zz }}"}}}, "match.x"),
        ({"id": "a", "type": "wait_for_event", "event": "a.b", "match": {"any": ["{{ zz }}"]}}, "match.any[0]"),
        (each("a", shows("b", 1), items="{{ zz }}"), "items"),
        (each("a", shows("b", 1), collect="{{ zz }}"), "collect"),
        ({"id": "a", "type": "set_variable", "variables": {"v": "{{ zz }}"}}, "variables.v"),
        ({"id": "a", "type": "filter", "items": [1], "where": "{{ zz }}"}, "where"),
        ({"id": "a", "type": "aggregate", "items": "{{ zz }}", "operation": "count"}, "items"),
        ({"id": "a", "type": "stop", "reason": "{{ zz }}"}, "reason"),
        ({"id": "a", "type": "stop", "output": ["{{ zz }}"]}, "output[0]"),
    ],
)
def test_every_field_with_expressions_is_looked_at(step: JsonObject, path: str) -> None:
    assert found(step) == [(f"steps[0].{path}", "unknown name 'zz'")]


def test_an_actions_inputs_are_looked_at() -> None:
    step = {"id": "a", "type": "action", "action": "data.map", "inputs": {"mapping": {"x": "{{ zz }}"}}}
    assert found(step) == [("steps[0].inputs.mapping.x", "unknown name 'zz'")]


def test_some_inputs_know_names_of_their_own() -> None:
    inputs = {"source": {"name": "x"}, "mapping": {"a": "{{ source.name }} {{ name }}"}}
    assert found({"id": "a", "type": "action", "action": "data.map", "inputs": inputs}) == []
    outside = {"source": "{{ source }}", "mapping": {"a": "{{ name }}"}}
    assert found({"id": "a", "type": "action", "action": "data.map", "inputs": outside}) == [
        ("steps[0].inputs.mapping.a", "unknown name 'name'"),
        ("steps[0].inputs.source", "unknown name 'source'"),
    ]


def test_a_match_sees_the_event_and_the_run() -> None:
    match = "{{ data.id == trigger.id and event.type == type and source == 's' and subject is defined }}"
    assert found({"id": "a", "type": "wait_for_event", "event": "a.b", "match": match}) == []
    short = {"contact.id": "{{ trigger.id }}", "total": {"$gt": "{{ vars.least }}"}}
    assert found({"id": "a", "type": "wait_for_event", "event": "a.b", "match": short}, variables={"least": 1}) == []


@pytest.mark.parametrize("match", [{"field": "trigger.id", "operator": "equals", "value": 1}, {"steps.a.output": 1}])
def test_a_field_of_a_match_that_names_the_run_is_a_mistake(match: Json) -> None:
    problems = problems_of({"steps": [{"id": "a", "type": "wait_for_event", "event": "a.b", "match": match}]})
    assert len(problems) == 1
    assert "is looked up in the event, not in the run" in problems[0].message
    assert problems[0].path.startswith("steps[0].match")


def test_the_head_is_evaluated_before_any_step_or_variable() -> None:
    assert found(shows("a", 1), settings={"timeout": "{{ trigger.limit }}"}, variables={"x": "{{ trigger.x }}"}) == []
    assert found(shows("a", 1), settings={"timeout": "{{ steps.a.output }}"}) == [
        ("settings.timeout", "step 'a' cannot have run by then: no step has, when this is evaluated")
    ]
    assert hint_of(shows("a", 1), variables={"x": 1}, settings={"timeout": "{{ vars.x }}"}).startswith(
        "variables, trig"
    )
    assert hint_of(shows("a", 1), variables={"x": 1, "y": "{{ vars.x }}"}) == (
        "variables, triggers and settings cannot refer to variables"
    )
