"""Names in `{{ }}` and `{% %}`: replaced wherever they stand, but for those the text itself makes."""

import time
from collections.abc import Sequence

import pytest

from app.definition.dialects.placeholders import dotted, names_in, translated
from app.definition.expressions import evaluate
from app.json import JsonObject
from tests.support.dialects import published

CONTEXT: JsonObject = {
    "trigger": {
        "tags": ["a", "b"],
        "contact": {"vip": True, "first-name": "Ada"},
        "orders": [{"no": 1, "paid": True}, {"no": 2, "paid": False}],
    }
}


def of_trigger(parts: Sequence[str]) -> str | None:
    return None if parts[0] == "trigger" else dotted(["trigger", *parts])


def choice(parts: Sequence[str]) -> str:
    return f"a if a is defined else b.{parts[0]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for t in trigger.tags %}{{ t | default('?') }},{% endfor %}", "a,b,"),
        ("{% for t in tags %}{{ loop.index }}{{t}}{% endfor %}", "1a2b"),
        ("{% set n = contact.first-name %}Hi {{ n | default('friend') }}", "Hi Ada"),
        ("{% if contact.vip %}VIP{% endif %}", "VIP"),
        ("{% if not contact.vip %}a{% elif tags[0] == 'a' %}b{% else %}c{% endif %}", "b"),
        ("{%- for o in orders if o.paid and contact.vip -%} {{o.no}} {%- endfor -%}", "1"),
        ("{% for k, v in [['x', tags]] %}{{k}}{{v.0}}{% endfor %}", "xa"),
        ("{% for tags in tags %}{{tags}}{% else %}{{tags}}{% endfor %}{{tags.1}}", "abb"),
        ("{% for t in [] %}{{t}}{% else %}{{ contact.first-name }}{% endfor %}", "Ada"),
        ("{% for t in (tags if contact.vip else []) if t == 'b' %}{{t}}{% endfor %}", "b"),
        ("{% for t in tags %}{% set u = t %}{% if u == 'b' %}{{u}}{% endif %}{% endfor %}{{u | default('-')}}", "b-"),
        ("{% raw %}{{contact.vip}} {% if %}{% endraw %}{# {{nobody}} #}{{tags.0}}", "{{contact.vip}} {% if %}a"),
    ],
)
def test_names_of_the_text_itself_stay_and_all_others_mean_what_they_do(text: str, said: str) -> None:
    assert evaluate(translated(text, of_trigger), CONTEXT) == said


def test_a_name_that_stands_for_a_choice_keeps_its_place_among_other_words() -> None:
    text = "{% for t in x if y %}{% if z %}{{z}}{% endif %}{% endfor %}"
    assert translated(text, choice) == (
        "{% for t in (a if a is defined else b.x) if (a if a is defined else b.y) %}"
        "{% if (a if a is defined else b.z) %}{{ a if a is defined else b.z }}{% endif %}{% endfor %}"
    )


@pytest.mark.parametrize("text", ["{{", "{% if a", "{{a}} {% for x", "{%-%}", "{% endfor %}{% else %}{% endif %}"])
def test_what_does_not_end_is_left_to_the_parser(text: str) -> None:
    assert translated(text, of_trigger).replace(" ", "") == text.replace("{{a}}", "{{trigger.a}}").replace(" ", "")


def test_the_names_a_value_uses_are_those_that_are_not_its_own() -> None:
    assert names_in(["{% for t in x.y %}{{t}}{{z}}{% endfor %}", {"k": "{% if w %}{% endif %}"}]) == {"x", "z", "w"}


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 130_000,
        "{{ " + "'\\" * 60_000 + " }}",
        "{% for" + " " * 100_000 + "x %}",
        "{% for a in b %}{% if x %}" * 5_000 + "{% set x = 1 %}" * 5_000 + "{{x}}",
    ],
    ids=["braces", "quotes", "spaces", "blocks"],
)
def test_a_hostile_text_is_read_in_no_time(text: str) -> None:
    began = time.perf_counter()
    translated(text, of_trigger)
    assert time.perf_counter() - began < 2


def test_blocks_of_each_dialect_mean_what_its_placeholders_mean() -> None:
    def note(text: str) -> JsonObject:
        return {"key": "text", "value": text}

    flat = {
        "variables": [{"key": "x", "value": 1}],
        "steps": [
            {"id": "a", "step_type": "action", "action_type": "webhook.send", "action_config": {"url": "https://x.nl"}},
            {
                "step_type": "loop",
                "loop_config": {
                    "source": "{{steps.a.items}}",
                    "itemVariable": "currentItem",
                    "steps": [
                        {
                            "step_type": "set_variable",
                            "action_config": note(
                                "{% if variables.x and steps.a.success and currentItem.y %}a{% endif %}"
                            ),
                        }
                    ],
                },
            },
        ],
    }
    body = published(flat)["steps"][1]["steps"][0]
    assert body["variables"]["text"] == "{% if vars.x and steps.a.output.success and current_item.y %}a{% endif %}"
    linked = {
        "steps": [
            {"stepId": "t", "stepType": "trigger", "config": {"triggerType": "manual"}, "nextStepId": "a"},
            {
                "stepId": "a",
                "stepType": "action",
                "config": {"actionType": "webhook_call", "url": "https://x.nl"},
                "nextStepId": "b",
            },
            {
                "stepId": "b",
                "stepType": "action",
                "config": {"actionType": "set_variable", **note("{% if success %}{{who}}{% endif %}")},
            },
        ]
    }
    made = published(linked)["steps"][1]
    assert made["variables"]["text"] == "{% if steps.a.output.success %}{{ trigger.who }}{% endif %}"
