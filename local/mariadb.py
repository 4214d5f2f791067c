"""MariaDB in place of RDS: a private data directory, loopback only, TLS with our own authority."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from local.certificates import Certificates
from local.errors import LocalError

ADMINISTRATOR = "cafe_local_admin"

INSTALL_HINT = (
    "MariaDB's server is missing: run `scripts/setup database`, or install it yourself "
    "(Debian and Ubuntu: `apt-get install mariadb-server-core`; macOS: `brew install mariadb`)."
)

# Where packages put the server apart from the PATH: Debian's daemons, Homebrew on Apple's and Intel's chips.
_PROGRAM_DIRECTORIES = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mariadb/bin",
)

# The server's own tables. `mariadb-install-db` would run the same files, but it needs more packages, and its
# help tables and `sys` schema are most of its time. The names changed with MariaDB 11.
_SYSTEM_TABLES = (
    ("mariadb_system_tables.sql", "mysql_system_tables.sql"),
    ("mariadb_system_tables_data.sql", "mysql_system_tables_data.sql"),
)

# The bootstrap reads one statement a line. Its own accounts have no password, so none of them stays.
_ACCOUNTS = """
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
CREATE USER '{administrator}'@'127.0.0.1' IDENTIFIED BY '{password}' REQUIRE SSL;
GRANT ALL PRIVILEGES ON *.* TO '{administrator}'@'127.0.0.1' WITH GRANT OPTION;
"""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The server's program and the directory of its SQL files and messages."""

    program: Path
    share: Path


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """A login with all rights, from this machine and over TLS only."""

    user: str = ADMINISTRATOR
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def find() -> Installation:
    """Find the installed server.

    Raises
    ------
    LocalError
        When there is none, with the way to install it.
    """
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *_PROGRAM_DIRECTORIES])
    program = shutil.which("mariadbd", path=search)
    if program is None:
        raise LocalError(INSTALL_HINT)
    prefix = Path(program).resolve().parent.parent
    candidates = [base / "share" / name for base in (prefix, Path("/usr")) for name in ("mysql", "mariadb")]
    for share in candidates:
        if all(any((share / name).is_file() for name in names) for names in _SYSTEM_TABLES):
            return Installation(program=Path(program), share=share)
    raise LocalError(f"{program} is there, but not the SQL files that belong to it: {INSTALL_HINT}")


def command(
    installation: Installation,
    directory: Path,
    port: int,
    administrator: Administrator,
    certificates: Certificates,
) -> list[str]:
    """Write what a new server needs into `directory`, and return the command that makes it run there.

    One process group does both steps, the making of the data directory and the server itself, so that
    whoever starts it can stop it at any moment.
    """
    data = directory / "data"
    for path in (data, directory / "tmp"):
        path.mkdir(mode=0o700, parents=True)
    script = directory / "bootstrap.sql"
    script.touch(mode=0o600)
    script.write_text(_bootstrap_sql(installation.share, administrator), encoding="utf-8")
    parameters_file(directory).touch(mode=0o600)
    bootstrap = [
        *_common_options(installation, data),
        "--bootstrap",
        "--log-warnings=0",
        "--max-allowed-packet=8M",
        "--innodb-doublewrite=0",
    ]
    server = server_command(installation, directory, port, certificates)
    # The script holds the administrator's password: it goes as soon as it is read.
    steps = (
        f"{shlex.join(bootstrap)} < {shlex.quote(str(script))}",
        f"rm {shlex.quote(str(script))}",
        f"exec {shlex.join(server)}",
    )
    return ["/bin/sh", "-c", " && ".join(steps)]


def server_command(
    installation: Installation, directory: Path, port: int, certificates: Certificates
) -> list[str]:
    """Return the command of a server on the data that `directory` has, whatever became of the last one."""
    return [
        *_common_options(installation, directory / "data"),
        *_server_options(port, certificates),
        f"--init-file={parameters_file(directory)}",
    ]


def parameters_file(directory: Path) -> Path:
    """Return where the statements are that give a starting server its parameter group's values."""
    return directory / "parameters.sql"


def _bootstrap_sql(share: Path, administrator: Administrator) -> str:
    files = [next(share / name for name in names if (share / name).is_file()) for names in _SYSTEM_TABLES]
    accounts = _ACCOUNTS.format(administrator=administrator.user, password=administrator.password)
    return "".join(
        [
            "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n",
            *(file.read_text(encoding="utf-8") for file in files),
            accounts,
        ]
    )


def _common_options(installation: Installation, data: Path) -> list[str]:
    return [
        str(installation.program),
        # No option file of this machine's may change anything.
        "--no-defaults",
        *(["--user=root"] if os.geteuid() == 0 else []),
        f"--datadir={data}",
        # A starting server removes what other servers have in the temporary directory.
        f"--tmpdir={data.parent / 'tmp'}",
        f"--lc-messages-dir={installation.share}",
        "--innodb-log-file-size=16M",
        # A killed server loses nothing this way; only a crash of the whole machine would.
        "--innodb-flush-log-at-trx-commit=2",
    ]


def _server_options(port: int, certificates: Certificates) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        f"--port={port}",
        # Relative to the data directory: the full path can be longer than a socket's name may be.
        "--socket=mariadb.sock",
        "--pid-file=mariadb.pid",
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
