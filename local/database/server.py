"""Command of the database server: a private data directory, loopback only, TLS with a private CA.

`mariadb` and `mysql` hold what differs between the two servers.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from local.database.certificates import Certificates

ADMINISTRATOR = "cafe_local_admin"

# Directories outside the PATH in which packages install servers.
_PROGRAM_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """A login with all rights, from this machine and over TLS only."""

    user: str = ADMINISTRATOR
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class DatabaseServer(Protocol):
    """An installed server."""

    @property
    def name(self) -> str:
        """Return the product's name, for messages."""

    @property
    def command(self) -> list[str]:
        """Return the program and its options, first the one that ignores this machine's option files."""

    def bootstrap(self, command: Sequence[str], directory: Path, administrator: Administrator) -> list[str]:
        """Write the files for a new data directory, and return the shell commands that initialize it.

        Parameters
        ----------
        command
            The program with its common options, without those for listening.
        """


def search(program: str, *directories: str) -> list[Path]:
    """Return the programs of that name on the PATH and in the directories of packages."""
    path = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *_PROGRAM_DIRECTORIES, *directories]
    found = (shutil.which(program, path=directory) for directory in path if directory)
    return [Path(each) for each in dict.fromkeys(found) if each]


def first_command(
    server: DatabaseServer,
    directory: Path,
    port: int,
    administrator: Administrator,
    certificates: Certificates,
) -> list[str]:
    """Write the files of a new server, and return the command that initializes and runs it.

    One shell runs both steps, so that the process group can be killed at any time.
    """
    for path in (directory / "data", directory / "tmp"):
        path.mkdir(mode=0o700, parents=True)
    parameters_file(directory).touch(mode=0o600)
    steps = [
        *server.bootstrap(_common(server, directory), directory, administrator),
        f"exec {shlex.join(command(server, directory, port, certificates))}",
    ]
    return ["/bin/sh", "-c", " && ".join(steps)]


def command(server: DatabaseServer, directory: Path, port: int, certificates: Certificates) -> list[str]:
    """Return the command that runs a server on the data in `directory`."""
    return [
        *_common(server, directory),
        *_server_options(port, certificates),
        f"--init-file={parameters_file(directory)}",
    ]


def parameters_file(directory: Path) -> Path:
    """Return the file of SQL that sets the parameter group's values at every start."""
    return directory / "parameters.sql"


def user_option() -> list[str]:
    """Return the option that both servers require to run as root, as in containers."""
    return ["--user=root"] if os.geteuid() == 0 else []


def secret_file(path: Path, text: str) -> None:
    """Write a file that only its owner can ever read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _common(server: DatabaseServer, directory: Path) -> list[str]:
    return [
        *server.command,
        *user_option(),
        f"--datadir={directory / 'data'}",
        # A starting server removes other servers' files from its temporary directory.
        f"--tmpdir={directory / 'tmp'}",
        # Only a crash of the whole machine loses data.
        "--innodb-flush-log-at-trx-commit=2",
    ]


def _server_options(port: int, certificates: Certificates) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        f"--port={port}",
        # Relative to the data directory: a socket's path has a maximum length.
        "--socket=database.sock",
        "--pid-file=database.pid",
        "--skip-name-resolve",
        "--performance-schema=OFF",
        "--innodb-buffer-pool-size=64M",
        # As RDS for MySQL 8.4 sets them; MariaDB's own defaults differ.
        "--character-set-server=utf8mb4",
        "--default-time-zone=+00:00",
        f"--ssl-ca={certificates.authority}",
        f"--ssl-cert={certificates.server}",
        f"--ssl-key={certificates.server_key}",
        "--tls-version=TLSv1.2,TLSv1.3",
    ]
