"""Runs a local stack in this process: `cafe local --detach` and the tests start it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from local import stack
from local.database.engine import Engine
from local.display import Display


def main() -> int:
    """Run until a signal arrives; with a descriptor, write to it when ready, and detach from the terminal."""
    parser = argparse.ArgumentParser(prog="local", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, default=stack.DEFAULT_PORT)
    parser.add_argument("--database-port", type=int, default=0)
    parser.add_argument("--database-server", type=Engine, default=Engine.MARIADB)
    parser.add_argument("--program", type=Path, default=stack.ROOT)
    parser.add_argument("--config", action="append", default=[])
    parser.add_argument("--ready-descriptor", type=int)
    arguments = parser.parse_args()
    options = stack.Options(
        directory=arguments.directory,
        port=arguments.port,
        database_port=arguments.database_port,
        database_server=arguments.database_server,
        program=arguments.program,
        settings=stack.parse_settings(arguments.config),
    )

    def on_ready() -> None:
        if arguments.ready_descriptor is None:
            return
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(null, descriptor)
        os.write(arguments.ready_descriptor, b"1")
        os.close(arguments.ready_descriptor)

    return stack.run(options, Display(), on_ready=on_ready, how_to_stop=stack.how_to_stop(options.directory))


if __name__ == "__main__":
    sys.exit(main())
