"""Starts, runs and stops a local stack."""

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

from local import limits, ports, project, signals
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
from local.supervisor import (
    Exited,
    Inbox,
    Interrupted,
    Requested,
    Supervisor,
    program_environment,
    summary,
)
from local.watchdog import Watchdog

ROOT = Path(__file__).parent.parent
DEFAULT_DIRECTORY = ROOT / ".local"
STOP_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run; port 0 is any free one."""

    directory: Path = DEFAULT_DIRECTORY
    port: int = ports.DEFAULT_PORT
    database_port: int = 0
    database_server: Engine = Engine.MARIADB
    program: Path = ROOT  # directory of the Pulumi project
    settings: Mapping[str, str] = field(default_factory=dict)  # as `pulumi up --config` sets them

    def encode(self) -> str:
        """Return the options as JSON, an argument of a process in UTF-8 mode."""
        fields = dataclasses.asdict(self)
        return json.dumps(fields, default=lambda path: os.fsencode(path).decode(errors="surrogateescape"))

    @classmethod
    def decode(cls, text: str) -> Options:
        """Return the options in a text from `encode`."""
        types = {"directory": Path, "program": Path, "database_server": Engine}
        fields = json.loads(text)
        return cls(**fields | {name: convert(fields[name]) for name, convert in types.items()})


def run(options: Options, display: Display, *, on_ready: Callable[[], None], how_to_stop: str) -> int:
    """Run a local stack in this process until a signal ends it, and return the exit code.

    Parameters
    ----------
    options, display
        What to run, and its output.
    on_ready
        Called when everything is ready.
    how_to_stop
        The last line of the output then.

    Returns
    -------
    int
        0 if a running stack was stopped, 1 on a failure (printed), 128 plus the signal's number if the start
        was interrupted.
    """
    inbox: Inbox = queue.SimpleQueue()
    # `SimpleQueue.put` is safe in a signal handler.
    with signals.handled(lambda number: inbox.put(Interrupted(number=number))):
        directory = RunDirectory(options.directory)
        try:
            limits.raise_open_files()
            if directory.hold():
                display.step("Removed the files of a crashed run")
        except AlreadyRunningError as error:
            display.failed(f"{error} {_where(directory)}".strip())
            return 1
        except LocalError as error:
            display.failed(str(error))
            return 1
        watchdog = Watchdog(directory)
        supervisor = Supervisor(directory.logs, watchdog, inbox)
        control: Control | None = None
        code, keep_logs = 1, True
        try:
            # Created first: tools may use it as soon as the stack is ready.
            control = Control(directory.path, lambda request: inbox.put(Requested(request=request)))
            started = _start(options, directory, supervisor)
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
            supervisor.kill_all()
            watchdog.dismiss()
            directory.release(keep_logs=keep_logs)
        if code != 1:
            display.stopped()
        return code


def stop(path: Path) -> bool:
    """Stop the local stack of a run directory; return whether one was running.

    Raises
    ------
    LocalError
        It does not stop in time, or is another user's.
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
            raise LocalError(f"The local stack in {directory.path} (process {holder}) does not stop.")
        time.sleep(0.05)
    return True


