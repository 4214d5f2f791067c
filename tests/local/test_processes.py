"""However a local stack ends, it reports the reason and leaves no process."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import control, stack
from tests import database_engine
from tests.broken_environment import BROKEN, BROKEN_FOR_PYTHON
from tests.local.stack_process import PROGRAM, StackProcess, leftovers, processes_in, write_program
from tests.waiting import eventually

READY = "The cafe is open"
Start = Callable[..., StackProcess]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def start(directory: Path, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a stack of a small program, or of another."""
    runs: list[StackProcess] = []

    def run(text: str = PROGRAM, *, port: int = 0) -> StackProcess:
        program = tmp_path / f"program-{len(runs)}"
        runs.append(StackProcess(directory, write_program(program, text), port=port))
        return runs[-1]

    yield run
    for started in runs:
        started.close()


def _assert_gone(directory: Path) -> None:
    assert leftovers(directory) == []
    assert not directory.exists()


def test_ctrl_c_stops_a_running_stack_and_a_second_start_reports_it(start: Start, directory: Path) -> None:
    first = start()
    first.wait_for(READY)
    second = start()
    assert second.wait() == 1
    page = json.loads((directory / "stack.json").read_text())["outputs"]["page_url"]
    assert second.output.startswith(f"Error: A local stack runs in {directory} already. Its page is {page} .")
    assert f"cafe local stop --directory {directory}" in second.output
    assert first.end(signal.SIGINT) == 0
    assert "stopped; nothing of it is left" in first.output
    _assert_gone(directory)


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "Starting"), (signal.SIGHUP, "MiniStack is ready")],
)
def test_a_signal_during_the_start_leaves_nothing(
    start: Start, directory: Path, number: int, moment: str
) -> None:
    run = start("import threading\nthreading.Event().wait()")  # so that the signal is never too late
    run.wait_for(moment)
    assert run.end(number) == 128 + number
    assert "Traceback" not in run.output
    _assert_gone(directory)


def test_the_next_start_waits_until_a_killed_stack_is_cleaned_up(start: Start, directory: Path) -> None:
    run = start()
    run.wait_for("MiniStack is ready")
    run.process.kill()
    run.wait()
    again = start()
    again.wait_for(READY)
    assert again.end(signal.SIGTERM) == 0
    eventually(lambda: not leftovers(directory))
    _assert_gone(directory)


def test_a_killed_stack_is_cleaned_up_in_any_environment(
    start: Start, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in BROKEN_FOR_PYTHON.items():
        monkeypatch.setenv(name, value)
    run = start()
    run.wait_for("Starting")
    run.process.kill()
    run.wait()
    eventually(lambda: not leftovers(directory))
    eventually(lambda: not directory.exists())


def test_a_service_that_dies_ends_the_stack_with_the_reason(start: Start, directory: Path) -> None:
    run = start()
    run.wait_for(READY)
    database = directory / "database"
    # Killed on request and restarted, which must not hide a later death.
    control.send(directory, control.Request.KILL_DATABASE)
    eventually(lambda: not list(processes_in(database, "--datadir")))
    control.send(directory, control.Request.START_DATABASE)
    (process,) = eventually(lambda: list(processes_in(database, "--datadir")))
    process.kill()
    assert run.wait() == 1
    log = directory / "logs" / f"{database_engine.chosen()}.log"
    last = run.output.splitlines()[-1]
    assert last.startswith(f"Error: {database_engine.chosen().installed().name} ended with signal 9: ")
    assert last.endswith(f"(log: {log})")
    assert log.stat().st_size > 0
    assert leftovers(directory) == []
    # Logs stay, with the lock file, which marks the directory as local mode's.
    assert sorted(path.name for path in directory.iterdir()) == ["cafe-local.lock", "logs"]


def test_the_error_of_a_program_is_reported_and_its_traceback_logged(start: Start, directory: Path) -> None:
    run = start("raise ValueError('Settings are wrong:\\n  menu: is missing')")
    assert run.wait() == 1
    assert "Error: Settings are wrong:\n  menu" in run.output
    assert "Traceback" not in run.output
    assert "Traceback" in (directory / "logs" / "program.log").read_text()
    assert leftovers(directory) == []


def test_a_port_in_use_is_reported_with_the_option_for_another(start: Start, directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = start(port=port)
        assert run.wait() == 1
    sentence = f"Port {port} is in use; choose another with --port, or --port 0 for any free one."
    assert run.output == f"Error: {sentence}\n"
    _assert_gone(directory)


def test_a_detached_stack_runs_until_it_is_stopped_in_any_environment(
    directory: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (BROKEN | BROKEN_FOR_PYTHON).items():
        monkeypatch.setenv(name, value)
    program = write_program(tmp_path / "program")
    options = stack.Options(
        directory=directory, port=0, database_server=database_engine.chosen(), program=program
    )
    assert stack.detach(options) == 0
    try:
        assert READY in capfd.readouterr().out
        assert stack.detach(options) == 1
        assert "already" in capfd.readouterr().err
    finally:
        assert stack.stop(directory)
    _assert_gone(directory)
    assert not stack.stop(directory)
