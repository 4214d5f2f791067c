"""MariaDB, the default database server."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.database.server import Administrator, search, secret_file
from local.errors import LocalError

INSTALL_HINT = (
    "MariaDB's server is missing: run `scripts/setup database`, or install it yourself "
    "(Debian and Ubuntu: `apt-get install mariadb-server-core`; macOS: `brew install mariadb`)."
)

# Homebrew on Apple and Intel processors.
_HOMEBREW = ("/opt/homebrew/opt/mariadb/bin", "/usr/local/opt/mariadb/bin")

# The server's own tables. `mariadb-install-db` runs the same files, but needs more packages and mostly
# loads help tables and the `sys` schema. The names changed in MariaDB 11.
_SYSTEM_TABLES = (
    ("mariadb_system_tables.sql", "mysql_system_tables.sql"),
    ("mariadb_system_tables_data.sql", "mysql_system_tables_data.sql"),
)

# One statement a line. The default accounts have no password, so all are deleted.
_ACCOUNTS = """
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
CREATE USER '{administrator}'@'127.0.0.1' IDENTIFIED BY '{password}' REQUIRE SSL;
GRANT ALL PRIVILEGES ON *.* TO '{administrator}'@'127.0.0.1' WITH GRANT OPTION;
"""


@dataclass(frozen=True, kw_only=True)
class MariaDb:
    """MariaDB's server program, and the directory of its SQL files and messages."""

    program: Path
    share: Path
    name: str = "MariaDB"

    @property
    def command(self) -> list[str]:
        return [
            str(self.program),
            "--no-defaults",
            f"--lc-messages-dir={self.share}",
            "--innodb-log-file-size=16M",
        ]

    def bootstrap(self, command: Sequence[str], directory: Path, administrator: Administrator) -> list[str]:
        script = directory / "bootstrap.sql"
        secret_file(script, self._sql(administrator))
        options = ["--bootstrap", "--log-warnings=0", "--max-allowed-packet=8M", "--innodb-doublewrite=0"]
        return [
            f"{shlex.join([*command, *options])} < {shlex.quote(str(script))}",
            # It holds the administrator's password.
            f"rm {shlex.quote(str(script))}",
        ]

    def _sql(self, administrator: Administrator) -> str:
        files = [
            next(self.share / name for name in names if (self.share / name).is_file())
            for names in _SYSTEM_TABLES
        ]
        return "".join(
            [
                "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n",
                *(file.read_text(encoding="utf-8") for file in files),
                _ACCOUNTS.format(administrator=administrator.user, password=administrator.password),
            ]
        )


def find() -> MariaDb:
    """Return the installed server.

    Raises
    ------
    LocalError
        It is not installed; the message has the command that installs it.
    """
    program = next(iter(search("mariadbd", *_HOMEBREW)), None)
    if program is None:
        raise LocalError(INSTALL_HINT)
    prefix = program.resolve().parent.parent
    candidates = [base / "share" / name for base in (prefix, Path("/usr")) for name in ("mysql", "mariadb")]
    for share in candidates:
        if all(any((share / name).is_file() for name in names) for names in _SYSTEM_TABLES):
            return MariaDb(program=program, share=share)
    raise LocalError(f"{program} is installed without its SQL files: {INSTALL_HINT}")
