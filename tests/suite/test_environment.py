"""Tests see the same environment, whatever `make test` inherits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

STATE = """
import json, locale, os, signal, sys, time
state = {
    "names": sorted(os.environ),
    "ignored": [n for n in ENDING if signal.getsignal(n) is signal.SIG_IGN],
    "interruptible": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "umask": os.umask(0o022),
    "zone": time.timezone,
    "encodings": [sys.getfilesystemencoding().lower(), locale.getpreferredencoding().lower()],
    "home": os.listdir(os.path.expanduser("~")),
}
""".replace("ENDING", "(1, 2, 15, int(signal.SIGCHLD))")
SEEN = f"""
import subprocess
from pathlib import Path
{STATE}
def test_state():
    words = [sys.executable, "-c", {STATE!r} + "print(json.dumps(state))"]
    child = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    Path(__file__).with_name("seen").write_text(json.dumps(state) + "\\n" + child)
"""

ODD = {
    "LANG": "de_DE.ISO-8859-1",
    "LC_ALL": "POSIX",
    "LC_NUMERIC": "de_DE",
    "LANGUAGE": "de",
    "TZ": "America/Caracas",
    "HOME": "/nonexistent",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5h://127.0.0.1:9",
    "no_proxy": "[::1]",
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "COLUMNS": "40",
    "TERM": "dumb",
    "FORCE_COLOR": "1",
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONUTF8": "0",
    "PYTHONHASHSEED": "1",
    "SSL_CERT_FILE": "/nonexistent",
    "REQUESTS_CA_BUNDLE": "/nonexistent",
    "EDITOR": "false",
    "CAFE_DEBUG": "1",
    "PULUMI_CONFIG": "{}",
    "MAKEFLAGS": "-n",
}


def inherit_odd_state() -> None:
    """Do what scripts, terminals and supervisors do to the programs that they start."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD})
    os.umask(0o077)


def run(
    directory: Path, variables: dict[str, str], before: Callable[[], None] | None
) -> list[dict[str, Any]]:
    """Run a test with inherited variables, and return what it and a process that it starts see."""
    directory.mkdir()
    (directory / "conftest.py").write_text('pytest_plugins = ["tests.environment"]\n')
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "test_state.py").write_text(SEEN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "--numprocesses=1", "-p", "no:cacheprovider"],
        cwd=directory,
        # Other plugins take longer to import than the test to run.
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **variables,
        },
        preexec_fn=before,
        check=True,
    )
    return [json.loads(line) for line in (directory / "seen").read_text().splitlines()]


def test_a_test_and_its_processes_see_the_same_environment_whatever_they_inherit(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", {}, None)
    odd = run(tmp_path / "odd", ODD, inherit_odd_state)

    assert odd == plain
    for state in odd:
        assert (state["ignored"], state["blocked"], state["interruptible"]) == ([], [], True)
        assert state["encodings"] == ["utf-8", "utf-8"]
        assert state["home"] == []
