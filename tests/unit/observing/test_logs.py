"""Every line has the ids of what is worked on and no secret, whoever logs it and in whatever way."""

import asyncio
import io
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
import structlog
from cryptography.fernet import Fernet
from pydantic import BaseModel, SecretStr

from app.observing import context, logs
from app.security.credentials import KeyRing
from app.settings import Settings
from tests.support.logged import lines, logged

API_KEY = "hf_AZxkZ3J0cXl6YWJjZGVmZw_kJ2mN4pQ7rS9tV1wX3yZ5aB8cD0eF2gH"
PASSWORD = "correct horse battery"
PLANTED = ("kJ2mN4pQ7rS9", PASSWORD, "horse")

log = logging.getLogger("app.services.anything")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the process logs, as JSON or as the test's parameter says."""
    with logged(getattr(request, "param", "json")) as stream:
        yield stream


def test_a_line_is_json_with_what_is_worked_on(written: io.StringIO) -> None:
    context.note(request_id="r-1", workspace_id="w-1")
    log.warning("run %s stays pending", "one")

    [line] = lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "run one stays pending",
        "level": "warning",
        "logger": "app.services.anything",
        "request_id": "r-1",
        "workspace_id": "w-1",
    }


def test_without_a_format_a_terminal_gets_lines_for_people_and_everything_else_json(written: io.StringIO) -> None:
    for stream, readable in ((Terminal(), True), (io.StringIO(), False)):
        logs.configure(Settings(), stream=stream)
        log.warning("hello")
        assert stream.getvalue().startswith("{") is not readable
        assert "hello" in stream.getvalue()


def test_a_process_without_standard_error_works_all_the_same(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logs.configure(Settings())
    log.warning("nobody reads this")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logs._Handler)
    handler.stream.close()
    log.warning("nor this")
    assert written.getvalue() == ""


@pytest.mark.parametrize("written", ["console"], indirect=True)
def test_a_line_for_people_is_one_line_whatever_somebody_sent(written: io.StringIO) -> None:
    log.info("asked for %s", "x\n2026-01-01 [error] forged\x1b[31m")

    assert written.getvalue().count("\n") == 1
    assert "\x1b[31m" not in written.getvalue()


def test_each_task_has_its_own_ids(written: io.StringIO) -> None:
    async def attempt(step: str) -> None:
        context.note(step=step)
        await asyncio.sleep(0)
        log.info("done")

    async def both() -> None:
        context.note(run_id="r")
        await asyncio.gather(attempt("a"), attempt("b"))

    asyncio.run(both())

    assert [(line["run_id"], line["step"]) for line in lines(written)] == [("r", "a"), ("r", "b")]


def test_what_was_bound_ends_with_its_block(written: io.StringIO) -> None:
    with context.bound(request_id="r"):
        context.note(key_id="k")
        context.hide(PASSWORD)
    log.info("after %s", PASSWORD)

    assert lines(written)[0]["event"] == f"after {PASSWORD}"
    assert "key_id" not in lines(written)[0]


def test_lines_of_temporal_tell_which_run_and_workflow(written: io.StringIO) -> None:
    extra = {"temporal_workflow": {"workflow_id": "run-77", "workflow_type": "Automation", "attempt": 2}}
    logging.getLogger("temporalio.worker._workflow_instance").warning("Failed activation", extra=extra)
    extra = {"temporal_activity": {"workflow_id": "holdfast-upkeep", "activity_type": "upkeep.look", "attempt": 1}}
    logging.getLogger("temporalio.activity").warning("Completing activity as failed", extra=extra)

    run, other = lines(written)
    assert (run["run_id"], run["workflow"], run["attempt"]) == ("77", "Automation", 2)
    assert (other["temporal_workflow_id"], other["action"]) == ("holdfast-upkeep", "upkeep.look")


def test_libraries_do_not_say_values_even_where_everything_is_to_be_said(written: io.StringIO) -> None:
    for name in ("temporalio.worker._workflow", "sqlalchemy.engine.Engine", "psycopg", "aiohttp.client"):
        logging.getLogger(name).debug("all of it: %s", PASSWORD)

    assert written.getvalue() == ""


