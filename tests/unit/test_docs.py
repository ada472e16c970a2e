"""The documents say what is so: every example is well-formed and publishable, every table agrees with the code."""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import typer
import yaml

from api.schemas.variables import VariableCreate
from app.catalog.connections import CONNECTION_KINDS
from app.catalog.registry import ACTIONS, LOOKUP
from app.cli.main import app as command_line
from app.definition import dialects
from app.definition.base import Document
from app.definition.check import check
from app.definition.condition_operators import OPERATORS
from app.definition.error_types import RUN_ERRORS, STEP_ERRORS, ErrorType
from app.definition.expressions import evaluate
from app.definition.filters import FILTERS
from app.definition.parse import parse
from app.definition.steps import ErrorPolicy, Retry, StepBase
from app.json import Json, JsonObject
from app.settings import Settings
from app.temporal.names import SEARCH_ATTRIBUTES
from tests.support.documents import EXAMPLES, PAGES, ROOT, Block, anchors, blocks, commands, links, quoted, table
from workflows.interpreter import KINDS

CONNECTIONS = {"smtp-main": "smtp", "helpdesk": "http", "shop-hook": "webhook"}
CONNECTIONS |= {"support-line": "twilio"}
FRAGMENTS = {"", "run", "first", "steps", "conditions", "matches", "event", "connection", "workflow"}
FRAGMENTS |= {"variable", "output", "ends", "held", "decision"}


def published(definition: Json) -> None:
    """The definition fits the models and publishing would find nothing to say."""
    reading = dialects.read(definition)
    problems = check(
        parse(definition if reading is None else reading.document), actions=LOOKUP, connections=CONNECTIONS
    )
    assert [problem.as_json() for problem in problems] == []


def around(steps: list[JsonObject]) -> JsonObject:
    return {"name": "Fragment", "trigger": {"type": "event", "event": "app.thing.happened"}, "steps": steps}


def page(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("block", blocks("yaml", "json"), ids=page)
def test_every_block_says_what_it_is(block: Block) -> None:
    assert block.kind in FRAGMENTS
    block.content()


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if b.kind in ("", "run", "first")], ids=page)
def test_a_whole_workflow_can_be_published(block: Block) -> None:
    published(block.content())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_can_be_published(path: Path) -> None:
    published(Block(path, 1, "yaml", "", path.read_text()).content())


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if b.kind == "steps"], ids=page)
def test_a_list_of_steps_can_be_published(block: Block) -> None:
    published(around(block.content()))


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if b.kind == "conditions"], ids=page)
def test_each_condition_can_be_published(block: Block) -> None:
    for condition in block.content():
        published(around([{"id": "one", "type": "transform", "mapping": {"a": 1}, "when": condition}]))


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if b.kind == "matches"], ids=page)
def test_each_match_can_be_published(block: Block) -> None:
    for match in block.content():
        wait = {"id": "one", "type": "wait_for_event", "event": "crm.deal.won", "match": match}
        published({**around([wait]), "variables": {"limit": 50}})


@pytest.mark.parametrize("block", [b for b in blocks("json") if b.kind == "workflow"], ids=page)
def test_a_request_for_a_workflow_holds_a_publishable_definition(block: Block) -> None:
    published(block.content()["definition"])


@pytest.mark.parametrize("block", [b for b in blocks("json") if b.kind == "connection"], ids=page)
def test_a_connection_fits_its_kind(block: Block) -> None:
    content = block.content()
    kind = CONNECTION_KINDS[content["kind"]]
    kind.config.model_validate(content["config"])
    kind.credentials.model_validate(content["credentials"])


@pytest.mark.parametrize("block", [b for b in blocks("json") if b.kind == "variable"], ids=page)
def test_a_variable_fits(block: Block) -> None:
    VariableCreate.model_validate(block.content())


def test_every_step_kind_is_described_and_stands_in_an_example() -> None:
    assert {name for row in table("workflows.md", "type") for name in quoted(row[0])} == set(KINDS)
    texts = "".join(path.read_text() for path in EXAMPLES.glob("*.yaml"))
    assert {kind for kind in KINDS if f"type: {kind}" not in texts} == set()


