"""End every test that exceeds its time limit, whatever it waits for.

pytest-timeout fails the test with an exception in the main thread, and the clean-up of its fixtures
follows. What does not end within a grace period after that, because it waits for a thread or because the
clean-up hangs too, ends with its process: the stacks of all threads are printed, the processes that it
started are ended, and pytest-xdist reports the test as failed and runs the others in a new process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, TextIO

import psutil
import pytest
import pytest_timeout  # type: ignore[import-untyped]

GRACE = 60.0  # seconds after the time limit
# A local stack cleans up at SIGTERM; processes that are left after this many seconds are killed.
ENDING = 20.0
EXIT_CODE = 1

_TIMER = pytest.StashKey[threading.Timer]()
_OUTPUT = pytest.StashKey[TextIO]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep this process's standard error, which pytest replaces while tests run."""
    output = config.stash[_OUTPUT] = os.fdopen(os.dup(2), "w")
    config.add_cleanup(output.close)


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """Start the second timer beside pytest-timeout's own."""
    output = item.config.stash[_OUTPUT]
    timer = threading.Timer(settings.timeout + GRACE, end_process, (item.nodeid, output))
    timer.daemon = True
    timer.start()
    item.stash[_TIMER] = timer


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Stop the second timer after the clean-up; pytest-timeout stops its own at the first failure."""
    try:
        return (yield)
    finally:
        if timer := item.stash.get(_TIMER, None):
            timer.cancel()


def end_process(test: str, output: TextIO) -> None:
    """Print where all threads are, and end this process and those that it started."""
    if pytest_timeout.is_debugging():
        return
    print(f"\n{test} has not ended {GRACE:g} s after its time limit:", file=output, flush=True)
    faulthandler.dump_traceback(output, all_threads=True)
    started = psutil.Process().children(recursive=True)
    for process in started:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(started, ENDING)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    os._exit(EXIT_CODE)
