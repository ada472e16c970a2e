"""Flat, ordered steps: each kind, jumps ahead, error policies, and what cannot be written as a tree."""

import pytest

from app.json import Json, JsonObject
from tests.support.dialects import NOTE, canonical, condition, note, published, read, step


def flow(*steps: JsonObject) -> list[JsonObject]:
    made: list[JsonObject] = canonical({"trigger_type": "manual", "steps": list(steps)})["steps"]
    return made


def shape(steps: list[JsonObject]) -> list[Json]:
    """Ids, with those inside branches in lists; `else` comes last."""
    found: list[Json] = []
    for each in steps:
        lists = [branch["steps"] for branch in each.get("branches", ())] + ([each["else"]] if "else" in each else [])
        found.append([each["id"], *map(shape, lists)] if lists else each["id"])
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"step_type": "delay", "delay_config": {"type": "fixed", "value": "5m"}},
            {"type": "delay", "duration": "5m"},
        ),
        (
            {"step_type": "delay", "delay_config": {"type": "fixed", "value": 2, "unit": "hours"}},
            {"type": "delay", "duration": "2h"},
        ),
        (
            {"step_type": "delay", "delay_config": {"type": "until", "value": "2031-01-01"}},
            {"type": "delay", "until": "2031-01-01T00:00:00Z"},
        ),
        (
            {"step_type": "delay", "delay_config": {"type": "expression", "value": "{{trigger.due}}"}},
            {"type": "delay", "until": "{{ trigger.due }}"},
        ),
        (
            {"step_type": "wait_for_event", "action_config": {"event_type": "crm.deal.won", "timeout": "3d"}},
            {"type": "wait_for_event", "event": "crm.deal.won", "timeout": "3d"},
        ),
        (
            {
                "step_type": "wait_for_event",
                "action_config": {
                    "event_type": "crm.deal.*",
                    "filter": {"contact_id": "{{trigger.id}}"},
                    "timeout_hours": 4,
                    "on_timeout": "fail",
                },
            },
            {
                "type": "wait_for_event",
                "event": "crm.deal.*",
                "match": {"contact_id": "{{ trigger.id }}"},
                "timeout": "4h",
                "on_timeout": "fail",
            },
        ),
        (
            {"step_type": "set_variable", "action_config": {"key": "orderTotal", "value": "{{trigger.total}}"}},
            {"type": "set_variable", "variables": {"order_total": "{{ trigger.total }}"}},
        ),
        (
            {"step_type": "transform", "action_config": {"mapping": {"who": "{{trigger.name}}"}}},
            {"type": "transform", "mapping": {"who": "{{ trigger.name }}"}},
        ),
        ({"step_type": "stop", "action_config": {"reason": "enough"}}, {"type": "stop", "reason": "enough"}),
        (
            {
                "step_type": "filter",
                "action_config": {
                    "array": "{{trigger.orders}}",
                    "conditions": [{"field": "total", "operator": "gt", "value": "50"}],
                },
            },
            {
                "type": "action",
                "action": "transform.filter",
                "inputs": {
                    "conditions": [{"field": "total", "operator": "greater_than", "value": 50}],
                    "array": "{{ trigger.orders }}",
                },
            },
        ),
        (
            {
                "step_type": "action",
                "action_type": "transform.map",
                "action_config": {"source": "{{trigger}}", "mapping": {"who": "person.name", "x": "{{trigger.x}}"}},
            },
            {
                "type": "action",
                "action": "transform.map",
                "inputs": {
                    "mapping": {"who": "{{ source.person.name | default(none) }}", "x": "{{ trigger.x }}"},
                    "source": "{{ trigger }}",
                },
            },
        ),
        (
            {"step_type": "action", "action_type": "flow.delay", "action_config": {"duration": "1h"}},
            {"type": "delay", "duration": "1h"},
        ),
        (
            {
                "step_type": "loop",
                "loop_config": {
                    "source": "{{trigger.lines}}",
                    "itemVariable": "orderLine",
                    "maxIterations": 20,
                    "steps": [note("each", action_config={"key": "a", "value": "{{orderLine.sku}} {{loop.index}}"})],
                },
            },
            {
                "type": "loop",
                "items": "{{ trigger.lines }}",
                "item_variable": "order_line",
                "max_iterations": 20,
                "steps": [
                    {
                        "id": "each",
                        "type": "set_variable",
                        "variables": {"a": "{{ order_line.sku }} {{ loop.index }}"},
                    }
                ],
            },
        ),
        (
            {
                "step_type": "parallel",
                "parallel_config": {
                    "branches": [{"steps": [note("one")]}, {"name": "Other Way", "steps": [note("two")]}],
                    "waitForAll": True,
                },
            },
            {
                "type": "parallel",
                "branches": [
                    {"name": "branch_1", "steps": [{"id": "one", "type": "set_variable", "variables": {"a": 1}}]},
                    {"name": "other_way", "steps": [{"id": "two", "type": "set_variable", "variables": {"a": 1}}]},
                ],
            },
        ),
    ],
)
def test_each_kind_of_step_has_its_own_in_the_language(body: JsonObject, expected: JsonObject) -> None:
    made = step({"id": "it", **body})
    assert made.pop("id") == "it"
    assert made == expected


