"""Supervisor of a run's child processes: starts them, reads their events, kills them together."""

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

SUMMARY_LENGTH = 300  # characters of a log in an error message


@dataclass(frozen=True, kw_only=True)
class Exited:
    """A child process has exited."""

    name: str
    code: int
    log: Path


@dataclass(frozen=True, kw_only=True)
class Requested:
    """A request came through the control pipe."""

    request: Request


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """This process received a signal to end the run."""

    number: int


Message = Event | Exited | Requested | Interrupted
Inbox = queue.SimpleQueue[Message]


class Supervisor:
    """Starts each child in a process group of its own, so that killing it kills all that it started."""

    def __init__(self, logs: Path, watchdog: Watchdog, inbox: Inbox) -> None:
        self._logs = logs
        self._watchdog = watchdog
        self._inbox = inbox
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # Killed on purpose: their exit is not reported.
        self._killed: set[int] = set()
        self._readers: list[threading.Thread] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        stdin: str | None = None,
    ) -> None:
        """Start a child; put its exit into the inbox and, with `stdin`, its events.

        Parameters
        ----------
        name
            Its name in messages; its log is `<name>.log`.
        stdin
            Text for its standard input. If given, events are read from its standard output, and the log
            holds everything else.
        """
        log = self._logs / f"{name.lower()}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=output if stdin is None else subprocess.PIPE,
                stderr=output,
                # A process group that Ctrl-C in the terminal does not reach.
                start_new_session=True,
            )
        self._processes[name] = process
        self._watchdog.started(process.pid)
        reader = threading.Thread(target=self._read, args=(name, process, log, stdin), daemon=True)
        self._readers.append(reader)
        reader.start()

    def is_running(self, name: str) -> bool:
        """Return whether a child was started and not killed by `kill`."""
        return name in self._processes

    def kill(self, name: str) -> None:
        """Kill a child without reporting its exit; its name can be used again."""
        process = self._processes.pop(name)
        self._killed.add(process.pid)
        self._kill([process])

    def kill_all(self) -> None:
        """Kill all children and everything that they started."""
        self._kill(list(self._processes.values()))
        for reader in self._readers:
            reader.join(timeout=1)

    def _kill(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        process_groups.kill([process.pid for process in processes])
        for process in processes:
            process.wait()
            self._watchdog.ended(process.pid)

    def _read(self, name: str, process: subprocess.Popen[bytes], log: Path, stdin: str | None) -> None:
        if stdin is not None and process.stdin is not None and process.stdout is not None:
            try:
                process.stdin.write(stdin.encode())
                process.stdin.close()
            except BrokenPipeError:
                pass  # It has exited, which is reported below.
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
    """Return a log's last line with an error, or else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line]
    errors = [line for line in lines if "error" in line.lower() and not line.lower().endswith("aborting")]
    if not lines:
        return "its log is empty"
    return (errors or lines)[-1][-SUMMARY_LENGTH:]


def program_environment(home: Path) -> dict[str, str]:
    """Return the Pulumi program's environment, without the developer's AWS account and Pulumi stack."""
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
