"""Actions in a row and events of a wizard: their order, their own words, and what is refused."""

from typing import Any

import pytest

from app.definition.durations import parse as duration
from app.json import Json, JsonObject
from tests.support.dialects import WIZARD, canonical, errors, read, step


def wait(own: str, **links: Any) -> JsonObject:
    return {"id": own, "action_type": "wait_time", "action_config": {"duration": 1, "unit": "hours"}, **links}


def ids(*actions: JsonObject) -> list[str]:
    return [each["id"] for each in canonical({"actions": list(actions)})["steps"]]


def test_links_say_the_order_and_positions_do_where_there_are_none() -> None:
    assert ids(wait("c", previous_action_id="b"), wait("b"), wait("a", next_action_id="b")) == ["a", "b", "c"]
    assert ids(wait("c", position=7), wait("a", position=0), wait("b", position=3)) == ["a", "b", "c"]
    assert ids(wait("a"), wait("b"), wait("c", position=None)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("actions", "path", "message"),
    [
        ([wait("a", next_action_id="b"), wait("b", next_action_id="a")], "actions[0].next_action_id", "in a circle"),
        ([wait("a", next_action_id="z")], "actions[0].next_action_id", "there is no action 'z'"),
        (
            [wait("a", next_action_id="b"), wait("b"), wait("c", previous_action_id="a")],
            "actions[2].previous_action_id",
            "the links disagree",
        ),
        ([wait("a", next_action_id="b"), wait("b"), wait("c")], "actions[2]", "no action leads to this one"),
        ([wait("a"), wait("a")], "actions[1].id", "the id 'a' stands twice"),
        ([wait("a", branch_id="x")], "actions[0].branch_id", "what a branch of actions hangs on is not said here"),
        ([{"action_type": "add_tagg", "action_config": {}}], "actions[0].action_type", "unknown action 'add_tagg'"),
        (
            [{"action_type": "webhook_call", "action_config": {"url": "https://a.example", "payload": 1, "body": 2}}],
            "actions[0].action_config.body",
            "the input body is given twice",
        ),
        (
            [{"action_type": "webhook_call", "connection": "shop-hook", "action_config": {"connection": "other"}}],
            "actions[0].action_config.connection",
            "the step names another connection",
        ),
        ([{"action_type": "wait_time"}], "actions[0].action_config", "the delay says no duration"),
        ([{"action_type": "wait_until_date"}], "actions[0].action_config", "the wait says no date"),
        ([{"action_type": "wait_for_event"}], "actions[0].action_config", "the wait names no event"),
        (
            [{"action_type": "wait_until_date", "action_config": {"date": "2031-13-45"}}],
            "actions[0].action_config.date",
            "'2031-13-45' is no date and time",
        ),
    ],
)
def test_actions_that_cannot_be_read_are_told_at_their_place(actions: Json, path: str, message: str) -> None:
    found = errors({"actions": actions})
    assert [at for at, said in found if message in said] == [path], found


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({"duration": 2, "unit": "hours"}, 7200),
        ({"amount": "3", "unit": "day"}, 259200),
        ({"value": 1.5, "unit": "min"}, 90),
        ({"minutes": 30}, 1800),
        ({"duration_minutes": 30}, 1800),
        ({"wait_days": 1}, 86400),
        ({"duration": "1h30m"}, 5400),
        ({"duration": {"value": 2, "unit": "weeks"}}, 1209600),
    ],
)
def test_a_length_of_time_may_be_said_in_many_ways(config: JsonObject, seconds: int) -> None:
    made = step({"action_type": "wait_time", "action_config": config}, "actions")
    assert duration(made["duration"]).total_seconds() == seconds


def test_merge_fields_speak_of_what_started_the_run() -> None:
    text = (
        "{{contact.first_name}} {{ workflow.execution_date | date_format('YYYY-MM-DD') }} {{steps.h.status_code}} "
        "{{ contact.tags.0 if contact.tags is defined else 'a.b' }} {{trigger.x}}"
    )
    actions = [
        {"id": "h", "action_type": "webhook_call", "action_config": {"url": "https://example.com"}},
        {"action_type": "webhook_call", "action_config": {"url": "https://example.com", "payload": {"t": text}}},
    ]
    assert canonical({"actions": actions})["steps"][1]["inputs"]["body"]["t"] == (
        "{{ trigger.contact.first_name }} {{ run.started_at | date_format('YYYY-MM-DD') }} "
        "{{ steps.h.output.status_code }} "
        "{{ (trigger.contact.tags[0]) if trigger.contact.tags is defined else 'a.b' }} {{ trigger.x }}"
    ).replace("(trigger.contact.tags[0])", "trigger.contact.tags[0]")


def wizard(*actions: JsonObject, **head: Json) -> JsonObject:
    return {"event_trigger": "wizard.onStart", "event_name": "E", **head, "actions": list(actions)}


def call(**more: Any) -> JsonObject:
    return {"action_name": "Call", "action_type": "api_call", "config": {"url": "https://example.com"}, **more}