def test_names_with_dashes_and_numbers_are_found() -> None:
    made = step(
        note("a", action_config={"key": "a", "value": "{{trigger.first-name}} {{trigger.list.0.x}} {{-trigger.n-}}"})
    )
    assert made["variables"]["a"] == '{{ trigger["first-name"] }} {{ trigger.list[0].x }} {{- trigger.n -}}'


def test_steps_inside_others_run_by_position_too() -> None:
    body = [note("b", position=2), note("a", position=1)]
    [loop] = flow({"id": "l", "step_type": "loop", "loop_config": {"source": [1], "steps": body}})
    assert shape(loop["steps"]) == ["a", "b"]


def test_names_descriptions_and_inactive_steps_stay_so() -> None:
    made = step(note("it", name="N", description="D", is_active=False))
    assert (made["name"], made["description"], made["enabled"]) == ("N", "D", False)


def test_inputs_mapped_lie_below_those_of_the_configuration() -> None:
    body = {"to": "a", "subject": "{{trigger.s}}"}
    made = step(
        {"step_type": "action", "action_type": "email.send", "input_mapping": body, "action_config": {"to": "b"}}
    )
    assert made["inputs"] == {"to": "b", "subject": "{{ trigger.s }}"}


def test_ids_that_do_not_fit_are_made_to_and_references_follow() -> None:
    steps = flow(
        {"id": "A-1", "output_key": "firstResult", **NOTE},
        {"id": "a_1", **NOTE},
        note("x", action_config={"key": "a", "value": "{{steps.firstResult.a}} {{steps.A-1.a}} {{variables.a}}"}),
    )
    assert [(each["id"], each.get("output_key")) for each in steps] == [
        ("a_1", "first_result"),
        ("a_1_2", None),
        ("x", None),
    ]
    first = "steps.first_result.output.a"
    assert steps[2]["variables"]["a"] == f"{{{{ {first} }}}} {{{{ {first} }}}} {{{{ vars.a }}}}"


@pytest.mark.parametrize(
    ("fields", "retry", "policy"),
    [
        ({}, None, None),
        ({"on_error": "fail", "max_retries": 0}, {"max_attempts": 1}, None),
        ({"on_error": "continue"}, None, "continue"),
        ({"on_error": "retry"}, {"max_attempts": 4}, None),
        (
            {"on_error": "retry", "max_retries": 4, "retry_delay_seconds": 90},
            {"max_attempts": 5, "initial_interval": "90s", "max_interval": "90s", "backoff": 1.0},
            None,
        ),
    ],
)
def test_a_steps_error_policy_and_retries_are_kept(fields: JsonObject, retry: Json, policy: Json) -> None:
    made = step({"step_type": "action", "action_type": "http.request", "action_config": {"url": "u"}, **fields})
    assert (made.get("retry"), made.get("on_error")) == (retry, policy)


def test_a_failed_step_jumps_over_what_lies_between() -> None:
    jump = {"on_error": "branch", "error_branch_step_id": "rescue"}
    steps = flow(note("a", **jump), note("b", **jump), {"id": "end", "step_type": "stop"}, note("rescue"))
    assert shape(steps) == ["a", ["a_error", ["b", ["b_error", ["end"]]]], "rescue"]
    assert steps[0]["on_error"] == "continue"
    assert steps[1]["branches"][0]["when"] == {"field": "steps.a.status", "operator": "not_equals", "value": "failed"}


def test_a_jump_to_the_next_step_goes_on() -> None:
    steps = flow(note("a", on_error="branch", error_branch_step_id="b"), note("b"))
    assert shape(steps) == ["a", "b"]


HOLDS = {"field": "trigger.n", "operator": "greater_than_or_equals", "value": 5}


