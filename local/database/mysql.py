"""MySQL, in the version that is installed."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.database.server import Administrator, search, secret_file, user_option
from local.errors import LocalError

INSTALL_HINT = (
    "MySQL's server is missing: install it yourself (Debian's unstable suite and Ubuntu: "
    "`apt-get install mysql-server-core`; macOS: `brew install mysql`), so that `mysqld` is on the PATH, "
    "or leave out --database-server for MariaDB."
)

_HOMEBREW = ("/opt/homebrew/opt/mysql/bin", "/usr/local/opt/mysql/bin")

# One statement a line. After --initialize-insecure, `root` has no password, so it is dropped.
_ACCOUNTS = """\
CREATE USER '{administrator}'@'127.0.0.1' IDENTIFIED BY '{password}' REQUIRE SSL;
GRANT ALL PRIVILEGES ON *.* TO '{administrator}'@'127.0.0.1' WITH GRANT OPTION;
DROP USER 'root'@'localhost';
"""


# Ignore this machine's option files; must be the first option.
_NO_OPTION_FILES = ["--no-defaults"]
# The default is a directory that may not exist.
_NO_FILES = "--secure-file-priv=NULL"


@dataclass(frozen=True, kw_only=True)
class MySqlServer:
    """MySQL's server command."""

    program: Sequence[str]
    name: str = "MySQL"

    @property
    def command(self) -> list[str]:
        return [
            *self.program,
            _NO_FILES,
            "--mysqlx=OFF",  # It would listen on a second port.
            "--skip-log-bin",  # A local stack has neither replicas nor backups.
            "--innodb-redo-log-capacity=32M",
        ]

    def bootstrap(self, command: Sequence[str], directory: Path, administrator: Administrator) -> list[str]:
        accounts = directory / "accounts.sql"
        secret_file(
            accounts, _ACCOUNTS.format(administrator=administrator.user, password=administrator.password)
        )
        return [
            shlex.join([*command, "--initialize-insecure", f"--init-file={accounts}"]),
            # It holds the administrator's password.
            f"rm {shlex.quote(str(accounts))}",
        ]


def find() -> MySqlServer:
    """Return the installed server, ignoring MariaDB's `mysqld`.

    Raises
    ------
    LocalError
        It is not installed; the message has the command that installs it.
    """
    for program in search("mysqld", *_HOMEBREW):
        # A wrapper script may pass --no-defaults itself, and must not get it twice.
        for command in ([str(program), *_NO_OPTION_FILES], [str(program)]):
            if _is_mysql(command):
                return MySqlServer(program=command)
    raise LocalError(INSTALL_HINT)


def _is_mysql(command: Sequence[str]) -> bool:
    """Return whether the command runs MySQL: MariaDB does not know --validate-config."""
    try:
        run = subprocess.run(
            [*command, *user_option(), _NO_FILES, "--validate-config"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0