def detach(options: Options) -> int:
    """Start a local stack in a process of its own, which prints its progress; return when it is ready.

    Returns
    -------
    int
        0 if it is running, else the exit code of the failed start.
    """
    reader, writer = os.pipe()
    absolute = dataclasses.replace(
        options, directory=options.directory.absolute(), program=options.program.absolute()
    )
    process = subprocess.Popen(
        # -E: ignore PYTHONINSPECT, PYTHONSAFEPATH and their like.
        [sys.executable, "-E", "-X", "utf8", "-m", "local", absolute.encode(), str(writer)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        pass_fds=[writer],
        # This process passes on the terminal's signals, and only until the stack is ready.
        start_new_session=True,
    )
    os.close(writer)
    with signals.handled(lambda number: process.send_signal(number)), os.fdopen(reader, "rb") as ready:
        # One byte when it is ready; end of file if it exits before.
        if not ready.read():
            return process.wait()
    # Reap it if this process outlives it.
    threading.Thread(target=process.wait, daemon=True).start()
    return 0


class _InterruptedError(Exception):
    """A signal arrived before the stack was ready."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Database:
    """The database server's process, which can be killed and started again on its data."""

    def __init__(self, name: str, supervisor: Supervisor, directory: Path, restart: Sequence[str]) -> None:
        self.name = name
        self._supervisor = supervisor
        self._directory = directory
        self._restart = restart

    def start(self, command: Sequence[str]) -> None:
        self._supervisor.start(
            self.name,
            command,
            environment={"PATH": os.defpath, "HOME": str(self._directory)},
            directory=self._directory,
        )

    def handle(self, request: Request) -> None:
        """Kill or start the database, unless that is done already."""
        is_running = self._supervisor.is_running(self.name)
        if request is Request.KILL_DATABASE and is_running:
            self._supervisor.kill(self.name)
        elif request is Request.START_DATABASE and not is_running:
            self.start(self._restart)


@dataclass(frozen=True, kw_only=True)
class _Started:
    endpoint: str  # MiniStack's URL
    database: _Database


def _start(options: Options, directory: RunDirectory, supervisor: Supervisor) -> _Started:
    """Start the three processes; the program waits for the other two."""
    # Imported here: it takes longer than most commands of `cafe`.
    from local.database import certificates

    server, gateway_command = options.database_server.installed(), ministack.command(ROOT)
    port = ports.choose(options.port, "--port")
    database_port = ports.choose(options.database_port, "--database-port")
    administrator = database_server.Administrator()
    tls = certificates.create(directory.path / "tls")
    gateway = directory.path / "ministack"
    supervisor.start(
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
    supervisor.start(
        "Program",
        [sys.executable, "-m", "local.program"],
        environment=program_environment(directory.path),
        directory=ROOT,
        stdin=json.dumps(dataclasses.asdict(assignment)),
    )
    command = database_server.first_command(server, data, database_port, administrator, tls)
    restart = database_server.command(server, data, database_port, tls)
    database = _Database(server.name, supervisor, data, restart)
    database.start(command)
    return _Started(endpoint=f"http://127.0.0.1:{port}", database=database)


def _until_finished(
    inbox: Inbox, directory: RunDirectory, started: _Started, display: Display, how_to_stop: str
) -> None:
    """Print progress until the program is deployed, then write `stack.json`."""
    display.step(f"Starting {started.database.name}, MiniStack and the Pulumi program")
    while True:
        match inbox.get():
            case Ready() as event:
                display.ready(event)
            case Created() as event:
                display.created(event)
            case Failed(message=message):
                raise LocalError(f"{message} (log: {directory.logs / 'program.log'})")
            case Exited() as exited:
                raise LocalError(_exit_message(exited))
            case Interrupted(number=number):
                raise _InterruptedError(number)
            case Finished() as event:
                # Before `stack.json`, whose readers may use the page at once.
                _write(directory.path / "ministack" / SERVED_FILE, event.served)
                _write_stack_file(directory, event, started.endpoint)
                display.finished(event.outputs, event.deviations, how_to_stop, event.sign_in)
                return


def _until_interrupted(inbox: Inbox, database: _Database) -> None:
    """Handle requests until a signal ends the stack."""
    while True:
        match inbox.get():
            case Interrupted():
                return
            case Requested(request=request):
                database.handle(request)
            case Exited(name="Program"):
                pass  # It has deployed everything.
            case Exited() as exited:
                raise LocalError(_exit_message(exited))


def _exit_message(exited: Exited) -> str:
    cause = f"signal {-exited.code}" if exited.code < 0 else f"exit code {exited.code}"
    return f"{exited.name} ended with {cause}: {summary(exited.log)} (log: {exited.log})"


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
    """Write a file atomically, readable by its owner only."""
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def parse_settings(entries: Sequence[str]) -> dict[str, str]:
    """Split each `KEY=VALUE`.

    Raises
    ------
    ValueError
        An entry has no key or no `=`.
    """
    settings = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{entry!r} is not KEY=VALUE, such as dashboardAccess=login")
        settings[key.strip()] = value
    return settings


def how_to_stop(directory: Path) -> str:
    """Return how to stop a detached stack."""
    chosen = directory.absolute() != DEFAULT_DIRECTORY
    words = [".venv/bin/cafe", "local", "stop", *(["--directory", str(directory)] if chosen else [])]
    return f"`{shlex.join(words)}` stops it and removes everything."


def _where(directory: RunDirectory) -> str:
    """Return where the stack of a directory is, and how to stop it."""
    stopping = how_to_stop(directory.path)
    try:
        outputs = json.loads(directory.stack_file.read_text(encoding="utf-8"))["outputs"]
        return f"Its page is {outputs['page_url']} . {stopping}"
    except (OSError, ValueError, KeyError):
        return stopping
