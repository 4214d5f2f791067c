"""The database servers that a local stack can run on."""

from __future__ import annotations

from enum import StrEnum

from local.database import mariadb, mysql
from local.database.server import DatabaseServer


class Engine(StrEnum):
    """A server that can stand in for RDS."""

    MARIADB = "mariadb"
    MYSQL = "mysql"

    def installed(self) -> DatabaseServer:
        """Find the installed server.

        Raises
        ------
        LocalError
            When there is none, with the way to install it.
        """
        return mysql.find() if self is Engine.MYSQL else mariadb.find()
