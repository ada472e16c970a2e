"""The tables of docs/limits.md agree with the code."""

from app.definition import json_schema, limits, reading, run_limits
from app.definition.check import check
from app.definition.checks import schemas
from app.definition.model import Settings
from app.services.workspaces import WorkspaceSettings
from tests.support.documents import quoted, table

DEPTH = check.__kwdefaults__["max_depth"]


def test_the_settings_are_those_of_the_language() -> None:
    told = {quoted(row[0])[0] for row in table("limits.md", "setting")}
    of_concurrency = {f"concurrency.{name}" for name in run_limits.Concurrency.model_fields}
    others = set(Settings.model_fields) - {"timeout", "on_failure", "dispatch", "concurrency"}
    assert told == of_concurrency | others


def test_what_the_language_allows_is_what_it_holds_to() -> None:
    told = [(row[0], int(row[1].replace(",", ""))) for row in table("limits.md", "of")]
    assert told == [
        ("the document", reading.MAX_TEXT_CHARS),
        ("the document", reading.MAX_NODES),
        ("the document", reading.MAX_DEPTH),
        ("a workflow", check.__kwdefaults__["max_steps"]),
        ("a workflow", DEPTH),
        ("a text with expressions", limits.MAX_TEMPLATE_CHARS),
        ("a text with expressions", limits.MAX_TOKENS),
        ("an expression", limits.MAX_SOURCE_NESTING),
        ("an expression", limits.MAX_FOR_NESTING),
        ("an expression", limits.MAX_OPERATIONS),
        ("an expression", limits.MAX_CREATED),
        ("an expression", limits.MAX_RANGE),
        ("an expression", limits.MAX_INTEGER_BITS),
        ("a `filter` or `aggregate`", limits.MAX_ITEM_OPERATIONS),
        ("a JSON Schema", json_schema.MOST_SCHEMA_WORK),
        ("a JSON Schema", schemas.MOST_APPLIED),
        ("an input, or an answer to a form", json_schema.MOST_WORK),
        ("a result", limits.MAX_RESULT),
        ("a result", limits.MAX_RESULT_VALUES),
        ("a result", limits.MAX_VALUE_DEPTH),
        ("an hour", run_limits.MAX_RUNS_PER_HOUR),
        ("a key", run_limits.MAX_CONCURRENT),
    ]


def test_the_most_steps_are_those_of_a_new_workspace() -> None:
    assert WorkspaceSettings().max_steps == check.__kwdefaults__["max_steps"]
