"""The processes of a run: started, listened to, and ended together."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import process_groups
from local.control import Request
from local.progress import Event, decode
from local.watchdog import Watchdog

# What of a log fits into a sentence, in characters.
SUMMARY_LENGTH = 300


@dataclass(frozen=True, kw_only=True)
class Exited:
    """A child has ended, whatever the reason."""

    name: str
    code: int
    log: Path


@dataclass(frozen=True, kw_only=True)
class Requested:
    """A tool asks for something."""

    request: Request


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """A signal asks the run to end."""

    number: int


Message = Event | Exited | Requested | Interrupted
Inbox = queue.SimpleQueue[Message]


class Supervisor:
    """Every child is a process group of its own, so that all that it starts ends with it."""

    def __init__(self, logs: Path, watchdog: Watchdog, inbox: Inbox) -> None:
        self._logs = logs
        self._watchdog = watchdog
        self._inbox = inbox
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # Whose end is no news: they were killed on purpose.
        self._killed: set[int] = set()
        self._listeners: list[threading.Thread] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        told: str | None = None,
    ) -> None:
        """Start a child whose end, and whose events if it is told something, go to the inbox.

        Parameters
        ----------
        name
            What a person calls it; its log is `<name>.log`.
        told
            Written to its standard input; then its standard output is read for events, and its log holds
            standard error alone.
        """
        log = self._logs / f"{name.lower()}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL if told is None else subprocess.PIPE,
                stdout=output if told is None else subprocess.PIPE,
                stderr=output,
                # A group of its own, which Ctrl-C in the terminal does not reach.
                start_new_session=True,
            )
        self._processes[name] = process
        self._watchdog.started(process.pid)
        listener = threading.Thread(target=self._listen, args=(name, process, log, told), daemon=True)
        self._listeners.append(listener)
        listener.start()

    def runs(self, name: str) -> bool:
        """Whether a child was started and not killed; what ends by itself is in the inbox."""
        return name in self._processes

    def kill(self, name: str) -> None:
        """Kill a child on purpose: the inbox is not told, and another may be started under its name."""
        process = self._processes.pop(name)
        self._killed.add(process.pid)
        process_groups.kill([process.pid])
        process.wait()
        self._watchdog.ended(process.pid)

    def end(self) -> None:
        """End all children, and all that they started."""
        processes = list(self._processes.values())
        process_groups.kill([process.pid for process in processes])
        for process in processes:
            process.wait()
            self._watchdog.ended(process.pid)
        for listener in self._listeners:
            listener.join(timeout=1)

    def _listen(self, name: str, process: subprocess.Popen[bytes], log: Path, told: str | None) -> None:
        if told is not None and process.stdin is not None and process.stdout is not None:
            try:
                process.stdin.write(told.encode())
                process.stdin.close()
            except BrokenPipeError:
                pass  # It ended before it listened, which the following says.
            with process.stdout, log.open("ab") as output:
                for line in process.stdout:
                    if event := decode(line.decode(errors="replace")):
                        self._inbox.put(event)
                    else:
                        output.write(line)
        code = process.wait()
        if process.pid not in self._killed:
            self._inbox.put(Exited(name=name, code=code, log=log))


def summary(log: Path) -> str:
    """Return what a log says about a failure: its last line with an error, or else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line]
    errors = [line for line in lines if "error" in line.lower() and not line.lower().endswith("aborting")]
    if not lines:
        return "it wrote nothing to its log"
    return (errors or lines)[-1][-SUMMARY_LENGTH:]


def program_environment(home: Path) -> dict[str, str]:
    """Return the environment of the Pulumi program: no AWS account, no Pulumi stack of the developer's."""
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
