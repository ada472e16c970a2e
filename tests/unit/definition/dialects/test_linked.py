"""Linked steps: agents, actions and utilities, names over one flat context, ways that part and meet."""

from typing import Any

import pytest

from app.definition.dialects.linked import OUTPUTS
from app.json import Json, JsonObject
from tests.support.dialects import canonical, errors, read

START: JsonObject = {
    "stepId": "t",
    "stepType": "trigger",
    "config": {"triggerType": "whatsapp"},
    "nextStepId": "a",
}


def node(own: str, after: Json, kind: str = "utility", **config: Any) -> JsonObject:
    config = config or {"utilityType": "sentiment", "inputText": "{{message_text}}"}
    return {"stepId": own, "stepType": kind, "config": config, "nextStepId": after}


def fork(own: str, **ways: Json) -> JsonObject:
    return node(own, dict(ways), utilityType="condition", field="{{message_text}}", operator="contains", value="x")


def document(*steps: JsonObject) -> JsonObject:
    return {"steps": [START, *steps]}


def made(*steps: JsonObject) -> list[JsonObject]:
    reading = read(document(*steps))
    assert reading.errors == []
    found: list[JsonObject] = reading.document["steps"]
    return found


def shape(steps: list[JsonObject]) -> list[Json]:
    found: list[Json] = []
    for each in steps:
        lists = [branch["steps"] for branch in each.get("branches", ())] + ([each["else"]] if "else" in each else [])
        found.append([each["id"], *map(shape, lists)] if lists else each["id"])
    return found


@pytest.mark.parametrize(
    ("kind", "config", "action", "inputs"),
    [
        (
            "agent",
            {"agentType": "conversational", "systemPrompt": "Be kind", "memoryContext": "m1"},
            "ai.converse",
            {"question": "{{ trigger.message_text }}", "system_prompt": "Be kind", "memory_context": "m1"},
        ),
        ("agent", {"agentType": "decision"}, "ai.decide", {"question": "{{ trigger.message_text }}"}),
        ("agent", {"agentType": "reasoning", "question": "Why?"}, "ai.reason", {"question": "Why?"}),
        (
            "action",
            {"actionType": "send_whatsapp", "recipient": "trigger", "messageTemplate": "Hi {{phone_number}}"},
            "whatsapp.send",
            {"to": "{{ trigger.phone_number }}", "message": "Hi {{ trigger.phone_number }}"},
        ),
        (
            "action",
            {"actionType": "send_whatsapp", "customRecipient": "+49{{n}}", "messageTemplate": "x"},
            "whatsapp.send",
            {"to": "+49{{ trigger.n }}", "message": "x"},
        ),
        (
            "action",
            {"actionType": "send_email", "to": "a@example.com", "subject": "s", "body": "{{message_text}}"},
            "email.send",
            {"to": "a@example.com", "subject": "s", "body": "{{ trigger.message_text }}"},
        ),
        (
            "action",
            {"actionType": "initiate_call", "phoneNumber": "{{phone_number}}", "voiceAgent": "v1"},
            "voice.call",
            {"to": "{{ trigger.phone_number }}", "voice_agent": "v1"},
        ),
        (
            "action",
            {"actionType": "update_crm", "crmSystem": "acme", "fields": '{"phone": "{{phone_number}}"}'},
            "crm.update",
            {"fields": {"phone": "{{ trigger.phone_number }}"}, "crm_system": "acme"},
        ),
        (
            "utility",
            {"utilityType": "text_gen", "inputText": "{{message_text}}", "systemPrompt": "p", "temperature": "0.7"},
            "ai.generate_text",
            {"text": "{{ trigger.message_text }}", "system_prompt": "p", "temperature": "0.7"},
        ),
        ("utility", {"utilityType": "sentiment", "inputText": "x"}, "ai.sentiment", {"text": "x"}),
        ("utility", {"utilityType": "intent", "inputText": "x"}, "ai.intent", {"text": "x"}),
        ("utility", {"utilityType": "vulnerability", "inputText": "x"}, "ai.vulnerability", {"text": "x"}),
        ("utility", {"utilityType": "reason", "inputText": "x"}, "ai.explain_reason", {"text": "x"}),
        ("utility", {"utilityType": "custom", "inputText": "x"}, "ai.custom", {"text": "x"}),
    ],
    ids=str,
)  # fmt: skip
def test_each_type_has_its_action(kind: str, config: JsonObject, action: str, inputs: JsonObject) -> None:
    [step] = made(node("a", None, kind, **config))
    assert (step["type"], step["action"], step["inputs"]) == ("action", action, inputs)


