"""Events and output of a child process."""

import os
import sys
from pathlib import Path
from unittest.mock import create_autospec

from local.progress import Ready, decode, encode
from local.supervisor import Exited, Inbox, Supervisor
from local.watchdog import Watchdog


def test_a_programs_output_is_logged_and_hides_no_event(tmp_path: Path) -> None:
    ready = Ready(service="gateway")
    program = f"print('debug')\nprint({encode(ready)!r})\nprint('[]', 1, sep='\\n')"
    inbox = Inbox()
    supervisor = Supervisor(tmp_path, create_autospec(Watchdog, instance=True), inbox)

    supervisor.start(
        "Program", [sys.executable, "-c", program], directory=tmp_path, environment=os.environ, stdin=""
    )

    log = tmp_path / "program.log"
    assert [inbox.get(timeout=60), inbox.get(timeout=60)] == [ready, Exited(name="Program", code=0, log=log)]
    assert log.read_text() == "debug\n[]\n1\n"
    supervisor.kill_all()


def test_a_line_with_an_unknown_event_or_other_fields_is_not_an_event() -> None:
    lines = ['{"event": "Unknown"}', '{"event": "Ready", "extra": 1}', '{"event": []}', "null", "\x00", ""]

    assert [decode(line) for line in lines] == [None] * len(lines)
