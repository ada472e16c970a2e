"""Whole documents of each dialect: all become definitions that publishing finds nothing wrong with."""

import json
import re

import pytest

from app.definition import dialects
from app.definition.dialects.detect import DIALECTS
from app.definition.parse import dump, parse
from app.json import Json
from tests.support.dialects import ACTIONS, DOCUMENTS, FLAT, LINKED, WIZARD, canonical, errors, published, read
from tests.support.documents import EXAMPLES, Block, blocks

CANONICAL = [Block(path, 1, "yaml", "", path.read_text()) for path in sorted(EXAMPLES.glob("*.yaml"))]
CANONICAL += [block for block in blocks("yaml") if block.kind in ("", "run") and block.page.name != "dialects.md"]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_document_of_each_dialect_becomes_a_definition(name: str) -> None:
    assert read(DOCUMENTS[name]).dialect == name
    made = published(DOCUMENTS[name])
    assert dialects.read(made) is None
    assert dump(parse(made)) == made


@pytest.mark.parametrize("name", DIALECTS)
def test_the_dialect_and_what_was_left_out_are_told(name: str) -> None:
    note, *_others = read(DOCUMENTS[name]).remarks
    assert (note.path, note.severity) == ("", "info")
    assert DIALECTS[name] in note.message


@pytest.mark.parametrize("block", CANONICAL, ids=lambda block: block.place)
def test_the_language_itself_is_left_alone(block: Block) -> None:
    assert dialects.read(block.content()) is None


@pytest.mark.parametrize(
    "document",
    [None, 5, "steps", [], {}, {"steps": []}, {"steps": [{"id": "a", "type": "action", "action_type": "b"}]}],
)
def test_what_bears_no_sign_of_a_dialect_is_left_to_the_language(document: Json) -> None:
    assert dialects.read(document) is None


def test_flat_steps_run_by_position_and_speak_of_each_other_by_output_key() -> None:
    made = published(FLAT)
    assert [step["id"] for step in made["steps"]] == ["customer_record", "condition", "send"]
    assert made["steps"][2]["inputs"]["body"] == {
        "customer": "{{ steps.customer_record.output.response_body.name }}",
        "run": "{{ run.id }}",
    }
    assert made["variables"] == {"threshold": 500}
    assert made["settings"] == {"timeout": "300s"}


def test_linked_steps_part_and_meet_again() -> None:
    score, condition, archive = published(LINKED)["steps"]
    assert [step["id"] for step in condition["branches"][0]["steps"]] == ["calm_down"]
    assert [step["id"] for step in condition["else"]] == ["thank"]
    assert score["inputs"]["url"] == "{{ trigger.base }}/score"
    calm, thank = "steps.calm_down.output.success", "steps.thank.output.success"
    assert archive["inputs"]["body"]["ok"] == f"{{{{ {calm} if {calm} is defined else {thank} }}}}"


def test_actions_run_in_the_order_of_their_links() -> None:
    made = published(ACTIONS)
    assert [step["type"] for step in made["steps"]] == ["delay", "action"]
    assert made["steps"][1]["inputs"]["body"]["name"] == "{{ trigger.contact.first_name }}"


def test_a_wizards_event_becomes_a_filtered_trigger_and_ordered_actions() -> None:
    made = published(WIZARD)
    assert made["trigger"]["event"] == "wizard.option.on_select"
    assert [step["id"] for step in made["steps"]] == ["find_the_address", "store_the_address"]
    find, store = made["steps"]
    assert (find["on_error"], find["retry"]) == ("continue", {"initial_interval": "10ms"})
    assert (store.get("on_error", "fail"), store["retry"]["max_attempts"]) == ("fail", 1)
    assert store["inputs"]["json"] == {"city": "{{ steps.find_the_address.output.body.city }}", "n": "{{ 7 }}"}
    assert made["output"]["shown"][0]["data"] == "{{ steps.find_the_address.output | default(none) }}"


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({"steps": [{"step_type": "stop"}, {"stepId": "a"}]}, "steps[1]", "written in several ways: flat, linked"),
        ({"steps": [{"step_type": "stop"}, {"id": "a", "type": "stop"}]}, "steps[1]", "flat, the language itself"),
        ({"steps": [], "actions": [{"action_type": "a"}]}, "actions", "cannot both stand here"),
        ({"steps": [{"step_type": "stop"}] * 501}, "", "501 steps, 500 are allowed"),
        ({"steps": [{"step_type": "stop"}], "stepz": 1}, "stepz", "unknown key 'stepz' in the workflow"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused(document: Json, path: str, message: str) -> None:
    [problem] = read(document).errors
    assert problem.path == path
    assert message in problem.message


def test_problems_of_the_definition_are_told_at_the_places_of_the_document() -> None:
    steps = [
        {"step_type": "action", "action_type": "email.sent", "position": 2, "action_config": {"to": "a@example.com"}},
        {
            "step_type": "action",
            "action_type": "send_email",
            "position": 1,
            "action_config": {"subject": "{{trigger.x | uper}}", "body": "b", "connection": "smtp-man"},
        },
    ]
    assert set(errors({"trigger_type": "manual", "steps": steps})) == {
        ("steps[0].action_type", "unknown action 'email.sent'"),
        ("steps[1].action_config.connection", "there is no connection 'smtp-man'"),
        ("steps[1].action_config.to", "'to' is required"),
        ("steps[1].action_config.subject", "unknown filter 'uper'"),
    }


def test_a_trigger_of_a_later_kind_is_told_at_its_place() -> None:
    reading = read({"trigger_type": "webhook", "trigger_config": {"allowed_methods": ["POST"]}, "steps": []})
    assert reading.document["trigger"] == {"type": "webhook", "methods": ["POST"]}


def test_secrets_have_no_place_in_a_definition_and_the_way_out_is_a_variable_of_the_workspace() -> None:
    document = {
        "trigger_type": "manual",
        "variables": [{"key": "crm token", "value": "x", "is_secret": True}],
        "steps": [{"step_type": "stop"}],
    }
    [problem] = read(document).errors
    assert (problem.path, problem.message) == ("variables[0].is_secret", "a secret has no place in a definition")
    assert "POST /v1/variables with name crm_token" in problem.hint
    assert "{{ secrets.crm_token }}" in problem.hint


@pytest.mark.parametrize("name", DIALECTS)
def test_secrets_of_the_workspace_are_written_alike_in_every_dialect(name: str) -> None:
    text, count = re.subn(r"\{\{[^}]*\}\}(?=/\w)", "{{ secrets.crm_token }}", json.dumps(DOCUMENTS[name]))
    made = json.dumps(canonical(json.loads(text)))
    assert made.count("{{ secrets.crm_token }}") == count > 0
