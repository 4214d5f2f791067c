"""Items that processes share: a memory-mapped file with fixed slots, under one lock."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
import threading
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

SLOTS = 32_768  # more than the days of the largest table, 5 million orders at 500 a day
SLOT = 2048  # bytes; an item of a counter or of the menu has far fewer
_LENGTH = struct.Struct("<H")

Item = dict[str, Any]


class SharedItems:
    """Items by key, shared by the processes that open the same file; an access takes microseconds."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        weakref.finalize(self, os.close, self._file)
        os.truncate(self._file, SLOTS * SLOT)
        self._memory = mmap.mmap(self._file, SLOTS * SLOT)
        self._threads = threading.Lock()
        self._known: dict[str, int] = {}  # slots by key; a key keeps its slot

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock out all other threads and processes."""
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def get(self, key: str) -> Item | None:
        """Read an item, under the lock."""
        found = self._read(self._slot(key))
        return found[1] if found else None

    def put(self, key: str, item: Item | None) -> None:
        """Write an item, None to remove it, under the lock."""
        text = json.dumps([key, item], separators=(",", ":")).encode()
        if len(text) > SLOT - _LENGTH.size:
            raise ValueError(f"The item {key} has {len(text)} bytes; {SLOT - _LENGTH.size} fit.")
        start = self._slot(key) * SLOT
        self._memory[start : start + _LENGTH.size + len(text)] = _LENGTH.pack(len(text)) + text

    def items(self) -> dict[str, Item]:
        """Return all items, under the lock."""
        return {key: item for key, item in self._all() if item is not None}

    def clear(self) -> None:
        """Remove all items, under the lock."""
        for key, _ in list(self._all()):
            self.put(key, None)

    def _all(self) -> Iterator[tuple[str, Item | None]]:
        return filter(None, map(self._read, range(SLOTS)))

    def _slot(self, key: str) -> int:
        """Return the key's slot, or a free one for a new key."""
        if key in self._known:
            return self._known[key]
        first: int = zlib.crc32(key.encode()) % SLOTS
        for slot in chain(range(first, SLOTS), range(first)):
            found = self._read(slot)
            if found and found[0] == key:
                self._known[key] = slot
                return slot
            if found is None:
                return slot
        raise ValueError(f"At most {SLOTS} items fit.")

    def _read(self, slot: int) -> tuple[str, Item | None] | None:
        start = slot * SLOT
        (length,) = _LENGTH.unpack_from(self._memory, start)
        if not length:
            return None
        key, item = json.loads(self._memory[start + _LENGTH.size : start + _LENGTH.size + length])
        return key, item
