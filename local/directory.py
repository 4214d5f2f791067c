"""The run directory: who holds it, what is in it, and its removal.

The standard library only: the watchdog imports this without the virtual environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path

from local.errors import AlreadyRunningError, LocalError
from local.process_groups import is_alive

LOCK = "cafe-local.lock"
STACK_FILE = "stack.json"
LOGS = "logs"
CONTROL = "control"  # the pipe of `local.control`
# Changes by `make chaos`, with the values from before.
CHAOS_FILE = "chaos.json"
# All that local mode ever makes in a run directory. Nothing else is ever removed from it.
CONTENTS = (STACK_FILE, "stack.partial", LOGS, CONTROL, CHAOS_FILE, "database", "ministack", "tls")

# How long a watchdog may need to clean up after a killed run, in seconds.
CLEAN_UP_TIMEOUT = 60.0


class RunDirectory:
    """A directory for one run at a time, held by a lock that the kernel frees with its last holder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.stack_file = self.path / STACK_FILE
        self.logs = self.path / LOGS
        self._lock = self.path / LOCK
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The locked file: a child that inherits it keeps the directory held."""
        if self._descriptor is None:
            raise RuntimeError("the run directory is not held")
        return self._descriptor

    def hold(self) -> bool:
        """Take the directory, empty it, and return whether a crashed run had left something in it.

        Raises
        ------
        AlreadyRunningError
            When another run holds it.
        LocalError
            When it is not ours to empty, or cannot be made.
        """
        try:
            self._descriptor = self._acquire()
            stale = any((self.path / name).exists() for name in CONTENTS if name != LOGS)
            self.clear()
            self.logs.mkdir(mode=0o700)
        except OSError as error:
            raise _unusable(self.path, error) from error
        return stale

    def release(self, *, keep_logs: bool) -> None:
        """Remove what the run made, with its logs unless they are to stay, and free the directory."""
        self.clear(keep_logs=keep_logs)
        # The lock file goes before the lock: whoever waited for it sees that it is another file by now.
        # Beside logs it stays, as the sign that the directory is ours.
        if not keep_logs:
            self._lock.unlink(missing_ok=True)
            # Not when it holds files of others, or the next run's.
            with contextlib.suppress(OSError):
                self.path.rmdir()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def clear(self, *, keep_logs: bool = False) -> None:
        """Remove everything that local mode makes in a run directory, but the lock."""
        for name in CONTENTS:
            path = self.path / name
            if name == LOGS and keep_logs:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """Return the process id of the run that holds the directory, None when nobody does."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except OSError:
            return None
        try:
            if _try_lock(descriptor):
                return None
            text = os.pread(descriptor, 32, 0).decode()
        finally:
            os.close(descriptor)
        return int(text) if text.isdigit() else None

    def _check_ours(self) -> None:
        # One look at all names: a run that is ending removes its lock last, and perhaps between two looks.
        names = [entry.name for entry in self.path.iterdir()] if self.path.is_dir() else []
        if names and LOCK not in names:
            raise LocalError(
                f"{self.path} holds files that local mode did not make; choose an empty --directory."
            )

    def _acquire(self) -> int:
        deadline = time.monotonic() + CLEAN_UP_TIMEOUT
        while True:
            # A run that is ending may remove the directory at any moment.
            with contextlib.suppress(FileNotFoundError):
                descriptor = self._try_to_acquire()
                if descriptor is not None:
                    return descriptor
            # Held by a run that is gone: its watchdog is still cleaning up.
            holder = self.holder()
            if holder is not None and (is_alive(holder) or time.monotonic() > deadline):
                raise AlreadyRunningError(f"A local stack runs in {self.path} already.")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"The run directory {self.path} is not free, although no local stack holds it."
                )
            time.sleep(0.02)

    def _try_to_acquire(self) -> int | None:
        self._check_ours()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileNotFoundError as error:  # where nothing can be made, such as /proc
            raise _unusable(self.path, error) from error
        self.path.chmod(0o700)  # It may have been there: services write keys of theirs into it.
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        if _try_lock(descriptor) and self._is_current(descriptor):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
        os.close(descriptor)
        return None

    def _is_current(self, descriptor: int) -> bool:
        """Whether the locked file is the one that has the name now, not one that its holder removed."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._lock.stat())
        except FileNotFoundError:
            return False


def _unusable(path: Path, error: OSError) -> LocalError:
    return LocalError(
        f"The run directory {path} cannot be used: {error.strerror}; choose another --directory."
    )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