@pytest.mark.parametrize(
    ("steps", "tree", "when"),
    [
        ([condition("c"), note("a")], [["c", ["c_stop"]], "a"], {"not": HOLDS}),
        ([condition("c", false_step_id="b"), note("a"), note("b")], [["c", ["a"]], "b"], HOLDS),
        ([condition("c", true_step_id="b"), note("a"), note("b")], [["c", ["a"]], "b"], {"not": HOLDS}),
        (
            [condition("c", true_step_id="a", false_step_id="b"), note("a"), note("b")],
            [["c", ["a"]], "b"],
            HOLDS,
        ),
        (
            [condition("c", true_step_id="b", false_step_id="a"), note("a"), note("b")],
            [["c", ["a"]], "b"],
            {"not": HOLDS},
        ),
        ([condition("c", then=[note("a")], **{"else": [note("b")]}), note("d")], [["c", ["a"], ["b"]], "d"], HOLDS),
        ([condition("c", **{"else": [note("b")]}), note("d")], [["c", ["b"]], "d"], {"not": HOLDS}),
    ],
)  # fmt: skip
def test_a_condition_leads_where_it_says(steps: list[JsonObject], tree: Json, when: Json) -> None:
    made = flow(*steps)
    assert shape(made) == tree
    assert made[0]["branches"][0]["when"] == when


@pytest.mark.parametrize(
    ("ways", "asked"),
    [
        ({"true_step_id": "a", "false_step_id": "b"}, "== 'passed'"),
        ({"true_step_id": "b", "false_step_id": "a"}, "!= 'not_passed'"),
    ],
    ids=str,
)
def test_later_steps_ask_whether_a_condition_held_whichever_way_comes_first(ways: JsonObject, asked: str) -> None:
    said = note("b", position=3, action_config={"key": "a", "value": "{{steps.c.passed}}"})
    made = flow(said, condition("c", **ways) | {"position": 1}, note("a", position=2))
    assert made[1]["variables"]["a"] == f"{{{{ (steps.c.output.name {asked}) }}}}"


def test_a_condition_in_a_loop_skips_the_rest_of_the_iteration() -> None:
    [loop] = flow(
        {"id": "l", "step_type": "loop", "loop_config": {"source": [1], "steps": [condition("c"), note("a")]}}
    )
    assert shape(loop["steps"]) == [["c", ["a"]]]


def test_later_steps_can_ask_whether_a_condition_held() -> None:
    asks = note("a", action_config={"key": "a", "value": "{{steps.c.passed}}"})
    made = flow(condition("c", false_step_id="a"), note("b"), asks)
    assert made[1]["variables"] == {"a": "{{ (steps.c.output.name == 'passed') }}"}


def test_settings_of_the_workflow_are_kept() -> None:
    action = {"id": "a", "step_type": "action", "action_type": "http.request", "action_config": {"url": "u"}}
    document = {
        "trigger_type": "event",
        "trigger_config": {"event_type": "a.b.c", "source_module": "crm"},
        "timeout_seconds": 60,
        "max_executions_per_hour": 100,
        "run_once": True,
        "retry_on_failure": False,
        "steps": [action],
    }
    made = read(document).document
    assert made["settings"] == {"timeout": "60s", "max_runs_per_hour": 100, "run_once_per": "{{ event.id }}"}
    assert made["trigger"] == {"type": "event", "event": "a.b.c", "source": "crm"}
    assert made["steps"][0]["retry"] == {"max_attempts": 1}


@pytest.mark.parametrize(
    ("head", "trigger"),
    [
        ({"trigger_type": "manual", "trigger_config": {}}, {"type": "manual"}),
        (
            {"trigger_type": "schedule", "trigger_config": {"cron_expression": "0 9 * * 1", "timezone": "UTC"}},
            {"type": "schedule", "cron": "0 9 * * 1", "timezone": "UTC"},
        ),
        (
            {"trigger_type": "webhook", "trigger_config": {"allowed_methods": ["POST"], "allowed_ips": ["10.0.0.0/8"]}},
            {"type": "webhook", "methods": ["POST"], "allowed_ips": ["10.0.0.0/8"]},
        ),
        (
            {"trigger_type": "form_submission", "trigger_config": {"form_id": "f1"}},
            {
                "type": "event",
                "event": "form.submission.received",
                "filter": {"field": "data.form_id", "operator": "equals", "value": "f1"},
            },
        ),
    ],
)
def test_each_trigger_has_its_own_in_the_language(head: JsonObject, trigger: JsonObject) -> None:
    assert read({**head, "steps": [note("a")]}).document["trigger"] == trigger


def test_a_mapped_input_that_nothing_uses_is_told() -> None:
    document = {"trigger_type": "manual", "steps": [note("a", input_mapping={"x": 1})]}
    published(document)
    assert [(each.path, each.severity) for each in read(document).remarks][1:] == [
        ("steps[0].input_mapping", "warning")
    ]
