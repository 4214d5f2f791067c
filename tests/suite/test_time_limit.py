"""A test that exceeds its time limit ends, whatever it waits for, and the others run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.waiting import eventually

ROOT = Path(__file__).parents[2]

# The project's own plugins and its order of tests, with limits of a second.
CONFTEST = """
from tests import time_limit
from tests.conftest import pytest_xdist_make_scheduler

pytest_plugins = ["tests.environment", "tests.time_limit"]
time_limit.GRACE = time_limit.ENDING = 1.0
"""
CHILD = """
import subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

def start_a_process():
    words = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
    Path(__file__).with_name("process").write_text(str(subprocess.Popen(words).pid))
"""
WAITS_FOR_A_THREAD = f"""{CHILD}
def test_one():
    start_a_process()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(threading.Event().wait).result()

def test_two(): pass
"""
CLEAN_UP_WAITS = f"""{CHILD}
import pytest

@pytest.fixture
def slow():
    start_a_process()
    yield
    threading.Event().wait()

def test_one(slow): assert False

def test_two(): pass

def test_three(): pass
"""
SLEEPS = """
import time

def test_one(): time.sleep(1000)

def test_two(): pass
"""

Run = Callable[[str], str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run tests with a limit of a second, and return what pytest prints."""
    directory = tmp_path / "tests" / "unit"
    directory.mkdir(parents=True)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 1\n")

    def run(text: str) -> str:
        (directory / "test_it.py").write_text(text)
        words = [
            sys.executable,
            "-m",
            "pytest",
            *("-p", "xdist", "-p", "pytest_timeout", "-p", "no:cacheprovider"),
            "--numprocesses=1",
            "--no-loadscope-reorder",
        ]
        return subprocess.run(
            words,
            cwd=tmp_path,
            # Other plugins take longer to import than the tests to run.
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    return run


def process_is_gone(tmp_path: Path) -> bool:
    return not psutil.pid_exists(int((tmp_path / "tests/unit/process").read_text()))


def test_a_test_that_sleeps_fails_in_its_process(run: Run) -> None:
    output = run(SLEEPS)

    assert "1 failed, 1 passed" in output
    assert "Timeout (>1.0s)" in output
    assert "crashed" not in output


def test_a_test_that_waits_for_a_thread_fails_once_and_the_next_runs(run: Run, tmp_path: Path) -> None:
    output = run(WAITS_FOR_A_THREAD)

    assert "1 failed, 1 passed" in output
    assert "test_it.py::test_one has not ended 1 s after its time limit" in output
    assert "in test_one" in output
    eventually(lambda: process_is_gone(tmp_path))


def test_a_teardown_that_waits_ends_too(run: Run, tmp_path: Path) -> None:
    output = run(CLEAN_UP_WAITS)

    assert "test_it.py::test_one has not ended 1 s after its time limit" in output
    assert "crashed while running 'tests/unit/test_it.py::test_one'" in output
    assert "2 failed, 2 passed" in output  # test_one itself, and its clean-up
    eventually(lambda: process_is_gone(tmp_path))