@pytest.mark.parametrize("channel", ["whatsapp", "email", "voice"])
def test_a_message_starts_it(channel: str) -> None:
    start = {**START, "config": {"triggerType": channel}}
    assert read({"steps": [start, node("a", None)]}).document["trigger"] == {"type": "message", "channel": channel}


def test_a_name_means_the_last_step_that_gives_it() -> None:
    steps = made(
        node("a", "b"),
        node("b", "c", utilityType="sentiment", inputText="{{sentiment}}"),
        node("c", "d", utilityType="intent", inputText="{{sentiment}} {{confidence}}"),
        node("d", None, utilityType="custom", inputText="{{confidence}} {{sentiment_score}} {{other.part}}"),
    )
    assert [step["inputs"]["text"] for step in steps] == [
        "{{ trigger.message_text }}",
        "{{ steps.a.output.sentiment }}",
        "{{ steps.b.output.sentiment }} {{ trigger.confidence }}",
        "{{ steps.c.output.confidence }} {{ steps.b.output.sentiment_score }} {{ trigger.other.part }}",
    ]


@pytest.mark.parametrize(
    ("types", "question"),
    [
        (["whatsapp"], "{{ trigger.message_text }}"),
        (["sms", "messenger"], "{{ trigger.message_text }}"),
        (["email"], "{{ trigger.email_body }}"),
        (["voice"], "{{ trigger.call_transcript }}"),
        (["manual"], "{{ trigger.message_text | default('') }}"),
        (["email", "voice"], "{{ trigger.email_body | default(trigger.call_transcript | default('')) }}"),
    ],
)
def test_an_agent_without_a_question_is_asked_what_came_in(types: list[str], question: str) -> None:
    starts = [{**START, "stepId": each, "config": {"triggerType": each}} for each in types]
    [step] = read({"steps": [*starts, node("a", None, "agent", agentType="conversational")]}).document["steps"]
    assert step["inputs"]["question"] == question


def test_a_variable_is_laid_over_the_context_under_its_name() -> None:
    steps = made(
        fork("a", true="b", false="c"),
        node("b", "c", "action", actionType="set_variable", key="queueName", value="first"),
        node("c", "d", "action", actionType="set_variable", variables={"other": "{{queueName}}"}),
        node(
            "d",
            "e",
            utilityType="custom",
            inputText="{{other}} {{queueName}} {{variables.queueName}} {{custom_output}}",
        ),
        node("e", None, "action", actionType="set_variable", key="other", value="{{other.part}}"),
    )
    queue = "vars.queue_name if vars.queue_name is defined else trigger.queueName"
    assert steps[1]["variables"] == {"other": f"{{{{ {queue} }}}}"}
    assert steps[2]["inputs"]["text"] == (
        f"{{{{ vars.other }}}} {{{{ {queue} }}}} {{{{ vars.queue_name }}}} {{{{ trigger.custom_output }}}}"
    )
    assert steps[3]["variables"] == {"other": "{{ vars.other.part }}"}


@pytest.mark.parametrize(
    "variables", [[{"key": "queueName", "value": "x"}], {"queueName": "x"}], ids=["list", "object"]
)
def test_a_variable_of_the_workflow_is_part_of_the_context(variables: Json) -> None:
    said = node("a", None, utilityType="custom", inputText="{{queueName}} {{variables.queueName}} {{phone_number}}")
    reading = read({**document(said), "variables": variables})
    assert reading.document["steps"][0]["inputs"]["text"] == (
        "{{ vars.queue_name }} {{ vars.queue_name }} {{ trigger.phone_number }}"
    )


def test_a_name_that_one_way_gives_may_come_from_the_start() -> None:
    steps = made(
        fork("a", true="b", false="c"), node("b", "c"), node("c", None, utilityType="custom", inputText="{{sentiment}}")
    )
    text = "{{ steps.b.output.sentiment if steps.b.output.sentiment is defined else trigger.sentiment }}"
    assert (shape(steps), steps[1]["inputs"]["text"]) == ([["a", ["b"]], "c"], text)


