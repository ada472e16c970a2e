"""What people hand over on the command line."""

import io
from pathlib import Path

import pytest

from app.cli.documents import assignments, document, files, value
from app.cli.exits import CliError, ExitCode


def test_a_value_is_json_or_yaml_as_it_stands() -> None:
    assert value('{"a": [1, true]}', what="--input") == {"a": [1, True]}
    assert value("a: 1", what="--input") == {"a": 1}


def test_a_value_comes_from_a_file_or_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input.json").write_text('{"from": "file"}')
    monkeypatch.setattr("sys.stdin", io.StringIO("from: stdin"))

    assert value(f"@{tmp_path / 'input.json'}", what="--input") == {"from": "file"}
    assert value("-", what="--input") == {"from": "stdin"}


def test_what_cannot_be_read_is_refused_with_line_and_column() -> None:
    with pytest.raises(CliError) as refused:
        value('{"a": }', what="--input")

    assert refused.value.exit_code == ExitCode.REFUSED
    assert "--input" in refused.value.message
    assert "line 1, column 7" in refused.value.problems[0]["message"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"missing\.yaml is not there") as refused:
        document(tmp_path / "missing.yaml")

    assert refused.value.exit_code == ExitCode.NOT_FOUND


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")

    with pytest.raises(CliError, match="cannot be read"):
        document(tmp_path / "picture.yaml")


def test_a_folder_stands_for_the_documents_right_in_it(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.json", "c.yml", "notes.md", "deeper/d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")

    assert [file.name for file in files([tmp_path])] == ["a.json", "b.yaml", "c.yml"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="holds no YAML or JSON file"):
        list(files([tmp_path]))


def test_a_variable_is_json_where_it_reads_as_json_and_text_otherwise() -> None:
    given = ["n=3", "flag=true", "text=hello there", 'quoted="3"', "empty=", "list=[1, 2]", "equation=a=b"]

    assert assignments(given) == {
        "n": 3,
        "flag": True,
        "text": "hello there",
        "quoted": "3",
        "empty": "",
        "list": [1, 2],
        "equation": "a=b",
    }


@pytest.mark.parametrize("text", ["novalue", "=3", ""])
def test_a_variable_without_name_or_value_is_a_usage_error(text: str) -> None:
    with pytest.raises(CliError) as refused:
        assignments([text])

    assert refused.value.exit_code == ExitCode.USAGE


def test_a_file_nobody_may_look_at_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", forbidden)
    monkeypatch.setattr(Path, "read_text", forbidden)

    (path,) = files([tmp_path / "workflow.yaml"])
    with pytest.raises(CliError, match=r"workflow.yaml cannot be read: Permission denied$"):
        document(path)
