"""Deterministic ZIP files of Pulumi's assets and archives."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pulumi

# The oldest time that a ZIP file can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_TOP = PurePosixPath()
_READABLE_BY_ALL = 0o644 << 16


def read_asset(asset: Any) -> bytes:
    """Return the content of a file or text asset."""
    match asset:
        case pulumi.FileAsset():
            return Path(asset.path).read_bytes()
        case pulumi.StringAsset():
            return asset.text.encode()
        case _:
            raise TypeError(f"local mode cannot read a {type(asset).__name__}")


def read_archive(archive: Any, prefix: PurePosixPath = _TOP) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each file in an archive."""
    match archive:
        case pulumi.AssetArchive():
            for name, item in archive.assets.items():
                yield from read_archive(item, prefix / name)
        case pulumi.FileArchive() if Path(archive.path).is_dir():
            yield from _read_directory(Path(archive.path), prefix)
        case pulumi.FileArchive():
            yield from _read_zip(Path(archive.path), prefix)
        case _:
            yield str(prefix), read_asset(archive)


def zipped(archive: Any, replacements: Mapping[str, bytes]) -> bytes:
    """Return an archive as a deterministic ZIP file.

    Parameters
    ----------
    archive
        A Pulumi archive.
    replacements
        Replacement contents by file name.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for path, content in sorted(read_archive(archive)):
            entry = zipfile.ZipInfo(path, date_time=_EPOCH)
            entry.external_attr = _READABLE_BY_ALL
            entry.compress_type = zipfile.ZIP_DEFLATED
            replaced = replacements.get(PurePosixPath(path).name, content)
            # Fast, not small: it is sent over the loopback once.
            package.writestr(entry, replaced, compresslevel=1)
    return buffer.getvalue()


def _read_directory(directory: Path, prefix: PurePosixPath) -> Iterator[tuple[str, bytes]]:
    for path in directory.rglob("*"):
        relative = path.relative_to(directory)
        if path.is_file() and "__pycache__" not in relative.parts:
            yield str(prefix / relative.as_posix()), path.read_bytes()


def _read_zip(path: Path, prefix: PurePosixPath) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            if not name.endswith("/"):
                yield str(prefix / name), package.read(name)