def test_actions_of_the_same_number_run_as_they_stand() -> None:
    actions = [call(action_name="c", execution_order=2), call(action_name="a"), call(action_name="b")]
    assert [each["id"] for each in canonical(wizard(*actions))["steps"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["AND", "AND"], {"all": ["a", "b", "c"]}),
        (["OR", "OR"], {"any": ["a", "b", "c"]}),
        (["OR", "AND"], {"any": ["a", {"all": ["b", "c"]}]}),
        (["AND", "OR"], {"any": [{"all": ["a", "b"]}, "c"]}),
    ],
)
def test_and_binds_before_or_between_neighbours(words: list[str], expected: Json) -> None:
    conditions = [
        {"field_id": name, "operator": "is_empty", "logic": logic}
        for name, logic in zip("abc", [*words, "OR"], strict=True)
    ]
    made = canonical(wizard(call(), conditions=conditions))["trigger"]["filter"]

    def named(part: Json) -> Json:
        if "field" in part:
            return part["field"].removeprefix("data.responses.")
        return {word: [named(each) for each in parts] for word, parts in part.items()}

    assert named(made) == expected


def test_a_field_with_an_odd_name_is_found() -> None:
    field = "3f2a1b4c-0000-4000-8000-000000000001"
    mapping = {"v": {"source": "option_set", "field_id": field}}
    made = canonical(
        wizard(
            call(config={"url": "https://example.com", "body": {"v": "{{v}}"}}, input_mapping=mapping),
            conditions=[{"field_id": field, "operator": "equals", "value": 1}],
        )
    )
    assert made["trigger"]["filter"]["field"] == f'data.responses["{field}"]'
    assert made["steps"][0]["inputs"]["json"]["v"] == f'{{{{ trigger.responses["{field}"] | default(none) }}}}'


@pytest.mark.parametrize("value", ["it's {{ not }} \\ a \n template", 5, 1.5, True, None, [1, "a"], {"k": [None]}])
def test_a_static_value_arrives_as_it_is(value: Json) -> None:
    from app.definition.expressions import evaluate  # noqa: PLC0415

    config = {"url": "https://example.com", "body": {"v": "{{v}}"}}
    made = canonical(wizard(call(config=config, input_mapping={"v": {"source": "static", "value": value}})))
    assert evaluate(made["steps"][0]["inputs"]["json"]["v"], {}) == value


@pytest.mark.parametrize(
    ("action_type", "config", "expected"),
    [
        ("mcp_call", {"mcp_server": "s", "tool_name": "t", "parameters": {"a": 1}}, "mcp.call_tool"),
        ("set_field_value", {"target_fields": {"a": 1}}, "wizard.set_field_value"),
        ("show_message", {"message_type": "info", "message": "m"}, "wizard.show_message"),
        ("navigate", {"target": "next"}, "wizard.navigate"),
        ("custom_script", {"script": "return 1"}, "code.javascript"),
        ("transform_data", {"transformation_type": "javascript", "transformation_script": "x"}, "code.javascript"),
    ],
)
def test_each_action_has_its_name(action_type: str, config: JsonObject, expected: str) -> None:
    action = {"action_name": "A", "action_type": action_type, "config": config}
    assert read(wizard(action)).document["steps"][0]["action"] == expected


def test_a_transformation_maps_with_its_inputs() -> None:
    action = {
        "action_name": "Shape",
        "action_type": "transform_data",
        "config": {"transformation_type": "map", "transformation_script": {"who": "{{name}}"}, "output_schema": {}},
        "input_mapping": {"name": {"source": "event_data", "field": "person.name"}},
    }
    [made] = canonical(wizard(action))["steps"]
    assert (made["type"], made["mapping"]) == ("transform", {"who": "{{ trigger.person.name | default(none) }}"})


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        (wizard(call(), event_trigger="step.onFire"), "event_trigger", "unknown event_trigger 'step.onFire'"),
        (wizard(call(on_error="explode")), "actions[0].on_error", "unknown on_error 'explode'"),
        (wizard(call(input_mapping={"a": 1})), "actions[0].input_mapping.a", "an input is {source, ...}"),
        (wizard(call(input_mapping={"a": {"source": "sky"}})), "actions[0].input_mapping.a.source", "unknown source"),
        (
            wizard(call(input_mapping={"a": {"source": "action_output", "action_id": "x"}})),
            "actions[0].input_mapping.a.action_id",
            "there is no action 'x'",
        ),
        (wizard(call(), conditions=[{"operator": "equals", "value": 1}]), "conditions[0].field", "is missing"),
        (
            wizard({"action_type": "transform_data", "action_name": "a", "config": {"transformation_type": "xslt"}}),
            "actions[0].config.transformation_script",
            "a transformation of type 'xslt' cannot be read",
        ),
    ],
)
def test_what_a_wizard_says_wrongly_is_told_at_its_place(document: JsonObject, path: str, message: str) -> None:
    found = errors(document)
    assert [at for at, said in found if message in said] == [path], found


def test_an_input_nothing_uses_is_told() -> None:
    mapping = {"v": {"source": "static", "value": 1}}
    remarks = read(wizard(call(input_mapping=mapping))).remarks
    assert ("actions[0].input_mapping.v", "warning") in [(each.path, each.severity) for each in remarks]


def test_the_wizards_own_document_has_no_remark_but_the_note() -> None:
    assert [each.severity for each in read(WIZARD).remarks] == ["info"]
