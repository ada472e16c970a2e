"""A run that would outgrow Temporal's history ends in order, with its records, instead of being terminated."""

import pytest

from tests.support.engine import Engine
from workflows import scope


async def test_a_run_whose_history_is_full_fails_and_runs_its_finally(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "MOST_EVENTS", 60)
    pause = {"id": "pause", "type": "delay", "duration": "1ms", "on_error": "continue"}
    loop = {"id": "each", "type": "loop", "items": "{{ range(200) }}", "steps": [pause], "on_error": "continue"}
    last = {"id": "last", "type": "transform", "mapping": {"status": "{{ status }}"}}
    finished = await engine.run({"steps": [loop], "finally": [last]})
    assert finished.error["type"] == "limit_exceeded"
    assert "history is full" in finished.error["message"]
    assert finished.steps["last"].output == {"status": "failed"}
    assert finished.events < 120
