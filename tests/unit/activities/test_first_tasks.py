"""For how long a worker may go by having taken a run's first task itself."""

import pytest

from activities.first_tasks import FirstTasks


@pytest.mark.parametrize(
    ("seconds_later", "new"),
    [(0.0, True), (4.9, True), (5.0, False), (60.0, False), (-0.5, True), (-1.5, False)],
    ids=["at once", "young", "old", "the worker stood still", "clocks differ a little", "clocks differ much"],
)
def test_a_first_task_is_trusted_while_it_is_young(seconds_later: float, new: bool) -> None:
    first_tasks = FirstTasks(clock=lambda: 1000.0 + seconds_later)
    first_tasks.begin("run", 1000.0)
    assert ("run" in first_tasks) is new


def test_an_execution_is_in_no_first_task_before_it_begins_or_after_it_ends() -> None:
    first_tasks = FirstTasks(clock=lambda: 1000.0)
    assert "run" not in first_tasks
    first_tasks.begin("run", 1000.0)
    first_tasks.end("run")
    first_tasks.end("run")
    assert "run" not in first_tasks