class Form(BaseModel):
    pin: int


def raising(error: Callable[[], object]) -> None:
    try:
        error()
    except Exception:
        log.exception("it broke")


def chained() -> None:
    local = {"password": PASSWORD, "key": API_KEY}
    try:
        raise ValueError(f"the provider says {PASSWORD!r} of {sorted(local)}")
    except ValueError as error:
        raise RuntimeError(f"request with {API_KEY} failed") from error


def group() -> None:
    raise ExceptionGroup("several", [ValueError(PASSWORD), ValueError(API_KEY)])


def uncaught() -> None:
    try:
        chained()
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def in_thread() -> None:
    # A thread begins with no context of its own: nothing but the form tells there.
    def fail() -> None:
        raise ValueError(f"Bearer {API_KEY}")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def where_nobody_can_be_told() -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError(f"{PASSWORD} of {API_KEY}")

    Broken()


WAYS: dict[str, Callable[[], object]] = {
    "an argument": lambda: log.info("refused: %s", API_KEY),
    "a named argument": lambda: log.info("refused: %(what)s", {"what": PASSWORD}),
    "a value's repr": lambda: log.info("refused: %r", {"deep": [{"x": PASSWORD}], "authorization": "Token abcdefgh"}),
    "the text itself": lambda: log.warning(f"refused: {PASSWORD}"),
    "an extra": lambda: log.info("refused", extra={"facts": {"password": "anything", "answer": {PASSWORD: [API_KEY]}}}),
    "structlog": lambda: structlog.get_logger("x").info("refused", token=API_KEY, answer=PASSWORD),
    "an exception": lambda: raising(chained),
    "a group of exceptions": lambda: raising(group),
    "a validation": lambda: raising(lambda: Form.model_validate({"pin": "hf_AZxk_kJ2mN4pQ7rS9"})),
    "an error passed along": lambda: log.warning("later: %s", ValueError(PASSWORD)),
    "a stack": lambda: log.info("here %s", API_KEY, stack_info=True),
    "a warning": lambda: warnings.warn(f"old: {API_KEY}", UserWarning, stacklevel=1),
    "a line that cannot be made": lambda: log.info("%d", API_KEY),
    "a line with too much": lambda: log.info("nothing to fill in", PASSWORD),  # noqa: PLE1205
    "an error nobody caught": uncaught,
    "an error of a thread": in_thread,
    "an error nobody can be told of": where_nobody_can_be_told,
    "a delivery's address": lambda: log.info("POST /hooks/%s", API_KEY),
}


@pytest.mark.parametrize("written", ["json", "console"], indirect=True)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.filterwarnings("always::UserWarning")
def test_no_secret_comes_through(
    written: io.StringIO, way: Callable[[], object], capfd: pytest.CaptureFixture[str]
) -> None:
    # Without those of pytest, which fail where a line cannot be made.
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, logs._Handler)]
    context.hide({"credentials": {"password": PASSWORD}})
    way()

    # What is checked is what was logged, and what went beside it.
    told = written.getvalue() + "".join(capfd.readouterr())
    assert written.getvalue()
    assert [secret for secret in PLANTED if secret in told] == []


@pytest.mark.parametrize("written", ["json", "console"], indirect=True)
def test_a_traceback_names_lines_and_no_values_of_variables(written: io.StringIO) -> None:
    raising(chained)

    assert "in chained" in written.getvalue()
    assert "AZxk" not in written.getvalue()
    assert "locals" not in written.getvalue()


def test_what_was_decrypted_is_kept_out_of_later_lines(written: io.StringIO) -> None:
    ring = KeyRing([SecretStr(Fernet.generate_key().decode())])
    with context.bound():
        kept = ring.encrypt({"password": PASSWORD}, context="here")
    log.info("before: %s", PASSWORD)
    ring.decrypt(kept, context="here")
    log.info("the server answered: 535 %s is wrong", PASSWORD)

    before, after = lines(written)
    assert PASSWORD in before["event"]
    assert after["event"] == "the server answered: 535 *** is wrong"
