"""Runs a local stack in this process: `cafe local --detach` and the tests start it."""

from __future__ import annotations

import os
import sys

from local import stack
from local.display import Display


def main(options: stack.Options, ready: int | None = None) -> int:
    """Run until a signal arrives; with a descriptor, write to it when ready, and detach from the terminal."""

    def on_ready() -> None:
        if ready is None:
            return
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(null, descriptor)
        os.write(ready, b"1")
        os.close(ready)

    return stack.run(options, Display(), on_ready=on_ready, how_to_stop=stack.how_to_stop(options.directory))


if __name__ == "__main__":
    sys.exit(main(stack.Options.decode(sys.argv[1]), *map(int, sys.argv[2:])))
