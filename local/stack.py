"""Starts the local stack, keeps it running, and stops it."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import limits, ports, project, signals, supervisor
from local.control import Control, Request
from local.database import server as database_server
from local.database.engine import Engine
from local.directory import RunDirectory
from local.display import Display
from local.emulator import ministack
from local.emulator.gateway import SERVED_FILE
from local.errors import AlreadyRunningError, LocalError
from local.process_groups import is_alive
from local.progress import Assignment, Created, Failed, Finished, Ready
from local.supervisor import Exited, Inbox, Interrupted, Requested, Supervisor
from local.watchdog import Watchdog

ROOT = Path(__file__).parent.parent
DEFAULT_DIRECTORY = ROOT / ".local"
DEFAULT_PORT = 4566
STOP_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person can choose; 0 is any free port."""

    directory: Path = DEFAULT_DIRECTORY
    port: int = DEFAULT_PORT
    database_port: int = 0
    database_server: Engine = Engine.MARIADB
    program: Path = ROOT  # directory of the Pulumi project
    settings: Mapping[str, str] = field(default_factory=dict)  # as `pulumi up --config` sets them


def run(options: Options, display: Display, *, on_ready: Callable[[], None], how_to_stop: str) -> int:
    """Run a local stack in this process until a signal ends it, and return the exit code.

    Parameters
    ----------
    options, display
        What to run, and where to show it.
    on_ready
        Called when everything answers.
    how_to_stop
        The sentence that ends what is shown then.

    Returns
    -------
    int
        0 when a running stack was stopped, 1 on a failure (which is shown), 128 and the signal's number when
        the start was interrupted.
    """
    inbox: Inbox = queue.SimpleQueue()
    # Putting into a `SimpleQueue` is safe in a signal handler.
    with signals.handled(lambda number: inbox.put(Interrupted(number=number))):
        directory = RunDirectory(options.directory)
        try:
            limits.raise_open_files()
            if directory.hold():
                display.step("Removed what a crashed run had left")
        except AlreadyRunningError as error:
            display.failed(f"{error} {_where(directory)}".strip())
            return 1
        except LocalError as error:
            display.failed(str(error))
            return 1
        watchdog = Watchdog(directory)
        processes = Supervisor(directory.logs, watchdog, inbox)
        control: Control | None = None
        code, keep_logs = 1, True
        try:
            # Listens before anybody is told that the stack is there.
            control = Control(directory.path, lambda request: inbox.put(Requested(request=request)))
            started = _start(options, directory, processes)
            _until_finished(inbox, directory, started, display, how_to_stop)
            on_ready()
            _until_interrupted(inbox, started.database)
            code, keep_logs = 0, False
        except _InterruptedError as error:
            code, keep_logs = 128 + error.number, False
        except (LocalError, OSError) as error:
            display.failed(str(error))
            keep_logs = any(log.stat().st_size for log in directory.logs.iterdir())
        finally:
            if control is not None:
                control.close()
            processes.end()
            watchdog.dismiss()
            directory.release(keep_logs=keep_logs)
        if code != 1:
            display.stopped()
        return code


def stop(path: Path) -> bool:
    """Stop the local stack of a run directory; return whether one ran.

    Raises
    ------
    LocalError
        When it does not end in time, or is another user's.
    """
    directory = RunDirectory(path)
    holder = directory.holder()
    if holder is None:
        return False
    try:
        os.kill(holder, signal.SIGTERM)
    except ProcessLookupError:
        pass  # Its watchdog is cleaning up.
    except PermissionError as error:
        raise LocalError(f"The local stack in {directory.path} is another user's.") from error
    deadline = time.monotonic() + STOP_TIMEOUT
    while directory.holder() is not None or is_alive(holder):
        if time.monotonic() > deadline:
            raise LocalError(f"The local stack in {directory.path} (process {holder}) does not end.")
        time.sleep(0.05)
    return True


