"""A run's stream of server-sent events, line by line."""

from app.cli.stream import Message, messages


def test_a_message_ends_at_an_empty_line() -> None:
    lines = ["event: step", 'data: {"path": "a"}', "", "event: done", "data: {}", ""]

    assert list(messages(lines)) == [Message("step", {"path": "a"}), Message("done", {})]


def test_data_over_several_lines_is_one_value() -> None:
    assert list(messages(["event: run", "data: {", 'data: "a": 1}', ""])) == [Message("run", {"a": 1})]


def test_comments_ids_and_messages_without_data_are_passed_over() -> None:
    lines = [": ping", "", "id: 7", "retry: 100", "event: step", "", "event:run", "data:1", ""]

    assert list(messages(lines)) == [Message("run", 1)]


def test_a_message_cut_off_is_not_shown() -> None:
    assert list(messages(["event: step", 'data: {"path"'])) == []
