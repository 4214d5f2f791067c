"""The database server that tests run on: MariaDB, or what `--database-server` names."""

from __future__ import annotations

import os

from local.database.engine import Engine

# Read by `cafe local`, too, so that the stacks that tests start run on the same server.
VARIABLE = "CAFE_DATABASE_SERVER"


def chosen() -> Engine:
    """Return the chosen server."""
    return Engine(os.environ.get(VARIABLE, Engine.MARIADB))