def detach(options: Options) -> int:
    """Start a local stack in a process of its own, which shows how it starts, and return when it answers.

    Returns
    -------
    int
        0 when it runs, otherwise the exit code of the attempt.
    """
    reader, writer = os.pipe()
    words = [
        *("--directory", str(options.directory.absolute())),
        *("--port", str(options.port)),
        *("--database-port", str(options.database_port)),
        *("--database-server", options.database_server),
        *("--program", str(options.program.absolute())),
        # UTF-8 whatever the locale, as the child reads it; a path keeps the bytes that it was given by.
        *(
            word
            for key, value in options.settings.items()
            for word in ("--config", f"{key}={value}".encode())
        ),
        *("--ready-descriptor", str(writer)),
    ]
    process = subprocess.Popen(
        # -E: PYTHONINSPECT, PYTHONSAFEPATH and their like are for the person's own programs.
        [sys.executable, "-E", "-X", "utf8", "-m", "local", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        pass_fds=[writer],
        # The terminal's signals reach it through this process alone, and only until it answers.
        start_new_session=True,
    )
    os.close(writer)
    with signals.handled(lambda number: process.send_signal(number)), os.fdopen(reader, "rb") as ready:
        # It says so when it is ready, and says nothing when it ends before.
        if not ready.read():
            return process.wait()
    # When it ends, and this process is still there, nothing of it stays in the process table.
    threading.Thread(target=process.wait, daemon=True).start()
    return 0


class _InterruptedError(Exception):
    """A signal ends the run before it is ready."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Database:
    """The database's process, which can be killed and started again on what is left of it."""

    def __init__(self, name: str, processes: Supervisor, directory: Path, restart: Sequence[str]) -> None:
        self.name = name
        self._processes = processes
        self._directory = directory
        self._restart = restart

    def start(self, command: Sequence[str]) -> None:
        self._processes.start(
            self.name,
            command,
            environment={"PATH": os.defpath, "HOME": str(self._directory)},
            directory=self._directory,
        )

    def obey(self, request: Request) -> None:
        """Do what is asked for, unless it is so already."""
        runs = self._processes.runs(self.name)
        if request is Request.KILL_DATABASE and runs:
            self._processes.kill(self.name)
        elif request is Request.START_DATABASE and not runs:
            self.start(self._restart)


@dataclass(frozen=True, kw_only=True)
class _Started:
    endpoint: str  # where MiniStack will answer
    database: _Database


def _start(options: Options, directory: RunDirectory, processes: Supervisor) -> _Started:
    """Start all three processes at once.

    The program waits for the other two by itself.
    """
    # Here, because it takes longer to import than most commands of `cafe` run.
    from local.database import certificates

    server, gateway_command = options.database_server.installed(), ministack.command(ROOT)
    port = ports.choose(options.port, "--port")
    database_port = ports.choose(options.database_port, "--database-port")
    administrator = database_server.Administrator()
    tls = certificates.create(directory.path / "tls")
    gateway = directory.path / "ministack"
    processes.start(
        "MiniStack",
        gateway_command,
        environment=ministack.environment(gateway, port, project.REGION),
        directory=gateway,
    )
    data = directory.path / "database"
    assignment = Assignment(
        program=str(options.program),
        gateway_port=port,
        database_port=database_port,
        administrator_password=administrator.password,
        authority=str(tls.authority),
        parameters=str(database_server.parameters_file(data)),
        settings=dict(options.settings),
    )
    processes.start(
        "Program",
        [sys.executable, "-m", "local.program"],
        environment=supervisor.program_environment(directory.path),
        directory=ROOT,
        told=json.dumps(dataclasses.asdict(assignment)),
    )
    command = database_server.first_command(server, data, database_port, administrator, tls)
    restart = database_server.command(server, data, database_port, tls)
    database = _Database(server.name, processes, data, restart)
    database.start(command)
    return _Started(endpoint=f"http://127.0.0.1:{port}", database=database)


def _until_finished(
    inbox: Inbox, directory: RunDirectory, started: _Started, display: Display, how_to_stop: str
) -> None:
    """Show what happens until the program is deployed, then write `stack.json`."""
    display.step(f"Starting {started.database.name}, MiniStack and the Pulumi program")
    while True:
        match inbox.get():
            case Ready() as event:
                display.ready(event)
            case Created() as event:
                display.created(event)
            case Failed(message=message):
                raise LocalError(f"{message} (log: {directory.logs / 'program.log'})")
            case Exited() as ended:
                raise LocalError(_why(ended))
            case Interrupted(number=number):
                raise _InterruptedError(number)
            case Finished() as event:
                # First: whoever finds `stack.json` may use the page at once.
                _write(directory.path / "ministack" / SERVED_FILE, event.served)
                _write_stack_file(directory, event, started.endpoint)
                display.finished(event.outputs, event.deviations, how_to_stop, event.sign_in)
                return


def _until_interrupted(inbox: Inbox, database: _Database) -> None:
    """Wait for the signal that ends a running stack, and do what tools ask for until then."""
    while True:
        match inbox.get():
            case Interrupted():
                return
            case Requested(request=request):
                database.obey(request)
            case Exited(name="Program"):
                pass  # Its work is done.
            case Exited() as ended:
                raise LocalError(_why(ended))


def _why(ended: Exited) -> str:
    how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return f"{ended.name} ended with {how}: {supervisor.summary(ended.log)} (log: {ended.log})"


def _write_stack_file(directory: RunDirectory, event: Finished, endpoint: str) -> None:
    document: dict[str, Any] = {
        "outputs": event.outputs,
        "endpoint": endpoint,
        "region": project.REGION,
        "database": event.database,
    }
    if event.sign_in:
        document["sign_in"] = event.sign_in
    _write(directory.stack_file, document)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a file that nobody else may read, complete from the first moment that it has its name."""
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def parse_settings(entries: Sequence[str]) -> dict[str, str]:
    """Split each `KEY=VALUE`.

    Raises
    ------
    ValueError
        With a sentence about the entry that is none.
    """
    settings = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{entry!r} is not KEY=VALUE, such as dashboardAccess=login")
        settings[key.strip()] = value
    return settings


def how_to_stop(directory: Path) -> str:
    """Say how a stack that does not hold the terminal is stopped."""
    chosen = directory.absolute() != DEFAULT_DIRECTORY
    words = [".venv/bin/cafe", "local", "stop", *(["--directory", str(directory)] if chosen else [])]
    return f"`{shlex.join(words)}` stops it and removes everything."


def _where(directory: RunDirectory) -> str:
    """Say where the stack is that runs in a directory, and how to stop it."""
    end = how_to_stop(directory.path)
    try:
        outputs = json.loads(directory.stack_file.read_text(encoding="utf-8"))["outputs"]
        return f"Its page is {outputs['page_url']} . {end}"
    except (OSError, ValueError, KeyError):
        return end