@pytest.mark.parametrize(
    ("steps", "tree"),
    [
        ([fork("a", true="b", false="c"), node("b", "d"), node("c", "d"), node("d", None)], [["a", ["b"], ["c"]], "d"]),
        ([fork("a", true="b", false="c"), node("b", None), node("c", None)], [["a", ["b"], ["c"]]]),
        ([fork("a", true=None, false="c"), node("c", None)], [["a", ["c"]]]),
        ([fork("a", true="b", false=None), node("b", "c"), node("c", None)], [["a", ["b", "c"]]]),
        (
            [
                fork("a", true="b", false="c"),
                fork("b", true="d", false=None),
                node("c", "d"),
                node("d", None),
            ],
            [["a", [["b", ["after_b"]]], ["c"]], "d"],
        ),
        (
            [
                fork("a", true="b", false="e"),
                fork("b", true="c", false="d"),
                node("c", "e"),
                node("d", "e"),
                node("e", None),
            ],
            [["a", [["b", ["c"], ["d"]]]], "e"],
        ),
    ],
)
def test_ways_that_part_meet_where_they_do(steps: list[JsonObject], tree: Json) -> None:
    assert shape(made(*steps)) == tree


def test_a_comparison_takes_the_value_the_way_gave() -> None:
    asks = {**fork("c", true="d", false=None)}
    asks["config"] = {"utilityType": "condition", "field": "{{sentiment}}", "operator": "eq", "value": "bad"}
    _first, second = made(fork("a", true="b", false="c"), node("b", "c"), asks, node("d", None))
    given = "steps.b.output.sentiment"
    assert second["branches"][0]["when"] == {
        "any": [
            {
                "all": [
                    {"field": given, "operator": "exists"},
                    {"field": given, "operator": "equals", "value": "bad"},
                ]
            },
            {
                "all": [
                    {"field": given, "operator": "not_exists"},
                    {"field": "trigger.sentiment", "operator": "equals", "value": "bad"},
                ]
            },
        ]
    }


@pytest.mark.parametrize(
    ("steps", "path", "message"),
    [
        ([node("a", "b"), node("b", "a")], "steps[2].nextStepId", "the steps lead in a circle: a -> b -> a"),
        ([node("a", "z")], "steps[1].nextStepId", "there is no step 'z'"),
        ([node("a", None), node("a", None)], "steps[2].stepId", "the stepId 'a' stands twice"),
        ([node("a", None, "robot")], "steps[1].stepType", "unknown stepType 'robot'"),
        ([node("a", None, "action", x=1)], "steps[1].config.actionType", "the action has no actionType"),
        ([node("a", None, utilityType="condition", field="x", operator="is_set")], "steps[1].nextStepId", "two steps"),
        (
            [node("a", None, "action", actionType="update_crm", fields="{oops")],
            "steps[1].config.fields",
            "the text is no JSON object",
        ),
        (
            [
                fork("a", true="b", false="c"),
                fork("b", true="d", false="e"),
                fork("c", true="d", false="e"),
                node("d", None),
                node("e", None),
            ],
            "nextStepId",
            "several ways lead to this step",
        ),
    ],
)
def test_what_has_no_tree_is_told_at_its_place(steps: list[JsonObject], path: str, message: str) -> None:
    found = [problem for problem in read(document(*steps)).errors if message in problem.message]
    assert found
    assert all(problem.path.endswith(path) for problem in found)


def test_triggers_that_lead_to_different_steps_are_two_workflows() -> None:
    other = {**START, "stepId": "u", "nextStepId": "b"}
    found = errors({"steps": [START, other, node("a", None), node("b", None)]})
    assert found == [("steps[1].nextStepId", "the triggers lead to different steps")]


def test_a_step_nothing_leads_to_is_left_out_and_told() -> None:
    reading = read(document(node("a", None), node("b", None)))
    assert shape(reading.document["steps"]) == ["a"]
    assert [(each.path, each.severity) for each in reading.remarks][1:] == [("steps[2]", "warning")]


def test_the_outputs_of_our_own_actions_are_there() -> None:
    from app.catalog.registry import ACTIONS  # noqa: PLC0415

    for action in OUTPUTS.keys() & ACTIONS.keys():
        assert set(OUTPUTS[action].values()) <= set(ACTIONS[action].outputs.model_fields), action


def test_without_a_trigger_it_starts_by_hand_at_its_first_step() -> None:
    steps = [node("a", None, "action", actionType="wait_time", value=5, unit="minutes")]
    assert canonical({"steps": steps})["steps"] == [{"id": "a", "type": "delay", "duration": "5m"}]
