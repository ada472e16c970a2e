"""One process of ours: tied to us, logged, ended in order."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.embedded.child import Child, end_process
from app.embedded.errors import DidNotStart
from tests.support.waiting import eventually

READY = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)


def python(source: str, log: Path, **options: float) -> Child:
    return Child("Program", [sys.executable, "-c", source], log=log, **options)  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_child_ends_when_asked(tmp_path: Path) -> None:
    child = python(READY, tmp_path / "log")
    child.start()
    await eventually(lambda: "ready" in child.last_lines())

    await child.stop()

    assert not child.running
    assert child.ending() == "killed by SIGTERM"


async def test_a_child_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    child = python(STUBBORN, tmp_path / "log", stop_seconds=0.2)
    child.start()
    await eventually(lambda: "ready" in child.last_lines())

    await child.stop()

    assert child.ending() == "killed by SIGKILL"


async def test_the_last_words_of_an_earlier_life_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("the disk is full\n")
    child = python("print('no memory')", tmp_path / "log")
    child.start()
    assert await child.ended(within=20)

    assert child.last_lines() == "no memory"


async def test_a_program_that_cannot_be_run_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("")
    child = Child("Program", [str(tmp_path / "program")], log=tmp_path / "log")
    child.start()
    assert await child.ended(within=20)

    assert child.last_lines() == f"{tmp_path / 'program'} cannot be run: Permission denied"


async def test_a_child_that_ended_says_how_and_shows_its_last_words(tmp_path: Path) -> None:
    child = python("print('the disk is full'); raise SystemExit(3)", tmp_path / "log")
    child.start()
    assert await child.ended(within=20)

    with pytest.raises(DidNotStart, match=r"Program ended before it was ready \(exit code 3\)") as ended:
        child.require_running()
    assert ended.value.log == "the disk is full"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to the one that starts it")
async def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    source = f"""
import pathlib, sys, time
from app.embedded.child import Child
child = Child("Program", [sys.executable, "-c", {READY!r}], log=pathlib.Path({str(tmp_path / "log")!r}))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await eventually(lambda: "ready" in (tmp_path / "log").read_text(), what="the child is up")
    parent.kill()
    await parent.wait()

    await eventually(lambda: gone(pid), what="the child has ended")


async def test_a_terminals_interrupt_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    child = python(READY, tmp_path / "log")
    child.start()
    try:
        await eventually(lambda: "ready" in child.last_lines())
        assert child.pid is not None
        assert os.getsid(child.pid) != os.getsid(0)
    finally:
        await child.stop()


async def test_a_log_that_grew_large_makes_room_at_the_next_start(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    child = python("print('new')", log)

    child.start()
    assert await child.ended(within=20)

    assert child.last_lines() == "new"
    assert (tmp_path / "api.old.log").stat().st_size > 10 * 1024 * 1024


def test_a_process_that_is_no_child_of_ours_is_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", READY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        end_process(process.pid, signal.SIGTERM, within=10)

        assert process.wait(10) == -signal.SIGTERM


def test_a_process_that_is_gone_is_left_alone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    end_process(process.pid, signal.SIGTERM, within=1)
