"""The connection to the local stack's database."""

from __future__ import annotations

import pymysql
import pytest

from chaos.database import connect
from cli.stack import REPOSITORY, Database
from tests.broken_environment import BROKEN


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSLKEYLOGFILE"])
def test_the_local_database_is_read_in_any_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, BROKEN[name])
    roots = str(REPOSITORY / "functions" / "rds_roots" / "us-east-1.pem")
    away = Database(host="127.0.0.1", port=9, user="u", password="p", name="cafe_db", ca=roots)

    with pytest.raises(pymysql.OperationalError, match="Can't connect to MySQL server"):
        connect(away)
