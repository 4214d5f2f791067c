"""Patches of MiniStack."""

from __future__ import annotations

from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator import patches


def worker(*lines: str, is_running: bool = True) -> Any:
    """Make a function's process, as MiniStack has it, that has written lines to its log."""
    runtime = SimpleNamespace(_PYTHON_WORKER_SCRIPT="", Worker=type("Worker", (), {}))
    patches.end_logs(runtime)
    made: Any = runtime.Worker()
    made._proc, made._stderr_queue = (object() if is_running else None), Queue()
    for line in lines:
        made._stderr_queue.put(line)
    return made


@pytest.mark.parametrize("lines", [(), ("one",), ("one", "two")])
def test_the_log_of_an_invocation_ends_at_the_mark(lines: tuple[str, ...]) -> None:
    process = worker(*lines, patches.END_OF_LOG, "of the next invocation")
    assert process._drain_stderr_bounded() == "\n".join(lines)
    assert process._stderr_queue.get_nowait() == "of the next invocation"


def test_the_log_of_a_killed_process_ends_without_a_mark() -> None:
    assert worker("one", is_running=False)._drain_stderr_bounded() == "one"


def test_a_mark_that_comes_too_late_does_not_end_the_log_of_the_next_invocation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patches, "LOG_TIMEOUT", 0)
    process = worker("one")
    assert process._drain_stderr_bounded() == "one"
    for line in (patches.END_OF_LOG, "two", patches.END_OF_LOG):
        process._stderr_queue.put(line)
    assert process._drain_stderr_bounded() == "two"


def test_the_log_is_read_with_the_timeouts_that_ministack_passes() -> None:
    assert worker("one", patches.END_OF_LOG)._drain_stderr_bounded(first_line_wait=0.1) == "one"
