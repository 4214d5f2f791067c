"""The same environment for every test and its child processes, whatever this process inherited.

A test sets everything else that it needs.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import hypothesis
import pytest

# Inherited variables that stay: paths of programs and temporary files, and options of the tests.
KEPT = frozenset({"PATH", "TMPDIR", "CI", "FAULTS_EXAMPLES"})
KEPT_PREFIX = "PYTEST_"
BROWSERS = "PLAYWRIGHT_BROWSERS_PATH"
SET = {
    "LANG": "C.UTF-8",
    # Neither UTC nor a whole number of hours: a test that confuses local time with UTC fails.
    "TZ": "<+0545>-05:45",
    # No test sends a request to the metadata service of EC2.
    "AWS_EC2_METADATA_DISABLED": "true",
}
UMASK = 0o022

# A deadline for each example would measure the machine.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set the environment variables, signals and umask that child processes inherit."""
    home = tempfile.TemporaryDirectory(prefix="cafe-home-")
    config.add_cleanup(home.cleanup)
    set_variables(Path(home.name))
    handle_all_signals()
    os.umask(UMASK)


def set_variables(home: Path) -> None:
    """Replace the environment's variables."""
    browsers = os.environ.get(BROWSERS) or str(_playwright_cache())
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIX)}
    os.environ.clear()
    for name in ("COLUMNS", "LINES"):
        os.unsetenv(name)  # GNU readline sets them without Python's knowledge
    os.environ.update({**kept, **SET, "HOME": str(home), BROWSERS: browsers})
    time.tzset()


def handle_all_signals() -> None:
    """Unblock every signal, and ignore none: in a script's background job, SIGINT is ignored."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # Python itself ignores these, and lets its children handle them.
    for number in signal.valid_signals() - {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _playwright_cache() -> Path:
    """Return the directory of Playwright's own browsers under the inherited HOME."""
    caches = "Library/Caches" if os.uname().sysname == "Darwin" else ".cache"
    return Path.home() / caches / "ms-playwright"