def fields(model: type[Document], prefix: str = "") -> Iterator[list[str]]:
    """Rows of a kind's table: field, default and description, those of its parts after their own."""
    for name, field in model.model_fields.items():
        if not prefix and (name in StepBase.model_fields or name == "type"):
            continue
        shown = f"{prefix}{field.alias or name}"
        default = "" if field.is_required() else field.get_default(call_default_factory=True)
        text = default if isinstance(default, str) else json.dumps(default)
        told = "required" if field.is_required() else f"`{text}`" if default not in (None, "", [], {}) else ""
        yield [f"`{shown}`", told, field.description or ""]
        for part in parts(field.annotation):
            yield from fields(part, f"{shown}[]." if "list[" in str(field.annotation) else f"{shown}.")


def parts(annotation: object) -> list[type[Document]]:
    """Models inside a field's type that are no steps."""
    if isinstance(annotation, type):
        is_part = issubclass(annotation, Document) and annotation.__module__ == StepBase.__module__
        return [annotation] if is_part and not issubclass(annotation, StepBase) else []
    return [part for inner in get_args(annotation) for part in parts(inner)]


@pytest.mark.parametrize("kind", StepBase.__subclasses__(), ids=lambda kind: kind.__name__)
def test_a_kinds_page_has_its_fields_and_an_example_that_is_run(kind: type[StepBase]) -> None:
    [name] = get_args(kind.model_fields["type"].annotation)
    assert table(f"steps/{name}.md", "field") == list(fields(kind))
    examples = [each for each in blocks("yaml") if each.page.name == f"{name}.md" and each.kind == "run"]
    assert any(f"type: {name}" in each.text for each in examples)


def test_the_filters_are_those_of_the_language_in_its_words() -> None:
    told = [(quoted(row[0])[0], row[1]) for row in table("filters.md", "filter")]
    assert told == [(each.usage, each.description) for each in FILTERS.values()]


@pytest.mark.parametrize("row", table("filters.md", "filter"), ids=lambda row: row[0])
def test_a_filter_gives_what_its_example_says(row: list[str]) -> None:
    example, result = row[2].strip("`"), row[3].strip("`")
    assert evaluate(f"{{{{ {example} }}}}", {"trigger": {}}) == json.loads(result)


def test_the_operators_are_those_of_the_language() -> None:
    assert {name for row in table("workflows.md", "operator") for name in quoted(row[0])} == set(OPERATORS)


def test_the_errors_are_those_of_the_language_in_its_words() -> None:
    told = table("errors.md", "type")
    assert told == [
        [f"`{each.value}`", "yes" if each.retryable else "no", each.meaning, each.way_out] for each in ErrorType
    ]


def test_the_errors_that_end_a_run_without_a_failed_step_stand_below_the_others() -> None:
    assert tuple(ErrorType) == (*STEP_ERRORS, *RUN_ERRORS)
    assert STEP_ERRORS[-1] == ErrorType.WAIT_TIMED_OUT


def test_the_retry_policy_is_that_of_the_language() -> None:
    told = {quoted(row[0])[0]: row[1].strip("`") for row in table("errors.md", "`retry`")}
    defaults = {name: field.default for name, field in Retry.model_fields.items()}
    assert told == {name: "" if default is None else str(default) for name, default in defaults.items()}


def test_the_error_policies_are_those_of_the_language() -> None:
    assert [quoted(row[0])[0] for row in table("errors.md", "`on_error`")] == list(get_args(ErrorPolicy))


def test_the_fields_of_every_step_are_described() -> None:
    told = {name for row in table("workflows.md", "key of a step") for name in quoted(row[0])}
    assert told == set(StepBase.model_fields) - {"id"}


def test_the_actions_are_those_of_the_catalog() -> None:
    told = {quoted(row[0])[0]: row[1] for row in table("api.md", "action")}
    assert set(told) == set(ACTIONS)
    for name, connection in told.items():
        kind = ACTIONS[name].connection
        needed = "" if kind is None else f"`{kind}`" + ("" if ACTIONS[name].connection_required else ", optional")
        assert connection == needed, name


