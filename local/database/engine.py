"""Choice of the database server."""

from __future__ import annotations

from enum import StrEnum

from local.database import mariadb, mysql
from local.database.server import DatabaseServer


class Engine(StrEnum):
    """A database server in place of RDS."""

    MARIADB = "mariadb"
    MYSQL = "mysql"

    def installed(self) -> DatabaseServer:
        """Return the installed server.

        Raises
        ------
        LocalError
            It is not installed; the message has the command that installs it.
        """
        return mysql.find() if self is Engine.MYSQL else mariadb.find()
