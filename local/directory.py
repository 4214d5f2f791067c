"""The run directory: its lock, its contents and its removal.

Standard library only: the watchdog imports this without the virtual environment.
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
# Values that `make chaos` changed, with the originals.
CHAOS_FILE = "chaos.json"
# Everything that local mode creates in a run directory; nothing else is ever removed from it.
CONTENTS = (STACK_FILE, "stack.partial", LOGS, CONTROL, CHAOS_FILE, "database", "ministack", "tls")

CLEAN_UP_TIMEOUT = 60.0  # seconds for a watchdog to clean up after a killed run


class RunDirectory:
    """A directory for one run at a time, held by a lock that the kernel releases with its last holder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.stack_file = self.path / STACK_FILE
        self.logs = self.path / LOGS
        self._lock = self.path / LOCK
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """Return the locked file; a child process that inherits it keeps the lock."""
        if self._descriptor is None:
            raise RuntimeError("the run directory is not held")
        return self._descriptor

    def hold(self) -> bool:
        """Lock and empty the directory; return whether a crashed run had left files in it.

        Raises
        ------
        AlreadyRunningError
            Another run holds it.
        LocalError
            It holds files that local mode did not create, or cannot be used.
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
        """Remove what the run created, except its logs with `keep_logs`, and release the lock."""
        self.clear(keep_logs=keep_logs)
        # Remove the file before releasing the lock: a waiting process then notices that it locked a removed
        # file. With logs it stays, to mark the directory as local mode's.
        if not keep_logs:
            self._lock.unlink(missing_ok=True)
            # It may hold other files, or the next run's.
            with contextlib.suppress(OSError):
                self.path.rmdir()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def clear(self, *, keep_logs: bool = False) -> None:
        """Remove everything that local mode creates in a run directory except the lock."""
        for name in CONTENTS:
            path = self.path / name
            if name == LOGS and keep_logs:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """Return the process id of the run that holds the directory, or None."""
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
        # List the directory once: a run that is ending removes its lock last, perhaps between two listings.
        names = [entry.name for entry in self.path.iterdir()] if self.path.is_dir() else []
        if names and LOCK not in names:
            raise LocalError(
                f"{self.path} holds files that local mode did not create; choose an empty --directory."
            )

    def _acquire(self) -> int:
        deadline = time.monotonic() + CLEAN_UP_TIMEOUT
        while True:
            # A run that is ending may remove the directory at any moment.
            with contextlib.suppress(FileNotFoundError):
                descriptor = self._try_to_acquire()
                if descriptor is not None:
                    return descriptor
            # Wait if the holder is dead: its watchdog is still cleaning up.
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
        except FileNotFoundError as error:  # in /proc, for example
            raise _unusable(self.path, error) from error
        self.path.chmod(0o700)  # It may exist with other permissions, and services write their keys into it.
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        if _try_lock(descriptor) and self._is_current(descriptor):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
        os.close(descriptor)
        return None

    def _is_current(self, descriptor: int) -> bool:
        """Return whether the locked file still has its name: its holder may have removed it."""
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