def test_the_kinds_of_connection_are_those_of_the_catalog() -> None:
    told = {quoted(row[0])[0]: row for row in table("connections.md", "kind")}
    assert set(told) == set(CONNECTION_KINDS)
    for name, kind in CONNECTION_KINDS.items():
        fields = {field.alias or key for key, field in kind.config.model_fields.items()}
        assert fields <= set(quoted(told[name][2])), name


def test_the_settings_are_those_the_processes_read() -> None:
    told = {quoted(row[0])[0]: row[1].strip("`") for row in table("running.md", "variable")}
    fields = Settings.model_fields
    assert set(told) == {f"HOLDFAST_{name.upper()}" for name in fields}
    for name, field in fields.items():
        default = field.default
        assert told[f"HOLDFAST_{name.upper()}"] == ("" if default in (None, ()) else str(default)), name


def test_the_search_attributes_are_those_runs_carry() -> None:
    told = {quoted(row[0])[0] for row in table("operations.md", "attribute")}
    assert told == {key.name for key in SEARCH_ATTRIBUTES}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links(path):
        if link.startswith("http"):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


def lines(word: str) -> list[tuple[str, str]]:
    """Shell lines that begin with this word, or with its program in `.venv/bin`."""
    return [(place, line) for place, line in commands() if re.match(rf"(\.venv/bin/)?{word}\b", line)]


@pytest.mark.parametrize(("place", "line"), lines("holdfast"))
def test_a_command_is_one_the_command_line_takes(place: str, line: str) -> None:
    takes(line)


@pytest.mark.parametrize("row", table("running.md", "command"), ids=lambda row: row[0])
def test_a_listed_command_is_one_the_command_line_takes(row: list[str]) -> None:
    takes(quoted(row[0])[0])


def takes(line: str) -> None:
    """The command line knows the command and its options; nothing is run."""
    command = typer.main.get_command(command_line)
    words = shlex.split(line)[1:]
    context = None
    while words and hasattr(command, "commands") and words[0] in command.commands:
        context = typer.Context(command, parent=context, info_name=words[0])
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    command.make_context("holdfast", [EXAMPLE_FILE if word.endswith(".yaml") else word for word in words])


EXAMPLE_FILE = str(EXAMPLES / "new-lead.yaml")


def test_every_command_is_listed() -> None:
    listed = {" ".join(quoted(row[0])[0].split()[1:3]) for row in table("running.md", "command")}
    names = set(typer.main.get_command(command_line).commands)
    assert {words.split()[0] for words in listed} == names


@pytest.mark.parametrize(("place", "line"), lines("make"))
def test_a_target_is_one_of_the_makefile(place: str, line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


@pytest.mark.parametrize(("place", "line"), lines("docker compose exec"))
def test_a_command_inside_a_container_is_one_the_command_line_takes(place: str, line: str) -> None:
    service, _, command = line.removeprefix("docker compose exec ").partition(" ")
    assert service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    takes(command)


@pytest.mark.parametrize(("place", "line"), lines("cp"))
def test_a_file_to_copy_is_there(place: str, line: str) -> None:
    assert (ROOT / line.split()[1]).exists(), line


@pytest.mark.parametrize(("place", "line"), lines("curl"))
def test_a_call_is_one_the_api_serves(place: str, line: str) -> None:
    method = next(iter(re.findall(r"-X (\w+)", line)), "POST" if re.search(r" (--json|-d) ", line) else "GET").lower()
    [address] = re.findall(r"\$HOLDFAST(/[^\s\"?]+)", line)
    served = _served()
    fitting = [path for path in served if _fits(path, address)]
    assert any(method in served[path] for path in fitting), f"{method} {address}"


@cache
def _served() -> JsonObject:
    from api.main import create_app  # noqa: PLC0415 - loads the whole API

    paths: JsonObject = create_app().openapi()["paths"]
    return paths


def _fits(path: str, address: str) -> bool:
    pairs = zip(path.split("/"), address.split("/"), strict=False)
    same_length = path.count("/") == address.count("/")
    return same_length and all(part.startswith("{") or part == word for part, word in pairs)
